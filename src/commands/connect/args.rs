//! The arguments of `serial-ws connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use regex_lite::Regex;

use crate::cli::default_tcp_port;
use crate::commands::client::{AccessArgs, Address, client};
use crate::config::units;
use crate::config::value::{Number, Setting, SettingValue};
use crate::port::is_name;
use crate::view::LineEnding;

/// Arguments of `serial-ws connect`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ConnectArgs {
    /// Address of the running serial-ws or of one of its ports, such as
    /// ws://localhost:8080/ports/NAME
    #[arg(
        default_value = concat!("ws://localhost:", default_tcp_port!()),
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    pub(super) url: String,
    /// Port to connect to, if not the first
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(super) port: Option<String>,
    /// Line ending of each line sent; none sends the lines without any
    /// [default: that of the port; without one, each line keeps its own, or gets a newline]
    #[arg(long, value_name = "ENDING")]
    pub(super) append: Option<Setting<LineEnding>>,
    /// Number of earlier lines to begin with
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(super) history: Option<u64>,
    /// Print the time before each line
    #[arg(short, long)]
    pub(super) timestamps: bool,
    /// Print each line as a JSON object with its number and time, and each change of the port
    #[arg(long, conflicts_with_all = ["raw", "timestamps"])]
    pub(super) json: bool,
    /// Exchange bytes exactly as they are, instead of lines
    #[arg(long)]
    pub(super) raw: bool,
    /// File to which everything that is printed is added
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) save: Option<PathBuf>,
    /// Number of messages to print before exiting
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(super) count: Option<u64>,
    /// Exit after a line that matches this regular expression
    #[arg(long, value_name = "REGEX", value_parser = parse_regex, conflicts_with = "raw")]
    pub(super) until: Option<Regex>,
    /// Time to keep printing after the end of the input, such as 2s, or forever
    /// [default: 0; forever with --count, --until and --timeout]
    #[arg(long, value_name = "TIME", value_parser = parse_wait)]
    pub(super) wait: Option<Duration>,
    /// Longest time to run
    #[arg(long, value_name = "TIME", value_parser = units::parse_time)]
    pub(super) timeout: Option<Duration>,
    /// The token and the fingerprint.
    #[command(flatten)]
    pub(super) access: AccessArgs,
}

/// The exit codes of this and other commands that end by themselves.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  the input has ended, or all came that was asked for
  1  serial-ws refused, or does not run there
  2  wrong usage
  3  the time of --timeout is over
  4  serial-ws has stopped, or the connection or the device was lost";

impl ConnectArgs {
    /// Returns the time to keep printing. Messages that are waited for are worth it; otherwise
    /// sending was the purpose.
    pub(super) fn wait(&self) -> Duration {
        let waits = self.count.is_some() || self.until.is_some() || self.timeout.is_some();
        let default = if waits { Duration::MAX } else { Duration::ZERO };
        self.wait.unwrap_or(default)
    }

    /// Returns the address to connect to. `place` is where an earlier connection ended, and
    /// `is_shown` true if people read what comes.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn address(&self, is_shown: bool, place: Option<&str>) -> anyhow::Result<Address> {
        let mut parameters = Vec::new();
        if self.raw {
            parameters.push("view=raw".to_owned());
        }
        if let Some(append) = self.append.as_deref() {
            parameters.push(format!("append={append}"));
        }
        if let (Some(history), None) = (self.history, place) {
            parameters.push(format!("history={history}"));
        }
        let port = self.port.as_deref();
        let typed = Address::new(&self.url, port, &parameters, &self.access)?;
        if typed.parameter("client").is_none() {
            parameters.push(client("connect"));
        }
        let typed = Address::new(&self.url, port, &parameters, &self.access)?;
        let needs_objects = is_shown || self.timestamps || self.json;
        if typed.view().is_some() || !needs_objects {
            return Ok(typed);
        }
        parameters.push("view=json".to_owned());
        parameters.extend(place.map(|place| format!("since={place}")));
        Address::new(&self.url, port, &parameters, &self.access)
    }

    /// Returns true if the messages are objects because we asked for them, and not the user.
    pub(super) fn decodes(&self, address: &Address) -> bool {
        let typed = Address::new(&self.url, self.port.as_deref(), &[], &self.access);
        let is_typed = typed.is_ok_and(|typed| typed.view().is_some());
        !is_typed && address.view() == Some("json")
    }
}

/// Reads the value of `--wait`: a time, or `forever`.
fn parse_wait(text: &str) -> Result<Duration, String> {
    match text {
        "forever" => Ok(Duration::MAX),
        time => {
            units::time(time, 1.0).ok_or_else(|| format!("expected forever or {}", units::TIME))
        }
    }
}

fn parse_count(text: &str) -> Result<u64, String> {
    Number::<0, { u64::MAX }, 10>::parse(text).map(|count| count.0)
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = is_name(text).then(|| text.to_owned());
    name.ok_or_else(|| "expected the name of a port: letters, digits, - and _".to_owned())
}

/// Reads a regular expression.
pub(crate) fn parse_regex(text: &str) -> Result<Regex, String> {
    // What the library says of it is in terms of its own.
    Regex::new(text).map_err(|_| {
        "expected a regular expression such as ^OK; to match a character such as ( or [ itself, \
         write \\ before it"
            .to_owned()
    })
}
