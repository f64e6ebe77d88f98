//! The limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::skip;

/// Raises the limit of this process and of those that it starts; None, with the test skipped, where the
/// system permits fewer than `needed`.
pub fn raise_descriptor_limit(needed: u64) -> Option<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < needed) {
        skip(&format!(
            "the system permits fewer open files: ulimit -Hn {needed}"
        ));
        return None;
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("a soft limit can be raised");
    Some(())
}
