//! The program that starts others by itself: systemd, launchd, or Windows at login.

use std::path::PathBuf;

use super::computer::config_home;

/// A program that starts others by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceManager {
    /// Linux, most often.
    Systemd,
    /// macOS.
    Launchd,
    /// Windows, at login.
    StartupFolder,
}

/// The service manager of this system, and the folder for this user's files that say what to
/// start; None where the system names none.
pub(crate) fn service_manager() -> (ServiceManager, Option<PathBuf>) {
    let (manager, home, folder) = if cfg!(windows) {
        let folder = r"Microsoft\Windows\Start Menu\Programs\Startup";
        (ServiceManager::StartupFolder, config_home(), folder)
    } else if cfg!(target_os = "linux") {
        (ServiceManager::Systemd, config_home(), "systemd/user")
    } else {
        let home = std::env::home_dir();
        (ServiceManager::Launchd, home, "Library/LaunchAgents")
    };
    (manager, home.map(|home| home.join(folder)))
}

/// Returns launchd's name for the session of this user.
pub(crate) fn launchd_domain() -> String {
    #[cfg(unix)]
    let user = rustix::process::getuid().as_raw();
    #[cfg(not(unix))] // where there is no launchd
    let user = 0;
    format!("gui/{user}")
}

/// Tells the service manager that started us, if it wants to know, that clients can connect now
/// (sd_notify(3)).
#[cfg(target_os = "linux")]
pub(crate) fn notify_ready() {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = notify(&socket, b"READY=1")
    {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

/// No other system has a service manager that wants to know.
#[cfg(not(target_os = "linux"))]
pub(crate) fn notify_ready() {}

/// Sends one message. A name that begins with @ is in no folder but in the kernel's own list, which
/// the crate `sd-notify` does not know.
#[cfg(target_os = "linux")]
fn notify(socket: &std::ffi::OsStr, state: &[u8]) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sent = UnixDatagram::unbound()?.send_to_addr(state, &address);
    sent.map(drop)
}
