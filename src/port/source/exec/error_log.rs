//! Logs what a program writes to standard error, line by line. A flood costs bounded memory and few
//! lines of the log.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::terminal::shown;

/// Bytes of a line of the log. The rest of a longer line is left out.
const MAX_LINE_BYTES: usize = 1024;

/// Lines that are logged in each interval. More are counted.
const MAX_LINES: usize = 20;

/// The time after which lines are logged again.
const INTERVAL: Duration = Duration::from_secs(1);

/// The lines of a program.
struct ErrorLog {
    port: String,
    program: String,
    /// The line that has begun.
    line: Vec<u8>,
    /// The beginning of the interval.
    since: Instant,
    /// The lines since then.
    lines: usize,
}

/// Logs the lines of `program` until it ends.
pub(super) async fn run(mut errors: impl AsyncRead + Unpin, port: String, program: String) {
    let mut log = ErrorLog {
        port,
        program,
        line: Vec::new(),
        since: Instant::now(),
        lines: 0,
    };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = errors.read(&mut buffer).await {
        log.push(&buffer[..count]);
    }
    log.end_line();
    log.report_dropped();
}

impl ErrorLog {
    fn push(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            let room = MAX_LINE_BYTES - self.line.len();
            self.line.extend(part.iter().take(room));
            if lines.peek().is_some() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = shown(line.trim_end());
        if line.is_empty() {
            return;
        }
        if self.since.elapsed() >= INTERVAL {
            self.report_dropped();
            self.since = Instant::now();
            self.lines = 0;
        }
        self.lines += 1;
        if self.lines <= MAX_LINES {
            tracing::info!(port = self.port, "{}: {line}", self.program);
        }
    }

    fn report_dropped(&self) {
        if let Some(dropped @ 1..) = self.lines.checked_sub(MAX_LINES) {
            let program = &self.program;
            tracing::info!(port = self.port, "{program}: {dropped} more lines");
        }
    }
}
