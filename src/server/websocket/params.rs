//! What a WebSocket client asks for by its address and its subprotocols. Pure.

use std::time::Duration;

use crate::hub::{Start, Unit};
use crate::server::ClientDefaults;
use crate::terminal::shown;
use crate::view::{LineEnding, View};

/// The prefix of our subprotocols, as in `serial-ws.lines`.
const SUBPROTOCOL: &str = "serial-ws.";

/// Characters of a client's path that it is told back, and bytes of the list of ports beside it:
/// both fit the reason of a Close frame, which has 123 bytes.
const LONGEST_PATH: usize = 32;
const LONGEST_LIST: usize = 50;

/// The fastest that `?latest=` sends, in messages per second.
const FASTEST: f64 = 1000.0;

/// The longest time between two messages of `?latest=`.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a WebSocket goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The port with this index.
    Port(usize),
    /// Back to where it came from.
    Echo,
}

/// How a client wants to see a port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wishes {
    /// What it sees.
    pub(crate) view: View,
    /// Where it begins.
    pub(crate) start: Start,
    /// Whether it asked to go on where another run of the program was.
    pub(crate) from_other_run: bool,
    /// The time between two messages, if it wants only the newest frame.
    pub(crate) latest: Option<Duration>,
    /// The ending that is added to its text messages.
    pub(crate) append: LineEnding,
}

/// A mistake of a client that is permitted to connect; it is told by a Close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The code of the Close frame.
    pub(crate) code: u16,
    /// What is wrong, and what would be right.
    pub(crate) reason: String,
}

impl Mistake {
    /// A wrong view or query.
    fn query(reason: impl Into<String>) -> Self {
        Self {
            code: 4400,
            reason: reason.into(),
        }
    }
}

/// Finds where `path` leads, the names of the ports being `ports`.
///
/// # Errors
/// Code 4404, naming the ports that there are.
pub(crate) fn target(path: &str, ports: &[String]) -> Result<Target, Mistake> {
    if path == "/" && !ports.is_empty() {
        return Ok(Target::Port(0));
    }
    if path == "/echo" {
        return Ok(Target::Echo);
    }
    let found = path
        .strip_prefix("/ports/")
        .and_then(|name| ports.iter().position(|port| port == name));
    found.map(Target::Port).ok_or_else(|| {
        let path: String = shown(path).chars().take(LONGEST_PATH).collect();
        let reason = format!("nothing is at {path}. There are {}", known(ports));
        Mistake { code: 4404, reason }
    })
}

/// The addresses of the ports, as many as fit the reason of a Close frame.
fn known(ports: &[String]) -> String {
    let mut known = "/".to_owned();
    for name in ports {
        if known.len() + name.len() > LONGEST_LIST {
            known.push_str(", …");
            break;
        }
        known.push_str(", /ports/");
        known.push_str(name);
    }
    known
}

/// Chooses the subprotocol to confirm among those that the client `offered`: one of ours, else
/// the first, so that the client gets as far as being told what is wrong with it.
pub(crate) fn subprotocol<'a>(offered: &[&'a str]) -> Option<&'a str> {
    let ours = offered.iter().find(|name| name.starts_with(SUBPROTOCOL));
    ours.or(offered.first()).copied()
}

/// Reads the query and the confirmed subprotocol; `defaults` hold what they leave open, and `run`
/// is this run of the program.
///
/// # Errors
/// Code 4400, saying what is right.
pub(crate) fn wishes(
    query: &[(String, String)],
    subprotocol: Option<&str>,
    defaults: &ClientDefaults,
    run: &str,
) -> Result<Wishes, Mistake> {
    let mut wishes = Wishes {
        view: view(query, subprotocol, defaults.view)?,
        start: Start::Live,
        from_other_run: false,
        latest: None,
        append: defaults.append,
    };
    for (key, value) in query {
        match key.as_str() {
            "view" | "token" => {}
            "data" if wishes.view.name() != "json" => {
                return Err(Mistake::query("data=chunks goes with view=json"));
            }
            "data" => wishes.view = View::Json(data(value)?),
            _ => {}
        }
    }
    for (key, value) in query {
        match key.as_str() {
            "view" | "token" | "data" => {}
            "history" => wishes.start = Start::Last(wishes.view.unit(), number(key, value)?),
            "since" => since(value, run, &mut wishes)?,
            "latest" => wishes.latest = Some(interval(value)?),
            "append" => wishes.append = value.parse().map_err(Mistake::query)?,
            _ => {
                let known = "view, data, history, since, latest, append, token";
                return Err(Mistake::query(format!(
                    "no {key} in a query. There are {known}"
                )));
            }
        }
    }
    Ok(wishes)
}

fn view(
    query: &[(String, String)],
    subprotocol: Option<&str>,
    default: View,
) -> Result<View, Mistake> {
    let by_query = query
        .iter()
        .find(|(key, _)| key == "view")
        .map(|(_, value)| value.as_str());
    let by_subprotocol = subprotocol.map(|name| {
        name.strip_prefix(SUBPROTOCOL).ok_or_else(|| {
            let known = "serial-ws.lines, serial-ws.raw, serial-ws.text and serial-ws.json";
            Mistake::query(format!("no subprotocol {name}. There are {known}"))
        })
    });
    let name = match (by_query, by_subprotocol.transpose()?) {
        (Some(query), Some(subprotocol)) if query != subprotocol => {
            return Err(Mistake::query(format!(
                "the query asks for {query}, the subprotocol for {subprotocol}"
            )));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Ok(default),
    };
    name.parse()
        .map_err(|known| Mistake::query(format!("no view {name}: {known}")))
}

fn data(value: &str) -> Result<Unit, Mistake> {
    match value {
        "lines" => Ok(Unit::Lines),
        "chunks" => Ok(Unit::Bytes),
        _ => Err(Mistake::query("data is lines or chunks")),
    }
}

fn number(key: &str, value: &str) -> Result<u64, Mistake> {
    let mistake = || Mistake::query(format!("{key} is a whole number, such as {key}=100"));
    value.parse().map_err(|_| mistake())
}

fn since(value: &str, run: &str, wishes: &mut Wishes) -> Result<(), Mistake> {
    let View::Json(unit) = wishes.view else {
        return Err(Mistake::query("since goes with view=json"));
    };
    let Some((theirs, count)) = value.rsplit_once(':') else {
        return Err(Mistake::query(
            "since is RUN:SEQ (or RUN:OFFSET with data=chunks) with the run of the hello object",
        ));
    };
    let count = number("SEQ", count)?;
    wishes.from_other_run = theirs != run;
    wishes.start = Start::After(unit, if wishes.from_other_run { 0 } else { count });
    Ok(())
}

fn interval(value: &str) -> Result<Duration, Mistake> {
    let rate: f64 = value.parse().unwrap_or(f64::NAN);
    let interval = Duration::try_from_secs_f64(1.0 / rate);
    match interval {
        Ok(interval) if rate <= FASTEST && interval <= LONGEST_INTERVAL => Ok(interval),
        _ => Err(Mistake::query(format!(
            "latest is messages per second, up to {FASTEST} and at least one a day, such as latest=30"
        ))),
    }
}
