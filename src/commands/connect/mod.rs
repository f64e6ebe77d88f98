//! `serial-ws connect`: a terminal client. Lines typed go out, messages that come are printed; it
//! serves in a pipe as well as by hand. It is a client like any other and knows nothing of ports.

mod input;
mod printer;
mod text;

use std::future::pending;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{AccessArgs, Address, Stream, verdict};
use crate::config::value::{Number, parser};
use crate::platform::signal;
use crate::view::LineEnding;
use input::{Input, stdin};
use printer::{Outcome, Printer};

/// How long a bridge may take to answer a Close. After it, a client that has nothing on the way
/// leaves without the answer, and one that has says that it is waiting.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Arguments of `serial-ws connect`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectArgs {
    /// Address of the bridge or of one of its ports, such as ws://localhost:8080/ports/NAME
    #[arg(
        default_value = "ws://localhost:8080",
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    url: String,
    /// Ending that the bridge adds to each line sent
    #[arg(long, value_name = "ENDING", value_parser = parser(|ending: LineEnding| ending))]
    append: Option<LineEnding>,
    /// Time to go on printing after the end of the input, such as 2s, or forever
    /// [default: 0; forever with --count]
    #[arg(long, value_name = "TIME", value_parser = parse_wait)]
    wait: Option<Duration>,
    /// Number of messages to print before ending
    #[arg(long, value_name = "N", value_parser = parser(|count: Number<0, { u64::MAX }, 10>| count.0))]
    count: Option<u64>,
    /// Exchange bytes exactly as they are, instead of lines
    #[arg(long)]
    raw: bool,
    /// The token and the fingerprint.
    #[command(flatten)]
    access: AccessArgs,
}

impl ConnectArgs {
    /// A number of messages to come is worth waiting for; without one, sending was the purpose.
    fn wait(&self) -> Duration {
        let default = if self.count.is_some() {
            Duration::MAX
        } else {
            Duration::ZERO
        };
        self.wait.unwrap_or(default)
    }

    /// The parameters of the address that ask for the view and the line ending.
    fn parameters(&self) -> Vec<String> {
        let view = self.raw.then_some("view=raw".to_owned());
        let append = self
            .append
            .map(|append| format!("append={}", append.name()));
        view.into_iter().chain(append).collect()
    }
}

/// Connects standard input and output with the bridge.
///
/// # Errors
/// Why there is no connection, or why the bridge ended it.
pub(crate) async fn run(args: ConnectArgs) -> Result<()> {
    let stop = async {
        // Without signals, Ctrl-C ends the program as it does any other.
        if signal::signal().await.is_err() {
            pending().await
        }
    };
    let is_terminal = io::stdout().is_terminal();
    exchange(args, is_terminal, stdin(), tokio::io::stdout(), stop).await
}

/// Reads the value of `--wait`: a time, or `forever`.
fn parse_wait(text: &str) -> Result<Duration, String> {
    match text {
        "forever" => Ok(Duration::MAX),
        time => crate::units::parse_time(time),
    }
}

/// Connects, sends what comes from `input`, and prints to `output` what the bridge sends, until the
/// bridge closes, the input has ended, the messages are counted, nobody reads the output any more,
/// or `stop` is ready (Ctrl-C). What was sent has then been read by the bridge.
///
/// A terminal is shown no control characters.
///
/// # Errors
/// Why there is no connection, or why the bridge ended it.
async fn exchange(
    args: ConnectArgs,
    is_terminal: bool,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    tokio::pin!(stop);
    let address = Address::new(&args.url, None, &args.parameters(), &args.access)?;
    let mut stream = tokio::select! {
        () = &mut stop => return Ok(()),
        stream = async { address.secure(address.dial().await?).await } => stream?,
    };
    let greeting = tokio::select! {
        () = &mut stop => return Ok(()),
        greeting = address.greet(&mut stream) => greeting,
    };
    let socket = match greeting {
        Ok(socket) => socket,
        Err(error) => return Err(address.refusal(error, &mut stream).await),
    };
    if is_terminal {
        note(&format!(
            "connected to {address}: each line you type is sent, Ctrl-C ends"
        ));
    }
    let (sink, messages) = socket.split();
    let mut conversation = Conversation {
        sink,
        printer: Printer::new(messages, output, args.count, is_terminal, address.view()),
        sent: 0,
    };
    let input = Input::new(input, args.append, address.view());
    let ending = tokio::select! {
        ending = conversation.go_on(input, args.wait()) => ending?,
        () = &mut stop => Outcome::Stopped,
    };
    conversation.end(ending, stop).await
}

/// Both directions of an open connection.
struct Conversation<'a, W> {
    /// Our messages to the bridge.
    sink: Sink<'a>,
    /// The bridge's messages, and where they go.
    printer: Printer<'a, W>,
    /// How many messages were handed to `sink`.
    sent: u64,
}

/// The sending half of the connection.
type Sink<'a> = SplitSink<WebSocketStream<&'a mut Stream>, Message>;

impl<W: AsyncWrite + Unpin> Conversation<'_, W> {
    /// Sends and prints until there is a reason to end.
    async fn go_on(
        &mut self,
        mut input: Input<impl AsyncRead + Unpin>,
        wait: Duration,
    ) -> Result<Outcome> {
        let (sink, sent) = (&mut self.sink, &mut self.sent);
        let send = async {
            while let Some(message) = input.next().await? {
                *sent += 1;
                let more = input.has_more();
                let result = if more {
                    sink.feed(message).await
                } else {
                    sink.send(message).await
                };
                if result.is_err() {
                    // Reading will tell why: with the Close that was its reason, or with the loss.
                    pending::<()>().await;
                }
            }
            sleep(wait).await;
            anyhow::Ok(())
        };
        tokio::select! {
            ending = self.printer.run() => ending,
            result = send => Ok(match result {
                Ok(()) => Outcome::InputEnded,
                Err(error) => Outcome::InputFailed(error),
            }),
        }
    }

    /// Ends the connection as its `ending` asks for, and judges it.
    async fn end(&mut self, ending: Outcome, stop: impl Future<Output = ()>) -> Result<()> {
        match ending {
            Outcome::Closed(frame) => {
                // The answer to the bridge's Close; it is leaving whether or not this arrives.
                let _ = timeout(CLOSE_TIME, self.sink.flush()).await;
                note_close(frame.as_ref());
                verdict(frame)
            }
            Outcome::Stopped | Outcome::OutputClosed => {
                let _ = timeout(CLOSE_TIME, self.leave(false)).await;
                Ok(())
            }
            Outcome::InputEnded | Outcome::Counted if self.sent == 0 => {
                match timeout(CLOSE_TIME, self.leave(false)).await {
                    Ok(Ok(frame)) => verdict(frame),
                    // Nothing was on the way that could be lost.
                    Ok(Err(_)) | Err(_) => Ok(()),
                }
            }
            Outcome::InputEnded => self.deliver(true, stop).await,
            Outcome::InputFailed(error) => {
                self.deliver(true, stop).await?;
                Err(error)
            }
            Outcome::Counted => self.deliver(false, stop).await,
        }
    }

    /// Leaves once the bridge has everything, which takes as long as a slow port does: only `stop`
    /// cuts it short.
    async fn deliver(&mut self, print: bool, stop: impl Future<Output = ()>) -> Result<()> {
        let reminder = async {
            sleep(CLOSE_TIME).await;
            note("waiting until the bridge has taken everything. Ctrl-C ends");
            pending::<()>().await;
        };
        tokio::select! {
            () = stop => Ok(()),
            () = reminder => Ok(()),
            result = self.leave(print) => match result {
                Ok(frame) => verdict(frame),
                Err(error) => Err(error.context("it is not certain that the bridge got everything")),
            },
        }
    }

    /// Sends a Close behind everything else and reads on until it is answered, so that the bridge
    /// has read all of it.
    async fn leave(&mut self, print: bool) -> Result<Option<CloseFrame>> {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let (sink, printer) = (&mut self.sink, &mut self.printer);
        let read = async {
            if print && let Outcome::Closed(frame) = printer.run().await? {
                return Ok(frame);
            }
            printer.discard().await
        };
        // An error in sending is one in reading as well, where its reason may be found.
        let (_, frame) = tokio::join!(sink.send(Message::Close(Some(goodbye))), read);
        // Where the bridge's Close came first, this is the answer to it.
        let _ = timeout(CLOSE_TIME, self.sink.flush()).await;
        frame
    }
}

/// Tells on stderr that the bridge ended the connection, where this is no error.
fn note_close(frame: Option<&CloseFrame>) {
    match frame.map_or(CloseCode::Normal, |frame| frame.code) {
        CloseCode::Normal => note("the bridge closed the connection"),
        CloseCode::Away => note("the bridge is stopping"),
        _ => {}
    }
}

/// A line for the person at the terminal. Results go to the output, this does not.
fn note(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests;
