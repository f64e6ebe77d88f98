//! `serial-ws man`: prints manual pages in roff, from the definitions of `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::commands::wrong_usage;
use crate::config::unknown_name;
use crate::terminal::print;

/// An empty argument: the same program gives the same page on any day.
const NO_DATE: &str = r#""""#;

/// Arguments of `serial-ws man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Command whose page to print [default: serial-ws itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Folder to write all pages to, instead of printing one
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them into a folder.
///
/// # Errors
/// When there is no such command, or nothing can be written.
pub(crate) fn run(args: &ManArgs, out: &mut dyn Write) -> Result<()> {
    match &args.dir {
        Some(folder) => write_to(folder),
        None => print(out, page(&args.command)?),
    }
}

/// Returns the page of the program, or of the command that `words` name.
fn page(words: &[String]) -> Result<Vec<u8>> {
    let mut command = &all();
    for word in words {
        let names = || {
            let commands = command.get_subcommands().filter(|one| !one.is_hide_set());
            commands.map(Command::get_name).collect::<Vec<_>>()
        };
        command = match command.find_subcommand(word) {
            Some(command) => command,
            None if names().is_empty() => bail!("{} has no commands of its own", name(command)),
            None => {
                let unknown = unknown_name("unknown command", word, &names());
                return Err(wrong_usage(anyhow!(unknown)));
            }
        };
    }
    Ok(render(command)?)
}

/// Writes every page into a folder, which is created if it is missing.
fn write_to(folder: &Path) -> Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .and_then(|()| write_pages(&all(), folder))
        .with_context(|| format!("cannot write the pages to {shown}"))
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    fs::write(
        folder.join(format!("{}.1", name(command))),
        render(command)?,
    )?;
    let mut commands = command.get_subcommands().filter(|one| !one.is_hide_set());
    commands.try_for_each(|command| write_pages(command, folder))
}

/// The program with all of its commands, complete.
fn all() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// The name of a command's page, such as `serial-ws-list`.
fn name(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn render(command: &Command) -> io::Result<Vec<u8>> {
    // As in `--help`, and not every flag in a row.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let examples = command.get_after_long_help().or(command.get_after_help());
    let bare = command
        .clone()
        .override_usage(usage)
        .after_help(None)
        .after_long_help(None);
    let mut page = Vec::new();
    Man::new(bare)
        .title(name(command).to_uppercase())
        .date(NO_DATE)
        .source(concat!("serial-ws ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut page)?;
    if let Some(examples) = examples {
        render_examples(&examples.to_string()).to_writer(&mut page)?;
    }
    Ok(page)
}

/// Renders the text after the help line by line; its first line is the heading.
fn render_examples(text: &str) -> Roff {
    let mut roff = Roff::default();
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default().trim_end_matches(':');
    roff.control("SH", [heading.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}
