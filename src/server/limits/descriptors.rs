//! The reserve of descriptors, so that clients that come never take those with which ports are opened
//! again and files are read.

use crate::platform::{self, Descriptor};

use super::pending_connections::{MAX_ANSWERING, MAX_PENDING};

/// Descriptors of the program itself: ports, listeners, timers, and what it opens for a moment.
const OWN: u64 = 128;

/// Descriptors that no connection and no download takes; a quarter of the limit where that is less.
/// When only these are free, a connection is answered with 503.
const RESERVE: u64 = 16;

/// The limit on descriptors; `None` where the system has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors(Option<u64>);

impl Descriptors {
    /// Raises the limit to what so many clients need, and warns where the system does not permit
    /// that.
    pub(crate) fn raise(max_clients: usize) -> Self {
        // A download needs its file beside its connection.
        let connections = max_clients + MAX_PENDING + 2 * MAX_ANSWERING;
        let wanted = u64::try_from(connections).map_or(u64::MAX, |count| count + OWN);
        let limit = platform::raise_descriptor_limit(wanted);
        if let Some(limit) = limit.filter(|limit| *limit < wanted) {
            tracing::warn!(
                "the system permits {limit} open files, and --max-clients {max_clients} may need \
                 {wanted}; without them, some clients are refused. To raise the limit: \
                 ulimit -Hn {wanted}, as an administrator"
            );
        }
        Self(limit)
    }

    /// Returns true if only the reserve was left when the system gave out this descriptor.
    pub(crate) fn is_from_reserve(self, newest: &impl Descriptor) -> bool {
        self.0.is_some_and(|limit| {
            let reserve = RESERVE.min(limit / 4);
            platform::descriptors_in_use(newest) > limit - reserve
        })
    }
}
