//! The devices on offer: decides which of them a client may open. Pure: no I/O, no clock.
//!
//! Without `--port` and without `--offer`, known boards are offered to pages of this computer's own
//! serial-ws and to its programs, and the operator is asked about every other page. All other devices,
//! and all other computers, need an `--offer`.

use std::collections::HashMap;

use axum::http::header;

use super::origin::{self, Origin};
use super::request::{Caller, single_header};
use crate::server::devices::DeviceEntry;

/// One `--offer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Every USB device.
    Usb,
    /// No device.
    None,
    /// The devices whose ID or path fits, with `*` for any characters.
    Pattern(String),
}

/// The devices that the operator offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    /// Those that were given; empty where the default holds.
    pub(crate) explicit: Vec<Offer>,
    /// True if ports were given, so that nothing is offered by default.
    pub(crate) has_ports: bool,
}

/// The clients who are offered the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Programs of this computer, and pages that this serial-ws serves to it.
    Own,
    /// Pages of this origin on this computer.
    Page(String),
    /// Other computers, and what a proxy passes on.
    Network,
}

/// The decision whether a client may open a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OfferDecision {
    /// It may.
    Offered,
    /// It may if the operator allows it.
    Ask,
    /// It may not: the reason, and what would allow it.
    Rejected(String),
}

/// The operator's answers: whether pages of an origin may open the device with an ID.
pub(crate) type BoardAnswers = HashMap<BoardQuestion, bool>;

/// A page's wish to open a device: its origin, and the ID of the device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BoardQuestion {
    /// The origin of the page.
    pub(crate) origin: String,
    /// The ID of the device.
    pub(crate) id: String,
    /// The name of the board.
    pub(crate) board: Option<String>,
}

impl Offers {
    /// Decides whether a client may open a device, given the operator's answers so far.
    pub(crate) fn decide(
        &self,
        device: &DeviceEntry,
        audience: &Audience,
        answers: &BoardAnswers,
    ) -> OfferDecision {
        if !self.explicit.is_empty() {
            let is_included = self.explicit.iter().any(|offer| offer.includes(device));
            return offered_if(is_included, device);
        }
        if self.has_ports || !device.is_known_board {
            return not_offered(device);
        }
        match audience {
            Audience::Own => OfferDecision::Offered,
            Audience::Network => not_offered(device),
            Audience::Page(origin) => {
                let question = BoardQuestion::new(origin, device);
                let answer = answers.get(&question);
                answer.map_or(OfferDecision::Ask, |is_allowed| {
                    offered_if(*is_allowed, device)
                })
            }
        }
    }

    /// Returns the paths that were given exactly. They may be devices that the system does not list.
    pub(crate) fn paths(&self) -> Vec<String> {
        let patterns = self.explicit.iter().filter_map(|offer| match offer {
            Offer::Pattern(pattern) => Some(pattern),
            Offer::Usb | Offer::None => None,
        });
        let is_path = |pattern: &&String| pattern.starts_with('/') && !pattern.contains('*');
        patterns.filter(is_path).cloned().collect()
    }
}

impl Offer {
    /// Returns true if this offers a device.
    pub(crate) fn includes(&self, device: &DeviceEntry) -> bool {
        match self {
            Self::Usb => !device.usb.is_null(),
            Self::None => false,
            Self::Pattern(pattern) => {
                let ids = ["", ":*", "@*"].map(|end| format!("{pattern}{end}"));
                let mut paths = device.aliases.iter().chain([&device.path]);
                ids.iter().any(|pattern| fits(pattern, &device.id))
                    || paths.any(|path| fits(pattern, path))
            }
        }
    }
}

impl OfferDecision {
    /// Returns true if the device can be opened, perhaps after a question.
    pub(crate) fn is_offered(&self) -> bool {
        !matches!(self, Self::Rejected(_))
    }
}

impl BoardQuestion {
    /// Returns the question whether pages of `origin` may open `device`.
    pub(crate) fn new(origin: &str, device: &DeviceEntry) -> Self {
        Self {
            origin: origin.to_owned(),
            id: device.id.clone(),
            board: device.board.clone(),
        }
    }
}

impl Audience {
    /// Returns the audience that the sender of a request belongs to. Meant for requests that are
    /// allowed.
    pub(crate) fn of(caller: Caller<'_>) -> Self {
        if !caller.is_direct() {
            return Self::Network;
        }
        let text = |name| single_header(caller.headers, name).ok().flatten();
        let Some(origin) = text(header::ORIGIN).map(origin::canonical) else {
            return Self::Own;
        };
        let parsed = Origin::new(origin);
        let own_port = parsed.is_loopback() && parsed.port() == Some(caller.peer.local.port());
        if own_port || text(header::HOST).is_some_and(|host| parsed.is_of(host)) {
            Self::Own
        } else {
            Self::Page(origin.to_owned())
        }
    }

    /// Returns true for those who see devices also if they are not offered: programs and pages of
    /// this computer. To others, serial numbers would tell it from other computers.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Own => true,
            Self::Page(origin) => Origin::new(origin).is_loopback(),
            Self::Network => false,
        }
    }
}

fn offered_if(is_offered: bool, device: &DeviceEntry) -> OfferDecision {
    if is_offered {
        OfferDecision::Offered
    } else {
        not_offered(device)
    }
}

/// Returns the decision not to offer a device, with what would.
fn not_offered(device: &DeviceEntry) -> OfferDecision {
    OfferDecision::Rejected(device.not_offered())
}

/// Returns true if `text` is `pattern`, where each `*` stands for any characters. Letters may be in
/// any case.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Offers | has ports | audience | device | decision.
    const TABLE: &str = "
-                 | no  | own                   | uno   | offered
-                 | no  | own                   | modem | no
-                 | no  | own                   | uart  | no
-                 | no  | http://localhost:5500 | uno   | ask
-                 | no  | https://yes.example   | uno   | offered
-                 | no  | https://yes.example   | nano  | ask
-                 | no  | https://no.example    | uno   | no
-                 | no  | https://yes.example   | modem | no
-                 | no  | null                  | uno   | ask
-                 | no  | network               | uno   | no
-                 | yes | own                   | uno   | no
-                 | yes | http://localhost:5500 | uno   | no
none              | no  | own                   | uno   | no
usb               | yes | own                   | modem | offered
usb               | yes | network               | uno   | offered
usb               | no  | http://localhost:5500 | modem | offered
usb               | no  | own                   | uart  | no
usb:2341:*        | no  | own                   | uno   | offered
usb:2341:0043     | no  | own                   | uno   | offered
USB:2341:0043     | no  | own                   | uno   | offered
usb:2341:0043:A1  | no  | own                   | uno   | offered
usb:2341:0043:A   | no  | own                   | uno   | no
usb:2341:004      | no  | own                   | uno   | no
usb:1a86:7523     | no  | own                   | nano  | offered
usb:1a86:7523@1-2 | no  | own                   | nano  | no
/dev/ttyUSB*      | no  | own                   | nano  | offered
/dev/ttyACM0      | no  | own                   | uno   | offered
*by-id*Uno*       | no  | own                   | uno   | offered
*                 | no  | network               | uart  | offered
/dev/ttyAMA0      | no  | own                   | uart  | offered
";

    fn device(name: &str) -> DeviceEntry {
        let (id, path, is_known_board) = match name {
            "uno" => ("usb:2341:0043:A1", "/dev/ttyACM0", true),
            "nano" => ("usb:1a86:7523@1-1", "/dev/ttyUSB0", true),
            "modem" => ("usb:1199:68a3", "/dev/ttyUSB3", false),
            _ => ("port:ttyAMA0", "/dev/ttyAMA0", false),
        };
        let usb = id.starts_with("usb:");
        DeviceEntry {
            id: id.to_owned(),
            path: path.to_owned(),
            aliases: vec![format!("/dev/serial/by-id/usb-{name}-if00")],
            usb: if usb { json!({}) } else { Value::Null },
            board: None,
            is_known_board,
            spec: id.to_owned(),
            state: "free",
            detail: String::new(),
            hint: String::new(),
            port: None,
        }
    }

    #[test]
    fn devices_are_offered_as_the_table_says() {
        let answer = |origin, is_allowed| (BoardQuestion::new(origin, &device("uno")), is_allowed);
        let answers = BoardAnswers::from([
            answer("https://yes.example", true),
            answer("https://no.example", false),
        ]);
        for row in TABLE.lines().filter(|row| !row.is_empty()) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [offer, has_ports, audience, name, expected] = cells[..] else {
                panic!("{row}");
            };
            let explicit = match offer {
                "-" => Vec::new(),
                "usb" => vec![Offer::Usb],
                "none" => vec![Offer::None],
                pattern => vec![Offer::Pattern(pattern.to_owned())],
            };
            let offers = Offers {
                explicit,
                has_ports: has_ports == "yes",
            };
            let audience = match audience {
                "own" => Audience::Own,
                "network" => Audience::Network,
                origin => Audience::Page(origin.to_owned()),
            };
            let decision = match offers.decide(&device(name), &audience, &answers) {
                OfferDecision::Offered => "offered",
                OfferDecision::Ask => "ask",
                OfferDecision::Rejected(_) => "no",
            };
            assert_eq!(decision, expected, "{row}");
        }
    }

    #[test]
    fn a_reason_names_the_flag_and_fits_a_close_frame() {
        let mut device = device("modem");
        let reason = |device: &DeviceEntry| match not_offered(device) {
            OfferDecision::Rejected(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            reason(&device),
            "usb:1199:68a3 is not offered; to offer it: --offer usb:1199:68a3"
        );
        device.id = format!("usb:1199:68a3:\u{1b}[2J{}", "x".repeat(200));
        assert!(reason(&device).len() <= 123, "{}", reason(&device));
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*b*", "abc", true),
            ("a*b*c", "aXbYc", true),
            ("a*c*b*d", "abcd", false),
            ("A*", "abc", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
