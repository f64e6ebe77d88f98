//! The terminal that the program was started in: colours, questions, and readers that leave.

use std::io::{self, IsTerminal};

/// Returns true if somebody at a terminal can be asked now. From then on, reading the input does not
/// stop a program that was sent to the background, but fails.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && is_in_foreground()
}

/// Returns true if terminals understand escape sequences. Those of Windows do once they are asked to.
pub(crate) fn shows_colours() -> bool {
    #[cfg(windows)]
    return anstyle_query::windows::enable_ansi_colors().unwrap_or(false);
    #[cfg(unix)]
    true
}

/// Discards input that was typed and not read yet.
pub(crate) fn forget_typed() {
    // Windows has no such call: there, and where the call fails, a line that was typed before a
    // question counts as its answer.
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Returns true if the reader of our output is gone, as after `| head`.
pub(crate) fn is_reader_gone(error: &io::Error) -> bool {
    /// `ERROR_PIPE_NOT_CONNECTED` of winerror.h.
    const PIPE_NOT_CONNECTED: i32 = 233;

    let is_gone_on_windows = cfg!(windows) && error.raw_os_error() == Some(PIPE_NOT_CONNECTED);
    error.kind() == io::ErrorKind::BrokenPipe || is_gone_on_windows
}

/// Returns true if nobody reads our output any more, without writing to it.
#[cfg(unix)]
pub(crate) fn is_output_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let seen = poll(&mut fds, Some(&Timespec::default()));
    seen.is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Returns false: Windows tells only when something is written.
#[cfg(windows)]
pub(crate) fn is_output_closed() -> bool {
    false
}

/// Returns true also where there is no job control, so that nothing could stop the program.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    // SAFETY: SIG_IGN installs no code of ours, and nothing else handles this signal.
    unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
    let group = rustix::termios::tcgetpgrp(io::stdin());
    group.map_or(true, |group| group == rustix::process::getpgrp())
}

/// Returns true: Windows has no job control.
#[cfg(windows)]
fn is_in_foreground() -> bool {
    true
}
