//! Client protocols: how each kind of client is spoken to, and what its messages mean. They do no
//! I/O and read no clock.
//!
//! A protocol is one file and one arm of [`client_protocol`].

mod json;
mod plain;

pub(crate) use json::not_json;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use super::frame;
use crate::hub::{Action, Done, Event, PlaybackChange, Position, RequestError, Status};
use crate::output::recorder::RecorderAction;
use crate::protocol::Id;
use crate::server::Port;
use crate::server::access::Rights;
use crate::server::client::delivery::Encoder;
use crate::view::{LineEnding, Part, View};

/// Returns the protocol of the clients that see this view.
pub fn client_protocol(view: View) -> &'static dyn ClientProtocol {
    match view {
        View::JsonLines | View::JsonLinesWithValues | View::JsonChunks | View::JsonAll => {
            &json::Json
        }
        _ => &plain::Plain,
    }
}

/// A way to speak to a client. Where a protocol has nothing to say, a method returns `None`.
pub trait ClientProtocol: Sync {
    /// Returns the first message to the client.
    fn greet(&self, _greeting: &Greeting<'_>) -> Option<String> {
        None
    }

    /// Returns what the client gets of an event, as WebSocket frames.
    fn event(&self, view: View, event: &Event, part: Part) -> Bytes {
        frame::of_event(view, event, part)
    }

    /// Returns the message that something is missing at this place.
    fn missed(&self, _missed: Position) -> Option<String> {
        None
    }

    /// Returns the message with the port's status now, for a client that may have missed a change.
    fn status(&self, _status: &Status) -> Option<String> {
        None
    }

    /// Returns the message that a request was carried out, with what came of it.
    fn reply(&self, _id: Id, _done: &Done) -> Option<String> {
        None
    }

    /// Returns the message that a request was not carried out.
    fn reject(&self, _id: Option<Id>, _error: &RequestError) -> Option<String> {
        None
    }

    /// Returns the reason to close the connection of a client whose first message this is, if the
    /// message shows that the client speaks another protocol.
    fn foreign(&self, _first: &str) -> Option<&'static str> {
        None
    }

    /// Returns true if the client is told when a request is rejected. A client that is not told is
    /// not read while there is no room for its request, so that it loses nothing.
    fn has_replies(&self) -> bool {
        false
    }

    /// Returns how many bytes a message may have that writes `max_write` bytes.
    fn max_message(&self, max_write: usize) -> usize {
        max_write
    }

    /// Returns what a message of the client asks for. Pings and the like are not messages in this
    /// sense. Text that is to be written gets the ending of `append`.
    fn decode(&self, message: Message, append: LineEnding) -> Input;
}

/// Encodes what a client gets as WebSocket frames.
pub(super) struct FrameEncoder {
    pub(super) protocol: &'static dyn ClientProtocol,
    pub(super) view: View,
}

impl Encoder for FrameEncoder {
    fn event(&self, event: &Event, part: Part) -> Bytes {
        self.protocol.event(self.view, event, part)
    }

    fn missed(&self, missed: Position, _place: Position) -> Bytes {
        frame_of(self.protocol.missed(missed))
    }

    fn status(&self, status: &Status) -> Bytes {
        frame_of(self.protocol.status(status))
    }

    fn has_numbers(&self) -> bool {
        self.protocol.has_replies()
    }
}

fn frame_of(text: Option<String>) -> Bytes {
    text.map_or(Bytes::new(), |text| frame::text(&text))
}

/// The facts that a client may be greeted with.
pub struct Greeting<'a> {
    pub(crate) port: &'a Port,
    pub(crate) rights: Rights,
    /// The port's status now.
    pub(crate) status: Status,
    /// The place in the stream where the client begins.
    pub(crate) position: Position,
    /// The place that the stream has reached, for a client that wants to know.
    pub(crate) newest: Option<Position>,
    /// The number of the client among those of its port.
    pub(crate) client: u64,
    /// Bytes of the longest message that the client may send.
    pub(crate) max_message: usize,
    /// The name of this run of the program.
    pub(crate) run: &'a str,
    /// The names of all ports.
    pub(crate) ports: &'a [String],
}

/// The request in a client's message.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Asks the port for something; the identifier comes back with the answer.
    Action(Action, Option<Id>),
    /// Takes the write lock.
    Lock {
        /// The name that others are told.
        name: Option<String>,
        /// True if settings and lines return when it ends.
        restore: bool,
        /// The identifier comes back with the answer.
        id: Option<Id>,
    },
    /// Ends it.
    Unlock(Option<Id>),
    /// Changes the playing of a recording.
    Playback(PlaybackChange, Option<Id>),
    /// Asks the recorder of the port for something.
    Recorder(RecorderAction, Option<Id>),
    /// Asks for nothing that is known.
    Nothing,
    /// Cannot be understood, for this reason.
    Invalid(String, Option<Id>),
}
