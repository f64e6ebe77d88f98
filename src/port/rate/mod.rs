//! Finds the baud rate of a board that sends lines of text, by listening at the usual rates in turn.
//! Pure: bytes with their times in, decisions out.
//!
//! Nothing is changed as long as text comes. Else a tour of the other rates begins. Each is judged
//! by what comes, never by the clock, and the tour ends where lines of text come.

mod evidence;
mod known;
mod runs;

use std::time::Duration;

use tokio::time::Instant;

use evidence::{Evidence, MAX_ROUND, Opinion};
pub(crate) use known::KnownRates;

/// The rates to listen at, the usual ones first. Of two that are close, the lower one comes first: at
/// the higher one, its text would look like other text. There is neither 1200 nor 134, which make
/// some boards start their bootloader.
const RATES: [u32; 14] = [
    9600, 115_200, 57_600, 19_200, 38_400, 74_880, 230_400, 250_000, 4800, 2400, 460_800, 500_000,
    921_600, 1_000_000,
];

/// The bounds between which every rate is.
const ANY_RATE: (u32, u32) = (0, u32::MAX);

/// The time for which bytes may come in a tour. Then it ends at the rate at which it began: what
/// comes is no text.
const MAX_TOUR: Duration = Duration::from_secs(20);

/// The longest time for which a client's write is held. Then the tour ends as well.
const MAX_HOLD: Duration = Duration::from_secs(2);

/// The silence that ends a burst of bytes.
const BURST_END: Duration = Duration::from_millis(50);

/// The time after a change of the rate in which bytes may come that were received before.
const IN_FLIGHT: Duration = Duration::from_millis(20);

/// The next thing to do about the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Listen at this rate.
    Listen(u32),
    /// The rate in force is right, and stays so until the device is closed.
    Keep,
    /// The tour is over without a result. Go back to this rate.
    GiveUp(u32),
}

/// The search for the rate of an open device.
pub(crate) struct RateSearch {
    /// The rate in force at first.
    start: u32,
    /// The rate in force.
    baud: u32,
    /// The rounds of the tour that have begun.
    round: u32,
    /// The rates of [`RATES`] that had their turn in this round.
    visited: [bool; RATES.len()],
    /// The rates between which the board seems to send.
    bounds: (u32, u32),
    /// The byte that ends a line.
    line_end: u8,
    evidence: Evidence,
    /// The time from which on bytes are of the rate in force.
    changed: Instant,
    /// The time of the last bytes.
    last: Option<Instant>,
    /// The time for which bytes came in the tour.
    flowed: Duration,
    /// The time since which a client's write is held.
    held: Option<Instant>,
    /// True if the driver counts errors.
    counts: bool,
    /// A rate at which text came, which may as well be that of the rate below.
    doubtful: Option<u32>,
    /// The rate that was in doubt, and at whose lower neighbour no text came.
    trusted: Option<u32>,
}

impl RateSearch {
    /// Begins at a rate.
    pub(crate) fn new(baud: u32, line_end: u8, now: Instant) -> Self {
        Self {
            start: baud,
            baud,
            round: 0,
            visited: [false; RATES.len()],
            bounds: ANY_RATE,
            line_end,
            evidence: Evidence::new(0, line_end),
            changed: now,
            last: None,
            flowed: Duration::ZERO,
            held: None,
            counts: false,
            doubtful: None,
            trusted: None,
        }
    }

    /// Returns true while the rate in force may well be wrong, so that what comes is no line and
    /// nothing is to be written.
    pub(crate) fn is_touring(&self) -> bool {
        self.round > 0 && !self.evidence.has_text()
    }

    /// Returns true if what comes now is not of a rate that may be right.
    pub(crate) fn is_wrong(&self, now: Instant) -> bool {
        self.is_touring() || now < self.changed
    }

    /// Returns the rate at which it began.
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// Returns the byte that ends a line.
    pub(crate) fn line_end(&self) -> u8 {
        self.line_end
    }

    /// Returns true if bytes came for so long that no rate fits.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.flowed >= MAX_TOUR
    }

    /// Notes that [`Decision::Listen`] cannot be carried out now, so that this rate stays in force.
    pub(crate) fn postpone(&mut self, baud: u32) {
        self.baud = baud;
        self.doubtful = None;
        if baud == self.start {
            self.round = 0;
        }
        self.evidence = Evidence::new(self.round, self.line_end);
    }

    /// Notes bytes that came, and whether the driver counted errors in them; None if it counts none.
    pub(crate) fn heard(
        &mut self,
        bytes: &[u8],
        has_errors: Option<bool>,
        now: Instant,
    ) -> Option<Decision> {
        let silence = self.last.replace(now).map(|last| now - last);
        if self.is_touring() {
            self.flowed += silence.map_or(Duration::ZERO, |time| time.min(BURST_END));
        }
        if now < self.changed {
            return self.end_of_tour();
        }
        if silence.is_none() && now >= self.changed + BURST_END {
            self.evidence.begins();
        }
        self.counts |= has_errors.is_some();
        let opinion = self.evidence.add(bytes, has_errors);
        self.decide(opinion)
    }

    /// Notes that a client wants something written.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.held.get_or_insert(now);
    }

    /// Notes that it is written now.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }

    /// Returns when to call [`RateSearch::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let burst = self.last.filter(|_| self.evidence.has_sample());
        let held = self.held.filter(|_| self.is_touring());
        let deadlines = [
            burst.map(|last| last + BURST_END),
            held.map(|held| held + MAX_HOLD),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Decides what silence tells.
    pub(crate) fn on_deadline(&mut self, now: Instant) -> Option<Decision> {
        if self.is_touring() && self.held.is_some_and(|held| held + MAX_HOLD <= now) {
            return Some(Decision::GiveUp(self.start));
        }
        if self.last.is_some_and(|last| last + BURST_END <= now) {
            let opinion = self.evidence.pause();
            // The next burst is another one.
            self.last = None;
            return self.decide(opinion);
        }
        None
    }

    /// Notes that the rate was set as [`Decision::Listen`] says.
    pub(crate) fn is_set(&mut self, now: Instant) {
        let round = if self.doubtful.is_some() {
            MAX_ROUND
        } else {
            self.round
        };
        self.evidence = Evidence::new(round, self.line_end);
        // Another silence is to come before a burst.
        self.last = None;
        self.changed = now + IN_FLIGHT;
    }

    /// Passes over the rate of [`Decision::Listen`], which the driver refuses, and returns the next.
    pub(crate) fn pass_over(&mut self) -> u32 {
        self.go_on()
    }

    fn decide(&mut self, opinion: Opinion) -> Option<Decision> {
        match opinion {
            Opinion::Certain => Some(self.doubt().unwrap_or(Decision::Keep)),
            Opinion::Fits => self.end_of_tour(),
            Opinion::Unlike => {
                if let Some(doubtful) = self.doubtful.take() {
                    self.trusted = Some(doubtful);
                    return Some(Decision::Listen(self.listen(doubtful)));
                }
                let (low, high) = self.evidence.runs.bounds(self.baud);
                self.bounds = (self.bounds.0.max(low), self.bounds.1.min(high));
                let over = self.end_of_tour();
                Some(over.unwrap_or_else(|| Decision::Listen(self.go_on())))
            }
        }
    }

    /// Returns the rate below the one in force if text at that one would look like text here, too.
    /// Only errors on the line would tell them apart.
    fn doubt(&mut self) -> Option<Decision> {
        let lower = below(self.baud).filter(|_| !self.counts && self.trusted != Some(self.baud))?;
        self.doubtful = Some(self.baud);
        Some(Decision::Listen(self.listen(lower)))
    }

    fn listen(&mut self, baud: u32) -> u32 {
        self.round = self.round.max(1);
        self.baud = baud;
        baud
    }

    fn end_of_tour(&self) -> Option<Decision> {
        let is_over = self.is_touring() && self.flowed >= MAX_TOUR;
        is_over.then_some(Decision::GiveUp(self.start))
    }

    /// Goes on to the next rate of the round, or to the first of the next one, and returns it.
    fn go_on(&mut self) -> u32 {
        self.doubtful = None;
        self.note_visit();
        let next = self.unvisited(self.bounds).filter(|_| self.round > 0);
        let next = next.unwrap_or_else(|| self.begin_round());
        self.listen(next)
    }

    /// Begins the next round, and returns its first rate.
    fn begin_round(&mut self) -> u32 {
        self.round += 1;
        self.visited = [false; RATES.len()];
        self.note_visit();
        if self.round > 1 {
            self.bounds = ANY_RATE;
        }
        let next = self.unvisited(self.bounds);
        next.or_else(|| self.unvisited(ANY_RATE))
            .unwrap_or(RATES[0])
    }

    /// Notes that the rate in force has had its turn in this round.
    fn note_visit(&mut self) {
        if let Some(at) = RATES.iter().position(|rate| *rate == self.baud) {
            self.visited[at] = true;
        }
    }

    /// Returns the first rate within these bounds that had no turn in this round.
    fn unvisited(&self, (low, high): (u32, u32)) -> Option<u32> {
        let rates = RATES.into_iter().zip(self.visited);
        let mut unvisited = rates.filter_map(|(rate, is_visited)| (!is_visited).then_some(rate));
        unvisited.find(|rate| (low..=high).contains(rate))
    }
}

/// Returns the rate that is so little below this one that its text looks like text here.
fn below(baud: u32) -> Option<u32> {
    let range = baud / 100 * 88..baud / 100 * 97;
    RATES.into_iter().find(|rate| range.contains(rate))
}

#[cfg(test)]
mod tests;
