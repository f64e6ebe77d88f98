//! The name of this computer, its addresses in networks, and the folder where its user's configuration
//! is kept.

use std::net::IpAddr;
use std::path::PathBuf;

/// The name of this computer in its network, without a domain.
pub(crate) fn computer_name() -> Option<String> {
    let name = full_name()?;
    let first = name.split('.').next()?;
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (!first.is_empty() && is_name(first)).then(|| first.to_owned())
}

/// An address of this computer in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetworkAddress {
    /// The name that the system gives the network interface.
    pub(crate) interface: String,
    /// The address.
    pub(crate) ip: IpAddr,
    /// True if the interface leads to one other computer only, as that of a VPN.
    pub(crate) is_point_to_point: bool,
}

/// Returns the addresses of this computer in networks that it is connected to, in the order of the
/// system. Leaves out those that only this computer can use.
pub(crate) fn network_addresses() -> Vec<NetworkAddress> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    let connected = interfaces.filter(|it| !it.is_loopback() && it.is_oper_up());
    connected
        .map(|it| NetworkAddress {
            ip: it.ip(),
            is_point_to_point: it.is_p2p(),
            interface: it.name,
        })
        .collect()
}

#[cfg(unix)]
fn full_name() -> Option<String> {
    let uname = rustix::system::uname();
    uname.nodename().to_str().ok().map(str::to_owned)
}

#[cfg(windows)]
fn full_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// The folder where this program keeps its configuration; None where the system names none.
pub(crate) fn config_folder() -> Option<PathBuf> {
    config_home().map(|home| home.join("serial-ws"))
}

/// The folder of all programs' configuration; on Linux as the XDG Base Directory Specification has
/// it.
pub(super) fn config_home() -> Option<PathBuf> {
    if cfg!(windows) {
        return std::env::var_os("APPDATA").map(PathBuf::from);
    }
    let home = std::env::home_dir();
    if cfg!(target_os = "linux") {
        let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let named = named.filter(|folder| folder.is_absolute());
        named.or_else(|| Some(home?.join(".config")))
    } else {
        Some(home?.join("Library/Application Support"))
    }
}
