//! What is meant by the flags of the list "Clients".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::text;
use crate::cli::{DEFAULT_TCP_PORT, ServeArgs, Tls};
use crate::server::{Rights, ServerConfig, TlsConfig, Token, host_name, normalize_origin};

/// The variable with the operator's own secret.
pub(crate) const TOKEN_VARIABLE: &str = "SERIAL_WS_TOKEN";

/// Characters of the shortest secret that cannot be guessed at five guesses a minute.
const SHORTEST_TOKEN: usize = 12;

pub(crate) fn read(args: &ServeArgs) -> Result<ServerConfig> {
    if let Some(web) = &args.web {
        ensure!(
            web.is_dir(),
            "--web {}: there is no such folder",
            web.display()
        );
    }
    let is_beyond = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    let is_lan = args.lan || args.lan_read_only || args.listen.iter().any(is_beyond);
    let any_family = args.listen.is_empty();
    let here: [IpAddr; 2] = match is_lan {
        true => [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        false => [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    let listen = match any_family {
        true => here
            .map(|ip| SocketAddr::new(ip, DEFAULT_TCP_PORT))
            .to_vec(),
        false => args.listen.clone(),
    };
    let lan = is_lan.then_some(match args.lan_read_only {
        true => Rights::ReadOnly,
        false => Rights::ReadWrite,
    });
    Ok(ServerConfig {
        listen,
        any_family,
        max_clients: args.max_clients,
        max_message: args.max_message as usize,
        web: args.web.clone(),
        open: args.open,
        allow_origin: args
            .allow_origin
            .iter()
            .map(|typed| origin(typed))
            .collect::<Result<_>>()?,
        lan,
        token: own_token(args.token.as_deref())?,
        tls: tls(args)?,
        allow_host: args
            .allow_host
            .iter()
            .map(|typed| host(typed))
            .collect::<Result<_>>()?,
    })
}

fn tls(args: &ServeArgs) -> Result<Option<TlsConfig>> {
    let tls = match (&args.tls_cert, &args.tls_key, args.tls) {
        (Some(cert), Some(key), _) => TlsConfig::Files {
            cert: cert.clone(),
            key: key.clone(),
        },
        (_, _, Some(Tls::SelfSigned)) => TlsConfig::SelfSigned,
        _ => return Ok(None),
    };
    ensure!(
        cfg!(feature = "tls"),
        "this build has no TLS. Build it with: cargo install --features tls"
    );
    Ok(Some(tls))
}

/// Reads the operator's own secret from `file`, or else from its variable.
fn own_token(file: Option<&Path>) -> Result<Option<Token>> {
    let (from, text) = match (file, std::env::var_os(TOKEN_VARIABLE)) {
        (Some(file), _) => {
            let from = format!("--token {}", file.display());
            let text = text::read(file).with_context(|| format!("{from}: cannot read it"))?;
            (from, text)
        }
        // What is no text has characters that are refused.
        (None, Some(text)) => (
            TOKEN_VARIABLE.to_owned(),
            text.to_string_lossy().into_owned(),
        ),
        (None, None) => return Ok(None),
    };
    let token = text.trim();
    ensure!(
        token.len() >= SHORTEST_TOKEN,
        "{from}: a token has at least {SHORTEST_TOKEN} characters"
    );
    // It stands in addresses, headers and cookies.
    let is_fit = |b: u8| b.is_ascii_graphic() && !b"\"\\;,".contains(&b);
    ensure!(
        token.bytes().all(is_fit),
        "{from}: a token has letters, digits and signs, no blanks, quotes, commas or semicolons"
    );
    Ok(Some(Token::new(token)))
}

/// Reads the name of a computer, without a port.
fn host(typed: &str) -> Result<String> {
    let bare = typed.trim_start_matches('[').trim_end_matches(']');
    match host_name(typed) {
        Some(name) if name == bare => Ok(name.to_owned()),
        _ => bail!("--allow-host {typed}: a name is like pi.local or 192.168.1.5, without a port"),
    }
}

/// Reads `ORIGIN[,read-only]`.
fn origin(typed: &str) -> Result<(String, Rights)> {
    let (origin, rights) = match typed.split_once(',') {
        None => (typed, Rights::ReadWrite),
        Some((origin, "read-only")) => (origin, Rights::ReadOnly),
        Some((origin, _)) => bail!("--allow-origin {typed}: write {origin} or {origin},read-only"),
    };
    let written = normalize_origin(origin).with_context(|| {
        format!("--allow-origin {typed}: an origin is like https://example.org, one at a time")
    })?;
    Ok((written, rights))
}
