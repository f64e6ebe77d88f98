//! The topics of one port, and the messages that are published there. Pure: the time is an argument.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::{PublishOptions, QoS};
use serde::Serialize;

use crate::hub::{Event, Kind, Position, Status};
use crate::protocol::{self, ServerMessage, StatusMessage};
use crate::view::{Part, Payload, View};

/// The time between two values that the broker keeps for those who subscribe later. To keep each would
/// cost it a write to its database.
const RETAIN_INTERVAL: Duration = Duration::from_secs(1);

/// The topics of one port.
pub(super) struct Topics {
    views: Vec<(Arc<str>, View)>,
    status: Arc<str>,
    json: Arc<str>,
    /// The time at which the broker was last given values to keep.
    retained_at: Option<Instant>,
}

/// A message to be published.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) topic: Arc<str>,
    pub(super) payload: Bytes,
    pub(super) options: PublishOptions,
    /// The number of the line before it, if it is an object about lines.
    pub(super) lines_before: Option<u64>,
}

/// The first object of each connection in `json`: a part of the `hello` of the json view.
#[derive(Serialize)]
#[serde(tag = "type", rename = "hello")]
struct Hello<'a> {
    version: u32,
    run: &'a str,
    seq: u64,
}

impl Topics {
    /// Names the topics by `topic`, with that of the bytes if they are wanted.
    pub(super) fn new(topic: impl Fn(&str) -> String, has_raw: bool) -> Self {
        let topic = |rest: &str| Arc::<str>::from(topic(rest));
        let json = topic("json");
        let mut views = vec![
            (topic("line"), View::Lines),
            (Arc::clone(&json), View::JsonLines),
            (topic("values"), View::Values),
        ];
        if has_raw {
            views.push((topic("raw"), View::Raw));
        }
        Self {
            views,
            status: topic("status"),
            json,
            retained_at: None,
        }
    }

    /// Appends the messages about an event that is encoded `now`.
    pub(super) fn encode(
        &mut self,
        event: &Event,
        part: Part,
        now: Instant,
        messages: &mut VecDeque<Outgoing>,
    ) {
        for (topic, view) in &self.views {
            if view.is_blank(event) {
                continue;
            }
            let is_about_lines = *view == View::JsonLines && matches!(event.kind, Kind::Data(_));
            view.encode(event, part, &mut |payload, number| {
                let (Payload::Text(bytes) | Payload::Binary(bytes)) = payload;
                let is_retained = *view == View::Values && is_due(&mut self.retained_at, now);
                messages.push_back(Outgoing {
                    topic: Arc::clone(topic),
                    payload: Bytes::copy_from_slice(bytes),
                    options: PublishOptions::new(QoS::AtMostOnce).retain(is_retained),
                    lines_before: is_about_lines.then(|| number - 1),
                });
            });
        }
    }

    /// Returns the object that tells what is missing after `before`.
    pub(super) fn missed(&self, before: Position, missed: Position) -> Outgoing {
        let (lines, bytes) = (missed.line, missed.offset);
        Outgoing {
            topic: Arc::clone(&self.json),
            payload: ServerMessage::Missed { lines, bytes }.to_json().into(),
            options: PublishOptions::new(QoS::AtMostOnce),
            lines_before: Some(before.line),
        }
    }

    /// Returns the status of the port, for the broker to keep.
    pub(super) fn status(&self, status: &Status) -> Outgoing {
        let status = ServerMessage::Status(StatusMessage::complete(status));
        kept(&self.status, status.to_json())
    }

    /// Returns the object that tells the run, and the line in it after which the next one comes, for the
    /// broker to keep: numbers of different runs do not compare.
    pub(super) fn hello(&self, run: &str, seq: u64) -> Outgoing {
        let version = protocol::VERSION;
        let hello = serde_json::to_string(&Hello { version, run, seq });
        kept(&self.json, hello.expect("it is text and numbers"))
    }
}

fn kept(topic: &Arc<str>, payload: String) -> Outgoing {
    Outgoing {
        topic: Arc::clone(topic),
        payload: payload.into(),
        options: PublishOptions::new(QoS::AtLeastOnce).retain(true),
        lines_before: None,
    }
}

/// Returns true, and notes the time, if the broker is to keep the next values.
fn is_due(retained_at: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = retained_at.is_none_or(|at| now.duration_since(at) >= RETAIN_INTERVAL);
    if is_due {
        *retained_at = Some(now);
    }
    is_due
}
