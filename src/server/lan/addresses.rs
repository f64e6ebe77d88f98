//! The addresses by which other computers reach the server, the best one first. Pure, apart from the
//! question how this computer would connect to the internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::platform::NetworkAddress;

/// The beginnings of the names of interfaces that lead to no network of other people's computers: bridges
/// of containers and virtual machines, and tunnels of VPNs. In lower case.
const VIRTUAL: [&str; 34] = [
    "br-",
    "bridge1",
    "cali",
    "cni",
    "docker",
    "flannel",
    "gre",
    "incusbr",
    "ipsec",
    "kube",
    "lxcbr",
    "lxdbr",
    "nebula",
    "nordlynx",
    "openvpn",
    "podman",
    "ppp",
    "sit",
    "tailscale",
    "tap",
    "tun",
    "utun",
    "vboxnet",
    "vethernet (default switch",
    "vethernet (wsl",
    "virbr",
    "virtualbox",
    "vmnet",
    "vmware",
    "vnet",
    "wg",
    "wireguard",
    "zerotier",
    "zt",
];

/// An address by which other computers reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    /// Its host and TCP port, as an address on the web has them.
    pub(crate) host: String,
    /// The network in which it is reached.
    pub(crate) network: Network,
    /// True if it is good for programs only: it has a zone, which browsers do not take.
    pub(crate) is_for_programs: bool,
}

/// The network in which an address is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// That of this network interface.
    Interface(String),
    /// Each one, for those who resolve names by multicast DNS.
    Multicast,
}

/// The place of an address in the list. The first is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_virtual: bool,
    family: Family,
    is_not_outbound: bool,
}

/// The kinds of addresses, from those that most others can use to those that fewest can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// An IPv4 address of a private network (RFC 1918).
    PrivateV4,
    /// Any other IPv4 address that was assigned.
    V4,
    /// An IPv6 address of the whole internet.
    V6,
    /// An IPv6 address of a private network (RFC 4193).
    PrivateV6,
    /// An IPv4 address that the computer gave itself (RFC 3927).
    LinkLocalV4,
    /// An IPv6 address that needs the name of an interface beside it.
    LinkLocalV6,
}

impl Family {
    /// Returns the kind of an address.
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) if ip.is_private() => Self::PrivateV4,
            IpAddr::V4(ip) if ip.is_link_local() => Self::LinkLocalV4,
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Self::LinkLocalV6,
            IpAddr::V6(ip) if ip.is_unique_local() => Self::PrivateV6,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// Returns the addresses by which other computers reach `listeners`, of those that this computer has in
/// `networks`, the best one first. `outbound` is the one from which it connects to the internet.
pub(crate) fn reachable(
    listeners: &[SocketAddr],
    networks: &[NetworkAddress],
    outbound: Option<IpAddr>,
) -> Vec<Reachable> {
    let mut found: Vec<(Rank, Reachable)> = Vec::new();
    for network in networks {
        let of_network = listeners.iter().filter(|one| covers(one.ip(), network.ip));
        for port in of_network.map(SocketAddr::port) {
            let one = (rank(network, outbound), at(network, port));
            if !found.contains(&one) && !is_second_choice(network, networks) {
                found.push(one);
            }
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, address)| address).collect()
}

/// Returns true if whoever listens at `listener` listens at `ip`, an address of this computer.
pub(crate) fn covers(listener: IpAddr, ip: IpAddr) -> bool {
    if listener.is_unspecified() {
        listener.is_ipv4() == ip.is_ipv4()
    } else {
        listener == ip
    }
}

/// Returns the address from which this computer would connect to the internet. Sends nothing.
pub(crate) fn outbound() -> Option<IpAddr> {
    /// Addresses reserved for documentation (RFC 5737, RFC 3849).
    const REMOTE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const REMOTE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let source = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    source(Ipv4Addr::UNSPECIFIED.into(), REMOTE_V4.into())
        .or_else(|| source(Ipv6Addr::UNSPECIFIED.into(), REMOTE_V6.into()))
}

/// Returns true for an address with a zone where its interface has one without.
fn is_second_choice(network: &NetworkAddress, networks: &[NetworkAddress]) -> bool {
    let has_zone = |one: &NetworkAddress| Family::of(one.ip) == Family::LinkLocalV6;
    let is_beside = |other: &&NetworkAddress| other.interface == network.interface;
    has_zone(network) && !networks.iter().filter(is_beside).all(has_zone)
}

fn rank(network: &NetworkAddress, outbound: Option<IpAddr>) -> Rank {
    let name = network.interface.to_lowercase();
    let is_called_so = VIRTUAL.iter().any(|start| name.starts_with(start));
    Rank {
        is_virtual: network.is_point_to_point || is_called_so,
        family: Family::of(network.ip),
        is_not_outbound: Some(network.ip) != outbound,
    }
}

fn at(network: &NetworkAddress, port: u16) -> Reachable {
    let is_for_programs = Family::of(network.ip) == Family::LinkLocalV6;
    let host = if is_for_programs {
        // The zone is the other computer's name for the network. Within an address on the web, its sign
        // is escaped (RFC 6874).
        format!("[{}%25ZONE]:{port}", network.ip)
    } else {
        SocketAddr::new(network.ip, port).to_string()
    };
    Reachable {
        host,
        network: Network::Interface(network.interface.clone()),
        is_for_programs,
    }
}

/// Adds the name of this computer to its addresses: behind the best one, since not everybody can resolve it.
pub(crate) fn add_name(found: &mut Vec<Reachable>, name: &str, listeners: &[SocketAddr]) {
    let Some(first) = found.first().filter(|first| !first.is_for_programs) else {
        return;
    };
    // Of several TCP ports, that of the best address.
    let mut ports = listeners.iter().map(SocketAddr::port);
    let Some(port) = ports.find(|port| first.host.ends_with(&format!(":{port}"))) else {
        return;
    };
    let address = Reachable {
        host: format!("{name}:{port}"),
        network: Network::Multicast,
        is_for_programs: false,
    };
    found.insert(1, address);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(addresses: &[(&str, &str)]) -> Vec<NetworkAddress> {
        let addresses = addresses.iter().map(|(name, ip)| NetworkAddress {
            interface: (*name).to_owned(),
            ip: ip.parse().unwrap(),
            is_point_to_point: name.starts_with("p2p"),
        });
        addresses.collect()
    }

    #[track_caller]
    fn check(listeners: &[&str], addresses: &[(&str, &str)], outbound: &str, expected: &[&str]) {
        let listeners: Vec<_> = listeners.iter().map(|one| one.parse().unwrap()).collect();
        let found = reachable(&listeners, &networks(addresses), outbound.parse().ok());
        let found: Vec<_> = found.into_iter().map(|one| one.host).collect();
        assert_eq!(found, expected);
    }

    const ALL: [&str; 2] = ["0.0.0.0:8080", "[::]:8080"];

    #[test]
    fn only_what_a_listener_covers_is_reachable() {
        let addresses = [("eth0", "192.0.2.7"), ("eth0", "2001:db8::7")];
        check(&["127.0.0.1:8080", "[::1]:8080"], &addresses, "", &[]);
        check(&["192.0.2.7:9000"], &addresses, "", &["192.0.2.7:9000"]);
        check(&["0.0.0.0:8080"], &addresses, "", &["192.0.2.7:8080"]);
        check(&["[::]:8080"], &addresses, "", &["[2001:db8::7]:8080"]);
        check(
            &["0.0.0.0:1", "0.0.0.0:2", "192.0.2.7:2"],
            &addresses,
            "",
            &["192.0.2.7:1", "192.0.2.7:2"],
        );
    }

    #[test]
    fn the_address_that_most_others_can_use_comes_first() {
        let addresses = [
            ("tun0", "10.8.0.2"),
            ("docker0", "172.17.0.1"),
            ("eth0", "fe80::7"),
            ("eth0", "fd00::7"),
            ("eth0", "2001:db8::7"),
            ("eth1", "169.254.3.4"),
            ("eth0", "203.0.113.7"),
            ("wlan0", "192.168.1.50"),
        ];
        let expected = [
            "192.168.1.50:8080",
            "203.0.113.7:8080",
            "[2001:db8::7]:8080",
            "[fd00::7]:8080",
            "169.254.3.4:8080",
            "10.8.0.2:8080",
            "172.17.0.1:8080",
        ];
        check(&ALL, &addresses, "10.8.0.2", &expected);
    }

    #[test]
    fn of_equals_the_one_that_leads_to_the_internet_comes_first() {
        let addresses = [("eth0", "192.168.0.9"), ("wlan0", "10.0.0.9")];
        let [wired, wireless] = ["192.168.0.9:8080", "10.0.0.9:8080"];
        check(&ALL, &addresses, "", &[wired, wireless]);
        check(&ALL, &addresses, "10.0.0.9", &[wireless, wired]);
    }

    #[test]
    fn an_address_with_a_zone_is_shown_where_there_is_no_other() {
        let addresses = [
            ("eth0", "fe80::7"),
            ("eth0", "192.168.0.9"),
            ("usb0", "fe80::8"),
        ];
        let found = reachable(
            &ALL.map(|one| one.parse().unwrap()),
            &networks(&addresses),
            None,
        );
        let found: Vec<_> = found
            .iter()
            .map(|one| (&*one.host, one.is_for_programs))
            .collect();
        assert_eq!(
            found,
            [("192.168.0.9:8080", false), ("[fe80::8%25ZONE]:8080", true)]
        );
    }

    #[test]
    fn interfaces_of_containers_and_vpns_are_known_on_each_system() {
        for name in [
            "docker0",
            "br-1f2e3d4c5b6a",
            "virbr0",
            "wg0",
            "tailscale0",
            "utun4",
            "vEthernet (WSL)",
            "vEthernet (Default Switch)",
            "VMware Network Adapter VMnet8",
            "VirtualBox Host-Only Network",
            "p2p-dev",
        ] {
            let addresses = [(name, "10.0.0.1"), ("eth0", "2001:db8::7")];
            check(
                &ALL,
                &addresses,
                "",
                &["[2001:db8::7]:8080", "10.0.0.1:8080"],
            );
        }
        for name in [
            "Wi-Fi",
            "Ethernet 2",
            "en0",
            "wlp3s0",
            "br0",
            "usb0",
            "vEthernet (External)",
        ] {
            let addresses = [("eth0", "2001:db8::7"), (name, "10.0.0.1")];
            check(
                &ALL,
                &addresses,
                "",
                &["10.0.0.1:8080", "[2001:db8::7]:8080"],
            );
        }
    }
}
