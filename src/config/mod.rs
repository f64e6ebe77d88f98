//! The configuration: settings from flags, variables and files, checked and resolved.

mod device;
mod escapes;
mod file;
mod grammar;
mod layers;
mod listen;
mod mqtt;
mod names;
mod offer;
mod osc;
mod outputs;
mod playback;
mod poll;
mod port;
#[cfg(test)]
mod port_table;
mod port_values;
mod recordings;
mod server;
mod show;
pub(crate) mod text;
pub(crate) mod units;
mod upstream;
mod usage;
pub(crate) mod value;
mod variables;

use std::collections::HashSet;
use std::ffi::OsString;

use anyhow::Result;
use clap::Error;

use crate::cli::Settings;
use crate::hub::{HubConfig, RequestLimits};
use crate::output::OutputConfig;
use crate::output::mqtt::MqttConfig;
use crate::output::osc::OscConfig;
use crate::output::recorder::RecorderConfig;
use crate::output::saver::SaverConfig;
use crate::port::PortConfig;
use crate::port::source::spec::Spec;
use crate::server::{ClientDefaults, Rights, ServerConfig};
pub(crate) use layers::Invocation;
use layers::Layer;
pub(crate) use listen::{ListenArg, P5Arg};
pub(crate) use mqtt::{BrokerArg, UserName};
pub(crate) use names::unknown as unknown_name;
pub(crate) use offer::DevicesConfig;
pub(crate) use osc::{OscListenArg, OscTargetArg};
pub(crate) use poll::{PollInterval, PollText};
use port::PORT;
pub(crate) use port::PortArg;
pub(crate) use server::{AllowedOrigin, HostName, LAN_TOKEN_VARIABLE, TOKEN_VARIABLE};
pub(crate) use variables::{SECRETS, with_variables};

/// The configuration of the whole program.
#[derive(Clone, Debug)]
pub struct Config {
    /// The serial ports, the first of which is at `/`.
    pub(crate) ports: Vec<SharedPort>,
    /// The devices that clients open.
    pub(crate) devices: DevicesConfig,
    /// The configuration of the server.
    pub(crate) server: ServerConfig,
    /// The limits of each port's hub.
    pub(crate) limits: HubConfig,
    /// The MQTT broker that all ports are published to.
    pub(crate) mqtt: Option<MqttConfig>,
    /// The receivers of OSC, and where it is received.
    pub(crate) osc: Option<OscConfig>,
}

/// A port, and the settings of clients that ask for none.
#[derive(Clone, Debug)]
pub(crate) struct SharedPort {
    /// The port itself.
    pub(crate) port: PortConfig,
    /// The settings of its clients.
    pub(crate) clients: ClientDefaults,
    /// The bounds on what they ask of it.
    pub(crate) requests: RequestLimits,
    /// Its outputs beside WebSocket clients.
    pub(crate) outputs: Vec<OutputConfig>,
    /// Its recordings; None if nothing is recorded.
    pub(crate) recorder: Option<RecorderConfig>,
    /// The file that its lines are saved to, if there is one.
    pub(crate) saver: Option<SaverConfig>,
}

impl Config {
    /// Reads a command line on its own, without environment variables.
    ///
    /// # Errors
    /// Names the argument that is wrong, and how it is written.
    pub fn from_args<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> Result<Self> {
        let args = args.into_iter().map(Into::into);
        Ok(Invocation::of_service(args)?.config()?)
    }

    /// Returns the ports alone, in order.
    pub(crate) fn port_configs(&self) -> Vec<PortConfig> {
        let ports = self.ports.iter();
        ports.map(|shared| shared.port.clone()).collect()
    }

    /// Checks and resolves settings; `layer` has the same by their keys.
    fn new(Settings { bridge, .. }: &Settings, layer: &Layer) -> Result<Self, Error> {
        if let Some((key, other)) = names::conflict(&layer.values) {
            let text = format!("cannot be combined with {other}");
            return Err(layer.error(key, 0, &text));
        }
        let max_message = bridge.serve.max_message.0 as usize;
        let template = PortArg::new(None, &Spec::Auto).resolve(layer, 0, false);
        let mut template = template.map_err(|why| layer.error(PORT, 0, &why))?;
        template.requests.max_message = max_message;
        // Several devices cannot share one TCP port, or one file.
        template.outputs.clear();
        template.saver = None;
        let (devices, offers) = offer::resolve(&bridge.offer, layer, template)?;
        let mut names = HashSet::new();
        let mut ports = Vec::new();
        for (index, typed) in bridge.port.iter().enumerate() {
            let wrong = |why: String| layer.error(PORT, index, &format!("{typed}: {why}"));
            if let Some((key, other)) = names::conflict(&typed.0) {
                return Err(wrong(format!("{key} cannot be combined with {other}")));
            }
            let shared = typed.resolve(layer, index, *bridge.no_wait);
            let mut shared = shared.map_err(wrong)?;
            shared.requests.max_message = max_message;
            shared.port.may_be_chosen = !offers.has_ports;
            let PortConfig { name, spec, .. } = &shared.port;
            if !names.insert(name.clone()) {
                return Err(wrong(format!(
                    "another port is called {name}, too: name each of them, such as a={spec}"
                )));
            }
            ports.push(shared);
        }
        let limits = HubConfig {
            history: bridge.serve.history.0 as usize,
            max_behind: *bridge.serve.max_behind,
        };
        let server = server::resolve(&bridge.serve, offers, layer)?;
        outputs::resolve(&mut ports, &server, (&bridge.port, layer))?;
        recordings::check_saved(&ports, (&bridge.port, layer))?;
        check_programs(&ports, &server, layer)?;
        check_loops(&ports, &server, layer)?;
        poll::check_interval(&ports, layer)?;
        recordings::check_save(&ports, layer)?;
        let mqtt = mqtt::resolve(&bridge.mqtt, max_message, layer)?;
        let osc = osc::resolve(&bridge.osc, &server, layer)?;
        Ok(Self {
            ports,
            devices,
            server,
            limits,
            mqtt,
            osc,
        })
    }
}

/// Refuses a program that other computers could write to.
fn check_programs(ports: &[SharedPort], server: &ServerConfig, layer: &Layer) -> Result<(), Error> {
    if server.lan.is_none_or(|rights| rights == Rights::ReadOnly) {
        return Ok(());
    }
    let mut exposed = ports.iter().enumerate();
    let exposed = exposed.find_map(|(index, shared)| {
        let program = shared.port.spec.program()?;
        (!shared.clients.read_only).then_some((index, program))
    });
    let Some((index, program)) = exposed else {
        return Ok(());
    };
    let why = format!(
        "{program} would take its input from other computers: with --lan, add ,read-only to this \
         port, or let other computers only read with --lan-read-only"
    );
    Err(layer.error(PORT, index, &why))
}

/// Refuses a port of another serial-ws that is this one.
fn check_loops(ports: &[SharedPort], server: &ServerConfig, layer: &Layer) -> Result<(), Error> {
    let is_own = |spec: &Spec| {
        let Spec::Upstream(address) = spec else {
            return false;
        };
        let endpoint = &address.endpoint;
        let mut own = server.listen.iter().map(|listen| listen.address);
        own.any(|own| {
            let is_here = endpoint.is_this_computer() || endpoint.host == own.ip().to_string();
            is_here && endpoint.port == own.port()
        })
    };
    let own = ports.iter().position(|shared| is_own(&shared.port.spec));
    own.map_or(Ok(()), |index| {
        let spec = &ports[index].port.spec;
        let why = format!(
            "{spec} is where this serial-ws listens itself. To look at what another one shares there: \
             serial-ws connect {spec}. To share it on, choose another TCP port for this one, such as \
             --listen 8090"
        );
        Err(layer.error(PORT, index, &why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::FixedSettings;
    use crate::view::View;

    fn config(args: &str) -> Result<Config> {
        let args = std::iter::once("serial-ws").chain(args.split_whitespace());
        Config::from_args(args)
    }

    #[track_caller]
    fn check_port(args: &str, name: &str, spec: &str, baud: u32, view: View) {
        let SharedPort { port, clients, .. } = config(args).unwrap().ports.remove(0);
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

    /// Returns the places that fixed the rate and the parity of each port.
    fn fixed(config: Config) -> Vec<String> {
        let ports = config.port_configs().into_iter();
        let places = ports.map(|PortConfig { name, fixed, .. }| {
            let places = [fixed.baud, fixed.parity].map(Option::unwrap_or_default);
            format!("{name} [{}] [{}]", places[0], places[1])
        });
        places.collect()
    }

    #[test]
    fn what_was_given_explicitly_is_fixed_by_its_place() {
        let check = |args: &str, expected: &[&str]| {
            assert_eq!(fixed(config(args).unwrap()), expected);
        };
        check("-p sim", &["sim [] []"]);
        check("-p sim -b 9600", &["sim [--baud] []"]);
        check("-p sim,baud=300", &["sim [--port …,baud=300] []"]);
        check(
            "-p sim,baud=300 -p b=sim --baud 9600 --parity even",
            &[
                "sim [--port …,baud=300] [--parity]",
                "b [--baud] [--parity]",
            ],
        );
        let fixed = config("-p sim --dtr keep --flow-control none").unwrap();
        let fixed = fixed.ports[0].port.fixed.clone();
        let expected = FixedSettings {
            dtr: Some("--dtr".to_owned()),
            flow_control: Some("--flow-control".to_owned()),
            ..FixedSettings::default()
        };
        assert_eq!(fixed, expected);
    }

    #[test]
    fn a_setting_of_a_file_is_fixed_by_its_line() {
        let folder = std::env::temp_dir().join(format!("serial-ws-fixed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config.toml");
        let text = "baud = 300\n[port.uno]\nspec = 'sim'\nbaud = 1200\n[port.knob]\nspec = 'sim'\n\
                    [profile.class]\nparity = 'odd'\n";
        std::fs::write(&file, text).unwrap();
        let check = |args: &str, expected: &[&str]| {
            let args = format!("--config {} {args}", file.display());
            assert_eq!(fixed(config(&args).unwrap()), expected);
        };
        check("", &["uno [config.toml:4] []", "knob [config.toml:1] []"]);
        check(
            "--profile class",
            &[
                "uno [config.toml:4] [config.toml:8]",
                "knob [config.toml:1] [config.toml:8]",
            ],
        );
        check("--baud 9600", &["uno [--baud] []", "knob [--baud] []"]);
        check("-p uno=sim", &["uno [config.toml:1] []"]);
        check("-p uno=sim,baud=300", &["uno [--port …,baud=300] []"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_wrong_port_says_what_is_right() {
        check_error("-p sim,sped=fast", "did you mean `speed`?");
        check_error("-p sim,speed=3", "for a recording alone, play:FILE");
        check_error("-p play:a,speed=0", "a number from 0.01 to 1000 such as 2");
        check_error("-p sim,baud=fast", "baud");
        check_error("-p sim:nothing", "sim:nothing");
        check_error("-p sim -p sim", "such as a=sim");
        check_error("-p sim,raw,text", "text");
        check_error("-p sim --baud 0", "9600");
    }

    #[test]
    fn what_another_serial_ws_decides_is_not_decided_here() {
        check_error(
            "-p ws://pi:8080/,baud=300",
            "baud is decided where the board is: give it to the serial-ws at ws://pi:8080/",
        );
        check_error(
            "-p sim,token=a",
            "token is for ws:// and wss://, not for sim",
        );
        let port = config("-p ws://pi/ports/uno,token=a --baud 300");
        let port = port.unwrap().ports.remove(0).port;
        let token = std::env::current_dir().unwrap().join("a");
        assert_eq!(port.upstream.token, Some(token));
        assert_eq!(port.name, "uno");
    }

    #[test]
    fn a_port_of_this_serial_ws_itself_is_refused() {
        for args in [
            "-p ws://localhost:8080/",
            "-p ws://[::1]:8080/ports/a",
            "-l 10.0.0.1:90 -p ws://10.0.0.1:90/",
        ] {
            check_error(args, "is where this serial-ws listens itself");
        }
        assert!(config("-l 8090 -p ws://localhost:8080/").is_ok());
        assert!(config("-p ws://pi:8080/").is_ok());
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
        assert_eq!(
            server("--lan").listen[0].address.to_string(),
            "0.0.0.0:8080"
        );
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
