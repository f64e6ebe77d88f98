//! The keys of settings: which there are, which exclude each other, and which one was probably
//! meant by one that does not exist.

use clap::{Arg, Args, Command, CommandFactory};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::cli::{Cli, PortArgs};
use crate::terminal::shown;

/// Flags that are no settings: two that find the file, and two that end the program.
pub(crate) const ONLY_FLAGS: [&str; 4] = ["config", "profile", "help", "version"];

/// Settings that cannot be combined.
const CONFLICTS: [(&str, &str); 6] = [
    ("lines", "raw"),
    ("lines", "text"),
    ("raw", "text"),
    ("verbose", "quiet"),
    ("tls", "tls-cert"),
    ("tls", "tls-key"),
];

/// Returns the flags that are settings, in the order of the help.
pub(crate) fn settings(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let flags = command.get_arguments();
    let flags = flags.filter_map(|flag| Some((flag.get_long()?, flag)));
    flags.filter(|(key, _)| !ONLY_FLAGS.contains(key))
}

/// Returns the keys of the flags that are settings.
pub(crate) fn keys(command: &Command) -> Vec<&str> {
    settings(command).map(|(key, _)| key).collect()
}

/// Returns the definitions of all flags, without their environment variables.
pub(crate) fn without_variables() -> Command {
    Cli::command().mut_args(|flag| flag.env(None::<&str>))
}

/// Returns the definitions of the settings that one port can have.
pub(crate) fn of_ports() -> Command {
    PortArgs::augment_args(Command::new("port"))
}

/// Returns the settings that are set, by their keys.
pub(crate) fn map(settings: &impl Serialize) -> Map<String, Json> {
    match serde_json::to_value(settings) {
        Ok(Json::Object(map)) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    }
}

/// Tells whether something in `above` excludes the setting `key`.
pub(crate) fn excludes(above: &Map<String, Json>, key: &str) -> bool {
    CONFLICTS
        .iter()
        .any(|(a, b)| (key == *a && is_on(above.get(*b))) || (key == *b && is_on(above.get(*a))))
}

/// Finds two settings that cannot be combined.
pub(crate) fn conflict(set: &Map<String, Json>) -> Option<(&'static str, &'static str)> {
    let mut conflicts = CONFLICTS.into_iter();
    conflicts.find(|(a, b)| is_on(set.get(*a)) && is_on(set.get(*b)))
}

fn is_on(value: Option<&Json>) -> bool {
    !matches!(value, None | Some(Json::Bool(false))) && value.and_then(Json::as_u64) != Some(0)
}

/// Says that there is no such name, and which one may have been meant, or which there are.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let near = known.iter().filter(|other| is_near(name, other));
    let best = near.max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
    let advice = match best {
        Some(best) => format!("; did you mean `{best}`?"),
        None if known.is_empty() => String::new(),
        None => format!(" (known: {})", known.join(", ")),
    };
    format!("{what} `{}`{advice}", shown(name))
}

/// Tells whether a name may be a slip of another: few letters differ, or one begins the other.
fn is_near(name: &str, other: &str) -> bool {
    let slips = strsim::damerau_levenshtein(name, other);
    let is_part = name.len() > 2 && (name.starts_with(other) || other.starts_with(name));
    is_part || slips <= name.len().div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, advice: &str) {
        let command = without_variables();
        let text = unknown("unknown setting", name, &keys(&command));
        assert!(text.contains(advice), "{text}");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        check("baudrate", "; did you mean `baud`?");
        check("stopbits", "; did you mean `stop-bits`?");
        check("rst", "; did you mean `rts`?");
        check("max_message", "; did you mean `max-message`?");
        for far in ["foo", "zzz", "speed", "no", ""] {
            check(far, "(known: port, no-wait, ");
        }
    }

    #[test]
    fn a_setting_excludes_only_while_it_is_on() {
        let on = |key: &str, value: Json| Map::from_iter([(key.to_owned(), value)]);
        assert!(excludes(&on("raw", true.into()), "text"));
        assert!(!excludes(&on("raw", false.into()), "text"));
        assert!(!excludes(&on("raw", true.into()), "raw"));
        assert!(excludes(&on("tls-key", "file".into()), "tls"));
        assert!(!excludes(&on("tls-key", "file".into()), "tls-cert"));
        assert!(!excludes(&on("verbose", 0.into()), "quiet"));
    }
}
