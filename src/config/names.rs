//! The keys of settings: which there are, what they are by default, which exclude each other, and
//! which one was probably meant by one that does not exist.

use std::sync::LazyLock;

use clap::{Args, Command, CommandFactory};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::port::PortTable;
use crate::cli::{Cli, Settings};
use crate::terminal::{shown, shown_json};

/// Settings by their keys, each with the value that a file would have.
pub(super) type Values = serde_json::Map<String, Json>;

/// All settings with their defaults, in the order of the help; null where there is none.
pub(super) static DEFAULTS: LazyLock<Values> = LazyLock::new(defaults::<Settings>);

/// The settings of one port, likewise.
pub(super) static PORT_DEFAULTS: LazyLock<Values> = LazyLock::new(defaults::<PortTable>);

/// Flags that are no settings: two that find the file, and two that end the program.
pub(super) const ONLY_FLAGS: [&str; 4] = ["config", "profile", "help", "version"];

/// Settings that cannot be combined.
const CONFLICTS: [(&str, &str); 7] = [
    ("lines", "raw"),
    ("lines", "text"),
    ("raw", "text"),
    ("verbose", "quiet"),
    ("lan-token", "token"),
    ("tls", "tls-cert"),
    ("tls", "tls-key"),
];

/// Returns the definitions of all flags, without their environment variables.
pub(super) fn without_variables() -> Command {
    Cli::command().mut_args(|flag| flag.env(None::<&str>))
}

fn defaults<T: Args + Serialize>() -> Values {
    let command = T::augment_args(Command::new("defaults").no_binary_name(true));
    let command = command.mut_args(|flag| flag.env(None::<&str>));
    let matches = command.get_matches_from([] as [&str; 0]);
    let defaults = T::from_arg_matches(&matches);
    values(&defaults.expect("every flag has a default or is optional"))
}

/// Returns the values of typed settings.
pub(super) fn values(settings: &impl Serialize) -> Values {
    match serde_json::to_value(settings) {
        Ok(Json::Object(values)) => values,
        _ => Values::new(),
    }
}

/// Returns typed settings. They are right, since each value was read on its own before.
pub(super) fn typed<T: DeserializeOwned>(values: Values) -> Result<T, String> {
    serde_json::from_value(values.into()).map_err(|error| error.to_string())
}

/// Reads a value, or one item of a list, and returns it as it is shown. The key is one of
/// `defaults`, which are those of `T`.
pub(super) fn read<T>(defaults: &Values, key: &str, value: &Json) -> Result<Json, String>
where
    T: DeserializeOwned + Serialize,
{
    let is_list = is_list(defaults, key);
    let given = if is_list {
        json!([value])
    } else {
        value.clone()
    };
    let mut all = defaults.clone();
    all.insert(key.to_owned(), given);
    let typed: T = typed(all).map_err(|why| {
        let value = shown_json(&value.to_string());
        format!("`{key}` cannot be {value}: {why}")
    })?;
    let mut read = values(&typed).remove(key).unwrap_or_default();
    Ok(if is_list { read[0].take() } else { read })
}

/// Tells whether a setting takes several values.
pub(super) fn is_list(defaults: &Values, key: &str) -> bool {
    defaults.get(key).is_some_and(Json::is_array)
}

/// Tells whether `upper` sets `key`, or something that excludes it, so that the value of a lower
/// layer does not count.
pub(super) fn hides(upper: &Values, key: &str) -> bool {
    let mut conflicts = CONFLICTS.iter();
    let excludes = conflicts
        .any(|(a, b)| (key == *a && is_on(upper.get(*b))) || (key == *b && is_on(upper.get(*a))));
    excludes || upper.contains_key(key)
}

/// Finds two settings that cannot be combined.
pub(super) fn conflict(set: &Values) -> Option<(&'static str, &'static str)> {
    let mut conflicts = CONFLICTS.into_iter();
    conflicts.find(|(a, b)| is_on(set.get(*a)) && is_on(set.get(*b)))
}

fn is_on(value: Option<&Json>) -> bool {
    !value.is_none_or(|value| [json!(null), json!(false), json!(0)].contains(value))
}

/// Says that there is no such name, and which one may have been meant, or which there are.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let advice = match nearest(name, known.iter().copied()) {
        Some(best) => format!("; did you mean `{best}`?"),
        None if known.is_empty() => String::new(),
        None => format!(" (known: {})", known.join(", ")),
    };
    format!("{what} `{}`{advice}", shown(name))
}

/// Returns the name of which another one is most likely a slip, if there is one.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.filter(|other| is_near(name, other));
    near.max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)))
}

/// Tells whether a name may be a slip of another: few letters differ, or one begins the other.
fn is_near(name: &str, other: &str) -> bool {
    let name = &*name.to_lowercase();
    let slips = strsim::damerau_levenshtein(name, other);
    let is_part = name.len() > 2 && (name.starts_with(other) || other.starts_with(name));
    is_part || slips <= name.len().div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, advice: &str) {
        let known: Vec<_> = DEFAULTS.keys().map(String::as_str).collect();
        let text = unknown("unknown setting", name, &known);
        assert!(text.contains(advice), "{text}");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        check("baudrate", "; did you mean `baud`?");
        check("stopbits", "; did you mean `stop-bits`?");
        check("rst", "; did you mean `rts`?");
        check("BAUD", "; did you mean `baud`?");
        check("max_message", "; did you mean `max-message`?");
        for far in ["foo", "zzz", "speed", "no", ""] {
            check(far, "(known: port, no-wait, ");
        }
    }

    #[test]
    fn a_setting_excludes_only_while_it_is_on() {
        let on = |key: &str, value: Json| Values::from_iter([(key.to_owned(), value)]);
        assert!(hides(&on("raw", true.into()), "text"));
        assert!(!hides(&on("raw", false.into()), "text"));
        assert!(hides(&on("raw", false.into()), "raw"));
        assert!(hides(&on("tls-key", "file".into()), "tls"));
        assert!(!hides(&on("tls-key", "file".into()), "tls-cert"));
        assert!(!hides(&on("verbose", 0.into()), "quiet"));
    }
}
