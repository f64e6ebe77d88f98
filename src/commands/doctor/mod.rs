//! `serial-ws doctor`: diagnoses why a board or a page cannot connect, and says what to do. Opens no
//! port, since that would restart some boards.
//!
//! Each check observes first; a pure function then turns the facts into diagnostics.

mod offers;
mod page;
mod ports;
mod tcp;

use std::io::Write;

use anyhow::Result;
use clap::Args;

use crate::cli::BridgeArgs;
use crate::commands::wrong_usage;
use crate::config::Config;
use crate::port::{Diagnostic, Severity};
use crate::server::access;
use crate::terminal::print;
use page::Page;

/// Arguments of `serial-ws doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Address of a page that should connect, as the browser shows it
    page: Option<String>,
    /// The flags that serial-ws would be started with.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
}

/// Explains an error of sharing ports: if another program listens there, says which one, and what it
/// shares if it is another serial-ws.
pub(crate) async fn explain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref().copied() {
        Some(in_use) => tcp::in_use(in_use).await,
        None => error,
    }
}

/// Prints what serial-ws would run into with this configuration, and whether the page could connect.
/// Returns true if there is nothing to do.
///
/// # Errors
/// When the page's address is not one, or nothing can be written.
pub(crate) async fn run(args: &DoctorArgs, config: &Config, out: &mut dyn Write) -> Result<bool> {
    let page = args.page.as_deref();
    let page = page.map(|address| Page::new(address, &config.server));
    let page = page.transpose().map_err(wrong_usage)?;
    let mut diagnostics = ports::diagnose(&config.port_configs());
    diagnostics.extend(offers::diagnose(config));
    let tcp = tcp::diagnose(&config.server, page.as_ref()).await;
    diagnostics.extend(tcp.diagnostics);
    if let Some(page) = page {
        let decision = access::check(&config.server, &page.origin);
        diagnostics.extend(page::check(&page, &decision, tcp.running));
    }
    let lines = diagnostics
        .iter()
        .map(|diagnostic| format!("{diagnostic}\n"));
    print(out, lines.collect::<String>())?;
    let is_urgent = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Action;
    Ok(!diagnostics.iter().any(is_urgent))
}
