//! The log on standard error. Standard output is for results only.
//!
//! A terminal may stop taking text, by Ctrl-S or by a click into its window, and so may a program
//! that reads the log. A thread of its own writes it, so that only the log waits for them.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::platform;

/// Texts that may wait to be written. What comes then is left out, and counted.
const WAITING: usize = 1024;
/// How long the end of the program waits for what is not written yet.
const FLUSH_TIME: Duration = Duration::from_millis(100);

/// The way to the thread that writes; nothing where there is none.
static QUEUE: OnceLock<SyncSender<Entry>> = OnceLock::new();
/// Texts that were left out since one was last written.
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// What the thread takes.
enum Entry {
    Text(Vec<u8>),
    /// To be answered when all before it is written.
    Flush(SyncSender<()>),
}

/// Standard error, for what a running bridge tells: writing to it never waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stderr;

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Format {
    /// Returns its name in flags.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Starts logging what is at least as important as `level`.
pub(crate) fn start(level: LevelFilter, format: Format) {
    let (queue, entries) = sync_channel(WAITING);
    let writer = thread::Builder::new().name("log".to_owned());
    // Without a thread the log is written all the same.
    if writer.spawn(move || write(&entries, format)).is_ok() {
        let _ = QUEUE.set(queue);
    }
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| Stderr)
        .with_ansi(io::stderr().is_terminal() && platform::shows_colours())
        .with_target(false);
    match format {
        // Service managers add the time, and people at a terminal know it.
        Format::Text => log.without_time().init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
}

/// Waits until what was told is written, as long as somebody takes it.
pub(crate) fn flush() {
    let (written, is_written) = sync_channel(1);
    let queue = QUEUE.get();
    // A full queue means that nobody takes anything.
    if queue.is_some_and(|queue| queue.try_send(Entry::Flush(written)).is_ok()) {
        let _ = is_written.recv_timeout(FLUSH_TIME);
    }
}

/// Writes the log, whether or not anybody is left to read it.
fn write(entries: &Receiver<Entry>, format: Format) {
    for entry in entries {
        match entry {
            Entry::Text(text) => {
                let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
                if left_out > 0 {
                    let _ = io::stderr().write_all(gap(left_out, format).as_bytes());
                }
                let _ = io::stderr().write_all(&text);
            }
            Entry::Flush(written) => {
                let _ = written.send(());
            }
        }
    }
}

/// What is in the log in place of what was left out.
fn gap(left_out: usize, format: Format) -> String {
    let text = format!("left out here: {left_out} lines of the log, which nobody took");
    match format {
        Format::Text => format!(" WARN {text}\n"),
        Format::Json => format!("{{\"level\":\"WARN\",\"message\":\"{text}\"}}\n"),
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Some(queue) = QUEUE.get() else {
            return io::stderr().write(text);
        };
        if queue.try_send(Entry::Text(text.to_vec())).is_err() {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
