//! `read`: lines that the device has sent, and those that are still to come.

use std::time::Duration;

use anyhow::Result;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::Call;
use super::unended::unended;
use crate::commands::lease::bridge_client::BridgeClient;
use crate::commands::mcp::agent::answer::{MAX_TEXT_BYTES, ToolAnswer, ToolError};
use crate::commands::mcp::agent::text::{BoundedText, content_text};
use crate::protocol::{Content, ServerMessage};

/// Earlier lines that a call begins with if it names no place and waits for none.
const DEFAULT_HISTORY: u32 = 20;

/// Seconds for which a line is waited for.
const DEFAULT_TIMEOUT: f64 = 10.0;

/// Limits how long lines that are already there may take to arrive.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of the tool.
#[derive(Deserialize)]
pub(super) struct ReadArguments {
    port: Option<String>,
    since: Option<String>,
    history: Option<u32>,
    until: Option<String>,
    timeout: Option<f64>,
}

impl ReadArguments {
    /// Returns the query for the place at which the lines begin; `newest` is that of the last line.
    fn beginning(&self, newest: &str) -> Result<String, ToolError> {
        let is_place = |since: &str| {
            let parts = since.split_once(':');
            parts.is_some_and(|(run, seq)| {
                run.bytes().all(|byte| byte.is_ascii_alphanumeric()) && seq.parse::<u64>().is_ok()
            })
        };
        match (&self.since, self.history) {
            (Some(_), Some(_)) => Err(ToolError::usage("`since` and `history` exclude each other")),
            (Some(since), None) if is_place(since) => Ok(format!("since={since}")),
            (Some(since), None) => Err(ToolError::usage(format!(
                "`since` is {since:?}: expected `next` or `since` of another answer"
            ))),
            // What comes between the two connections is new as well.
            (None, Some(0)) => Ok(format!("since={newest}")),
            (None, None) if self.until.is_some() => Ok(format!("since={newest}")),
            (None, lines) => Ok(format!("history={}", lines.unwrap_or(DEFAULT_HISTORY))),
        }
    }

    /// Returns what a line must match to be the last.
    fn until(&self) -> Result<Option<Regex>, ToolError> {
        let Some(until) = &self.until else {
            return Ok(None);
        };
        // What the library says of it is in terms of its own.
        Regex::new(until).map(Some).map_err(|_| {
            ToolError::usage(
                "`until` is no regular expression such as ^OK; to match a character such as ( or \
                 [ itself, write \\ before it",
            )
        })
    }

    fn timeout(&self) -> Duration {
        let default = self.until.as_ref().map_or(0.0, |_| DEFAULT_TIMEOUT);
        Duration::try_from_secs_f64(self.timeout.unwrap_or(default)).unwrap_or_default()
    }
}

/// Reads lines.
pub(super) async fn run(
    call: &Call<'_>,
    arguments: ReadArguments,
) -> Result<ToolAnswer, ToolError> {
    let port = arguments.port.as_deref();
    let until = arguments.until()?;
    let end = Instant::now() + arguments.timeout();
    // The place of the newest line tells which of those to come are already there.
    let visit = call.bridge.visit_quietly(port, async |client| {
        let (run, seq) = client.place();
        let newest = (run.to_owned(), seq);
        client.close().await;
        Ok(newest)
    });
    let newest = visit.await?;
    let parameters = [arguments.beginning(&format!("{}:{}", newest.0, newest.1))?];
    let visit = call.bridge.visit(port, &parameters, async |mut client| {
        let mut reading = Reading::new(until, &client);
        let ended = reading.read(&mut client, &newest, end, call).await;
        let answer = reading.answer(ended, arguments.timeout(), &client);
        client.close().await;
        Ok((answer, reading.lines, ended))
    });
    let (answer, lines, ended) = visit.await?;
    if lines > 0 || ended != ReadEnd::Time {
        return Ok(answer);
    }
    let rest = unended(call, port).await?;
    let is_there = (!rest.is_empty()).then_some(true);
    Ok(answer.with_text(&rest).with_some("unended", is_there))
}

/// The reason why reading has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadEnd {
    Until,
    Time,
    Full,
    Gone,
}

/// The lines of an answer, as they come.
#[derive(Debug)]
struct Reading {
    until: Option<Regex>,
    run: String,
    /// The number of the last line.
    seq: u64,
    text: BoundedText,
    lines: u64,
    partial: u64,
    /// The lines that were missed; None if none were, and `Some(None)` if nobody knows how many.
    missed: Option<Option<u64>>,
    is_cut: bool,
}

impl Reading {
    fn new(until: Option<Regex>, client: &BridgeClient<'_>) -> Self {
        let (run, seq) = client.place();
        Self {
            until,
            run: run.to_owned(),
            seq,
            text: BoundedText::new(MAX_TEXT_BYTES),
            lines: 0,
            partial: 0,
            missed: None,
            is_cut: false,
        }
    }

    /// Reads until there is a reason to end.
    async fn read(
        &mut self,
        client: &mut BridgeClient<'_>,
        newest: &(String, u64),
        end: Instant,
        call: &Call<'_>,
    ) -> ReadEnd {
        let caught_up = end.max(Instant::now() + CATCH_UP_TIMEOUT);
        loop {
            let is_behind = self.run == newest.0 && self.seq < newest.1;
            let deadline = if is_behind { caught_up } else { end };
            let message = tokio::select! {
                biased;
                message = timeout_at(deadline, client.read()) => message,
                () = call.gone.cancelled(), if !is_behind => return ReadEnd::Time,
            };
            let ended = match message {
                Err(_) => Some(ReadEnd::Time),
                Ok(Err(_)) => Some(ReadEnd::Gone),
                Ok(Ok(message)) => self.take(&message),
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Takes a message. Returns the reason to end, if it is one.
    fn take(&mut self, message: &ServerMessage<'_>) -> Option<ReadEnd> {
        match message {
            ServerMessage::Line {
                seq,
                content,
                partial,
                ..
            } => self.take_line(*seq, content, *partial),
            ServerMessage::Missed { lines, .. } => {
                let before = self.missed.unwrap_or(Some(0));
                let known = before.filter(|_| *lines > 0);
                self.missed = Some(known.map(|before| before + lines));
                self.seq += lines;
                None
            }
            _ => None,
        }
    }

    fn take_line(&mut self, seq: u64, content: &Content<'_>, is_partial: bool) -> Option<ReadEnd> {
        let line = content_text(content);
        if !self.text.push_line(&line) {
            if self.lines > 0 {
                return Some(ReadEnd::Full);
            }
            self.text.push_start(&line);
            self.is_cut = true;
        }
        self.seq = seq;
        self.lines += 1;
        self.partial += u64::from(is_partial);
        let matches = |until: &Regex| !is_partial && until.is_match(&line);
        if self.until.as_ref().is_some_and(matches) {
            return Some(ReadEnd::Until);
        }
        self.is_cut.then_some(ReadEnd::Full)
    }

    fn answer(&self, ended: ReadEnd, timeout: Duration, client: &BridgeClient<'_>) -> ToolAnswer {
        let status = client.status_message();
        let ended = match ended {
            ReadEnd::Until => "until",
            ReadEnd::Time if timeout.is_zero() => "now",
            ReadEnd::Time => "timeout",
            ReadEnd::Full => "full",
            ReadEnd::Gone => "gone",
        };
        let missed = self.missed.map(|lines| match lines {
            Some(lines) => json!({ "lines": lines }),
            None => Value::Object(Map::new()),
        });
        ToolAnswer::new(self.text.as_str())
            .with("lines", self.lines)
            .with_some("partial", Some(self.partial).filter(|lines| *lines > 0))
            .with_some("missed", missed)
            .with("ended", ended)
            .with("state", &*status.state)
            .with_some("advice", status.advice.as_ref().map(|advice| json!(advice)))
            .with("next", format!("{}:{}", self.run, self.seq))
            .with_some("cut", self.is_cut.then_some(true))
    }
}
