//! Checks the serial ports: which one is selected, who may open it, who holds it, and what else may
//! use it.

use crate::hub::Status;
use crate::platform::Process;
use crate::port::source::exec::{self, command::ProgramCommand};
use crate::port::source::play;
use crate::port::source::serial::enumerate::{self, PortInfo};
use crate::port::source::serial::os::{self, Access};
use crate::port::source::spec::Spec;
use crate::port::{self, Diagnostic, PortConfig, Severity, denied, in_use};
use crate::terminal::shown;

/// Observations of one port.
struct PortFacts {
    path: String,
    /// Its entry in the list of ports, if it has one.
    listed: Option<PortInfo>,
    access: Access,
    holder: Option<Process>,
}

impl PortFacts {
    fn is_usb(&self) -> bool {
        self.listed
            .as_ref()
            .is_some_and(|port| port.usb().is_some())
    }
}

/// Diagnoses the selected ports, or all of them where any board would do.
pub(crate) fn diagnose(ports: &[PortConfig]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut is_missing = false;
    let listed = enumerate::ports().unwrap_or_default();
    for port in ports {
        if port.spec.endpoint().is_some() {
            let text = "is in the network, where serial-ws looks for it when it runs";
            diagnostics.push(match port.upstream.token_error() {
                None => Diagnostic::ok(format!("{} {text}", port.spec)),
                Some(why) => Diagnostic::action(format!("{}: {why}", port.spec)),
            });
            continue;
        }
        if let Some(program) = port.spec.program() {
            diagnostics.push(check_program(program));
            continue;
        }
        if let Spec::Play(files) = &port.spec {
            diagnostics.push(match play::check(files, &port.name) {
                Ok(files) => Diagnostic::ok(format!("{} plays {files}", port.spec)),
                Err(why) => Diagnostic::action(why),
            });
            continue;
        }
        if !port.spec.is_physical() {
            diagnostics.push(Diagnostic::ok(format!("{} needs no board", port.spec)));
            continue;
        }
        let (paths, missing) = selected(port, ports, &listed);
        for path in paths {
            let facts = observe(path, &listed);
            let mut diagnostic = check(&facts);
            // `auto` only takes USB boards, so perhaps nobody wants the others.
            if port.spec == Spec::Auto && !facts.is_usb() && diagnostic.severity == Severity::Action
            {
                diagnostic.severity = Severity::Note;
            }
            diagnostics.push(diagnostic);
            diagnostics.extend(os::interference(&facts.path, port.line.low_latency));
        }
        is_missing |= missing.is_some();
        diagnostics.extend(missing.map(|status| Diagnostic::action(status.sentence())));
    }
    diagnostics.extend(os::missing_ports(is_missing));
    diagnostics
}

/// Tells whether serial-ws could start a program.
fn check_program(command: &ProgramCommand) -> Diagnostic {
    match exec::check(command) {
        Ok(path) => Diagnostic::ok(format!(
            "{} starts {}",
            shown(&command.to_string()),
            shown(&path.to_string_lossy())
        )),
        Err(why) => Diagnostic::action(why),
    }
}

/// Diagnoses the port at a path.
pub(crate) fn look(path: &str) -> Diagnostic {
    let listed = enumerate::ports().unwrap_or_default();
    check(&observe(path.to_owned(), &listed))
}

/// The paths to look at, and why the selected port is not among them.
fn selected(
    port: &PortConfig,
    ports: &[PortConfig],
    listed: &[PortInfo],
) -> (Vec<String>, Option<Status>) {
    match (&port.spec, port::find(port, ports)) {
        (Spec::Auto, found) => {
            let real = listed.iter().filter(|port| !port.is_placeholder());
            (
                real.map(|port| port.path.clone()).collect(),
                found.err().map(|status| *status),
            )
        }
        (_, Ok(path)) => (vec![path], None),
        (_, Err(status)) => (Vec::new(), Some(*status)),
    }
}

fn observe(path: String, listed: &[PortInfo]) -> PortFacts {
    PortFacts {
        listed: listed
            .iter()
            .find(|port| os::same_port(&port.path, &path))
            .cloned(),
        access: os::access(&path),
        holder: os::holder(&path),
        path,
    }
}

/// Tells whether serial-ws could open the port.
fn check(facts: &PortFacts) -> Diagnostic {
    let PortFacts {
        path,
        listed,
        access,
        holder,
    } = facts;
    let name = match listed
        .as_ref()
        .and_then(|port| Some((port.board()?, port.usb()?.id())))
    {
        Some((board, id)) => format!("{} ({}, {id})", shown(path), shown(&board)),
        None => shown(path),
    };
    match (holder, access) {
        (Some(Process { name: holder, pid }), _) if holder == env!("CARGO_PKG_NAME") => {
            Diagnostic::ok(format!(
                "{name}: in use by serial-ws (pid {pid}). To free it for another program: \
                 serial-ws release"
            ))
        }
        (Some(holder), _) => Diagnostic::action(in_use(path, Some(holder)).sentence()),
        (None, Access::Denied { hint }) => {
            Diagnostic::action(denied(path, hint.clone()).sentence())
        }
        (None, Access::Granted) => Diagnostic::ok(format!(
            "{name}: you may open it, and no other program seems to use it"
        )),
        (None, Access::Unknown) => Diagnostic::ok(format!(
            "{name} is there. On this system, only opening it shows whether another program uses it"
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
        let facts = PortFacts {
            path: "/dev/ttyACM0".to_owned(),
            listed: Some(PortInfo::fake_usb("/dev/ttyACM0", "2341:0043:A1")),
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
             program seems to use it",
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
            "ok    /dev/ttyACM0 (Arduino Uno, usb:2341:0043): in use by serial-ws (pid 4711). \
             To free it for another program: serial-ws release",
        );
        check_port(
            Access::Unknown,
            None,
            "ok    /dev/ttyACM0 (Arduino Uno, usb:2341:0043) is there. On this system, only \
             opening it shows whether another program uses it",
        );
    }
}
