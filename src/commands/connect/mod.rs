//! `serial-ws connect`: a client for terminals and pipes. It sends the lines of its input and prints
//! the messages that come. It is a client like any other and knows nothing of ports.

mod args;
mod failure;
mod input;
mod printer;
mod session;
mod transcript;

use std::future::pending;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Result, bail};
use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Response;

use super::client::{Address, Stream, check_close, lost};
use super::wrong_usage;
use crate::platform::{sentence, shows_colours, signal};
use crate::protocol::{APPEND_HEADER, HelloMessage, ServerMessage};
use crate::view::LineEnding;
pub(crate) use args::{ConnectArgs, EXIT_CODES, parse_regex};
pub(crate) use failure::Failure;
use input::{LineEnd, MessageReader, stdin};
use printer::{EndReason, Printer};
use session::TerminalClient;
use transcript::{Style, Transcript};

/// Limits the wait for the first message of the json view.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two attempts to connect again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The sides on which a person sits at a terminal.
#[derive(Clone, Copy)]
struct Terminal {
    /// True if the input is typed.
    types: bool,
    /// True if the output is shown in a terminal, which gets no control characters.
    shows: bool,
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

/// Connects, sends what comes from `input`, and prints to `output` what the bridge sends, until the
/// bridge closes, the input ends, enough was printed, nobody reads the output any more, the time is
/// over, or `stop` is ready (Ctrl-C). The bridge has then read everything that was sent. A person at
/// a terminal is connected again after the bridge has gone.
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
    let address = args.address(terminal.shows, None).map_err(wrong_usage)?;
    let style = Style {
        is_terminal: terminal.shows,
        has_colours: terminal.shows && shows_colours() && std::env::var_os("NO_COLOR").is_none(),
        is_chunked: address.view() == Some("text"),
        decodes: args.decodes(&address),
        keeps_objects: args.json,
        has_times: args.timestamps,
    };
    let mut transcript = Transcript::new(&args, style, output)?;
    let mut input = MessageReader::new(input, LineEnd::Kept, address.view());
    let limit = args.timeout.unwrap_or(Duration::MAX);
    let work = connections(&args, address, terminal, &mut transcript, &mut input, stop);
    let worked = timeout(limit, work).await;
    worked.unwrap_or_else(|_| {
        let waits = args.until.is_some() || args.count.is_some();
        let what = if waits {
            "what was waited for did not come"
        } else {
            "the time is over"
        };
        let limit = crate::config::units::show_time(limit);
        Err(Failure::Timeout(format!("{what} within {limit} (--timeout)")).into())
    })
}

/// Uses one connection after another, each from where the last one ended. Without a person at a
/// terminal, there is only one.
async fn connections<W: AsyncWrite + Unpin>(
    args: &ConnectArgs,
    mut address: Address,
    terminal: Terminal,
    transcript: &mut Transcript<W>,
    input: &mut MessageReader<impl AsyncRead + Unpin>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    tokio::pin!(stop);
    loop {
        let attempt = connection(args, &address, terminal, transcript, input, &mut stop);
        let error = match attempt.await {
            Err(error) if error.is::<Failure>() && terminal.types && terminal.shows => error,
            ended => return ended,
        };
        note(&format!(
            "{}; waiting for it to come back, Ctrl-C ends",
            sentence(&error)
        ));
        address = args.address(terminal.shows, transcript.place().as_deref())?;
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = until_reachable(&address) => {}
        }
    }
}

/// Waits until something accepts connections at the address.
async fn until_reachable(address: &Address) {
    loop {
        sleep(RETRY_DELAY).await;
        if address.dial().await.is_ok() {
            return;
        }
    }
}

/// Uses one connection to its end.
async fn connection<W: AsyncWrite + Unpin>(
    args: &ConnectArgs,
    address: &Address,
    terminal: Terminal,
    transcript: &mut Transcript<W>,
    input: &mut MessageReader<impl AsyncRead + Unpin>,
    mut stop: impl Future<Output = ()> + Unpin,
) -> Result<()> {
    let mut stream = tokio::select! {
        () = &mut stop => return Ok(()),
        stream = async { address.secure(address.dial().await?).await } => stream?,
    };
    let greeting = tokio::select! {
        () = &mut stop => return Ok(()),
        greeting = address.greet(&mut stream) => greeting,
    };
    let (mut socket, answer) = match greeting {
        Ok(greeting) => greeting,
        Err(error) => return Err(address.refusal(error, &mut stream).await),
    };
    if terminal.shows {
        note(&format!(
            "connected to {address}: each line that you type is sent; Ctrl-C ends"
        ));
    }
    let decodes = transcript.style.decodes;
    input.end_lines(if decodes {
        tokio::select! {
            () = &mut stop => return Ok(()),
            chosen = line_end_of_greeting(&mut socket, address, terminal, transcript) => chosen?,
        }
    } else {
        line_end_of_answer(&answer, address, terminal)
    });
    let (sink, messages) = socket.split();
    let mut client = TerminalClient {
        sink,
        printer: Printer::new(messages, transcript),
        sent: 0,
        wraps: decodes,
    };
    let reason = tokio::select! {
        reason = client.exchange(input, args.wait()) => reason?,
        () = &mut stop => EndReason::Stopped,
    };
    client.end(reason, stop).await
}

/// Waits for the greeting of the json view, passes it to the transcript, and chooses what ends the
/// lines that are sent.
async fn line_end_of_greeting<W: AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<&mut Stream>,
    address: &Address,
    terminal: Terminal,
    transcript: &mut Transcript<W>,
) -> Result<LineEnd> {
    let hello = hello(socket).await?;
    transcript.greet(&hello);
    let asked = address.parameter("append");
    let port = hello.port.settings["append"].as_str();
    Ok(line_end(asked.or(port), asked.is_some(), terminal))
}

/// Chooses what ends the lines that are sent where only the head of the answer tells what the bridge
/// adds.
fn line_end_of_answer(answer: &Response, address: &Address, terminal: Terminal) -> LineEnd {
    let added = answer.headers().get(APPEND_HEADER);
    let added = added.and_then(|added| added.to_str().ok());
    let is_asked = address.parameter("append").is_some();
    added.map_or(LineEnd::Message, |added| {
        line_end(Some(added), is_asked, terminal)
    })
}

/// Receives the first message of the json view.
async fn hello(socket: &mut WebSocketStream<&mut Stream>) -> Result<Box<HelloMessage<'static>>> {
    let first = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(ServerMessage::Hello(hello)) => return Ok(hello),
                    _ => bail!("the program that answers there is not serial-ws"),
                },
                Some(Ok(Message::Close(frame))) => {
                    check_close(frame)?;
                    return Err(Failure::Gone("serial-ws has stopped".to_owned()).into());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Failure::Gone(lost(error).to_string()).into()),
                None => return Err(Failure::Gone("the connection was lost".to_owned()).into()),
            }
        }
    };
    let first = timeout(HELLO_TIMEOUT, first).await;
    first.unwrap_or_else(|_| {
        bail!("the program that answers there does not greet as serial-ws does")
    })
}

/// Chooses what ends the lines that are sent, by the ending that the bridge adds and by whether one
/// was asked for.
fn line_end(added: Option<&str>, is_asked: bool, terminal: Terminal) -> LineEnd {
    let added = added.and_then(|added| added.parse().ok());
    match added.unwrap_or(LineEnding::None) {
        LineEnding::None if !is_asked && terminal.types => LineEnd::Newline,
        LineEnding::None if !is_asked => LineEnd::Kept,
        added => LineEnd::Added(added),
    }
}

/// Prints a line for the user on standard error, apart from the results.
fn note(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests;
