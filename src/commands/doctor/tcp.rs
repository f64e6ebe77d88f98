//! The TCP ports that the bridge listens on: free, or who has them. A bridge that runs there
//! already tells its version, and whether it would let the page in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::platform::{self, Process};
use crate::server::ServerConfig;
use crate::server::{self, Rights};
use crate::terminal::{excerpt, shown};

use super::Finding;
use super::page::{Page, Running};

/// How long whoever listens there may take to answer. After it, it is another program.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 8 << 10;

/// What was found.
pub(crate) struct Found {
    /// In sentences.
    pub(crate) findings: Vec<Finding>,
    /// What a bridge that runs there does with the page.
    pub(crate) running: Running,
}

/// What is at an address.
#[derive(Debug)]
enum There {
    /// Nobody, so that the bridge may listen.
    Nobody,
    /// A bridge.
    Bridge(Hello),
    /// Somebody else, where that is known, and why the bridge may not listen.
    Other(Option<Process>, String),
}

/// What a bridge says of itself.
#[derive(Debug, Deserialize)]
struct Hello {
    name: String,
    version: String,
    allowed: bool,
    #[serde(rename = "readOnly")]
    read_only: bool,
    remedy: Option<String>,
}

/// Looks at each address that the bridge would listen on.
pub(crate) async fn look(config: &ServerConfig, page: Option<&Page>) -> Found {
    let mut found = Vec::new();
    for (address, listened) in server::may_listen(config) {
        let there = match listened {
            Ok(()) => There::Nobody,
            Err(error) => occupant(address, page, &error).await,
        };
        found.push((address.port(), there));
    }
    let bridge = found.iter().find_map(|(_, there)| match there {
        There::Bridge(hello) => Some(hello),
        _ => None,
    });
    Found {
        running: bridge.map(Hello::rights),
        findings: say(&found),
    }
}

/// A port is of two address families most often, of which both tell the same, or one tells more.
fn say(found: &[(u16, There)]) -> Vec<Finding> {
    let is_busy = |port: u16| {
        let mut others = found.iter().filter(|(other, _)| *other == port);
        others.any(|(_, there)| !matches!(there, There::Nobody))
    };
    let mut findings = Vec::new();
    for (port, there) in found {
        let finding = check(*port, there);
        let says_less = matches!(there, There::Nobody) && is_busy(*port);
        if !says_less && !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// Who is at an address that could not be listened on because of `error`.
async fn occupant(address: SocketAddr, page: Option<&Page>, error: &anyhow::Error) -> There {
    let origin = page.map(|page| page.origin.as_str());
    match timeout(ANSWER_WITHIN, hello(address, origin)).await {
        Ok(Ok(hello)) => return There::Bridge(hello),
        Ok(Err(error)) => tracing::debug!(%address, "no serial-ws: {error:#}"),
        Err(_) => tracing::debug!(%address, "no answer"),
    }
    There::Other(platform::tcp_listener(address), format!("{error:#}"))
}

/// Asks a bridge who it is, as a page of this origin would.
async fn hello(address: SocketAddr, origin: Option<&str>) -> anyhow::Result<Hello> {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let mut stream = TcpStream::connect((ip, address.port())).await?;
    let origin = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
    let port = address.port();
    let request = format!("GET /hello HTTP/1.1\r\nHost: localhost:{port}\r\n{origin}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(LONGEST_ANSWER)
        .read_to_string(&mut answer)
        .await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
    let hello: Hello = serde_json::from_str(body)?;
    ensure!(hello.name == env!("CARGO_PKG_NAME"), "another name");
    Ok(hello)
}

impl Hello {
    /// What it lets the page do that we asked for, or how it would.
    fn rights(&self) -> Result<Rights, String> {
        match self.read_only {
            _ if !self.allowed => Err(excerpt(self.remedy.as_deref().unwrap_or_default())),
            true => Ok(Rights::ReadOnly),
            false => Ok(Rights::ReadWrite),
        }
    }
}

fn check(port: u16, there: &There) -> Finding {
    match there {
        There::Nobody => Finding::right(format!("TCP port {port} is free for serial-ws")),
        There::Bridge(Hello { version, .. }) => {
            let (version, own) = (shown(version), env!("CARGO_PKG_VERSION"));
            let other = if version == own {
                String::new()
            } else {
                format!(" (this is {own})")
            };
            Finding::right(format!(
                "serial-ws {version}{other} runs at http://localhost:{port}/"
            ))
        }
        There::Other(Some(Process { name, pid }), why) => {
            Finding::to_do(format!("{why}. It is used by {} (pid {pid})", shown(name)))
        }
        There::Other(None, why) => Finding::to_do(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_there(there: There, expected: &str) {
        let both = [(8080, There::Nobody), (8080, there), (8080, There::Nobody)];
        let findings = say(&both);
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn the_tcp_port_is_free_ours_or_taken() {
        check_there(There::Nobody, "ok    TCP port 8080 is free for serial-ws");
        let hello = r#"{"name":"serial-ws","version":"0.0.9","allowed":true,"readOnly":false}"#;
        let hello = serde_json::from_str(hello).unwrap();
        let own = env!("CARGO_PKG_VERSION");
        check_there(
            There::Bridge(hello),
            &format!("ok    serial-ws 0.0.9 (this is {own}) runs at http://localhost:8080/"),
        );
        let why = || "port 8080 is in use. Choose another: --listen 127.0.0.1:8081".to_owned();
        let name = "node".to_owned();
        check_there(
            There::Other(Some(Process { name, pid: 17 }), why()),
            "do    port 8080 is in use. Choose another: --listen 127.0.0.1:8081. It is used by \
             node (pid 17)",
        );
        check_there(
            There::Other(None, why()),
            "do    port 8080 is in use. Choose another: --listen 127.0.0.1:8081",
        );
    }
}
