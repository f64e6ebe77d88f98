//! From what the user wants, and what was open before, to the port to open now.

use std::time::{Duration, Instant};

use super::Claim;
use super::enumerate::{self, Found};
use super::identity::{Identity, recognise};
use super::open::{Failure, LIST};
use super::select::{Spec, Undecided, choose};
use crate::escape::shown;
use crate::hub::{State, Status};
use crate::sys::{self, PathKind};

/// How long `auto` waits for the board that it had before it takes another one.
const FAITHFUL: Duration = Duration::from_secs(5);

/// What to open.
pub struct Target {
    /// What the system calls it.
    pub path: String,
    /// What it is, where it is listed.
    pub found: Option<Found>,
    /// By what to know it again, where it is listed.
    pub identity: Option<Identity>,
}

/// Finds the device that is meant: the one that was open before, wherever it is now, or the one
/// that the user described.
///
/// # Errors
/// Why there is none, or which of our ports has it.
pub fn find(
    spec: &Spec,
    last: Option<&(Identity, Instant)>,
    others: &[Claim],
) -> Result<Target, Failure> {
    let kind = match spec {
        Spec::Path(path) => sys::describe_path(path),
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
            if known.is_none_or(|port| sys::same_port(&port.path, path)) =>
        {
            if known.is_none()
                && let Some(claim) = owner(path, &ports, others)
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
        (Some(known), _) => known,
        (None, Spec::Auto) if !may_change => {
            return Err(Failure::absent(
                "the board that was here has not come back yet",
            ));
        }
        (None, _) => {
            let free = ports
                .iter()
                .filter(|port| owner(&port.path, &ports, others).is_none());
            let free: Vec<Found> = free.cloned().collect();
            let chosen = choose(spec, &free).map_err(undecided)?;
            return Ok(Target::found(chosen, &ports));
        }
    };
    Ok(Target::found(chosen, &ports))
}

/// Which of our other ports has the device at `path`, or waits for it.
fn owner<'a>(path: &str, ports: &[Found], others: &'a [Claim]) -> Option<&'a Claim> {
    others
        .iter()
        .find(|claim| match (&claim.path, &claim.identity) {
            (Some(held), _) => sys::same_port(held, path),
            (None, Some(identity)) => {
                recognise(identity, ports, &[]).is_some_and(|port| sys::same_port(&port.path, path))
            }
            (None, None) => false,
        })
}

fn undecided(undecided: Undecided) -> Failure {
    match undecided {
        Undecided::Absent(detail) => Failure::absent(detail),
        Undecided::Several(detail) => Failure::waiting(detail),
    }
}

impl Target {
    fn found(found: &Found, ports: &[Found]) -> Self {
        Self {
            path: found.path.clone(),
            found: Some(found.clone()),
            identity: Some(Identity::of(found, ports)),
        }
    }

    /// The port that the user named, whether or not it is listed.
    fn named(path: &str, ports: &[Found]) -> Self {
        match ports.iter().find(|port| sys::same_port(&port.path, path)) {
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
