//! What is meant by `--port` and the settings of ports.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, FromArgMatches};

use super::SharedPort;
use crate::cli::PortArgs;
use crate::hub::LineSettings;
use crate::port::source::spec::Spec;
use crate::port::{PortConfig, is_name};
use crate::server::ClientDefaults;
use crate::view::View;

/// Bytes of a line beyond which it comes in pieces, unless another limit is given.
const MAX_LINE: u32 = 16 << 10;

/// Reads `[NAME=]SPEC[,SETTING…]`; what its settings leave open is taken from `common`.
pub(crate) fn read(typed: &str, common: &PortArgs, no_wait: bool) -> Result<SharedPort> {
    let (name, rest) = match typed.split_once('=') {
        Some((name, rest)) if is_name(name) => (Some(name), rest),
        _ => (None, typed),
    };
    let mut parts = rest.split(',');
    let spec: Spec = parts.next().unwrap_or_default().parse()?;
    let own = port_args(parts)?;
    let clients = client_defaults(&own, common);
    let name = name.map_or_else(|| spec.default_name(), str::to_owned);
    let port = PortConfig {
        name,
        spec,
        line: line_settings(&own, common)?,
        max_line: own.max_line.or(common.max_line).unwrap_or(MAX_LINE) as usize,
        expects_lines: clients.view == View::Lines,
        no_wait,
    };
    Ok(SharedPort { port, clients })
}

/// Reads settings such as `baud=115200` and `raw` by the definitions of the flags.
fn port_args<'a>(settings: impl Iterator<Item = &'a str>) -> Result<PortArgs> {
    let command = PortArgs::augment_args(clap::Command::new("--port").no_binary_name(true))
        .disable_help_flag(true);
    let flags = settings.map(|setting| format!("--{setting}"));
    let matches = command.try_get_matches_from(flags).map_err(|error| {
        if error.kind() == ErrorKind::UnknownArgument {
            let name = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let name = name.unwrap_or_default();
            let name = name.trim_start_matches('-');
            return anyhow!("there is no setting {name}. There are {}", setting_names());
        }
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default();
        anyhow!(
            "{}",
            first.trim_start_matches("error: ").replace("'--", "'")
        )
    })?;
    Ok(PortArgs::from_arg_matches(&matches)?)
}

fn setting_names() -> String {
    let command = PortArgs::augment_args(clap::Command::new("--port"));
    let names = command.get_arguments().filter_map(|arg| {
        let name = arg.get_long()?;
        let equals = if arg.get_action().takes_values() {
            "="
        } else {
            ""
        };
        Some(format!("{name}{equals}"))
    });
    names.collect::<Vec<_>>().join(", ")
}

fn line_settings(own: &PortArgs, common: &PortArgs) -> Result<LineSettings> {
    let default = LineSettings::default();
    let settle = own.settle.or(common.settle);
    let baud = own.baud.or(common.baud).unwrap_or(default.baud);
    ensure!(
        baud > 0,
        "a rate of 0 baud cannot carry anything. Arduino's examples use 9600"
    );
    Ok(LineSettings {
        baud,
        data_bits: own
            .data_bits
            .or(common.data_bits)
            .unwrap_or(default.data_bits),
        parity: own.parity.or(common.parity).unwrap_or(default.parity),
        stop_bits: own
            .stop_bits
            .or(common.stop_bits)
            .unwrap_or(default.stop_bits),
        flow_control: own
            .flow_control
            .or(common.flow_control)
            .unwrap_or(default.flow_control),
        dtr: own.dtr.or(common.dtr).unwrap_or(default.dtr),
        rts: own.rts.or(common.rts).unwrap_or(default.rts),
        no_reset: own.no_reset || common.no_reset,
        low_latency: !(own.no_low_latency || common.no_low_latency),
        settle: settle.map(Duration::from_millis),
    })
}

fn client_defaults(own: &PortArgs, common: &PortArgs) -> ClientDefaults {
    let default = ClientDefaults::default();
    ClientDefaults {
        view: own.view().or(common.view()).unwrap_or(default.view),
        append: own.append.or(common.append).unwrap_or(default.append),
        read_only: own.read_only || common.read_only,
    }
}
