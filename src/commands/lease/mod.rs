//! `serial-ws release`, `resume` and `upload`: lease the port of a running serial-ws, the bridge, to
//! another program. They are clients like any other; the bridge decides when the port is free.

mod afterwards;
pub(super) mod bridge_client;
mod command;

use std::ffi::OsString;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use tokio::net::TcpStream;

use super::client::{AccessArgs, Address, client};
use super::connect::Failure;
use crate::cli::default_tcp_port;
use crate::config::units;
use crate::platform::{self, signal::Signals};
use crate::port::is_name;
use crate::protocol::{ClientMessage, ReleaseMessage};
use crate::terminal::print;
use afterwards::AfterwardsArgs;
use bridge_client::BridgeClient;

/// Limits how long `resume` waits for the port to be open. After it, it prints the status instead.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits how long `upload` waits for the board after its command. After it, it prints the status
/// instead. The bootloader of a native USB board keeps the sketch waiting for 8 s.
const RETURN_TIMEOUT: Duration = Duration::from_secs(12);

/// Time after the command in which a Ctrl-C may still reach us that was for the command. Only after
/// it does Ctrl-C end the wait for the board.
const LATE_SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Arguments that name a port of a running serial-ws.
#[derive(Clone, Debug, Args)]
pub(crate) struct LeaseArgs {
    /// Address of the running serial-ws
    #[arg(
        long,
        value_name = "URL",
        default_value = concat!("http://localhost:", default_tcp_port!()),
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
    /// Time after which serial-ws takes the port back by itself
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = units::parse_time)]
    time: Duration,
    /// The port.
    #[command(flatten)]
    lease: LeaseArgs,
}

/// Arguments of `serial-ws upload`.
#[derive(Debug, Args)]
#[command(after_help = afterwards::EXIT_CODES)]
pub(crate) struct UploadArgs {
    /// The lines to print after the command.
    #[command(flatten)]
    afterwards: AfterwardsArgs,
    /// The port.
    #[command(flatten)]
    lease: LeaseArgs,
    /// Command to run, with its arguments, after two dashes
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl LeaseArgs {
    /// Returns the address of the port for a command, with these parameters.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn address(&self, command: &str, parameters: &[String]) -> Result<Address> {
        // The lines are not wanted here; one a second is the least that can be asked for.
        let quiet = ["latest=1".to_owned()];
        self.address_with_lines(command, &[&quiet, parameters].concat())
    }

    /// Returns the same for a command that wants all lines.
    ///
    /// # Errors
    /// When it is none.
    fn address_with_lines(&self, command: &str, parameters: &[String]) -> Result<Address> {
        let fixed = ["view=json".to_owned(), client(command)];
        let parameters = [&fixed, parameters].concat();
        Address::new(&self.url, self.port.as_deref(), &parameters, &self.access)
    }
}

/// Parses the name of a port.
pub(super) fn port_name(text: &str) -> Result<String, &'static str> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("the name of a port has only letters, digits, - and _, such as ttyACM0")
    }
}

/// Releases the port for some time, and says so on `output` when it is free.
///
/// # Errors
/// When it cannot be released.
pub(crate) async fn release(args: ReleaseArgs, output: &mut dyn Write) -> Result<()> {
    let address = args.lease.address("release", &[])?;
    let stream = address.dial().await?;
    let seconds = args.time.as_secs_f64();
    with_client(&address, stream, async |mut client| {
        let release = ReleaseMessage {
            seconds: Some(seconds),
            r#while: None,
        };
        client.request(&ClientMessage::Release(release)).await?;
        let port = client.port();
        say(
            output,
            &format!("{port} is free for {seconds} s. serial-ws resume takes it back"),
        )?;
        client.close().await;
        Ok(())
    })
    .await
}

/// Takes the port back, and says so on `output` when it is open.
///
/// # Errors
/// When it cannot be opened.
pub(crate) async fn resume(args: LeaseArgs, output: &mut dyn Write) -> Result<()> {
    let address = args.address("resume", &[])?;
    let stream = address.dial().await?;
    with_client(&address, stream, async |mut client| {
        client
            .request(&ClientMessage::Resume { released_by: None })
            .await?;
        if !client.wait_for("open", OPEN_TIMEOUT).await? {
            bail!("{}", client.status());
        }
        say(output, &client.status())?;
        client.close().await;
        Ok(())
    })
    .await
}

/// Runs a command while the port is released, takes the port back, and returns the command's exit
/// status. If it was 0, prints to `output` what the board says then, if that was asked for. If no bridge
/// answers, there is nothing to release, and the command just runs.
///
/// # Errors
/// When the port cannot be released, in which case the command has not run, or when the line that is
/// waited for afterwards does not come.
pub(crate) async fn upload(args: UploadArgs, output: &mut dyn Write) -> Result<u8> {
    let afterwards = &args.afterwards;
    let address = if afterwards.is_wanted() {
        args.lease.address_with_lines("upload", &[])?
    } else {
        args.lease.address("upload", &[])?
    };
    let command = &args.command;
    let Ok(stream) = address.dial().await else {
        note(&format!(
            "nothing answers at {address}: running the command without releasing a port"
        ));
        let code = command::run(command, None, &mut Signals::listen()?).await;
        if code == 0 && afterwards.is_wanted() {
            bail!("what the board says cannot be printed: nothing answers at {address}");
        }
        return Ok(code);
    };
    with_client(&address, stream, async |mut client| {
        let release = ReleaseMessage {
            seconds: None,
            r#while: Some("connected".to_owned()),
        };
        client.request(&ClientMessage::Release(release)).await?;
        client.wait_for("released", OPEN_TIMEOUT).await?;
        // Until now Ctrl-C ended this program, and the lease with it.
        let mut signals = Signals::listen()?;
        let device = client.device();
        let (code, lost) = {
            let mut running = pin!(command::run(command, device.as_deref(), &mut signals));
            tokio::select! {
                biased;
                code = &mut running => (code, None),
                lost = client.lost() => (running.await, Some(lost)),
            }
        };
        let (told, end) = match lost {
            Some(lost) => {
                let text = format!("the connection ended while the command was running: {lost:#}");
                (text, Some(lost))
            }
            None => (take_back(&mut client).await, None),
        };
        note(&told);
        if code == 0 && afterwards.is_wanted() {
            match end {
                Some(lost) => return Err(Failure::Gone(format!("{lost:#}")).into()),
                None => afterwards.print(&mut client, output).await?,
            }
        }
        client.close().await;
        Ok(code)
    })
    .await
}

/// Takes the port back after a command. Returns a sentence about the result.
async fn take_back(client: &mut BridgeClient<'_>) -> String {
    client.keep_lines();
    if client.is("open") {
        return "the port was taken back before the command ended".to_owned();
    }
    let back = async {
        client
            .request(&ClientMessage::Resume { released_by: None })
            .await?;
        if client.wait_for("open", LATE_SIGNAL_DELAY).await? {
            return Ok(true);
        }
        let mut signals = Signals::listen()?;
        tokio::select! {
            back = client.wait_for("open", RETURN_TIMEOUT) => back,
            _ = signals.next() => Ok(false),
        }
    };
    match back.await {
        Ok(true) => client.status(),
        Ok(false) => format!("the board is not back yet: {}", client.status()),
        Err(error) => format!(
            "the port may not have been taken back: {}",
            platform::sentence(&error)
        ),
    }
}

/// Turns a connection into that of a client, and hands it to `task`.
pub(super) async fn with_client<T>(
    address: &Address,
    stream: TcpStream,
    task: impl AsyncFnOnce(BridgeClient<'_>) -> Result<T>,
) -> Result<T> {
    let mut stream = address.secure(stream).await?;
    match address.greet(&mut stream).await {
        Ok((socket, _)) => task(BridgeClient::start(socket).await?).await,
        Err(error) => Err(address.refusal(error, &mut stream).await),
    }
}

/// Prints a result.
fn say(output: &mut dyn Write, sentence: &str) -> Result<()> {
    print(output, format!("{sentence}\n"))
}

/// Prints a line for the user on standard error, among those of the command.
fn note(sentence: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "serial-ws: {sentence}");
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
