//! The outputs of ports: who may write there, and what cannot be at all.

use clap::Error;

use super::layers::Layer;
use super::port::{PORT, PortArg};
use super::{ServerConfig, SharedPort};
use crate::output::OutputConfig;
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
    let mut before: Vec<(String, OutputConfig)> = Vec::new();
    for (index, (shared, typed)) in ports.iter_mut().zip(typed).enumerate() {
        let name = &shared.port.name;
        for output in &mut shared.outputs {
            if let Some(why) = refusal(output, server, &before) {
                let key = output.kind.name();
                return Err(if typed.0.contains_key(key) {
                    layer.error(PORT, index, &format!("{typed}: {why}"))
                } else {
                    layer.error(key, 0, &format!("{}: {why}", output.address))
                });
            }
            let is_beyond = output.address.is_beyond_loopback();
            let may_others = output.address.is_writable && server.lan == Some(Rights::ReadWrite);
            output.may_write = !shared.clients.read_only && (!is_beyond || may_others);
            before.push((name.clone(), *output));
        }
    }
    Ok(())
}

/// Returns why an output cannot be.
fn refusal(
    output: &OutputConfig,
    server: &ServerConfig,
    before: &[(String, OutputConfig)],
) -> Option<String> {
    let kind = output.kind.name();
    if server.token.is_some() {
        return Some(format!(
            "with --token everybody needs the token, which {kind} cannot ask for: leave out one of \
             the two"
        ));
    }
    if output.address.is_beyond_loopback() && server.lan.is_none() {
        return Some(format!(
            "other computers can connect to {}, which needs --lan or --lan-read-only",
            output.address
        ));
    }
    let mut others = before.iter();
    let other = others.find(|(_, other)| output.address.overlaps(other.address));
    other.map(|(name, other)| {
        let (kind, address) = (other.kind.name(), other.address);
        format!("port {name} has {kind}={address} already: choose another TCP port")
    })
}
