//! Shows a page in the user's browser.

use std::io;
use std::process::{Command, Stdio};

/// Shows a page in the browser. Waits for the program that opens it, which may stay.
///
/// # Errors
/// When there is no such program, or it fails.
pub(crate) fn open_in_browser(url: &str) -> io::Result<()> {
    let mut opener = opener();
    let opener = opener.arg(url).stdin(Stdio::null()).stdout(Stdio::null());
    let name = opener.get_program().to_string_lossy().into_owned();
    let with_name = |e: io::Error| io::Error::new(e.kind(), format!("{name}: {e}"));
    match opener.stderr(Stdio::null()).status().map_err(with_name)? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{name}: {status}"))),
    }
}

/// The program that opens a page, given its address.
fn opener() -> Command {
    if cfg!(windows) {
        let mut command = Command::new("rundll32");
        // Not `start`, which belongs to the shell and takes `&` in an address for its own.
        command.arg("url.dll,FileProtocolHandler");
        command
    } else if cfg!(target_os = "macos") {
        Command::new("open")
    } else {
        Command::new("xdg-open")
    }
}
