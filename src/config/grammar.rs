//! The grammar of a port, `[NAME=]SPEC[,SETTING…]`: where its parts begin and end. Pure. What the
//! parts mean is the business of `port`, of `device`, and of the settings themselves.
//!
//! The parts of one value are joined by a colon, never by a comma. Between quotes, a comma belongs
//! to the value.

use crate::port::is_name;
use crate::port::source::shell_words;
use crate::port::source::spec::QUOTES;

/// A port as it was typed, cut into its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TypedPort<'a> {
    /// The name before the first `=`.
    pub(super) name: Option<&'a str>,
    /// The device.
    pub(super) spec: &'a str,
    /// The settings, of which a switch has no value.
    pub(super) settings: Vec<(&'a str, Option<&'a str>)>,
}

/// Cuts a port into its parts.
///
/// # Errors
/// If a quote is opened and not closed.
pub(super) fn split(text: &str) -> Result<TypedPort<'_>, String> {
    let (name, rest) = match text.split_once('=') {
        Some((name, rest)) if is_name(name) => (Some(name), rest),
        _ => (None, text),
    };
    let mut parts = match shell_words::end(rest)? {
        Some(end) => at_commas_after(rest, end)?,
        None => at_commas(rest)?,
    }
    .into_iter();
    let spec = parts.next().unwrap_or_default();
    let settings = parts.map(|part| match part.split_once('=') {
        Some((key, value)) => (key, Some(unquoted(value))),
        None => (part, None),
    });
    Ok(TypedPort {
        name,
        spec,
        settings: settings.collect(),
    })
}

/// Cuts a text at its commas behind a command, which has quotes of its own and ends at `end`.
fn at_commas_after(text: &str, end: usize) -> Result<Vec<&str>, String> {
    let mut parts = vec![&text[..end]];
    if let Some(settings) = text[end..].strip_prefix(',') {
        parts.extend(at_commas(settings)?);
    }
    Ok(parts)
}

/// Cuts a text at its commas, except for those between quotes.
fn at_commas(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut open, mut last) = (None, None);
    for (at, character) in text.char_indices() {
        match open {
            Some(quote) if character == quote => open = None,
            Some(_) => {}
            None if character == ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            // One inside of a word is an apostrophe.
            None if QUOTES.contains(&character) && !last.is_some_and(char::is_alphanumeric) => {
                open = Some(character);
            }
            None => {}
        }
        last = Some(character);
    }
    if let Some(quote) = open {
        return Err(format!("a quote {quote} is opened and not closed"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Returns the value of a setting without the quotes around it.
fn unquoted(value: &str) -> &str {
    let mut quotes = QUOTES.into_iter();
    let inside = quotes.find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    inside.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: Option<&str>, spec: &str, settings: &[(&str, Option<&str>)]) {
        let settings = settings.to_vec();
        let expected = TypedPort {
            name,
            spec,
            settings,
        };
        assert_eq!(split(text), Ok(expected));
    }

    #[test]
    fn a_port_has_a_name_a_spec_and_settings() {
        check("sim", None, "sim", &[]);
        check("a=sim", Some("a"), "sim", &[]);
        let settings = [("baud", Some("9600")), ("raw", None)];
        check("a=sim,baud=9600,raw", Some("a"), "sim", &settings);
        check("sim,", None, "sim", &[("", None)]);
        check("", None, "", &[]);
    }

    #[test]
    fn only_a_name_is_one() {
        check("/dev/a=b", None, "/dev/a=b", &[]);
        check("usb:1:2:a=b", None, "usb:1:2:a=b", &[]);
        check("=sim", None, "=sim", &[]);
        check("a b=sim", None, "a b=sim", &[]);
        check("a=b=c", Some("a"), "b=c", &[]);
        let settings = [("a", Some("b"))];
        check("usb:1:2,a=b", None, "usb:1:2", &settings);
    }

    #[test]
    fn a_comma_between_quotes_belongs_to_the_value() {
        check("usb:1:2:\"A,B\"", None, "usb:1:2:\"A,B\"", &[]);
        check("'/dev/a,b',raw", None, "'/dev/a,b'", &[("raw", None)]);
        let command = "exec:python3 -c 'print(1, 2)' --x=\"a,b\"";
        check(
            &format!("p={command},raw"),
            Some("p"),
            command,
            &[("raw", None)],
        );
        let settings = [("token", Some("a,b")), ("frame", Some("start:02:03"))];
        check(
            "sim,token=\"a,b\",frame=start:02:03",
            None,
            "sim",
            &settings,
        );
    }

    #[test]
    fn an_apostrophe_is_no_quote() {
        check("/dev/Ann's,raw", None, "/dev/Ann's", &[("raw", None)]);
    }

    #[test]
    fn a_quote_has_an_end() {
        let error = "a quote \" is opened and not closed".to_owned();
        assert_eq!(split("exec:sh -c \"a,b"), Err(error));
    }
}
