//! The settings of the list "Clients".

use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use clap::Error;
use serde::{Serialize, Serializer};

use super::layers::{Layer, SetBy};
use super::listen::{is_beyond, listen_addresses, p5_addresses};
use super::text;
use super::value::{Setting, SettingValue};
use crate::cli::ServeArgs;
use crate::platform;
use crate::server::{
    LanToken, Offers, Rights, ServerConfig, TlsConfig, Token, host_name, normalize_origin,
};

/// The environment variable with a token of the user's own, which everybody needs.
pub(crate) const TOKEN_VARIABLE: &str = "SERIAL_WS_TOKEN";

/// The environment variable with one that other computers need.
pub(crate) const LAN_TOKEN_VARIABLE: &str = "SERIAL_WS_LAN_TOKEN";

/// Checks the settings; `layer` has the same by their keys. `offers` are the devices on offer.
pub(super) fn resolve(
    args: &ServeArgs,
    offers: Offers,
    layer: &Layer,
) -> Result<ServerConfig, Error> {
    let web = path(&args.web);
    if let Some(web) = web.as_ref().filter(|web| !web.is_dir()) {
        return Err(layer.error("web", 0, &no_folder(web)));
    }
    let listen = listen_addresses(args, layer)?;
    let p5 = p5_addresses(*args.p5, &listen).map_err(|why| layer.error("p5", 0, &why))?;
    let is_any_beyond = listen.iter().any(is_beyond);
    let rights = if *args.lan_read_only {
        Rights::ReadOnly
    } else {
        Rights::ReadWrite
    };
    let token = own_token(path(&args.token).as_deref(), layer)?;
    let lan_token = lan_token(path(&args.lan_token), is_any_beyond, layer)?;
    if token.is_some() && lan_token.is_some() {
        let why = "cannot be combined with token, which everybody needs";
        return Err(layer.error("lan-token", 0, why));
    }
    Ok(ServerConfig {
        listen,
        p5,
        max_clients: args.max_clients.0 as usize,
        max_clients_per_address: args.max_clients_per_address.0 as usize,
        max_message: args.max_message.0 as usize,
        web,
        open: *args.open,
        allow_origin: allowed_origins(&args.allow_origin),
        lan: is_any_beyond.then_some(rights),
        announces: !*args.no_announce,
        token,
        lan_token,
        tls: tls(args, layer)?,
        offers,
        allow_host: args.allow_host.iter().map(|host| host.0.clone()).collect(),
    })
}

/// Returns the origins whose pages may connect, as browsers write them and as they were typed.
fn allowed_origins(allowed: &[Setting<AllowedOrigin>]) -> Vec<(String, Rights)> {
    let spellings = |allowed: &AllowedOrigin| {
        let rights = allowed.rights;
        [&allowed.origin, &allowed.typed].map(|origin| (origin.clone(), rights))
    };
    allowed.iter().flat_map(|one| spellings(one)).collect()
}

/// Returns the error about a path that is no folder.
fn no_folder(path: &Path) -> String {
    let shown = path.display();
    if !path.is_file() {
        return format!("{shown}: there is no such folder");
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new(".")).display();
    format!("{shown} is a file; give the folder that it is in: {folder}")
}

fn path(setting: &Option<Setting<PathBuf>>) -> Option<PathBuf> {
    setting.as_deref().cloned()
}

fn tls(args: &ServeArgs, layer: &Layer) -> Result<Option<TlsConfig>, Error> {
    let tls = match (path(&args.tls_cert), path(&args.tls_key)) {
        (Some(cert), Some(key)) => TlsConfig::Files { cert, key },
        (Some(_), None) => return Err(layer.error("tls-cert", 0, "needs tls-key, too")),
        (None, Some(_)) => return Err(layer.error("tls-key", 0, "needs tls-cert, too")),
        (None, None) if args.tls.is_some() => TlsConfig::SelfSigned,
        (None, None) => return Ok(None),
    };
    if cfg!(feature = "tls") {
        return Ok(Some(tls));
    }
    let advice = "this build has no TLS. Build it with: cargo install --features tls";
    Err(layer.error("tls", 0, advice))
}

/// Reads the token that everybody needs from `file`, or else from its variable.
fn own_token(file: Option<&Path>, layer: &Layer) -> Result<Option<Token>, Error> {
    let wrong = |why: &str| layer.error("token", 0, &about(file, why));
    let Some(text) = secret(file, TOKEN_VARIABLE).map_err(|e| wrong(&unreadable(&e)))? else {
        return Ok(None);
    };
    text.trim()
        .parse()
        .map(Some)
        .map_err(|why: String| wrong(&why))
}

/// Reads the token that other computers need, likewise. A file that does not exist is made at the start.
fn lan_token(
    file: Option<PathBuf>,
    is_lan: bool,
    layer: &Layer,
) -> Result<Option<LanToken>, Error> {
    let wrong = |why: &str| layer.error("lan-token", 0, &about(file.as_deref(), why));
    let token = match secret(file.as_deref(), LAN_TOKEN_VARIABLE) {
        Ok(None) => return Ok(None),
        Ok(Some(text)) => Some(text.trim().parse().map_err(|why: String| wrong(&why))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(wrong(&unreadable(&error))),
    };
    let folder = file.as_deref().and_then(Path::parent);
    if token.is_none() && folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(wrong("there is no such folder"));
    }
    if !is_lan && matches!(layer.source("lan-token", 0), Some(SetBy::Flag)) {
        let why = "it is for other computers, which cannot connect: add --lan, or leave it out";
        return Err(layer.error("lan-token", 0, why));
    }
    Ok(Some(LanToken { file, token }))
}

/// Reads a secret from a file, or else from a variable.
pub(super) fn secret(file: Option<&Path>, variable: &str) -> io::Result<Option<String>> {
    if let Some(file) = file {
        platform::warn_of_readers(file);
        return text::read(file).map(Some);
    }
    // Bytes that are no text become characters that are refused.
    let value = std::env::var_os(variable);
    Ok(value.map(|text| text.to_string_lossy().into_owned()))
}

/// Says what is wrong with a secret, and in which file it is.
fn about(file: Option<&Path>, why: &str) -> String {
    file.map_or_else(
        || why.to_owned(),
        |file| format!("{}: {why}", file.display()),
    )
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot read it: {}", platform::reason(error))
}

/// The name of a computer, without a TCP port.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HostName(String);

impl SettingValue for HostName {
    fn parse(text: &str) -> Result<Self, String> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        let bare = bare.unwrap_or(text);
        if bare.parse::<Ipv6Addr>().is_ok() || host_name(text) == Some(bare) {
            return Ok(Self(bare.to_owned()));
        }
        Err("expected a name such as pi.local or 192.168.1.5, without a port".to_owned())
    }
}

/// An origin whose pages may connect, written `ORIGIN[,read-only]`.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigin {
    /// The origin as browsers write it.
    origin: String,
    /// The origin as it was typed: a program may send it so.
    typed: String,
    /// The rights of its pages.
    rights: Rights,
}

impl SettingValue for AllowedOrigin {
    fn parse(text: &str) -> Result<Self, String> {
        let (origin, rights) = match text.split_once(',') {
            None => (text, Rights::ReadWrite),
            Some((origin, "read-only")) => (origin, Rights::ReadOnly),
            Some((origin, _)) => return Err(format!("expected {origin} or {origin},read-only")),
        };
        let expected = "expected an origin such as https://example.org, one at a time";
        Ok(Self {
            origin: normalize_origin(origin).ok_or(expected)?,
            typed: origin.to_owned(),
            rights,
        })
    }
}

impl Serialize for AllowedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = match self.rights {
            Rights::ReadWrite | Rights::Operator => "",
            Rights::ReadOnly => ",read-only",
        };
        serializer.collect_str(&format_args!("{}{end}", self.typed))
    }
}
