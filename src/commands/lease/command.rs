//! Runs the command of `upload` to its end, and returns the exit status that a shell would.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

use super::note;
use crate::config::{LAN_TOKEN_VARIABLE, TOKEN_VARIABLE};
use crate::platform::{StopSignal, reason, signal::Signals};
use crate::terminal::shown;

/// The environment variable that gives the command the path of the device.
const DEVICE: &str = "SERIAL_WS_DEVICE";

/// The exit codes of shells for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Runs `command` to its end, whatever signals come.
pub(crate) async fn run(command: &[OsString], device: Option<&str>, signals: &mut Signals) -> u8 {
    let Some((program, arguments)) = command.split_first() else {
        return NOT_FOUND;
    };
    let device = device.map(|device| (DEVICE, device));
    let mut child = Command::new(program);
    // Whatever it runs has no business with our secret.
    child
        .args(arguments)
        .env_remove(TOKEN_VARIABLE)
        .env_remove(LAN_TOKEN_VARIABLE)
        .envs(device);
    let started = child.spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let program = shown(&program.to_string_lossy());
            let (code, reason) = match error.kind() {
                io::ErrorKind::NotFound => (NOT_FOUND, "there is no such program".to_owned()),
                _ => (NOT_RUNNABLE, reason(&error)),
            };
            note(&format!("cannot run {program}: {reason}"));
            return code;
        }
    };
    loop {
        tokio::select! {
            ended = child.wait() => match ended {
                Ok(status) => return code(status),
                Err(error) => {
                    note(&format!("cannot wait for the command: {}", reason(&error)));
                    return NOT_RUNNABLE;
                }
            },
            // A terminal sends its signals to the command as well.
            signal = signals.next() => if signal == StopSignal::Terminate {
                terminate(&child);
            },
        }
    }
}

/// Passes on a signal that was sent to us alone.
#[cfg(unix)]
fn terminate(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        // It may be ending at this moment.
        let _ = kill_process(id, Signal::TERM);
    }
}

/// Does nothing: on Windows, a console that closes tells every program in it.
#[cfg(not(unix))]
fn terminate(_child: &Child) {}

#[cfg(unix)]
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    narrow(code)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> u8 {
    narrow(status.code())
}

/// Returns a code that this program can end with; a failure stays a failure.
fn narrow(code: Option<i32>) -> u8 {
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
