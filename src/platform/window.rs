//! The console window that Windows gives a program which is started by a double click, and which closes
//! when the program ends.

#[cfg(windows)]
use std::io::{self, IsTerminal};

/// Returns true if the program was started with a console window of its own, which somebody sees: by a
/// double click, not from a terminal.
#[cfg(windows)]
pub(crate) fn has_own_window() -> bool {
    use windows_sys::Win32::System::Console::GetConsoleProcessList;

    let mut processes = [0; 2];
    // SAFETY: the list has room for the two numbers that are announced. If there are more, none is
    // written, and the count is that of all.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 2) };
    count == 1
        && io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && is_in_a_session_of_users()
}

/// Returns false: other systems close no window.
#[cfg(unix)]
pub(crate) fn has_own_window() -> bool {
    false
}

/// Returns the way to stop a program that runs until then, for people.
pub(crate) fn how_to_stop() -> &'static str {
    if has_own_window() {
        "close this window to stop it"
    } else {
        "Ctrl-C stops it"
    }
}

/// Waits for Enter if the window would close with the program, so that its last words can be read.
#[cfg(windows)]
pub(crate) fn keep_window_open() {
    if has_own_window() {
        eprint!("\nPress Enter to close this window. ");
        let _ = io::stdin().read_line(&mut String::new());
    }
}

/// Does nothing: other systems close no window.
#[cfg(unix)]
pub(crate) fn keep_window_open() {}

/// Returns false for services and for tasks that run without a user, whose console nobody sees.
#[cfg(windows)]
fn is_in_a_session_of_users() -> bool {
    use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;

    /// The session of services.
    const SERVICES: u32 = 0;

    let mut session = SERVICES;
    // SAFETY: the session is written to a number of ours.
    let is_known = unsafe { ProcessIdToSessionId(std::process::id(), &raw mut session) };
    is_known != 0 && session != SERVICES
}
