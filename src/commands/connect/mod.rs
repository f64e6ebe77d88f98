//! `serial-ws connect`: a client for terminals and pipes. It sends the lines of its input and prints
//! the messages that come. It is a client like any other and knows nothing of ports.

mod input;
mod printer;

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
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{AccessArgs, Address, Stream, check_close};
use crate::cli::default_tcp_port;
use crate::config::value::{Number, Setting, SettingValue};
use crate::platform::signal;
use crate::protocol::APPEND_HEADER;
use crate::view::LineEnding;
use input::{LineEnd, MessageReader, stdin};
use printer::{EndReason, Printer};

/// Limits the wait for the answer to a Close. After it, a client that has nothing on the way leaves
/// without the answer, and one that has says that it is waiting.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `serial-ws connect`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectArgs {
    /// Address of the running serial-ws or of one of its ports, such as
    /// ws://localhost:8080/ports/NAME
    #[arg(
        default_value = concat!("ws://localhost:", default_tcp_port!()),
        env = "SERIAL_WS_URL",
        hide_env_values = true
    )]
    url: String,
    /// Line ending of each line sent; none sends the lines without any
    /// [default: that of the port; without one, each line keeps its own, or gets a newline]
    #[arg(long, value_name = "ENDING")]
    append: Option<Setting<LineEnding>>,
    /// Time to keep printing after the end of the input, such as 2s, or forever
    /// [default: 0; forever with --count]
    #[arg(long, value_name = "TIME", value_parser = parse_wait)]
    wait: Option<Duration>,
    /// Number of messages to print before exiting
    #[arg(long, value_name = "N", value_parser = parse_count)]
    count: Option<u64>,
    /// Exchange bytes exactly as they are, instead of lines
    #[arg(long)]
    raw: bool,
    /// The token and the fingerprint.
    #[command(flatten)]
    access: AccessArgs,
}

/// The sides on which a person sits at a terminal.
#[derive(Clone, Copy)]
struct Terminal {
    /// True if the input is typed.
    types: bool,
    /// True if the output is shown in a terminal, which gets no control characters.
    shows: bool,
}

impl ConnectArgs {
    /// The time to keep printing. Messages that are counted are worth waiting for; without a count,
    /// sending was the purpose.
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
        let append = self.append.as_deref();
        let append = append.map(|append| format!("append={append}"));
        view.into_iter().chain(append).collect()
    }
}

/// Connects standard input and output with the bridge.
///
/// # Errors
/// When there is no connection, or the bridge ends it, and why.
pub(crate) async fn run(args: ConnectArgs) -> Result<()> {
    let stop = async {
        // Without signals, Ctrl-C ends the program as it does any other.
        if signal::signal().await.is_err() {
            pending().await
        }
    };
    let terminal = Terminal {
        types: io::stdin().is_terminal(),
        shows: io::stdout().is_terminal(),
    };
    exchange(args, terminal, stdin(), tokio::io::stdout(), stop).await
}

/// Reads the value of `--wait`: a time, or `forever`.
fn parse_wait(text: &str) -> Result<Duration, String> {
    match text {
        "forever" => Ok(Duration::MAX),
        time => crate::config::units::parse_time(time),
    }
}

fn parse_count(text: &str) -> Result<u64, String> {
    Number::<0, { u64::MAX }, 10>::parse(text).map(|count| count.0)
}

/// Connects, sends what comes from `input`, and prints to `output` what the bridge sends, until the
/// bridge closes, the input ends, the messages are counted, nobody reads the output any more, or
/// `stop` is ready (Ctrl-C). The bridge has then read everything that was sent.
///
/// # Errors
/// When there is no connection, or the bridge ends it, and why.
async fn exchange(
    args: ConnectArgs,
    terminal: Terminal,
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
    let (socket, answer) = match greeting {
        Ok(greeting) => greeting,
        Err(error) => return Err(address.refusal(error, &mut stream).await),
    };
    if terminal.shows {
        note(&format!(
            "connected to {address}: each line that you type is sent; Ctrl-C ends"
        ));
    }
    let (sink, messages) = socket.split();
    let mut client = TerminalClient {
        sink,
        printer: Printer::new(messages, output, args.count, terminal.shows, address.view()),
        sent: 0,
    };
    let line_end = line_end(&answer, address.parameter("append").is_some(), terminal);
    let input = MessageReader::new(input, line_end, address.view());
    let reason = tokio::select! {
        reason = client.exchange(input, args.wait()) => reason?,
        () = &mut stop => EndReason::Stopped,
    };
    client.end(reason, stop).await
}

/// Chooses what ends the lines that are sent, by the head of the bridge's answer and by whether an
/// ending was asked for.
fn line_end(answer: &Response, is_asked: bool, terminal: Terminal) -> LineEnd {
    let added = answer.headers().get(APPEND_HEADER);
    let added = added.and_then(|value| value.to_str().ok()?.parse().ok());
    match added {
        None => LineEnd::Message,
        Some(LineEnding::None) if !is_asked && terminal.types => LineEnd::Newline,
        Some(LineEnding::None) if !is_asked => LineEnd::Kept,
        Some(added) => LineEnd::Added(added),
    }
}

/// Both directions of an open connection.
struct TerminalClient<'a, W> {
    /// Our messages to the bridge.
    sink: Sink<'a>,
    /// The bridge's messages, and where they go.
    printer: Printer<'a, W>,
    /// The number of messages handed to `sink`.
    sent: u64,
}

/// The sending half of the connection.
type Sink<'a> = SplitSink<WebSocketStream<&'a mut Stream>, Message>;

impl<W: AsyncWrite + Unpin> TerminalClient<'_, W> {
    /// Sends and prints until there is a reason to end.
    async fn exchange(
        &mut self,
        mut input: MessageReader<impl AsyncRead + Unpin>,
        wait: Duration,
    ) -> Result<EndReason> {
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
                    // Reading finds the reason: a Close, or the loss of the connection.
                    pending::<()>().await;
                }
            }
            sleep(wait).await;
            anyhow::Ok(())
        };
        tokio::select! {
            reason = self.printer.run() => reason,
            result = send => Ok(match result {
                Ok(()) => EndReason::InputEnded,
                Err(error) => EndReason::InputFailed(error),
            }),
        }
    }

    /// Ends the connection in the way that fits the reason, and checks how it ended.
    async fn end(&mut self, reason: EndReason, stop: impl Future<Output = ()>) -> Result<()> {
        match reason {
            EndReason::Closed(frame) => {
                // The answer to the bridge's Close; it is leaving whether or not this arrives.
                let _ = timeout(CLOSE_TIMEOUT, self.sink.flush()).await;
                note_close(frame.as_ref());
                check_close(frame)
            }
            EndReason::Stopped | EndReason::OutputClosed => {
                let _ = timeout(CLOSE_TIMEOUT, self.leave(false)).await;
                Ok(())
            }
            EndReason::InputEnded | EndReason::Counted if self.sent == 0 => {
                match timeout(CLOSE_TIMEOUT, self.leave(false)).await {
                    Ok(Ok(frame)) => check_close(frame),
                    // Nothing was on the way that could be lost.
                    Ok(Err(_)) | Err(_) => Ok(()),
                }
            }
            EndReason::InputEnded => self.deliver(true, stop).await,
            EndReason::InputFailed(error) => {
                self.deliver(true, stop).await?;
                Err(error)
            }
            EndReason::Counted => self.deliver(false, stop).await,
        }
    }

    /// Leaves once the bridge has everything, which takes as long as a slow port does: only `stop`
    /// cuts it short.
    async fn deliver(&mut self, print: bool, stop: impl Future<Output = ()>) -> Result<()> {
        let reminder = async {
            sleep(CLOSE_TIMEOUT).await;
            note("waiting until serial-ws has taken everything; Ctrl-C ends");
            pending::<()>().await;
        };
        tokio::select! {
            () = stop => Ok(()),
            () = reminder => Ok(()),
            result = self.leave(print) => match result {
                Ok(frame) => check_close(frame),
                Err(error) => Err(error.context("serial-ws may not have received everything")),
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
            if print && let EndReason::Closed(frame) = printer.run().await? {
                return Ok(frame);
            }
            printer.discard().await
        };
        // If sending fails, reading fails as well, and finds the reason.
        let (_, frame) = tokio::join!(sink.send(Message::Close(Some(goodbye))), read);
        // Where the bridge's Close came first, this is the answer to it.
        let _ = timeout(CLOSE_TIMEOUT, self.sink.flush()).await;
        frame
    }
}

/// Says on standard error that the bridge ended the connection, unless this is an error.
fn note_close(frame: Option<&CloseFrame>) {
    match frame.map_or(CloseCode::Normal, |frame| frame.code) {
        CloseCode::Normal => note("serial-ws closed the connection"),
        CloseCode::Away => note("serial-ws is stopping"),
        _ => {}
    }
}

/// Prints a line for the user on standard error, apart from the results.
fn note(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests;
