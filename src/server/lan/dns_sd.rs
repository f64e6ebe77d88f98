//! Announces the server to other computers by DNS-SD (RFC 6763) over multicast DNS (RFC 6762), so that they
//! find it without its address. What is announced has no secret. The library has a thread of its own, which
//! nothing starts but an [`Announcement`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, IfPredicate, RRType, Receiver, ServiceDaemon, ServiceInfo};
use socket2::{Domain, Protocol, Socket, Type};

use super::addresses::covers;
use crate::platform;
use crate::terminal::shown;

/// The type of the service.
pub(crate) const SERVICE_TYPE: &str = "_serial-ws._tcp.local.";

/// The UDP port of multicast DNS.
const MDNS_PORT: u16 = 5353;

/// The group of multicast DNS in networks of IPv4.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Seconds between two looks of the library at the addresses of this computer.
const IP_CHECK_SECONDS: u32 = 2;

/// Limits how long the end of the program waits until everybody was told of it.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes of the names of ports: a text of the record has at most 255, and a key before them.
const MAX_PORTS_BYTES: usize = 240;

/// Characters of the computer's name in that of a service, which has at most 63 bytes.
const MAX_NAME_CHARS: usize = 40;

/// The announcement of one TCP port of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The TCP port.
    pub(crate) tcp_port: u16,
    /// The names of the serial ports, the first of which is at `/`.
    pub(crate) ports: Vec<String>,
    /// True if others must encrypt.
    pub(crate) is_encrypted: bool,
}

/// The server as it is announced. Whoever drops it without its end leaves others with what they have heard,
/// which they forget within two minutes.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    /// The events of the library.
    events: Receiver<DaemonEvent>,
    /// The name of this computer.
    name: String,
    /// The name by which others resolve it: another one where another computer has its name, too.
    host: String,
    told: Vec<Facts>,
}

impl Announcement {
    /// Begins to announce what `listeners` listen for, in the networks that they cover.
    ///
    /// # Errors
    /// In words for the operator, where the system does not permit it.
    pub(crate) fn begin(listeners: Vec<SocketAddr>, facts: Vec<Facts>) -> Result<Self, String> {
        check(&listeners)?;
        let covered = IfPredicate::new(move |interface| {
            let is_covered = |one: &SocketAddr| covers(one.ip(), interface.ip());
            !interface.is_loopback() && listeners.iter().any(is_covered)
        });
        let name = platform::computer_name().filter(|name| !name.eq_ignore_ascii_case("localhost"));
        let name = name.unwrap_or_else(|| "serial-ws".to_owned());
        let begin = || {
            let daemon = ServiceDaemon::new()?;
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(IfKind::Predicate(covered))?;
            daemon.set_ip_check_interval(IP_CHECK_SECONDS)?;
            let events = daemon.monitor()?;
            let name = name.chars().take(MAX_NAME_CHARS).collect::<String>();
            let mut announcement = Self {
                daemon,
                events,
                host: format!("{name}.local"),
                name,
                told: Vec::new(),
            };
            announcement.tell(facts)?;
            Ok(announcement)
        };
        begin().map_err(|error: mdns_sd::Error| not_announced(&error.to_string()))
    }

    /// Returns the name by which others find this computer.
    pub(crate) fn host(&self) -> String {
        self.host.clone()
    }

    /// Tells others `facts`, if they were told something else before.
    pub(crate) fn update(&mut self, facts: Vec<Facts>) {
        self.take_events();
        if facts != self.told
            && let Err(error) = self.tell(facts)
        {
            tracing::debug!(%error, "cannot change what is announced");
        }
    }

    /// Says goodbye, so that others forget the server at once.
    pub(crate) async fn end(self) {
        let Ok(ended) = self.daemon.shutdown() else {
            return;
        };
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, ended.recv_async()).await;
    }

    fn tell(&mut self, facts: Vec<Facts>) -> mdns_sd::Result<()> {
        for one in &facts {
            let host = format!("{}.local.", self.name);
            let name = instance(&self.name, one.tcp_port);
            let texts = texts(one);
            let info = ServiceInfo::new(SERVICE_TYPE, &name, &host, "", one.tcp_port, &texts[..])?;
            self.daemon.register(info.enable_addr_auto())?;
        }
        self.told = facts;
        Ok(())
    }

    /// Takes notice of a new name of this computer, where another one had its name already.
    fn take_events(&mut self) {
        for event in self.events.try_iter() {
            match event {
                DaemonEvent::NameChange(change)
                    if matches!(change.rr_type, RRType::A | RRType::AAAA) =>
                {
                    self.host = change.new_name.trim_end_matches('.').to_owned();
                }
                DaemonEvent::Error(error) => tracing::debug!(%error, "multicast DNS"),
                _ => {}
            }
        }
    }
}

/// Checks that multicast DNS is possible. The library would not say that it is not.
///
/// # Errors
/// In words for the operator.
pub(crate) fn check(listeners: &[SocketAddr]) -> Result<(), String> {
    let is_there = |domain: fn(&IpAddr) -> bool| listeners.iter().any(|one| domain(&one.ip()));
    let mut families = Vec::new();
    if is_there(IpAddr::is_ipv4) {
        families.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)));
    }
    if is_there(IpAddr::is_ipv6) {
        families.push(SocketAddr::from((Ipv6Addr::UNSPECIFIED, MDNS_PORT)));
    }
    let mut failed = None;
    for family in families {
        match open(family) {
            Ok(()) => return Ok(()),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(()), |error| Err(not_announced(&reason(&error))))
}

/// Opens a socket as the library does.
fn open(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    let _ = socket.set_reuse_port(true);
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let mut networks = platform::network_addresses().into_iter();
    match networks.find_map(|network| match network.ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }) {
        Some(ip) if address.is_ipv4() => socket.join_multicast_v4(&GROUP_V4, &ip),
        _ => Ok(()),
    }
}

fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!("UDP port {MDNS_PORT} is in use by a program that does not share it");
    }
    format!(
        "multicast is not possible here: {}",
        platform::reason(error)
    )
}

fn not_announced(why: &str) -> String {
    format!("cannot use DNS-SD: {}", shown(why))
}

/// Returns the name of the service at a TCP port of this computer.
fn instance(host: &str, tcp_port: u16) -> String {
    if tcp_port == crate::cli::default_tcp_port!() {
        format!("serial-ws on {host}")
    } else {
        format!("serial-ws on {host}, TCP port {tcp_port}")
    }
}

/// Returns the texts that others are told beside the address.
fn texts(facts: &Facts) -> [(&'static str, String); 5] {
    let mut ports = String::new();
    for name in &facts.ports {
        let comma = if ports.is_empty() { "" } else { "," };
        if ports.len() + comma.len() + name.len() > MAX_PORTS_BYTES {
            break;
        }
        ports += &format!("{comma}{name}");
    }
    let flag = |is_on: bool| if is_on { "1" } else { "0" }.to_owned();
    [
        ("path", "/".to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("ports", ports),
        ("tls", flag(facts.is_encrypted)),
        // Other computers always need one.
        ("token", flag(true)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tcp_port: u16, ports: &[&str]) -> Facts {
        Facts {
            tcp_port,
            ports: ports.iter().map(|name| (*name).to_owned()).collect(),
            is_encrypted: false,
        }
    }

    #[test]
    fn several_on_one_computer_have_names_of_their_own() {
        assert_eq!(instance("pi", 8080), "serial-ws on pi");
        assert_eq!(instance("pi", 8090), "serial-ws on pi, TCP port 8090");
        assert!(instance(&"x".repeat(MAX_NAME_CHARS), 65535).len() <= 63 + 10);
    }

    #[test]
    fn a_text_has_as_many_names_of_ports_as_fit() {
        let texts_of = |ports: &[&str]| texts(&facts(8080, ports))[2].1.clone();
        assert_eq!(texts_of(&["uno", "scale"]), "uno,scale");
        assert_eq!(texts_of(&[]), "");
        let long = "x".repeat(100);
        assert_eq!(texts_of(&[&long, &long, &long]), format!("{long},{long}"));
    }
}
