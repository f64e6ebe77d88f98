//! The terminal that the program was started in: colours, questions, and readers that leave.

use std::io::{self, IsTerminal};

/// Tells whether somebody at a terminal can be asked now. From then on, reading what is typed does
/// not stop a program that was sent to the background, but fails.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && is_in_foreground()
}

/// Tells whether terminals understand escape sequences; those of Windows do so when they are asked
/// to.
pub(crate) fn shows_colours() -> bool {
    #[cfg(windows)]
    return anstyle_query::windows::enable_ansi_colors().unwrap_or(false);
    #[cfg(unix)]
    true
}

/// Forgets what was typed and not read yet.
pub(crate) fn forget_typed() {
    // Windows has no such call: what was typed before a question counts as its answer there. So it
    // does where the call fails.
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Tells whether nobody reads any more what we print, as after `| head`.
pub(crate) fn is_reader_gone(error: &io::Error) -> bool {
    /// `ERROR_PIPE_NOT_CONNECTED` of winerror.h.
    const PIPE_NOT_CONNECTED: i32 = 233;

    let is_gone_on_windows = cfg!(windows) && error.raw_os_error() == Some(PIPE_NOT_CONNECTED);
    error.kind() == io::ErrorKind::BrokenPipe || is_gone_on_windows
}

/// True also where there is no control of jobs, so that nothing could stop us.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    // SAFETY: SIG_IGN installs no code of ours, and nothing else handles this signal.
    unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
    let group = rustix::termios::tcgetpgrp(io::stdin());
    group.map_or(true, |group| group == rustix::process::getpgrp())
}

/// There is no control of jobs here.
#[cfg(windows)]
fn is_in_foreground() -> bool {
    true
}
