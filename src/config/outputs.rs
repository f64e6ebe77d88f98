//! The outputs of ports: who may write there, and what cannot be at all.

use clap::Error;

use super::layers::Layer;
use super::port::PortArg;
use super::{ServerConfig, SharedPort};
use crate::output::OutputKind;
use crate::server::Rights;

/// Decides who may write to the outputs of `ports`, which are those that were `typed`.
///
/// # Errors
/// If others could connect who may not, or two outputs exclude each other.
pub(super) fn resolve(
    ports: &mut [SharedPort],
    server: &ServerConfig,
    (typed, layer): (&[PortArg], &Layer),
) -> Result<(), Error> {
    let mut before: Vec<(String, OutputKind)> = Vec::new();
    for (index, (shared, typed)) in ports.iter_mut().zip(typed).enumerate() {
        let name = &shared.port.name;
        for output in &mut shared.outputs {
            if let Some(why) = refusal(&output.kind, server, &before) {
                let (key, value) = (output.kind.name(), output.kind.place());
                return Err(typed.error((layer, index), (key, &value), &why));
            }
            let may_others = output.kind.address().is_none_or(|address| {
                let is_permitted = address.is_writable && server.lan == Some(Rights::ReadWrite);
                !address.is_beyond_loopback() || is_permitted
            });
            output.may_write = !shared.clients.read_only && may_others;
            before.push((name.clone(), output.kind.clone()));
        }
    }
    Ok(())
}

/// Returns why an output cannot be.
fn refusal(
    output: &OutputKind,
    server: &ServerConfig,
    before: &[(String, OutputKind)],
) -> Option<String> {
    let kind = output.name();
    // A pseudo-terminal is its owner's alone.
    if let Some(address) = output.address() {
        if server.token.is_some() {
            return Some(format!(
                "with --token everybody needs the token, which {kind} cannot ask for: leave out one \
                 of the two"
            ));
        }
        if address.is_beyond_loopback() && server.lan.is_none() {
            return Some(format!(
                "other computers can connect to {address}, which needs --lan or --lan-read-only"
            ));
        }
    } else if cfg!(windows) {
        let advice = "Windows has no pseudo-terminals: use rfc2217, with a driver that makes a COM \
                      port of it, or com0com";
        return Some(advice.to_owned());
    }
    let mut others = before.iter();
    let (name, other) = others.find(|(_, other)| output.excludes(other))?;
    let what = output.address().map_or("path", |_| "TCP port");
    Some(format!(
        "port {name} has {other} already: choose another {what}"
    ))
}
