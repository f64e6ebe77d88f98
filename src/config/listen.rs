//! The addresses to listen on: those of `--listen`, of `--lan` and of `--p5`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Error;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::layers::Layer;
use super::value::SettingValue;
use crate::cli::{ServeArgs, default_tcp_port};
use crate::server::ListenAddress;

/// The TCP port at which p5.serialport looks for its server.
const P5_TCP_PORT: u16 = 8081;

/// A place to listen, written `[ADDR:]PORT`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ListenArg {
    /// One address.
    One(SocketAddr),
    /// A TCP port of both loopback addresses, or with `--lan` of all addresses.
    Port(u16),
}

impl ListenArg {
    /// Returns the addresses to listen on.
    fn addresses(self, is_lan: bool) -> Vec<ListenAddress> {
        let (ips, port): ([IpAddr; 2], _) = match self {
            Self::One(address) => {
                let is_one_of_two = false;
                return vec![ListenAddress {
                    address,
                    is_one_of_two,
                }];
            }
            Self::Port(port) if is_lan => (
                [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
                port,
            ),
            Self::Port(port) => (
                [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                port,
            ),
        };
        let listen = |ip| ListenAddress {
            address: SocketAddr::new(ip, port),
            is_one_of_two: true,
        };
        ips.map(listen).to_vec()
    }
}

impl SettingValue for ListenArg {
    fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix(':').unwrap_or(text);
        if let Ok(port) = bare.parse() {
            return Ok(Self::Port(port));
        }
        let local = text
            .strip_prefix("localhost:")
            .filter(|port| port.parse::<u16>().is_ok());
        let meant = local.map_or_else(String::new, |port| format!("; did you mean `{port}`?"));
        SocketAddr::parse(text)
            .map(Self::One)
            .map_err(|why| why + &meant)
    }
}

/// The TCP port for sketches of p5.serialport; None where they are not served.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct P5Arg(Option<u16>);

impl SettingValue for P5Arg {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "false" => Ok(Self(None)),
            "true" => Ok(Self(Some(P5_TCP_PORT))),
            port => port
                .parse()
                .map(|port| Self(Some(port)))
                .map_err(|_| format!("expected true, false or a TCP port such as {P5_TCP_PORT}")),
        }
    }

    fn show(&self) -> Json {
        match self.0 {
            None => false.into(),
            Some(P5_TCP_PORT) => true.into(),
            Some(port) => port.into(),
        }
    }
}

impl Serialize for P5Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}

/// Returns the addresses for everything that is served.
///
/// # Errors
/// If other computers are let in, and no address is for them.
pub(super) fn listen_addresses(
    args: &ServeArgs,
    layer: &Layer,
) -> Result<Vec<ListenAddress>, Error> {
    let is_lan_set = *args.lan || *args.lan_read_only;
    let listen: Vec<_> = if layer.sources.contains_key("listen") {
        let typed = args.listen.iter().map(|listen| listen.value);
        typed
            .flat_map(|listen| listen.addresses(is_lan_set))
            .collect()
    } else {
        ListenArg::Port(default_tcp_port!()).addresses(is_lan_set)
    };
    let is_any_beyond = listen.iter().any(is_beyond);
    if let Some(first) = listen.first().filter(|_| is_lan_set && !is_any_beyond) {
        let flag = if *args.lan { "lan" } else { "lan-read-only" };
        return Err(layer.error("listen", 0, &no_network(first.address, flag)));
    }
    Ok(listen)
}

/// Returns true if other computers can reach an address.
pub(super) fn is_beyond(listen: &ListenAddress) -> bool {
    !listen.address.ip().to_canonical().is_loopback()
}

/// Returns the addresses for sketches of p5.serialport: those of this computer alone, whatever else
/// is listened on.
pub(super) fn p5_addresses(
    P5Arg(port): P5Arg,
    listen: &[ListenAddress],
) -> Result<Vec<ListenAddress>, String> {
    let Some(port) = port else {
        return Ok(Vec::new());
    };
    let is_taken = |one: &ListenAddress| port != 0 && one.address.port() == port;
    if listen.iter().any(is_taken) {
        return Err(format!(
            "TCP port {port} is that of listen, too; leave that one out, or choose another"
        ));
    }
    Ok(ListenArg::Port(port).addresses(false))
}

/// Returns the error about an address for this computer alone, where `flag` lets others in.
fn no_network(address: SocketAddr, flag: &str) -> String {
    let port = address.port();
    format!(
        "{address} is for this computer only, but {flag} is for others; leave it out, or give the TCP \
         port alone: {port}"
    )
}
