//! The path, query and subprotocol of a WebSocket request. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::client_name;
use super::line_query::LINE_KEYS;
use crate::hub::{Position, Start};
use crate::server::ClientDefaults;
use crate::server::devices::id_in;
use crate::terminal::shown;
use crate::view::{LineEnding, View};

/// The prefix of our subprotocols, as in `serial-ws.lines`.
const SUBPROTOCOL: &str = "serial-ws.";

/// The subprotocol of clients made for TCP servers, such as Betaflight Configurator: it means the
/// raw view. The other names of subprotocols that are not ours mean nothing here.
const BINARY: &str = "binary";

/// Characters of a name that is not known which an error repeats, and bytes of the list of ports
/// beside it, so that both fit the 123 bytes of a Close reason. More are left out.
const MAX_NAME_CHARS: usize = 24;
const MAX_LIST_BYTES: usize = 50;

/// Messages per second of `?latest=`. More are an error.
const MAX_RATE: f64 = 1000.0;

/// The time between two messages of `?latest=`. More is an error.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The parameters of a query.
const KNOWN: [&str; 10] = [
    "view", "data", "values", "writes", "history", "since", "latest", "append", "client", "token",
];

/// The similarity of two names, from 0 to 1, above which one is suggested for the other.
const MIN_SIMILARITY: f64 = 0.7;

/// The target of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The port with this index.
    Port(usize),
    /// The client itself.
    Echo,
    /// The list of devices.
    Devices,
    /// The device with this ID.
    Device(String),
}

/// The parameters of a client's stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamParams {
    /// The view of the port.
    pub(crate) view: View,
    /// The place where it begins.
    pub(crate) start: Start,
    /// True if it asked to continue where another run of the program was.
    pub(crate) from_other_run: bool,
    /// The run in which it continues at `start`, where that is not known here yet.
    pub(crate) awaited_run: Option<String>,
    /// The time between two messages, if it wants only the newest frame.
    pub(crate) latest: Option<Duration>,
    /// The ending that is added to its text messages.
    pub(crate) append: LineEnding,
    /// True if it wants to know what all clients write.
    pub(crate) wants_written: bool,
    /// The name that the client gives itself.
    pub(crate) client: Option<Arc<str>>,
}

/// An error in the path, query or subprotocol. The client is told by a Close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryError {
    /// The code of the Close frame.
    pub(crate) code: u16,
    /// A sentence that says what is wrong, and what would be right.
    pub(crate) reason: String,
}

impl QueryError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            code: 4400,
            reason: reason.into(),
        }
    }
}

/// Finds the target of `path` among `ports`, the names of all ports.
///
/// # Errors
/// Code 4404, with the ports that exist.
pub(crate) fn target(path: &str, ports: &[String]) -> Result<Target, QueryError> {
    if path == "/" && !ports.is_empty() {
        return Ok(Target::Port(0));
    }
    if path == "/echo" {
        return Ok(Target::Echo);
    }
    if path == "/devices" {
        return Ok(Target::Devices);
    }
    if let Some(id) = id_in(path) {
        return Ok(Target::Device(id.into_owned()));
    }
    let found = path
        .strip_prefix("/ports/")
        .and_then(|name| ports.iter().position(|port| port == name));
    found.map(Target::Port).ok_or_else(|| {
        let reason = format!("no port at {} (known: {})", short(path), known(ports));
        QueryError { code: 4404, reason }
    })
}

/// Returns the paths of the ports, as many as fit a Close reason.
fn known(ports: &[String]) -> String {
    let mut known = "/".to_owned();
    for name in ports {
        if known.len() + name.len() > MAX_LIST_BYTES {
            known.push_str(", …");
            break;
        }
        known.push_str(", /ports/");
        known.push_str(name);
    }
    known
}

/// Returns the beginning of a name that a client sent, safe to show.
fn short(name: &str) -> String {
    shown(name).chars().take(MAX_NAME_CHARS).collect()
}

/// Chooses the subprotocol to confirm among those that the client `offered`: one of ours, else
/// the first, since many libraries offer a name that cannot be changed.
pub(crate) fn subprotocol<'a>(offered: &[&'a str]) -> Option<&'a str> {
    let ours = offered.iter().find(|name| name.starts_with(SUBPROTOCOL));
    ours.or(offered.first()).copied()
}

impl StreamParams {
    /// Reads the query and the confirmed subprotocol, which need not be one of ours. `defaults` holds
    /// for what they leave open, and `run` is the run in which the port counts, if it is known.
    ///
    /// # Errors
    /// Code 4400, saying what is right.
    pub(crate) fn new(
        query: &[(String, String)],
        subprotocol: Option<&str>,
        defaults: &ClientDefaults,
        run: Option<&str>,
    ) -> Result<Self, QueryError> {
        let mut params = Self {
            view: view(query, subprotocol, defaults.view)?,
            start: Start::Live,
            from_other_run: false,
            awaited_run: None,
            latest: None,
            append: defaults.append,
            wants_written: false,
            client: None,
        };
        // The others depend on the view, wherever they stand.
        for (_, value) in query.iter().filter(|(key, _)| key == "data") {
            params.view = with_data(params.view, value)?;
        }
        for (key, value) in query {
            match key.as_str() {
                "view" | "token" | "data" => {}
                "values" => params.view = with_values(params.view, value)?,
                "writes" => params.wants_written = with_writes(params.view, value)?,
                "history" => {
                    params.start = Start::Last(params.view.item(), number("history", value)?);
                }
                "since" if params.view.name() != View::JsonLines.name() => {
                    return Err(QueryError::new("since needs view=json"));
                }
                "since" => params.continue_after(value, run)?,
                "latest" if params.view == View::JsonAll => {
                    return Err(QueryError::new(
                        "latest skips data, which data=all is not for",
                    ));
                }
                "latest" => params.latest = Some(interval(value)?),
                "append" => params.append = value.parse().map_err(QueryError::new)?,
                "client" => {
                    params.client = Some(client_name::parse(value).map_err(QueryError::new)?)
                }
                _ => return Err(unknown_parameter(key)),
            }
        }
        Ok(params)
    }

    /// Reads `since`, the place in a run of the program after which the client continues.
    ///
    /// # Errors
    /// Code 4400, saying what is right.
    pub(crate) fn continue_after(
        &mut self,
        value: &str,
        run: Option<&str>,
    ) -> Result<(), QueryError> {
        let is_place = self.view == View::JsonAll;
        let form = if is_place {
            "since must be RUN:SEQ:OFFSET with data=all"
        } else {
            "since must be RUN:SEQ (RUN:OFFSET with data=chunks), with RUN from the hello object"
        };
        let last = |text| str::rsplit_once(text, ':').ok_or_else(|| QueryError::new(form));
        let (theirs, count) = last(value)?;
        let count = number("SEQ of since", count)?;
        let (theirs, after) = if is_place {
            let (theirs, line) = last(theirs)?;
            let (line, offset) = (number("SEQ of since", line)?, count);
            (theirs, Start::AfterPlace(Position { line, offset }))
        } else {
            (theirs, Start::After(self.view.unit(), count))
        };
        self.from_other_run = run.is_some_and(|run| theirs != run);
        self.awaited_run = run.is_none().then(|| theirs.to_owned());
        self.start = match after {
            after if !self.from_other_run => after,
            Start::AfterPlace(_) => Start::AfterPlace(Position::default()),
            _ => Start::After(self.view.unit(), 0),
        };
        Ok(())
    }

    /// Returns the place that the client has reached in a run that is not known here yet.
    pub(crate) fn awaited_place(&self) -> Option<Position> {
        self.awaited_run.as_ref()?;
        match self.start {
            Start::After(unit, count) => Some(Position::default().with(unit, count)),
            Start::AfterPlace(place) => Some(place),
            Start::Live | Start::Last(..) => None,
        }
    }
}

fn view(
    query: &[(String, String)],
    subprotocol: Option<&str>,
    default: View,
) -> Result<View, QueryError> {
    let by_query = query.iter().find(|(key, _)| key == "view");
    let by_query = by_query.map(|(_, value)| value.as_str());
    let by_subprotocol = subprotocol.and_then(|name| name.strip_prefix(SUBPROTOCOL));
    let name = match (by_query, by_subprotocol) {
        (Some(query), Some(subprotocol)) if query != subprotocol => {
            return Err(QueryError::new(format!(
                "the query asks for view `{}`, the subprotocol for `{}`",
                short(query),
                short(subprotocol)
            )));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) if subprotocol == Some(BINARY) => return Ok(View::Raw),
        (None, None) => return Ok(default),
    };
    name.parse().map_err(|_| {
        let (name, known) = (short(name), View::names());
        QueryError::new(format!("unknown view `{name}` (known: {known})"))
    })
}

/// Reads `data`, the unit of the json view.
fn with_data(view: View, value: &str) -> Result<View, QueryError> {
    let wanted = match value {
        "lines" => View::JsonLines,
        "chunks" => View::JsonChunks,
        "all" => View::JsonAll,
        _ => return Err(QueryError::new("data must be lines, chunks or all")),
    };
    if view.name() != wanted.name() {
        return Err(QueryError::new("data needs view=json"));
    }
    Ok(wanted)
}

/// Reads `values`, which adds them to the lines of the json view.
fn with_values(view: View, value: &str) -> Result<View, QueryError> {
    match view {
        _ if !matches!(value, "" | "1" | "true") => Err(QueryError::new(
            "values takes no value, as in view=json&values",
        )),
        View::JsonLines | View::JsonLinesWithValues => Ok(View::JsonLinesWithValues),
        View::JsonChunks | View::JsonAll => Err(QueryError::new("values needs data=lines")),
        _ => Err(QueryError::new(
            "values needs view=json, or take view=values",
        )),
    }
}

/// Reads `writes`, which adds what clients write to the json view.
fn with_writes(view: View, value: &str) -> Result<bool, QueryError> {
    match view {
        _ if !matches!(value, "" | "1" | "true") => Err(QueryError::new(
            "writes takes no value, as in view=json&writes",
        )),
        _ if view.name() == View::JsonLines.name() => Ok(true),
        _ => Err(QueryError::new("writes needs view=json")),
    }
}

fn number(name: &str, value: &str) -> Result<u64, QueryError> {
    let error = || QueryError::new(format!("{name} must be a whole number such as 100"));
    value.parse().map_err(|_| error())
}

fn interval(value: &str) -> Result<Duration, QueryError> {
    let rate: f64 = value.parse().unwrap_or(f64::NAN);
    let interval = Duration::try_from_secs_f64(1.0 / rate);
    match interval {
        Ok(interval) if rate <= MAX_RATE && interval <= MAX_INTERVAL => Ok(interval),
        _ => Err(QueryError::new(format!(
            "latest must be messages per second such as latest=30, at most {MAX_RATE}, at least one a day"
        ))),
    }
}

/// Checks the query of an address that takes nothing but the token and the name of the client.
///
/// # Errors
/// Code 4400.
pub(crate) fn check_no_options(query: &[(String, String)]) -> Result<(), QueryError> {
    for (key, value) in query {
        match key.as_str() {
            "token" => {}
            "client" => drop(client_name::parse(value).map_err(QueryError::new)?),
            _ => {
                return Err(QueryError::new(format!(
                    "unknown query parameter `{}`: this address takes only `client` and `token`",
                    short(key)
                )));
            }
        }
    }
    Ok(())
}

fn unknown_parameter(name: &str) -> QueryError {
    let known = KNOWN.into_iter().chain(LINE_KEYS);
    let rated = known.map(|known| (strsim::jaro(name, known), known));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    let best = best.filter(|(similarity, _)| *similarity > MIN_SIMILARITY);
    let name = short(name);
    // A Close reason has no room for a suggestion and the list, nor for a long name beside that.
    QueryError::new(match best {
        Some((_, known)) => format!("unknown query parameter `{name}`; did you mean `{known}`?"),
        None => format!(
            "unknown parameter `{name:.16}` (known: {})",
            KNOWN.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(query: &str, expected: &str) {
        let pairs: Vec<_> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let defaults = ClientDefaults {
            view: View::Lines,
            append: LineEnding::None,
            read_only: false,
        };
        let error = StreamParams::new(&pairs, None, &defaults, Some("run"));
        let reason = error.unwrap_err().reason;
        assert_eq!(reason, expected);
        assert!(reason.len() <= 123, "a Close reason has no room for it");
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_would_be_right() {
        check_error(
            "vew=json",
            "unknown query parameter `vew`; did you mean `view`?",
        );
        check_error(
            "a_name_of_more_than_24_characters=1",
            "unknown parameter `a_name_of_more_t` (known: view, data, values, writes, history, \
             since, latest, append, client, token)",
        );
        check_error(
            "view=rows",
            "unknown view `rows` (known: lines, raw, text, json, values, frames)",
        );
        check_error(
            "bad=9600",
            "unknown query parameter `bad`; did you mean `baud`?",
        );
        check_error("data=chunks", "data needs view=json");
        check_error("values", "values needs view=json, or take view=values");
        check_error(
            "view=json&values=no",
            "values takes no value, as in view=json&values",
        );
        check_error("view=json&data=chunks&values", "values needs data=lines");
        assert_eq!(with_data(View::JsonLines, "chunks"), Ok(View::JsonChunks));
        check_error(
            "since=a:x&view=json",
            "SEQ of since must be a whole number such as 100",
        );
        check_error(
            "since=yesterday&view=json",
            "since must be RUN:SEQ (RUN:OFFSET with data=chunks), with RUN from the hello object",
        );
        check_error(
            "latest=soon",
            "latest must be messages per second such as latest=30, at most 1000, at least one a day",
        );
        check_error("append=tab", "append must be none, lf, crlf or cr");
    }
}
