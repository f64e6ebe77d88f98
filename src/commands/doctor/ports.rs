//! The serial ports: which one is meant, who may open it, who has it, and what else may touch it.

use crate::hub::Status;
use crate::platform::Process;
use crate::port::source::serial::enumerate::{self, PortInfo};
use crate::port::source::serial::os::{self, Access};
use crate::port::source::spec::Spec;
use crate::port::{self, PortConfig, denied, in_use};
use crate::terminal::shown;

use super::Finding;

/// What is observed of one port.
struct Facts {
    path: String,
    /// What it is, where it is listed.
    found: Option<PortInfo>,
    access: Access,
    holder: Option<Process>,
}

impl Facts {
    fn is_usb(&self) -> bool {
        self.found.as_ref().is_some_and(|port| port.usb().is_some())
    }
}

/// Looks at the ports that are meant, and at all others where any board would do.
pub(crate) fn look(ports: &[PortConfig]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_missing = false;
    let listed = enumerate::ports().unwrap_or_default();
    for port in ports {
        if !port.spec.is_physical() {
            findings.push(Finding::right(format!("{} needs no board", port.spec)));
            continue;
        }
        let (paths, missing) = meant(port, ports, &listed);
        for path in paths {
            let facts = observe(path, &listed);
            let finding = check(&facts);
            // Only USB boards are taken unasked, so that nobody may want the others.
            findings.push(if port.spec == Spec::Auto && !facts.is_usb() {
                finding.by_the_way()
            } else {
                finding
            });
            let remarks = os::remarks_on_port(&facts.path, port.line.low_latency);
            findings.extend(remarks.into_iter().map(Finding::from));
        }
        is_missing |= missing.is_some();
        findings.extend(missing.map(|status| Finding::to_do(status.sentence())));
    }
    let remarks = os::remarks_on_missing_ports(is_missing);
    findings.extend(remarks.into_iter().map(Finding::from));
    findings
}

/// The paths to look at, and why the port that is meant is not among them.
fn meant(
    port: &PortConfig,
    ports: &[PortConfig],
    listed: &[PortInfo],
) -> (Vec<String>, Option<Status>) {
    match (&port.spec, port::find(port, ports)) {
        (Spec::Auto, found) => {
            let real = listed.iter().filter(|port| !port.is_placeholder());
            (real.map(|port| port.path.clone()).collect(), found.err())
        }
        (_, Ok(path)) => (vec![path], None),
        (_, Err(status)) => (Vec::new(), Some(status)),
    }
}

fn observe(path: String, listed: &[PortInfo]) -> Facts {
    Facts {
        found: listed
            .iter()
            .find(|port| os::same_port(&port.path, &path))
            .cloned(),
        access: os::access(&path),
        holder: os::holder(&path),
        path,
    }
}

/// Whether the bridge could open the port.
fn check(facts: &Facts) -> Finding {
    let Facts {
        path,
        found,
        access,
        holder,
    } = facts;
    let found = found.as_ref();
    let name = match found.and_then(|port| Some((port.board()?, port.usb()?.id()))) {
        Some((board, id)) => format!("{} ({}, {id})", shown(path), shown(&board)),
        None => shown(path),
    };
    match (holder, access) {
        (Some(Process { name: holder, pid }), _) if holder == env!("CARGO_PKG_NAME") => {
            Finding::right(format!(
                "{name}: a serial-ws (pid {pid}) has it. For another program, it lends it by: \
                 serial-ws release"
            ))
        }
        (Some(holder), _) => Finding::to_do(in_use(path, Some(holder)).sentence()),
        (None, Access::Denied { hint }) => Finding::to_do(denied(path, hint.clone()).sentence()),
        (None, Access::Granted) => Finding::right(format!(
            "{name}: you may open it, and no other program is seen to have it"
        )),
        (None, Access::Unknown) => Finding::right(format!(
            "{name} is there. Whether another program has it, only opening it can tell here"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_port(access: Access, holder: Option<(&str, u32)>, expected: &str) {
        let holder = holder.map(|(name, pid)| {
            let name = name.to_owned();
            Process { name, pid }
        });
        let facts = Facts {
            path: "/dev/ttyACM0".to_owned(),
            found: Some(PortInfo::fake_usb("/dev/ttyACM0", "2341:0043:A1")),
            access,
            holder,
        };
        assert_eq!(check(&facts).to_string(), expected);
    }

    #[test]
    fn a_port_is_free_denied_or_taken() {
        check_port(
            Access::Granted,
            None,
            "ok    /dev/ttyACM0 (Arduino Uno, usb:2341:0043): you may open it, and no other \
             program is seen to have it",
        );
        let hint =
            Some("It belongs to group dialout, which you have joined: log out and in".into());
        check_port(
            Access::Denied { hint },
            None,
            "do    cannot open /dev/ttyACM0: permission denied. It belongs to group dialout, \
             which you have joined: log out and in",
        );
        check_port(
            Access::Granted,
            Some(("arduino-ide", 4711)),
            "do    cannot open /dev/ttyACM0: in use by arduino-ide (pid 4711). Close the port \
             there; in the Arduino IDE, close the Serial Monitor",
        );
        check_port(
            Access::Denied { hint: None },
            Some(("serial-ws", 4711)),
            "ok    /dev/ttyACM0 (Arduino Uno, usb:2341:0043): a serial-ws (pid 4711) has it. For \
             another program, it lends it by: serial-ws release",
        );
        check_port(
            Access::Unknown,
            None,
            "ok    /dev/ttyACM0 (Arduino Uno, usb:2341:0043) is there. Whether another program \
             has it, only opening it can tell here",
        );
    }
}
