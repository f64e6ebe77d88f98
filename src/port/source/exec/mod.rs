//! `exec:COMMAND` and `exec-pty:COMMAND`: a program as a device. What it writes is what the device
//! sends, and what clients write is its input. It has no settings and no modem lines.

pub(crate) mod command;
mod device;
mod error_log;

use std::time::Duration;

use super::network::Backoff;
use super::{OpenFailure, OpenedDevice, Opening, Source};
use crate::hub::{DeviceInfo, State, Status};
use crate::platform::{self, StartedProgram, find_program, start_program};
use crate::terminal::shown;
use command::ProgramCommand;
use device::ProgramDevice;

/// The source of a program.
pub(crate) struct ProgramSource {
    command: ProgramCommand,
    /// The name of the port, for the log.
    port: String,
    backoff: Backoff,
}

impl ProgramSource {
    /// Starts no program yet.
    pub(crate) fn new(command: &ProgramCommand, port: &str) -> Self {
        Self {
            command: command.clone(),
            port: port.to_owned(),
            backoff: Backoff::new(),
        }
    }

    fn start(&mut self) -> Result<OpenedDevice, OpenFailure> {
        let started = run(&self.command).inspect_err(|_| self.backoff.ended())?;
        self.backoff.succeeded();
        let StartedProgram {
            input,
            output,
            errors,
            child,
            group,
        } = started;
        let name = self.command.name().to_owned();
        tokio::spawn(error_log::run(errors, self.port.clone(), name));
        Ok(OpenedDevice {
            device: Box::new(ProgramDevice::new(input, output, child, group)),
            info: DeviceInfo {
                path: self.command.without_arguments(),
                ..DeviceInfo::default()
            },
            detail: |info, _| format!("{} is open", info.path),
            starts_whole: true,
            gathers: false,
            has_rate: false,
            finds_rate: false,
            settle: Duration::ZERO,
        })
    }
}

/// Starts a program.
fn run(command: &ProgramCommand) -> Result<StartedProgram, OpenFailure> {
    check(command)
        .and_then(|path| {
            let started = start_program(&path, &command.arguments, command.has_terminal);
            started.map_err(|error| cannot_start(command, &platform::reason(&error)))
        })
        .map_err(|detail| OpenFailure {
            is_permanent: true,
            ..Status::new(State::Waiting, detail).into()
        })
}

/// Returns the file of a program.
///
/// # Errors
/// Says why it cannot be run.
pub(crate) fn check(command: &ProgramCommand) -> Result<std::path::PathBuf, String> {
    find_program(&command.program).map_err(|why| cannot_start(command, &why))
}

fn cannot_start(command: &ProgramCommand, why: &str) -> String {
    format!("cannot run {}: {why}", shown(&command.program))
}

impl Source for ProgramSource {
    fn open(&mut self) -> Opening<'_> {
        let started = self.start();
        Box::pin(std::future::ready(started))
    }

    fn release(&mut self, _has_gone: bool) {
        self.backoff.ended();
    }

    fn retry_delay(&self) -> Duration {
        self.backoff.delay()
    }

    fn keeps_ending(&self) -> bool {
        self.backoff.keeps_ending()
    }
}
