//! `--start`: shares a port as `serial-ws DEVICE` does, for as long as the agent runs.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::Program;
use crate::commands::client::{AccessArgs, Address};
use crate::commands::wrong_usage;
use crate::config::Config;
use crate::platform::signal::Signals;
use crate::server::AddressInUse;

/// Limits how long ports take to close at the end.
const STOP_TIMEOUT: Duration = Duration::from_millis(1800);

/// Returns the configuration of what is started: `device` at the TCP port of `address`.
///
/// # Errors
/// When the device is none, or the address is not one of this computer.
pub(super) fn config(device: &str, address: &Address, access: &AccessArgs) -> Result<Config> {
    if !address.is_here() {
        return Err(wrong_usage(anyhow!(
            "--start shares a port of this computer, and {address} is elsewhere: leave out --url, or \
             write it like http://localhost:8090"
        )));
    }
    let listen = address.tcp_port().to_string();
    let mut arguments = vec!["serial-ws", "--listen", &listen];
    if let Some(token) = &access.token {
        arguments.extend(["--token", token]);
    }
    arguments.extend(["--", device]);
    Config::from_args(arguments)
}

/// Shares the ports of `config` at `address` while `task` runs, or until a signal comes.
///
/// # Errors
/// When they cannot be shared, and those of `task`.
pub(super) async fn beside(
    config: Config,
    address: &Address,
    task: impl Future<Output = Result<()>>,
) -> Result<()> {
    let stop = CancellationToken::new();
    let mut signals = Signals::listen()?;
    let program = match Program::bind(config, stop.clone()) {
        Ok(program) => program,
        Err(error) if error.is::<AddressInUse>() => {
            return Err(anyhow!(
                "another program listens at {address}: leave out --start if that is serial-ws, or choose \
                 another TCP port, such as --url http://localhost:{}",
                address.tcp_port().wrapping_add(10)
            ));
        }
        Err(error) => return Err(error),
    };
    let mut sharing = tokio::spawn(program.run());
    let outcome = tokio::select! {
        outcome = task => outcome,
        shared = &mut sharing => return shared?.map(drop),
        _ = signals.next() => Ok(()),
    };
    stop.cancel();
    // What is stuck in a device ends with the program.
    let _ = timeout(STOP_TIMEOUT, sharing).await;
    outcome
}
