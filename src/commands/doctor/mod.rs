//! `serial-ws doctor`: diagnoses why a board or a page cannot connect, and says what to do. Opens no
//! port, since that would restart some boards.
//!
//! Each check observes first; a pure function then turns the facts into diagnostics.

mod offers;
mod outputs;
mod page;
mod ports;
mod recordings;
mod tcp;

use std::io::Write;

use anyhow::{Result, bail};
use clap::{Args, ValueHint};

use crate::cli::{BridgeArgs, DEVICES};
use crate::commands::wrong_usage;
use crate::config::Config;
use crate::port::{Diagnostic, Severity};
use crate::server::access;
use crate::terminal::{print, shown};
use page::Page;

/// Arguments of `serial-ws doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Serial port to check, as after --port, or the address of a page that should connect, as the
    /// browser shows it
    #[arg(id = DEVICES, value_name = "DEVICE|PAGE", value_hint = ValueHint::FilePath)]
    words: Vec<String>,
    /// The flags that serial-ws would be started with.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
}

impl DoctorArgs {
    /// Returns the arguments that are devices, each with its number among all.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (usize, &str)> {
        let words = self.words.iter().map(String::as_str).enumerate();
        words.filter(|(_, word)| !page::is_page(word))
    }

    /// Returns the address of the page, if there is one.
    ///
    /// # Errors
    /// When there are several.
    fn page(&self) -> Result<Option<&str>> {
        let words = self.words.iter().map(String::as_str);
        let mut pages = words.filter(|word| page::is_page(word));
        let page = pages.next();
        if let Some(second) = pages.next() {
            bail!(
                "doctor checks one page at a time: run it again for {}",
                shown(second)
            );
        }
        Ok(page)
    }
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
    let page = args.page().map_err(wrong_usage)?;
    let page = page.map(|address| Page::new(address, &config.server));
    let page = page.transpose().map_err(wrong_usage)?;
    let mut diagnostics = ports::diagnose(&config.port_configs());
    diagnostics.extend(offers::diagnose(config));
    let tcp = tcp::diagnose(&config.server, page.as_ref()).await;
    diagnostics.extend(outputs::diagnose(config, tcp.running.is_some()).await);
    diagnostics.extend(recordings::diagnose(config, tcp.running.is_some()));
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
