//! A client that reads lines as they are, in a thread of its own.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::device::{LINE, now, number};

/// The time without a line after which no more will come.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// The lines that have arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Whole lines, each with a higher number than the one before.
    pub lines: u64,
    /// The number of the last one.
    pub last: u64,
}

/// A client.
pub struct Reader {
    seen: Arc<Mutex<Seen>>,
    writer: Box<dyn Write + Send>,
}

#[derive(Default)]
struct Seen {
    counts: Counts,
    /// The nanoseconds from the device's write to our read, of the oldest line of each read.
    ages: Vec<u64>,
}

impl Reader {
    /// Starts to read.
    pub fn start(
        mut reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let (mut buffer, mut rest) = (vec![0; 256 << 10], Vec::new());
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..count]);
                let end = rest.iter().rposition(|byte| *byte == b'\n');
                let end = end.map_or(0, |end| end + 1);
                lock(&shared).take(&rest[..end]);
                rest.drain(..end);
            }
        });
        Self {
            seen,
            writer: Box::new(writer),
        }
    }

    /// Writes to the other end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Returns what has arrived so far.
    pub fn counts(&self) -> Counts {
        lock(&self.seen).counts
    }

    /// Forgets the ages, and returns what has arrived so far.
    pub fn reset(&mut self) -> Counts {
        let mut seen = lock(&self.seen);
        seen.ages.clear();
        seen.counts
    }

    /// Waits until the line of this number has arrived, or nothing comes any more.
    pub fn wait_for(&mut self, last: u64) -> Counts {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let counts = self.counts();
            if counts.last >= last {
                return counts;
            }
            if counts.lines > before {
                (before, since) = (counts.lines, Instant::now());
            } else if since.elapsed() > END_TIMEOUT {
                return counts;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the median age in microseconds.
    pub fn median_age(&self) -> f64 {
        let mut ages = lock(&self.seen).ages.clone();
        ages.sort_unstable();
        ages.get(ages.len() / 2)
            .map_or(0.0, |age| *age as f64 / 1e3)
    }
}

impl Seen {
    /// Takes whole lines. What is none, such as what the protocol begins with, does not count.
    fn take(&mut self, bytes: &[u8]) {
        let mut oldest = None;
        for line in bytes.split(|byte| *byte == b'\n') {
            let read = (line.len() == LINE).then(|| number(&line[..11]).zip(number(&line[12..])));
            if let Some((this, written)) = read.flatten()
                && this > self.counts.last
            {
                self.counts.lines += 1;
                self.counts.last = this;
                oldest.get_or_insert(written);
            }
        }
        self.ages
            .extend(oldest.map(|written| now().saturating_sub(written)));
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
