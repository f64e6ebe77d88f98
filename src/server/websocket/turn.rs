//! A client's turn: bounds what is done for one client before others have theirs, since all share
//! one thread.

use std::time::Duration;

use tokio::time::Instant;

/// Messages of one client that are dealt with in one turn, and the time that they may take. At
/// either limit, other clients and the port go first.
const MAX_MESSAGES: u32 = 64;
const MAX_TIME: Duration = Duration::from_micros(200);

/// The messages of one client since others had their turn.
#[derive(Default)]
pub(crate) struct Turn {
    messages: u32,
    began: Option<Instant>,
}

impl Turn {
    /// Counts a message that was dealt with, and lets others go first if the turn is over; returns
    /// true if they did. Waiting for a message does not end the turn: that would cost something for
    /// every line of the port, and a turn that ends early costs next to nothing.
    pub(crate) async fn count(&mut self) -> bool {
        let is_over = self.is_over(Instant::now());
        if is_over {
            tokio::task::yield_now().await;
            *self = Self::default();
        }
        is_over
    }

    fn is_over(&mut self, now: Instant) -> bool {
        self.messages += 1;
        let began = *self.began.get_or_insert(now);
        self.messages >= MAX_MESSAGES || now - began >= MAX_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_after_64_messages_or_200_microseconds() {
        let (mut turn, now) = (Turn::default(), Instant::now());
        assert!((1..64).all(|_| !turn.is_over(now)));
        assert!(turn.is_over(now));
        let mut turn = Turn::default();
        assert!(!turn.is_over(now));
        assert!(!turn.is_over(now + Duration::from_micros(199)));
        assert!(turn.is_over(now + Duration::from_micros(200)));
    }
}
