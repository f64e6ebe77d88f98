//! The formats of a stream: which one a request accepts, and what its query may ask for then. Pure.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::server::ClientDefaults;
use crate::server::client::params::{QueryError, StreamParams};
use crate::server::websocket::protocol::{ClientProtocol, client_protocol};
use crate::view::View;

/// A format of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamFormat {
    /// Server-Sent Events (HTML standard, §9.2), as EventSource reads them.
    Events,
    /// The objects of the json view, one a line.
    Ndjson,
    /// Lines of text, with nothing between them.
    Text,
}

/// The media types by which a format is asked for, the first of each format being that of the answer.
/// Of those that a request wants equally, the first counts.
const MEDIA_TYPES: [(&str, StreamFormat); 8] = [
    ("text/plain", StreamFormat::Text),
    ("text/event-stream", StreamFormat::Events),
    ("application/x-ndjson", StreamFormat::Ndjson),
    ("application/ndjson", StreamFormat::Ndjson),
    ("application/jsonl", StreamFormat::Ndjson),
    ("application/json-seq", StreamFormat::Ndjson),
    ("text/*", StreamFormat::Text),
    ("*/*", StreamFormat::Text),
];

impl StreamFormat {
    /// Returns the format that a request wants most.
    ///
    /// # Errors
    /// When it accepts none.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, String> {
        let values = headers.get_all(header::ACCEPT).iter();
        let accepted: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        let mut best: Option<(u32, Self)> = None;
        for range in accepted.iter().flat_map(|value| value.split(',')) {
            let (name, quality) = media_range(range);
            let format = MEDIA_TYPES.iter().find(|(kind, _)| *kind == name);
            if let Some((_, format)) = format
                && quality > best.map_or(0, |(best, _)| best)
            {
                best = Some((quality, *format));
            }
        }
        match best {
            Some((_, format)) => Ok(format),
            None if accepted.is_empty() => Ok(Self::Text),
            None => Err(
                "a stream comes as text/event-stream, application/x-ndjson or text/plain: accept one \
                 of them\n"
                    .to_owned(),
            ),
        }
    }

    /// Returns the media type of the answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// Returns the protocol that says which of its messages a client gets in this format.
    pub(super) fn protocol(self) -> &'static dyn ClientProtocol {
        client_protocol(match self {
            Self::Events | Self::Ndjson => View::JsonLines,
            Self::Text => View::Lines,
        })
    }

    /// Reads the query of a stream. `last_event_id` is the place at which EventSource was when its
    /// connection ended, and counts before all that the query says of the beginning.
    ///
    /// # Errors
    /// The mistake in the query, or the part of it that makes no sense in this format.
    pub(super) fn params(
        self,
        mut query: Vec<(String, String)>,
        last_event_id: Option<&HeaderValue>,
        defaults: &ClientDefaults,
        run: Option<&str>,
    ) -> Result<StreamParams, QueryError> {
        let defaults = ClientDefaults {
            view: self.default_view(),
            ..*defaults
        };
        if query.iter().any(|(key, _)| key == "append") {
            let error =
                "a stream takes no append: it writes nothing; see POST /api/ports/NAME/write";
            return Err(QueryError::new(error));
        }
        let since = self.take_since(&mut query, last_event_id)?;
        let mut params = StreamParams::new(&query, None, &defaults, run)?;
        self.check_view(params.view)?;
        if let Some(since) = since {
            params.continue_after(&since, run)?;
        }
        Ok(params)
    }

    fn default_view(self) -> View {
        match self {
            Self::Events | Self::Text => View::Lines,
            Self::Ndjson => View::JsonLines,
        }
    }

    /// Takes the place after which the client continues out of the query, unless a later `history`
    /// replaces it.
    fn take_since(
        self,
        query: &mut Vec<(String, String)>,
        last_event_id: Option<&HeaderValue>,
    ) -> Result<Option<String>, QueryError> {
        let last = query
            .iter()
            .rposition(|(key, _)| key == "since" || key == "history");
        let since = last.filter(|last| query[*last].0 == "since");
        let since = since.map(|since| query[since].1.clone());
        let mut has_since = false;
        query.retain(|(key, _)| {
            has_since |= key == "since";
            key != "since"
        });
        if has_since && self == Self::Text {
            let error = "since needs application/x-ndjson or text/event-stream: plain lines have no numbers";
            return Err(QueryError::new(error));
        }
        let last_event_id = last_event_id.filter(|id| self == Self::Events && !id.is_empty());
        let last_event_id = last_event_id.map(|id| String::from_utf8_lossy(id.as_bytes()).into());
        Ok(last_event_id.or(since))
    }

    /// Checks that a view can be sent in this format.
    fn check_view(self, view: View) -> Result<(), QueryError> {
        let is_json = view.name() == View::JsonLines.name();
        let error = match (self, view) {
            (_, View::Raw) => {
                "view=raw is bytes, which a stream of lines cannot have; take view=json&data=chunks, or a \
                 WebSocket"
            }
            (_, View::Frames) => {
                "view=frames is bytes, which a stream of lines cannot have; view=json has each frame, \
                 decoded, as its text or as bytes in base64"
            }
            (_, View::JsonAll) => "data=all is for WebSockets; take data=lines or data=chunks",
            (Self::Events, View::Text) => {
                "view=text has no lines, which text/event-stream needs; take another view, or text/plain"
            }
            (Self::Ndjson, _) if !is_json => {
                "application/x-ndjson has the objects of view=json only"
            }
            (Self::Text, _) if is_json => {
                "view=json comes as application/x-ndjson or text/event-stream: accept one of them"
            }
            _ => return Ok(()),
        };
        Err(QueryError::new(error))
    }
}

/// Returns the media type of a range in an Accept header, and its quality from 0 to 1000.
fn media_range(range: &str) -> (String, u32) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    let quality = quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(1.0));
    (name, (quality.clamp(0.0, 1.0) * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Start, StreamItem, Unit};
    use crate::view::LineEnding;

    #[track_caller]
    fn check_accept(accept: &'static str, expected: Option<StreamFormat>) {
        let accept = HeaderValue::from_static(accept);
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        assert_eq!(StreamFormat::accepted(&headers).ok(), expected);
    }

    #[test]
    fn a_request_gets_the_format_that_it_wants_most() {
        check_accept("*/*", Some(StreamFormat::Text));
        check_accept("text/event-stream", Some(StreamFormat::Events));
        check_accept("Text/Event-Stream, */*", Some(StreamFormat::Events));
        check_accept("application/x-ndjson", Some(StreamFormat::Ndjson));
        check_accept(
            "text/plain;q=0.5, application/x-ndjson;q=0.9",
            Some(StreamFormat::Ndjson),
        );
        check_accept(
            "text/html,application/xml;q=0.9,*/*;q=0.8",
            Some(StreamFormat::Text),
        );
        check_accept("text/event-stream;q=0, */*;q=0.1", Some(StreamFormat::Text));
        check_accept("application/json", None);
        check_accept("text/event-stream;q=0", None);
        assert_eq!(
            StreamFormat::accepted(&HeaderMap::new()),
            Ok(StreamFormat::Text)
        );
    }

    fn params(
        format: StreamFormat,
        query: &str,
        last: Option<&'static str>,
    ) -> Result<StreamParams, QueryError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let defaults = ClientDefaults {
            view: View::Raw,
            append: LineEnding::Lf,
            read_only: false,
        };
        let last = last.map(HeaderValue::from_static);
        format.params(pairs.collect(), last.as_ref(), &defaults, Some("r"))
    }

    #[track_caller]
    fn check_start(format: StreamFormat, query: &str, last: Option<&'static str>, expected: Start) {
        assert_eq!(params(format, query, last).unwrap().start, expected);
    }

    #[test]
    fn a_stream_begins_where_it_was_asked_to_and_goes_on_where_it_was() {
        let after = |line| Start::After(Unit::Lines, line);
        check_start(StreamFormat::Events, "", None, Start::Live);
        check_start(StreamFormat::Events, "", Some(""), Start::Live);
        check_start(StreamFormat::Events, "", Some("r:7"), after(7));
        check_start(StreamFormat::Events, "history=9", Some("r:7"), after(7));
        check_start(StreamFormat::Events, "since=r:5", Some("r:7"), after(7));
        check_start(
            StreamFormat::Events,
            "since=r:5&view=values",
            None,
            after(5),
        );
        check_start(StreamFormat::Events, "since=other:5", None, after(0));
        check_start(StreamFormat::Ndjson, "history=3&since=r:5", None, after(5));
        let last = Start::Last(StreamItem::Frame, 3);
        check_start(StreamFormat::Ndjson, "since=r:5&history=3", None, last);
        let after = Start::After(Unit::Bytes, 7);
        check_start(
            StreamFormat::Events,
            "view=json&data=chunks",
            Some("r:7"),
            after,
        );
        // Only EventSource sends it.
        check_start(StreamFormat::Text, "", Some("r:7"), Start::Live);
    }

    #[track_caller]
    fn check_error(format: StreamFormat, query: &str, expected: &str) {
        let error = params(format, query, None).unwrap_err().reason;
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn what_makes_no_sense_in_a_format_is_refused_with_a_sentence() {
        check_error(
            StreamFormat::Text,
            "since=r:1",
            "since needs application/x-ndjson",
        );
        check_error(
            StreamFormat::Text,
            "view=json",
            "view=json comes as application/x-ndjson",
        );
        check_error(
            StreamFormat::Ndjson,
            "view=lines",
            "application/x-ndjson has the objects",
        );
        check_error(StreamFormat::Events, "view=text", "view=text has no lines");
        check_error(StreamFormat::Text, "view=frames", "view=frames is bytes");
        for format in [
            StreamFormat::Events,
            StreamFormat::Ndjson,
            StreamFormat::Text,
        ] {
            check_error(format, "view=raw", "view=raw is bytes");
            check_error(format, "append=lf", "a stream takes no append");
            check_error(
                format,
                "hystory=1",
                "unknown query parameter `hystory`; did you mean `history`?",
            );
            check_error(format, "latest=0", "latest must be messages per second");
        }
        check_error(StreamFormat::Events, "since=1", "since must be RUN:SEQ");
    }
}
