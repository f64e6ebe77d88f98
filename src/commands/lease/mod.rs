//! `serial-ws release`, `resume` and `upload`: the port of a running bridge for another program.
//! They are clients like any other; whether the port is free, the bridge says.

mod command;
mod talk;

use std::ffi::OsString;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use tokio::net::TcpStream;

use super::client::{AccessArgs, Address};
use crate::platform::signal::Signals;
use crate::port::is_name;
use crate::protocol::{ClientMessage, ReleaseMessage};
use crate::terminal::print;
use crate::units;
use talk::Talk;

/// How long `resume` waits for the port to be open. After it, it says how the port is instead.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// How long `upload` waits for the board after its command. After it, it says how the port is
/// instead. The bootloader of a native USB board keeps the sketch waiting for 8 s.
const BACK_WITHIN: Duration = Duration::from_secs(12);

/// How much later than the command a Ctrl-C may reach us that was for the command. Only after it
/// does one end the wait for the board.
const ECHO: Duration = Duration::from_secs(1);

/// Arguments that name a port of a running bridge.
#[derive(Clone, Debug, Args)]
pub(crate) struct LeaseArgs {
    /// Address of the running bridge
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    url: String,
    /// Name of the port [default: the first one]
    #[arg(long, value_name = "NAME", value_parser = port_name)]
    port: Option<String>,
    /// The token and the fingerprint.
    #[command(flatten)]
    access: AccessArgs,
}

/// Arguments of `serial-ws release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// Time after which the bridge takes the port back by itself
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = units::parse_time)]
    time: Duration,
    /// The port.
    #[command(flatten)]
    lease: LeaseArgs,
}

/// Arguments of `serial-ws upload`.
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// The port.
    #[command(flatten)]
    lease: LeaseArgs,
    /// Command to run, after two dashes, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl LeaseArgs {
    fn address(&self) -> Result<Address> {
        // Of the lines, which are not wanted here, one a second is the least that there is.
        let parameters = ["view=json".to_owned(), "latest=1".to_owned()];
        Address::new(&self.url, self.port.as_deref(), &parameters, &self.access)
    }
}

/// Reads the name of a port.
fn port_name(text: &str) -> Result<String, &'static str> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("the name of a port has letters, digits, - and _ only, such as ttyACM0")
    }
}

/// Frees the port for some time, and says so on `output` when it is free.
///
/// # Errors
/// Why it is not.
pub(crate) async fn release(args: ReleaseArgs, output: &mut dyn Write) -> Result<()> {
    let address = args.lease.address()?;
    let stream = address.dial().await?;
    let seconds = args.time.as_secs_f64();
    talk(&address, stream, async |mut talk| {
        let release = ReleaseMessage {
            seconds: Some(seconds),
            r#while: None,
        };
        talk.ask(&ClientMessage::Release(release)).await?;
        let port = talk.port();
        say(
            output,
            &format!("{port} is free for {seconds} s. serial-ws resume takes it back"),
        )?;
        talk.end().await;
        Ok(())
    })
    .await
}

/// Takes the port back, and says on `output` when it is open.
///
/// # Errors
/// What keeps it from being open.
pub(crate) async fn resume(args: LeaseArgs, output: &mut dyn Write) -> Result<()> {
    let address = args.address()?;
    let stream = address.dial().await?;
    talk(&address, stream, async |mut talk| {
        talk.ask(&ClientMessage::Resume).await?;
        if !talk.wait_for("open", OPEN_WITHIN).await? {
            bail!("{}", talk.status());
        }
        say(output, &talk.status())?;
        talk.end().await;
        Ok(())
    })
    .await
}

/// Runs a command while the port is free, takes the port back, and returns the command's exit
/// status. Where no bridge is, there is nothing to free, and the command runs all the same.
///
/// # Errors
/// Why the port cannot be had; the command did not run then.
pub(crate) async fn upload(args: UploadArgs) -> Result<u8> {
    let (address, command) = (args.lease.address()?, &args.command);
    let Ok(stream) = address.dial().await else {
        note(&format!(
            "no bridge answers at {address}: running the command all the same"
        ));
        return Ok(command::run(command, None, &mut Signals::listen()?).await);
    };
    talk(&address, stream, async |mut talk| {
        let release = ReleaseMessage {
            seconds: None,
            r#while: Some("connected".to_owned()),
        };
        talk.ask(&ClientMessage::Release(release)).await?;
        talk.wait_for("released", OPEN_WITHIN).await?;
        // Until now Ctrl-C ended us, and with us the lease.
        let mut signals = Signals::listen()?;
        let device = talk.device();
        let (code, lost) = {
            let mut running = pin!(command::run(command, device.as_deref(), &mut signals));
            tokio::select! {
                biased;
                code = &mut running => (code, None),
                lost = talk.lost() => (running.await, Some(lost)),
            }
        };
        note(&match lost {
            Some(lost) => format!("the bridge went away while the command ran: {lost:#}"),
            None => take_back(&mut talk).await,
        });
        talk.end().await;
        Ok(code)
    })
    .await
}

/// Takes the port back after a command; what became of it.
async fn take_back(talk: &mut Talk<'_>) -> String {
    if talk.is("open") {
        return "the port was taken back before the command had ended".to_owned();
    }
    let back = async {
        talk.ask(&ClientMessage::Resume).await?;
        if talk.wait_for("open", ECHO).await? {
            return Ok(true);
        }
        let mut signals = Signals::listen()?;
        tokio::select! {
            back = talk.wait_for("open", BACK_WITHIN) => back,
            _ = signals.next() => Ok(false),
        }
    };
    match back.await {
        Ok(true) => talk.status(),
        Ok(false) => format!("the board is not back yet: {}", talk.status()),
        Err(error) => format!("it is not certain that the bridge has the port back: {error:#}"),
    }
}

/// Does an errand on a connection that is to become a WebSocket.
async fn talk<T>(
    address: &Address,
    stream: TcpStream,
    errand: impl AsyncFnOnce(Talk<'_>) -> Result<T>,
) -> Result<T> {
    let mut stream = address.secure(stream).await?;
    match address.greet(&mut stream).await {
        Ok(socket) => errand(Talk::begin(socket).await?).await,
        Err(error) => Err(address.refusal(error, &mut stream).await),
    }
}

/// Prints a result.
fn say(output: &mut dyn Write, sentence: &str) -> Result<()> {
    print(output, format!("{sentence}\n"))
}

/// A line for the person at the terminal, among those of the command.
fn note(sentence: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "serial-ws: {sentence}");
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
