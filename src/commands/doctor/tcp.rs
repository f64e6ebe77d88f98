//! Checks the TCP ports to listen on: free, or who has them. A serial-ws that runs there already
//! tells its version, and whether it allows the page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::platform::{self, Process};
use crate::port::Diagnostic;
use crate::protocol::HelloAnswer;
use crate::server::{self, Rights};
use crate::server::{AddressInUse, ServerConfig};
use crate::terminal::{excerpt, shown};

use super::page::{Page, Running};

/// Limits the wait for an answer from whoever listens there. After it, it is another program.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits how much of an answer is read.
const MAX_ANSWER_BYTES: u64 = 8 << 10;

/// The state of all TCP ports to listen on.
pub(crate) struct TcpReport {
    /// The same in sentences.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The access that a running serial-ws gives the page.
    pub(crate) running: Running,
}

/// The program that listens at an address.
#[derive(Debug)]
enum Occupant {
    /// None, so that serial-ws may listen.
    Nobody,
    /// Another serial-ws.
    Bridge(HelloAnswer<'static>),
    /// Another program, where it is known, and why serial-ws may not listen.
    Other(Option<Process>, String),
}

/// Diagnoses each address that serial-ws would listen on.
pub(crate) async fn diagnose(config: &ServerConfig, page: Option<&Page>) -> TcpReport {
    let mut found = Vec::new();
    for (address, listened) in server::try_listen(config) {
        let there = match listened {
            Ok(_) => Occupant::Nobody,
            Err(error) => occupant(address, page, &error).await,
        };
        found.push((address.port(), there));
    }
    let bridge = found.iter().find_map(|(_, there)| match there {
        Occupant::Bridge(hello) => Some(hello),
        _ => None,
    });
    TcpReport {
        running: bridge.map(rights),
        diagnostics: summarize(&found),
    }
}

/// Describes each TCP port once: usually it has two addresses, IPv4 and IPv6, and either both say
/// the same or one says more.
fn summarize(found: &[(u16, Occupant)]) -> Vec<Diagnostic> {
    let is_busy = |port: u16| {
        let mut others = found.iter().filter(|(other, _)| *other == port);
        others.any(|(_, there)| !matches!(there, Occupant::Nobody))
    };
    let mut diagnostics = Vec::new();
    for (port, there) in found {
        let diagnostic = check(*port, there);
        let says_less = matches!(there, Occupant::Nobody) && is_busy(*port);
        if !says_less && !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}

/// Finds out who is at an address that could not be listened on because of `error`.
async fn occupant(address: SocketAddr, page: Option<&Page>, error: &anyhow::Error) -> Occupant {
    let origin = page.map(|page| page.origin.as_str());
    match timeout(ANSWER_TIMEOUT, hello(address, origin)).await {
        Ok(Ok(hello)) => return Occupant::Bridge(hello),
        Ok(Err(error)) => tracing::debug!(%address, "no serial-ws: {error:#}"),
        Err(_) => tracing::debug!(%address, "no answer"),
    }
    Occupant::Other(platform::tcp_listener(address), platform::sentence(error))
}

/// Says who listens at an address, and what it shares if it is a serial-ws.
pub(crate) async fn in_use(in_use: AddressInUse) -> anyhow::Error {
    let (address, advice) = (in_use.address, in_use.advice());
    let port = address.port();
    let process = platform::tcp_listener(address);
    let asking =
        async { Ok::<_, anyhow::Error>((hello(address, None).await?, shared(address).await)) };
    let whose = match (timeout(ANSWER_TIMEOUT, asking).await, process) {
        (Ok(Ok((_, shared))), process) => {
            let pid = process.map(|process| format!(" (pid {})", process.pid));
            let shares = shared.ok().filter(|devices| !devices.is_empty());
            let at = format!("http://localhost:{port}/");
            let what = match shares {
                Some(devices) => format!("which shares {} at {at}", devices.join(" and ")),
                None => format!("which runs at {at}"),
            };
            format!(" by serial-ws{}, {what}", pid.unwrap_or_default())
        }
        (_, Some(Process { name, pid })) => format!(" by {} (pid {pid})", shown(&name)),
        (_, None) => String::new(),
    };
    anyhow::anyhow!("TCP port {port} is in use{whose}. {advice}")
}

/// Asks a serial-ws for the paths of its devices, or else the names of its ports.
async fn shared(address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let ports: serde_json::Value = ask(address, "/api/ports", None).await?;
    let ports = ports.as_array().context("no list")?.iter();
    let name = |port: &serde_json::Value| {
        let name = port["path"].as_str().or(port["name"].as_str())?;
        Some(shown(name))
    };
    Ok(ports.filter_map(name).collect())
}

/// Asks a serial-ws who it is, as a page of this origin would.
async fn hello(address: SocketAddr, origin: Option<&str>) -> anyhow::Result<HelloAnswer<'static>> {
    let hello: HelloAnswer = ask(address, "/hello", origin).await?;
    ensure!(hello.name == env!("CARGO_PKG_NAME"), "another name");
    Ok(hello)
}

/// Gets an object from whoever listens at an address.
async fn ask<T: DeserializeOwned>(
    address: SocketAddr,
    path: &str,
    origin: Option<&str>,
) -> anyhow::Result<T> {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let mut stream = TcpStream::connect((ip, address.port())).await?;
    let origin = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
    let port = address.port();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{origin}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(MAX_ANSWER_BYTES)
        .read_to_string(&mut answer)
        .await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
    Ok(serde_json::from_str(body)?)
}

/// Returns the rights that a running serial-ws gives the page, or what would give it some.
fn rights(hello: &HelloAnswer<'_>) -> Result<Rights, String> {
    if !hello.allowed {
        return Err(excerpt(hello.remedy.as_deref().unwrap_or_default()));
    }
    Ok(if hello.read_only {
        Rights::ReadOnly
    } else {
        Rights::ReadWrite
    })
}

fn check(port: u16, there: &Occupant) -> Diagnostic {
    match there {
        Occupant::Nobody => Diagnostic::ok(format!("TCP port {port} is free for serial-ws")),
        Occupant::Bridge(HelloAnswer { version, .. }) => {
            let (version, own) = (shown(version), env!("CARGO_PKG_VERSION"));
            let other = if version == own {
                String::new()
            } else {
                format!(" (this is {own})")
            };
            Diagnostic::ok(format!(
                "serial-ws {version}{other} runs at http://localhost:{port}/"
            ))
        }
        Occupant::Other(Some(Process { name, pid }), why) => {
            Diagnostic::action(format!("{why}. It is used by {} (pid {pid})", shown(name)))
        }
        Occupant::Other(None, why) => Diagnostic::action(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_there(there: Occupant, expected: &str) {
        let both = [
            (8080, Occupant::Nobody),
            (8080, there),
            (8080, Occupant::Nobody),
        ];
        let lines: Vec<_> = summarize(&both).iter().map(ToString::to_string).collect();
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn the_tcp_port_is_free_ours_or_taken() {
        check_there(
            Occupant::Nobody,
            "ok    TCP port 8080 is free for serial-ws",
        );
        let hello = r#"{"name":"serial-ws","version":"0.0.9","allowed":true,"readOnly":false}"#;
        let hello = serde_json::from_str(hello).unwrap();
        let own = env!("CARGO_PKG_VERSION");
        check_there(
            Occupant::Bridge(hello),
            &format!("ok    serial-ws 0.0.9 (this is {own}) runs at http://localhost:8080/"),
        );
        let why = || "port 8080 is in use. Choose another: --listen 127.0.0.1:8081".to_owned();
        let name = "node".to_owned();
        check_there(
            Occupant::Other(Some(Process { name, pid: 17 }), why()),
            "do    port 8080 is in use. Choose another: --listen 127.0.0.1:8081. It is used by \
             node (pid 17)",
        );
        check_there(
            Occupant::Other(None, why()),
            "do    port 8080 is in use. Choose another: --listen 127.0.0.1:8081",
        );
    }
}
