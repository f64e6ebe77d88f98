//! From what the user wants, and what was open before, to the port to open now.

use std::slice;
use std::time::{Duration, Instant};

use super::enumerate::{self, PortInfo};
use super::identity::{Identity, recognise};
use super::open::{Failure, LIST};
use super::os::{self, PathKind};
use crate::hub::{State, Status};
use crate::port::Claim;
use crate::port::source::spec::{Spec, Undecided, choose};
use crate::terminal::shown;

/// How long `auto` waits for the board that it had before it takes another one.
const FAITHFUL: Duration = Duration::from_secs(5);

/// What to open.
pub(crate) struct Target {
    /// What the system calls it.
    pub(crate) path: String,
    /// What it is, where it is listed.
    pub(crate) found: Option<PortInfo>,
    /// By what to know it again, where it is listed.
    pub(crate) identity: Option<Identity>,
}

/// Finds the device that is meant: the one that was open before, wherever it is now, or the one
/// that the user described.
///
/// # Errors
/// Why there is none, or which of our ports has it.
pub(crate) fn find(
    spec: &Spec,
    last: Option<&(Identity, Instant)>,
    others: &[Claim],
) -> Result<Target, Failure> {
    let kind = match spec {
        Spec::Path(path) => os::describe_path(path),
        _ => PathKind::Missing,
    };
    // Only now: what is there is listed, while what is listed may not have been there before.
    let (ports, unlisted) = match enumerate::ports() {
        Ok(ports) => (ports, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let held: Vec<String> = others
        .iter()
        .filter_map(|claim| claim.path.clone())
        .collect();
    let known = last.and_then(|(identity, _)| recognise(identity, &ports, &held));
    match (spec, kind) {
        (Spec::Path(path), PathKind::NotAPort(what)) => {
            let path = shown(path);
            let detail = format!("cannot open {path}: it is {what}, not a serial port");
            return Err(Failure::hopeless(detail, LIST));
        }
        // Another board may have come to the path while ours is under another name.
        (Spec::Path(path), PathKind::Port)
            if known.is_none_or(|port| os::same_port(&port.path, path)) =>
        {
            if known.is_none()
                && let Some(claim) = owner(spec, path, &ports, others)
            {
                let (path, port) = (shown(path), &claim.port);
                let detail = format!("cannot open {path}: it is the device of port {port}");
                return Err(Status::new(State::Busy, detail).into());
            }
            return Ok(Target::named(path, &ports));
        }
        _ => {}
    }
    if let Some(error) = unlisted {
        return Err(Failure::waiting(format!("{error:#}")));
    }
    let may_change = last.is_none_or(|(_, since)| since.elapsed() >= FAITHFUL);
    let chosen = match (known, spec) {
        (Some(known), _) => known.clone(),
        (None, Spec::Auto) if !may_change => {
            return Err(Failure::absent(
                "the board that was here has not come back yet",
            ));
        }
        (None, _) => choose_free(spec, &ports, others)?,
    };
    Ok(Target::found(&chosen, &ports))
}

/// The listed port that is meant, if it is not for another one of ours.
fn choose_free(spec: &Spec, ports: &[PortInfo], others: &[Claim]) -> Result<PortInfo, Failure> {
    let (mut free, mut taken) = (Vec::new(), Vec::new());
    for port in ports {
        match owner(spec, &port.path, ports, others) {
            None => free.push(port.clone()),
            Some(claim) if choose(spec, slice::from_ref(port)).is_ok() => {
                let path = shown(&port.path);
                taken.push(format!("{path} is the device of port {}", claim.port));
            }
            Some(_) => {}
        }
    }
    choose(spec, &free)
        .cloned()
        .map_err(|undecided| match undecided {
            Undecided::Several(detail) => Failure::waiting(detail),
            Undecided::Absent(detail) if taken.is_empty() => Failure::absent(detail),
            Undecided::Absent(_) => {
                Failure::absent(format!("no board for this port: {}", taken.join(", ")))
            }
        })
}

/// Which of our other ports has the device at `path`, waits for it, or tells more exactly than
/// `spec` that it wants it.
fn owner<'a>(
    spec: &Spec,
    path: &str,
    ports: &[PortInfo],
    others: &'a [Claim],
) -> Option<&'a Claim> {
    let is_here = |port: &PortInfo| os::same_port(&port.path, path);
    others.iter().find(|claim| {
        if let Some(held) = &claim.path {
            return os::same_port(held, path);
        }
        let identity = claim.identity.as_ref();
        let last = identity.and_then(|identity| recognise(identity, ports, &[]));
        let is_named = || match &claim.spec {
            Spec::Path(named) => os::same_port(named, path),
            named => ports
                .iter()
                .any(|port| is_here(port) && port.usb().is_some_and(|usb| named.fits(usb))),
        };
        last.is_some_and(is_here) || claim.spec.precision() > spec.precision() && is_named()
    })
}

impl Target {
    fn found(found: &PortInfo, ports: &[PortInfo]) -> Self {
        Self {
            path: found.path.clone(),
            found: Some(found.clone()),
            identity: Some(Identity::of(found, ports)),
        }
    }

    /// The port that the user named, whether or not it is listed.
    fn named(path: &str, ports: &[PortInfo]) -> Self {
        match ports.iter().find(|port| os::same_port(&port.path, path)) {
            Some(found) => Self {
                path: path.to_owned(),
                ..Self::found(found, ports)
            },
            None => Self {
                path: path.to_owned(),
                found: None,
                identity: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNO: (&str, &str) = ("/dev/ttyACM0", "2341:0043:A1@1-1/0");
    const OTHER_UNO: (&str, &str) = ("/dev/ttyACM1", "2341:0043:B1@1-2/0");
    const PICO: (&str, &str) = ("/dev/ttyACM2", "2e8a:000a:C1@1-3/0");

    /// What `spec` gets while the ports `others`, named p0 and so on, have not opened theirs yet.
    #[track_caller]
    fn check(spec: &str, others: &[&str], here: &[(&str, &str)], expected: Result<&str, &str>) {
        let ports: Vec<PortInfo> = here
            .iter()
            .map(|(path, spec)| PortInfo::fake_usb(path, spec))
            .collect();
        let claim = |(number, spec): (usize, &&str)| Claim {
            port: format!("p{number}"),
            spec: spec.parse().unwrap(),
            path: None,
            identity: None,
        };
        let others: Vec<Claim> = others.iter().enumerate().map(claim).collect();
        let chosen = choose_free(&spec.parse().unwrap(), &ports, &others);
        let chosen = chosen.map(|port| port.path).map_err(|f| f.status.detail);
        assert_eq!(chosen, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_board_that_another_port_names_is_left_to_it() {
        let boards = [UNO, PICO];
        for named in ["/dev/ttyACM0", "usb:2341:0043", "usb:2341:0043:A1"] {
            check("auto", &[named], &boards, Ok(PICO.0));
        }
        let unos = [UNO, OTHER_UNO];
        check(
            "usb:2341:0043",
            &["usb:2341:0043:A1"],
            &unos,
            Ok(OTHER_UNO.0),
        );
        // Who tells more is not kept from it by who tells less.
        check(
            "usb:2341:0043:A1",
            &["usb:2341:0043", "auto"],
            &unos,
            Ok(UNO.0),
        );
        check("auto", &["auto", "sim", "loop"], &[UNO], Ok(UNO.0));
    }

    #[test]
    fn where_all_boards_are_for_other_ports_these_are_named() {
        check(
            "auto",
            &["usb:2341:0043:A1", "/dev/ttyACM2"],
            &[UNO, PICO],
            Err(
                "no board for this port: /dev/ttyACM0 is the device of port p0, \
                 /dev/ttyACM2 is the device of port p1",
            ),
        );
    }
}
