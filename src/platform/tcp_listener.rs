//! Finds the process that listens at a TCP address.

#[cfg(not(target_os = "linux"))]
use std::net::SocketAddr;

#[cfg(not(target_os = "linux"))]
use super::Process;
#[cfg(all(unix, not(target_os = "linux")))]
use super::find_by_lsof;
#[cfg(target_os = "linux")]
pub(crate) use linux::tcp_listener;

/// Reads the kernel's list of sockets.
#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use crate::platform::{Process, find_by_open_file};

    /// The state of a listening socket in the kernel's list.
    const LISTENING: &str = "0A";

    /// The other process that listens at this address; None when there is none, or when it cannot
    /// be known.
    pub(crate) fn tcp_listener(address: SocketAddr) -> Option<Process> {
        let table = match address {
            SocketAddr::V4(_) => "/proc/net/tcp",
            SocketAddr::V6(_) => "/proc/net/tcp6",
        };
        let socket = listening_socket(&fs::read_to_string(table).ok()?, address)?;
        find_by_open_file(|file| {
            fs::read_link(file).is_ok_and(|target| target.as_os_str() == socket.as_str())
        })
    }

    /// The target of a process's descriptor of the socket that listens at this address, or at all,
    /// from the text of `/proc/net/tcp`.
    fn listening_socket(table: &str, address: SocketAddr) -> Option<String> {
        let any = SocketAddr::new(
            match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            },
            address.port(),
        );
        let wanted = [in_hex(address), in_hex(any)];
        table.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_meant = wanted.iter().any(|wanted| wanted == local);
            (is_meant && *state == LISTENING).then(|| format!("socket:[{inode}]"))
        })
    }

    /// An address as the kernel's list has it: in words of four bytes, as the processor reads them.
    fn in_hex(address: SocketAddr) -> String {
        let bytes = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let words = bytes.chunks_exact(4).map(|word| {
            let word = [word[0], word[1], word[2], word[3]];
            format!("{:08X}", u32::from_ne_bytes(word))
        });
        format!("{}:{:04X}", words.collect::<String>(), address.port())
    }

    #[cfg(test)]
    mod tests {
        use std::net::TcpListener;
        use std::os::fd::AsRawFd;

        use super::*;

        #[test]
        fn the_listener_is_found() {
            let listener_here = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener_here.local_addr().unwrap();
            let table = fs::read_to_string("/proc/net/tcp").unwrap();
            let socket = listening_socket(&table, address).unwrap();
            let link = format!("/proc/self/fd/{}", listener_here.as_raw_fd());
            assert_eq!(fs::read_link(link).unwrap().as_os_str(), socket.as_str());
            // We are not the other process that is asked for.
            assert_eq!(tcp_listener(address), None);
            assert_eq!(in_hex("[::1]:8080".parse().unwrap()).len(), 32 + 5);
        }
    }
}

/// The other process that listens at this address, by `lsof`.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn tcp_listener(address: SocketAddr) -> Option<Process> {
    let socket = format!("-iTCP:{}", address.port());
    find_by_lsof(["-nP", "-sTCP:LISTEN", socket.as_str()])
}

/// None: Windows does not tell.
#[cfg(windows)]
pub(crate) fn tcp_listener(_address: SocketAddr) -> Option<Process> {
    None
}
