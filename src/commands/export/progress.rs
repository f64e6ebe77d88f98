//! The progress of a long export, in one line on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Bytes to read from which on it is shown. Less takes no time that anybody would wonder about.
const MIN_BYTES: u64 = 50_000_000;

/// The time between two changes of the line.
const INTERVAL: Duration = Duration::from_millis(200);

/// Characters of the bar.
const WIDTH: u64 = 30;

/// A bar on standard error.
pub(super) struct ProgressBar {
    /// The bytes to read in all; None where nothing is shown.
    bytes: Option<u64>,
    /// Those that earlier passes have read.
    done: u64,
    /// The time to show it again.
    due: Instant,
    is_shown: bool,
}

impl ProgressBar {
    /// A bar for so many bytes, if they are many and somebody sees it.
    pub(super) fn new(bytes: u64) -> Self {
        let is_wanted = bytes >= MIN_BYTES && std::io::stderr().is_terminal();
        Self {
            bytes: is_wanted.then_some(bytes),
            done: 0,
            due: Instant::now() + INTERVAL,
            is_shown: false,
        }
    }

    /// Returns the bytes that earlier passes have read.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Shows that so many bytes were read, if it is time for that.
    pub(super) fn show(&mut self, read: u64) {
        let Some(bytes) = self.bytes else {
            return;
        };
        let now = Instant::now();
        if now >= self.due {
            self.due = now + INTERVAL;
            self.is_shown = true;
            write(&format!("\r{}", bar(read, bytes)));
        }
    }

    /// Notes the end of a pass.
    pub(super) fn finish(&mut self, read: u64) {
        self.done = read;
    }

    /// Makes room for a line of the log.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write(&format!("\r{:1$}\r", "", bar(0, 1).chars().count()));
        }
    }

    /// Removes it.
    pub(super) fn end(&mut self) {
        self.clear();
        self.bytes = None;
    }
}

fn bar(read: u64, bytes: u64) -> String {
    let read = read.min(bytes);
    let full = (read * WIDTH / bytes.max(1)) as usize;
    let percent = read * 100 / bytes.max(1);
    let bar = "#".repeat(full);
    format!("[{bar:<width$}] {percent:>3} %", width = WIDTH as usize)
}

/// Writes to standard error, whoever reads that.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        assert_eq!(bar(0, 10), format!("[{:30}]   0 %", ""));
        assert_eq!(bar(5, 10), format!("[{:30}]  50 %", "#".repeat(15)));
        assert_eq!(bar(11, 10), format!("[{}] 100 %", "#".repeat(30)));
    }

    #[test]
    fn little_shows_nothing() {
        let mut progress = ProgressBar::new(MIN_BYTES - 1);
        progress.show(1);
        assert!(!progress.is_shown);
    }
}
