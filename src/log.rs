//! The log on standard error. Standard output is for results only.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

use crate::cli::{LogArgs, LogFormat};
use crate::sys;

/// Starts logging.
pub fn start(args: LogArgs) {
    let level = match args {
        LogArgs { quiet: true, .. } => LevelFilter::ERROR,
        LogArgs { verbose: 0, .. } => LevelFilter::INFO,
        LogArgs { verbose: 1, .. } => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && sys::shows_colours())
        .with_target(false);
    match args.log_format {
        // Service managers add the time, and people at a terminal know it.
        LogFormat::Text => log.without_time().init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
