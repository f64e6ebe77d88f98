//! `serial-ws doctor`: what keeps a board, the bridge or a page from working, and what to do. Opens
//! no port, since that would restart some boards.
//!
//! Each check observes first, and then says in sentences what that means: a pure function from
//! facts to findings.

mod page;
mod ports;
mod tcp;

use std::fmt;
use std::io::Write;

use anyhow::Result;
use clap::Args;

use crate::cli::BridgeArgs;
use crate::config::{Config, exit_with_usage};
use crate::port::source::serial::os::Remark;
use crate::server::access;
use crate::terminal::print;
use page::Page;

/// What a check found, in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    mark: Mark,
    text: String,
}

/// What a finding asks of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing: it is as it should be.
    Right,
    /// To know it.
    Note,
    /// To do something.
    Do,
}

impl Finding {
    fn right(text: impl Into<String>) -> Self {
        let text = text.into();
        let mark = Mark::Right;
        Self { mark, text }
    }

    fn note(text: impl Into<String>) -> Self {
        let text = text.into();
        let mark = Mark::Note;
        Self { mark, text }
    }

    /// The same, with nothing to do about it.
    fn by_the_way(self) -> Self {
        match self.mark {
            Mark::Do => Self::note(self.text),
            _ => self,
        }
    }

    fn to_do(text: impl Into<String>) -> Self {
        let text = text.into();
        let mark = Mark::Do;
        Self { mark, text }
    }
}

impl From<Remark> for Finding {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::Right(text) => Self::right(text),
            Remark::Note(text) => Self::note(text),
            Remark::Do(text) => Self::to_do(text),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Right => "ok",
            Mark::Note => "note",
            Mark::Do => "do",
        };
        write!(f, "{mark:<4}  {}", self.text)
    }
}

/// Arguments of `serial-ws doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Address of a page that should connect, as the browser shows it
    page: Option<String>,
    /// The flags of the bridge.
    #[command(flatten)]
    pub(crate) bridge: BridgeArgs,
}

/// Looks at what a bridge with these flags would meet, and at the page. Returns whether there is
/// nothing to do.
///
/// # Errors
/// When the address of the page is none, or nothing can be written.
pub(crate) async fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<bool> {
    let config = Config::new(&args.bridge).unwrap_or_else(|error| exit_with_usage(&error));
    let page = args.page.as_deref();
    let page = page.map(|address| Page::new(address, &config.server));
    let page = page.transpose()?;
    let mut findings = ports::look(&config.port_configs());
    let tcp = tcp::look(&config.server, page.as_ref()).await;
    findings.extend(tcp.findings);
    if let Some(page) = page {
        let decision = access::check(&config.server, &page.origin);
        findings.extend(page::check(&page, &decision, tcp.running));
    }
    let lines = findings.iter().map(|finding| format!("{finding}\n"));
    print(out, lines.collect::<String>())?;
    Ok(findings.iter().all(|finding| finding.mark != Mark::Do))
}
