//! Bounds what the system holds of the bytes that were written, so that an urgent byte has little
//! before it. Pure: the time and the system's answers are arguments.
//!
//! A driver takes 4 KiB or more at once, which is 4 s at 9600 baud, and nothing can go before what it
//! has. So no more than 50 ms of line time is handed to it, and more when half of that is left: the
//! line is never idle meanwhile. How much is left, real UARTs and USB adapters tell when they are
//! asked.
//!
//! A device that takes bytes faster than its rate says, such as a board with USB of its own, would
//! only be slowed down by that. It is known by what it has taken, and is then handed more.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::LineSettings;

/// The time on the line of what is handed to the system at most.
const MAX_LINE_TIME: Duration = Duration::from_millis(50);

/// The least that is handed over at once: many UARTs take so many bytes from the system anyway.
const MIN_BYTES: usize = 16;

/// Bytes for which most UARTs and USB adapters have room themselves, where the system does not count
/// them.
const MAX_CHIP_BYTES: usize = 512;

/// Bytes that a device takes faster than its rate says before the rate counts no longer: more than a
/// USB adapter has room for itself.
const MIN_OUTRUN_BYTES: usize = 8 << 10;

/// The least and the most that is handed over at once to a device for which the rate does not count:
/// what it takes in some milliseconds.
const OUTRUN_BYTES: [usize; 2] = [1 << 10, 8 << 10];

/// The time after which the system is asked again for the first time, in which a fast device takes
/// all.
const MIN_RECHECK_DELAY: Duration = Duration::from_millis(1);

/// The longest time until it is asked again, also while flow control stops the line.
const MAX_RECHECK_DELAY: Duration = Duration::from_millis(10);

/// The bytes on their way from the system to the device.
pub(crate) struct Backlog {
    bytes_per_second: f64,
    /// The bytes of [`MAX_LINE_TIME`].
    line_limit: usize,
    /// The most that the system may still hold.
    held: usize,
    /// Bytes that were handed over since the system held none.
    burst: usize,
    /// The time at which it held none last.
    since: Instant,
    /// Bytes that the device took faster than its rate says, without a break.
    outrun: usize,
    /// The most that may be handed over at once when the rate does not count.
    outrun_limit: usize,
    /// The times that the system was asked since bytes were handed over last.
    checks: u32,
    /// The time to ask again.
    recheck: Option<Instant>,
    /// The time by which the line has sent everything, if the device takes bytes at its rate.
    idle: Instant,
}

impl Backlog {
    /// Starts with a device that was just opened.
    pub(crate) fn new(settings: &LineSettings, now: Instant) -> Self {
        let bytes_per_second = f64::from(settings.baud) / f64::from(settings.bits_per_byte());
        let line_limit = (bytes_per_second * MAX_LINE_TIME.as_secs_f64()) as usize;
        Self {
            bytes_per_second,
            line_limit: line_limit.max(MIN_BYTES),
            held: 0,
            burst: 0,
            since: now,
            outrun: 0,
            outrun_limit: OUTRUN_BYTES[0],
            checks: 0,
            recheck: None,
            idle: now,
        }
    }

    /// Returns when the line will have sent all that was handed over. Of what the system has no longer,
    /// as `unsent` tells, the chip may still have some.
    pub(crate) fn idle_at(&self, now: Instant, unsent: impl FnOnce() -> Option<usize>) -> Instant {
        let rest = unsent().unwrap_or_default() + MAX_CHIP_BYTES;
        self.idle.clamp(now, now + self.line_time(rest))
    }

    /// Returns when the line will have sent all that was handed over, if the device takes bytes at its
    /// rate.
    pub(crate) fn sent_by(&self) -> Instant {
        self.idle
    }

    fn line_time(&self, count: usize) -> Duration {
        Duration::from_secs_f64(count as f64 / self.bytes_per_second)
    }

    /// Returns how many bytes may be handed to the system now. `unsent` asks it how many it holds;
    /// it returns None where it cannot tell, and then its own buffer is the bound.
    pub(crate) fn room(&mut self, now: Instant, unsent: impl FnOnce() -> Option<usize>) -> usize {
        if self.recheck.is_some_and(|at| at > now) {
            return 0;
        }
        self.recheck = None;
        if self.held > self.unasked_limit() {
            let Some(unsent) = unsent() else {
                return usize::MAX;
            };
            self.note_unsent(unsent, now);
            if self.held > self.low_water_mark() {
                self.recheck = Some(now + self.recheck_delay());
                self.checks += 1;
                return 0;
            }
        }
        self.limit() - self.held
    }

    /// Notes that the system took so many bytes.
    pub(crate) fn handed(&mut self, count: usize, now: Instant) {
        if self.held == 0 {
            (self.burst, self.since) = (0, now);
        }
        self.held = self.held.saturating_add(count);
        self.burst = self.burst.saturating_add(count);
        self.checks = 0;
        self.idle = self.idle.max(now) + self.line_time(count);
    }

    /// Returns when [`Backlog::room`] may have room again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.recheck
    }

    /// Notes how many bytes the system holds. Some drivers count whole buffers, so that it is never
    /// more than what was handed over.
    fn note_unsent(&mut self, unsent: usize, now: Instant) {
        self.held = self.held.min(unsent);
        let elapsed = now - self.since;
        let has_outrun = elapsed.as_secs_f64() * 2.0 < self.burst as f64 / self.bytes_per_second;
        if self.held == 0 && has_outrun {
            self.outrun = self.outrun.saturating_add(self.burst);
        } else if self.held == 0 || elapsed > MAX_LINE_TIME {
            (self.outrun, self.outrun_limit) = (0, OUTRUN_BYTES[0]);
        }
        // Waiting for an answer must not be what slows the device down.
        let limit = match (self.held, self.checks) {
            (0, 1..=3) if self.burst >= self.outrun_limit => self.outrun_limit * 2,
            (1.., 8) => self.outrun_limit / 2,
            _ => return,
        };
        self.outrun_limit = limit.clamp(OUTRUN_BYTES[0], OUTRUN_BYTES[1]);
    }

    fn has_outrun(&self) -> bool {
        self.outrun >= MIN_OUTRUN_BYTES
    }

    /// The most that the system may hold.
    fn limit(&self) -> usize {
        if self.has_outrun() {
            self.line_limit.max(self.outrun_limit)
        } else {
            self.line_limit
        }
    }

    /// The most that the system may hold when it is handed more.
    fn low_water_mark(&self) -> usize {
        if self.has_outrun() {
            0
        } else {
            self.line_limit / 2
        }
    }

    /// The most that the system may hold when it is handed more without being asked. Asking for each
    /// of many short messages would cost a fast device more than they do.
    fn unasked_limit(&self) -> usize {
        if self.has_outrun() && self.checks == 0 {
            self.outrun_limit / 2
        } else {
            self.low_water_mark()
        }
    }

    /// The time until the system is asked again: until half of what it may hold should have gone.
    fn recheck_delay(&self) -> Duration {
        if self.checks == 0 || self.has_outrun() {
            return MIN_RECHECK_DELAY;
        }
        let surplus = self.held - self.low_water_mark();
        let delay = Duration::from_secs_f64(surplus as f64 / self.bytes_per_second);
        delay.clamp(MIN_RECHECK_DELAY, MAX_RECHECK_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A device that takes bytes at a rate of its own, and has room for some of them itself, which
    /// the system does not count.
    struct Line {
        bytes_per_second: f64,
        own_room: f64,
        /// Bytes that were handed over and have not been sent.
        queued: f64,
        at: Instant,
        /// The time for which it had nothing to send.
        idle: Duration,
    }

    impl Line {
        fn new(bytes_per_second: f64, own_room: usize, at: Instant) -> Self {
            Self {
                bytes_per_second,
                own_room: own_room as f64,
                queued: 0.0,
                at,
                idle: Duration::ZERO,
            }
        }

        fn advance(&mut self, now: Instant) {
            let could_send = (now - self.at).as_secs_f64() * self.bytes_per_second;
            let surplus = (could_send - self.queued).max(0.0);
            self.idle += Duration::from_secs_f64(surplus / self.bytes_per_second);
            self.queued = (self.queued - could_send).max(0.0);
            self.at = now;
        }

        fn unsent(&self) -> usize {
            (self.queued - self.own_room).max(0.0).ceil() as usize
        }
    }

    /// The fate of a long message.
    struct Run {
        line: Line,
        took: Duration,
        most_unsent: usize,
        waits: u32,
    }

    /// Writes `total` bytes to a line; the timer is late by up to `lateness`.
    fn write(settings: &LineSettings, line: Line, total: usize, lateness: Duration) -> Run {
        let start = line.at;
        let (mut backlog, mut now) = (Backlog::new(settings, start), start);
        let (mut left, mut most_unsent, mut waits) = (total, 0, 0);
        let mut line = line;
        while left > 0 {
            line.advance(now);
            let count = backlog.room(now, || Some(line.unsent())).min(left);
            if count == 0 {
                now = backlog.deadline().expect("it waits for something") + lateness;
                waits += 1;
                continue;
            }
            line.queued += count as f64;
            backlog.handed(count, now);
            left -= count;
            most_unsent = most_unsent.max(line.unsent());
        }
        let took = now - start;
        Run {
            line,
            took,
            most_unsent,
            waits,
        }
    }

    fn at(baud: u32) -> LineSettings {
        LineSettings {
            baud,
            ..LineSettings::default()
        }
    }

    proptest! {
        /// At any rate, with any room of its own, a line is never idle within a message, although
        /// the system never holds more than 50 ms of it.
        #[test]
        fn a_line_is_busy_with_little_in_the_system(
            baud in 300_u32..4_000_000,
            own_room in 0_usize..2048,
            lateness in 0_u64..10,
        ) {
            let settings = at(baud);
            let rate = f64::from(baud) / 10.0;
            let limit = ((rate / 20.0) as usize).max(MIN_BYTES);
            let total = 20 * limit + 2 * MIN_OUTRUN_BYTES;
            let line = Line::new(rate, own_room, Instant::now());
            let run = write(&settings, line, total, Duration::from_millis(lateness));
            prop_assert!(run.most_unsent <= limit + 1, "{} of {limit}", run.most_unsent);
            prop_assert!(run.line.idle < Duration::from_millis(1), "{:?}", run.line.idle);
            let seconds = run.took.as_secs_f64() + 1.0;
            prop_assert!(f64::from(run.waits) < seconds * 200.0, "{} waits", run.waits);
        }
    }

    #[test]
    fn at_least_16_bytes_are_handed_over_at_once() {
        let (mut backlog, now) = (Backlog::new(&at(50), Instant::now()), Instant::now());
        assert_eq!(backlog.room(now, || unreachable!()), MIN_BYTES);
    }

    #[test]
    fn the_system_is_not_asked_while_little_was_written() {
        let now = Instant::now();
        let mut backlog = Backlog::new(&at(9600), now);
        backlog.handed(20, now);
        assert_eq!(backlog.room(now, || unreachable!()), 28);
    }

    #[test]
    fn a_system_that_cannot_tell_bounds_itself() {
        let now = Instant::now();
        let mut backlog = Backlog::new(&at(9600), now);
        for _ in 0..100 {
            backlog.handed(4096, now);
            assert_eq!(backlog.room(now, || None), usize::MAX);
        }
    }

    #[test]
    fn a_pseudo_terminal_is_never_waited_for() {
        let line = Line::new(1e12, usize::MAX, Instant::now());
        let run = write(&at(9600), line, 1 << 20, Duration::ZERO);
        assert_eq!((run.waits, run.took), (0, Duration::ZERO));
    }

    #[test]
    fn a_board_with_usb_of_its_own_keeps_its_speed() {
        // Bytes a second that the board takes, and how many seconds 1 MiB may take then.
        for (rate, seconds) in [(1e6, 2.0), (400e3, 4.0), (5e6, 0.8)] {
            let line = Line::new(rate, 0, Instant::now());
            let run = write(&at(9600), line, 1 << 20, Duration::from_micros(500));
            assert!(
                run.took.as_secs_f64() < seconds,
                "{rate} B/s: {:?}",
                run.took
            );
            assert!(run.most_unsent <= OUTRUN_BYTES[1]);
        }
    }

    #[test]
    fn a_fast_device_is_not_asked_about_each_of_many_short_messages() {
        const MESSAGE: usize = 32;
        let now = Instant::now();
        let mut backlog = Backlog::new(&at(9600), now);
        let mut asked = 0;
        for _ in 0..10_000 {
            let room = backlog.room(now, || {
                asked += 1;
                Some(0)
            });
            assert!(room >= 16, "{room}");
            backlog.handed(MESSAGE.min(room), now);
        }
        assert!(asked < 1000, "{asked} questions");
        // When it stops, it is found out before the system holds more than it may.
        let mut unsent = 0;
        loop {
            match backlog.room(now, || Some(unsent)) {
                0 => break,
                room => {
                    unsent += MESSAGE.min(room);
                    backlog.handed(MESSAGE.min(room), now);
                }
            }
        }
        assert!(unsent <= OUTRUN_BYTES[1], "{unsent}");
    }

    #[test]
    fn a_board_that_stalls_is_not_asked_without_end() {
        let now = Instant::now();
        let mut backlog = Backlog::new(&at(115_200), now);
        backlog.handed(576, now);
        let (mut then, mut asked) = (now, 0);
        while then < now + Duration::from_secs(10) {
            asked += 1;
            assert_eq!(backlog.room(then, || Some(576)), 0);
            then = backlog.deadline().unwrap();
        }
        assert!(asked <= 1001, "{asked} questions in 10 s");
    }

    #[test]
    fn a_driver_that_counts_whole_buffers_is_asked_until_they_are_gone() {
        let now = Instant::now();
        let mut backlog = Backlog::new(&at(9600), now);
        backlog.handed(48, now);
        assert_eq!(backlog.room(now, || Some(1280)), 0);
        let then = backlog.deadline().unwrap();
        assert_eq!(backlog.room(then, || Some(0)), 48);
    }
}
