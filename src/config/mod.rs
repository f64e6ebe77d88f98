//! What the command line means, checked: the ports with their settings, and how to serve them.

mod check;
mod file;
mod names;
mod port;
mod said;
mod server;
mod show;
mod text;
mod told;

use std::collections::HashSet;
use std::ffi::OsString;

use anyhow::{Context, Result, ensure};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cli::{BridgeArgs, Cli};
use crate::hub::HubConfig;
use crate::log;
use crate::port::PortConfig;
use crate::server::{ClientDefaults, ServerConfig};

pub(crate) use server::TOKEN_VARIABLE;
pub(crate) use told::Told;

/// All that the bridge is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The serial ports, the first of which is at `/`.
    pub(crate) ports: Vec<SharedPort>,
    /// How clients reach them.
    pub(crate) server: ServerConfig,
    /// What each port's hub keeps.
    pub(crate) limits: HubConfig,
}

/// A port, and what its clients get that do not ask for anything else.
#[derive(Clone, Debug)]
pub(crate) struct SharedPort {
    /// The port itself.
    pub(crate) port: PortConfig,
    /// What its clients get.
    pub(crate) clients: ClientDefaults,
}

impl Config {
    /// Returns the ports alone, in order.
    pub(crate) fn port_configs(&self) -> Vec<PortConfig> {
        self.ports
            .iter()
            .map(|shared| shared.port.clone())
            .collect()
    }

    /// Reads a command line on its own, without environment variables' or files' share of it.
    ///
    /// # Errors
    /// Names the argument that is wrong, and how it is written.
    pub fn from_args<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> Result<Self> {
        Self::new(&Cli::try_parse_from(args)?.bridge)
    }

    /// # Errors
    /// Names the argument that is wrong, and how it is written.
    pub(crate) fn new(args: &BridgeArgs) -> Result<Self> {
        let mut names = HashSet::new();
        let mut ports = Vec::new();
        for typed in &args.ports {
            let shared = port::read(typed, &args.settings, args.no_wait)
                .with_context(|| format!("--port {typed}"))?;
            ensure!(
                names.insert(shared.port.name.clone()),
                "two ports are called {name}. Give them names of their own: --port a={spec} --port b=…",
                name = shared.port.name,
                spec = shared.port.spec,
            );
            ports.push(shared);
        }
        let limits = HubConfig {
            history: args.serve.history,
            max_behind: args.serve.max_behind,
        };
        let server = server::read(&args.serve)?;
        Ok(Self {
            ports,
            server,
            limits,
        })
    }
}

/// Ends the program with clap's exit code for wrong usage, saying `error`.
pub(crate) fn exit_with_usage(error: &anyhow::Error) -> ! {
    log::flush();
    Cli::command()
        .error(ErrorKind::ValueValidation, format!("{error:#}"))
        .exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Rights;
    use crate::view::View;

    fn config(args: &str) -> Result<Config> {
        let args = std::iter::once("serial-ws").chain(args.split_whitespace());
        Config::from_args(args)
    }

    #[track_caller]
    fn check_port(args: &str, name: &str, spec: &str, baud: u32, view: View) {
        let SharedPort { port, clients } = config(args).unwrap().ports.remove(0);
        assert_eq!((&*port.name, &*port.spec.to_string()), (name, spec));
        assert_eq!((port.line.baud, clients.view), (baud, view));
    }

    #[track_caller]
    fn check_error(args: &str, part: &str) {
        let error = format!("{:#}", config(args).unwrap_err());
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_port_has_a_name_a_spec_and_settings() {
        check_port(
            "--port /dev/ttyACM0",
            "ttyACM0",
            "/dev/ttyACM0",
            9600,
            View::Lines,
        );
        check_port(
            "-p uno=/dev/ttyACM0,lines",
            "uno",
            "/dev/ttyACM0",
            9600,
            View::Lines,
        );
        check_port("-p a=sim,baud=115200,raw", "a", "sim", 115_200, View::Raw);
        check_port(
            "-p /dev/ttyUSB0,baud=300",
            "ttyUSB0",
            "/dev/ttyUSB0",
            300,
            View::Lines,
        );
    }

    #[test]
    fn a_setting_of_one_port_wins_over_that_of_all() {
        check_port(
            "-p sim,baud=300 --baud 19200 --raw",
            "sim",
            "sim",
            300,
            View::Raw,
        );
        check_port("-p sim,text --raw", "sim", "sim", 9600, View::Text);
    }

    #[test]
    fn a_wrong_port_says_what_is_right() {
        check_error("-p sim,speed=3", "baud=");
        check_error("-p sim,baud=fast", "baud");
        check_error("-p sim:nothing", "sim:nothing");
        check_error("-p sim -p sim", "--port a=sim");
        check_error("-p sim,raw,text", "text");
        check_error("-p sim --baud 0", "9600");
    }

    #[test]
    fn whoever_listens_beyond_this_computer_has_the_rules_of_lan() {
        let server = |args| config(args).unwrap().server;
        assert_eq!(server("-p sim").lan, None);
        assert_eq!(server("-l 127.0.0.1:1 -l [::1]:1").lan, None);
        assert_eq!(
            server("-l 127.0.0.1:1 -l 10.0.0.1:1").lan,
            Some(Rights::ReadWrite)
        );
        assert_eq!(server("--lan").lan, Some(Rights::ReadWrite));
        assert_eq!(server("--lan-read-only").lan, Some(Rights::ReadOnly));
        assert_eq!(server("--lan").listen[0].to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn a_wrong_name_or_site_says_what_is_right() {
        check_error("--allow-host pi.local:8080", "without a port");
        check_error("--allow-origin example.org", "https://example.org");
        check_error("--allow-origin *", "https://example.org");
        check_error(
            "--allow-origin https://a.example,write",
            "https://a.example,read-only",
        );
        check_error("--token /no/such/file", "/no/such/file");
    }
}
