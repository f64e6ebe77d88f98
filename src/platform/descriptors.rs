//! The limit on the files and sockets that a process may have open at once.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most that macOS grants a process that asks for its hard limit (`OPEN_MAX` of
/// `sys/syslimits.h`), although it calls that unlimited.
#[cfg(unix)]
const OPEN_MAX: u64 = 10240;

/// Raises the soft limit to `wanted`, as far as the hard limit permits. Returns the limit that is in
/// force then, or `None` where there is none.
///
/// The program needs to do this itself: systems start programs with a limit as low as 256 (macOS) or
/// 1024 (Linux), for the sake of old programs.
#[cfg(unix)]
pub(crate) fn raise_descriptor_limit(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let permitted = wanted.min(maximum.unwrap_or(u64::MAX));
    if current.is_none_or(|current| current >= permitted) {
        return current;
    }
    let try_raise = |limit: u64| {
        let current = Some(limit);
        setrlimit(Resource::Nofile, Rlimit { current, maximum })
    };
    if let Err(error) = try_raise(permitted).or_else(|_| try_raise(permitted.min(OPEN_MAX))) {
        tracing::debug!(%error, "cannot raise the limit on open files");
    }
    getrlimit(Resource::Nofile).current
}

/// Windows has no such limit.
#[cfg(windows)]
pub(crate) fn raise_descriptor_limit(_wanted: u64) -> Option<u64> {
    None
}

/// An open file or socket.
#[cfg(unix)]
pub(crate) use std::os::fd::AsRawFd as Descriptor;

/// An open file or socket.
#[cfg(windows)]
pub(crate) use std::any::Any as Descriptor;

/// Returns how many descriptors were at least in use when the system gave out this one: it always
/// gives out the lowest number that is free (POSIX, "File Descriptor Allocation").
#[cfg(unix)]
pub(crate) fn descriptors_in_use(newest: &impl Descriptor) -> u64 {
    u64::try_from(newest.as_raw_fd()).unwrap_or_default() + 1
}

/// Windows does not number in order what is open.
#[cfg(windows)]
pub(crate) fn descriptors_in_use(_newest: &impl Descriptor) -> u64 {
    0
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_and_never_lowered() {
        let before = raise_descriptor_limit(0);
        let wanted = before.map_or(0, |limit| limit + 1);
        let permitted = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise_descriptor_limit(0), before);
        if before.is_some_and(|limit| limit < permitted) {
            assert_eq!(raise_descriptor_limit(wanted), Some(wanted));
        }
    }
}
