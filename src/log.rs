//! Writes the log to standard error; standard output is for results only.
//!
//! A terminal may stop taking text, after Ctrl-S or a click into its window, and so may a program
//! that reads the log. A separate thread writes it, so that only the log waits for them.

pub(crate) mod throttled;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::platform;
use crate::terminal::{safe_log_line, shown_json};

/// Texts that may wait to be written. More are dropped, and counted.
const QUEUE_CAPACITY: usize = 1024;
/// Limits how long the program waits at its end for what is not written yet.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// The variable that is set where the journal of systemd takes standard error.
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// The queue of the thread that writes; unset if there is none.
static QUEUE: OnceLock<SyncSender<LogEntry>> = OnceLock::new();
/// Texts that were dropped since one was last written.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// An item of the queue.
enum LogEntry {
    Text(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// Standard error through the queue: writing to it never waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stderr;

/// Standard error for lines of the log: libraries put into them what comes from outside.
struct SafeStderr(Format);

/// The format of the log.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The levels down to which events are logged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verbosity {
    /// The least important of our own events.
    pub(crate) own: LevelFilter,
    /// The least important of those of libraries.
    pub(crate) libraries: LevelFilter,
}

impl Verbosity {
    /// Returns the level of libraries that tell of every message: errors, unless more is asked for.
    fn talkative(self) -> LevelFilter {
        if self.own > LevelFilter::INFO {
            self.libraries
        } else {
            self.libraries.min(LevelFilter::ERROR)
        }
    }
}

/// True if lines of text name the port that they are about.
static NAMES_PORTS: AtomicBool = AtomicBool::new(true);

/// Lets lines of text name the port that they are about, or leave it out where there is only one.
pub(crate) fn name_ports(are_several: bool) {
    NAMES_PORTS.store(are_several, Ordering::Relaxed);
}

/// Starts logging.
pub(crate) fn start(verbosity: Verbosity, format: Format) {
    let (queue, entries) = sync_channel(QUEUE_CAPACITY);
    let writer = thread::Builder::new().name("log".to_owned());
    // If there is no thread, the log is written directly.
    if writer.spawn(move || write(&entries, format)).is_ok() {
        let _ = QUEUE.set(queue);
    }
    let is_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || SafeStderr(format))
        .with_ansi(is_terminal && platform::shows_colours())
        .with_target(false);
    let levels = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), verbosity.own)
        // Beyond that, it logs requests as a whole, with the token.
        .with_target(
            "tungstenite::handshake",
            verbosity.libraries.min(LevelFilter::DEBUG),
        )
        .with_target("rmcp", verbosity.talkative())
        .with_default(verbosity.libraries);
    let text = || debug_fn(write_field);
    match format {
        // Service managers add the time, and people at a terminal know it.
        Format::Text if is_terminal || std::env::var_os(JOURNAL_VARIABLE).is_some() => {
            let log = log.without_time().fmt_fields(text());
            log.finish().with(levels).init();
        }
        Format::Text => log.fmt_fields(text()).finish().with(levels).init(),
        Format::Json => log.json().flatten_event(true).finish().with(levels).init(),
    }
}

/// Writes a field of an event as text.
fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(out, "{value:?}"),
        "port" if !NAMES_PORTS.load(Ordering::Relaxed) => Ok(()),
        // Where a library said it is in the target.
        name if name.starts_with("log.") => Ok(()),
        name => write!(out, " {name}={value:?}"),
    }
}

/// Waits until everything is written, as long as somebody takes it.
pub(crate) fn flush() {
    let (written, is_written) = sync_channel(1);
    let queue = QUEUE.get();
    // A full queue means that nobody takes anything.
    if queue.is_some_and(|queue| queue.try_send(LogEntry::Flush(written)).is_ok()) {
        let _ = is_written.recv_timeout(FLUSH_TIMEOUT);
    }
}

/// Writes the log, whether or not anybody reads it.
fn write(entries: &Receiver<LogEntry>, format: Format) {
    for entry in entries {
        match entry {
            LogEntry::Text(text) => {
                let dropped = DROPPED.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = io::stderr().write_all(gap(dropped, format).as_bytes());
                }
                let _ = io::stderr().write_all(&text);
            }
            LogEntry::Flush(written) => {
                let _ = written.send(());
            }
        }
    }
}

/// Returns the line of the log in place of those that were dropped.
fn gap(dropped: usize, format: Format) -> String {
    let text = format!("dropped {dropped} lines of the log here, which nobody read");
    match format {
        Format::Text => format!(" WARN {text}\n"),
        Format::Json => format!("{{\"level\":\"WARN\",\"message\":\"{text}\"}}\n"),
    }
}

impl Write for SafeStderr {
    /// Takes a whole line of the log, as `tracing-subscriber` writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let safe = match self.0 {
            Format::Text => safe_log_line(&text),
            Format::Json => shown_json(&text),
        };
        Stderr.write_all(safe.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Stderr.flush()
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Some(queue) = QUEUE.get() else {
            return io::stderr().write(text);
        };
        if queue.try_send(LogEntry::Text(text.to_vec())).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
