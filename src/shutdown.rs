//! The signals that end the program.

use anyhow::{Context, Result};

use crate::sys::StopSignal;

/// Waits for a signal to stop: Ctrl-C, or what `kill` and service managers send.
///
/// # Errors
/// When the system does not let us listen for signals.
pub async fn signal() -> Result<StopSignal> {
    listen().await.context("cannot listen for signals")
}

#[cfg(unix)]
async fn listen() -> std::io::Result<StopSignal> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => StopSignal::Interrupt,
        _ = terminate.recv() => StopSignal::Terminate,
        _ = hangup.recv() => StopSignal::Terminate,
    })
}

#[cfg(windows)]
async fn listen() -> std::io::Result<StopSignal> {
    use tokio::signal::windows::{ctrl_close, ctrl_shutdown};
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    Ok(tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.map(|()| StopSignal::Interrupt)?,
        _ = close.recv() => StopSignal::Terminate,
        _ = shutdown.recv() => StopSignal::Terminate,
    })
}
