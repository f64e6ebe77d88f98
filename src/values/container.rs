//! JSON, and what Python prints for lists, tuples and dictionaries: numbers between brackets.
//!
//! The reader is lenient, since sketches put such lines together by hand: keys may have no quotes,
//! and a comma may follow the last item. The digits are kept as they are, which a JSON parser would
//! not do.

use super::decimal::Decimal;
use super::fields::{self, Field};
use super::{LineValues, MAX_VALUES};

/// Brackets inside brackets. A line with more has no values.
const MAX_DEPTH: usize = 8;

/// Bytes of a name with the names of what it is in, as `a.b.c`. A line with a longer one has no
/// values.
const MAX_PATH_BYTES: usize = 200;

/// The key in which PlotJuggler takes the time of an object; it is no value.
const TIME_KEY: &str = "timestamp";

/// Returns the values in brackets: those that the whole line is in, or an object after other text.
/// None where there is nothing of that kind.
pub(super) fn read(text: &str) -> Option<LineValues> {
    let is_whole = text.starts_with(['{', '[', '(']);
    let start = if is_whole { 0 } else { text.find('{')? };
    let mut reader = Reader::new(&text[start..]);
    reader.value("", 0)?;
    reader.skip_blanks();
    let rest = reader.rest();
    let has_rest = !rest.is_empty() && rest != "," && rest != ";";
    if !reader.has_keys && (has_rest || !is_whole) {
        return None;
    }
    Some(reader.into_values())
}

/// Reads one value and everything in it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Found>,
    /// True if an object has been seen, so that everything has a name.
    has_keys: bool,
}

/// A number with the names of what it is in.
struct Found {
    path: String,
    /// None for something else, which holds the place of an item.
    number: Option<Option<Decimal>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            found: Vec::new(),
            has_keys: false,
        }
    }

    /// Returns what was found. Without keys, numbers have no names, and what is no number holds its
    /// place; a list that begins with something else is no list of values.
    fn into_values(self) -> LineValues {
        let mut values = LineValues::default();
        let is_number = |found: &Found| found.number.is_some();
        if self.has_keys {
            let has_others = self
                .found
                .iter()
                .any(|it| is_number(it) && it.path != TIME_KEY);
            for Found { path, number } in self.found {
                if let Some(number) = number
                    && !(has_others && path == TIME_KEY)
                {
                    values.push(Some(&path), number);
                }
            }
        } else if self.found.first().is_some_and(is_number) {
            let end = self
                .found
                .iter()
                .rposition(is_number)
                .map_or(0, |last| last + 1);
            for found in self.found.into_iter().take(end) {
                values.push(None, found.number.flatten());
            }
        }
        values
    }

    /// Reads a value of any kind; None where the brackets do not fit.
    fn value(&mut self, path: &str, depth: usize) -> Option<()> {
        self.skip_blanks();
        match self.rest().chars().next()? {
            _ if depth > MAX_DEPTH || path.len() > MAX_PATH_BYTES => return None,
            '{' if self.is_object() => self.object(path, depth)?,
            open @ ('{' | '[' | '(') => self.list(open, path, depth)?,
            quote @ ('"' | '\'') => {
                let text = self.quoted(quote)?;
                self.push(path, scalar(text));
            }
            _ => {
                let text = self.bare()?;
                self.push(path, scalar(text));
            }
        }
        Some(())
    }

    /// Returns true if a key follows the bracket, so that this is no set of numbers.
    fn is_object(&self) -> bool {
        let inside = self.rest()[1..].trim_start();
        let end = inside.find([':', ',', '{', '[', '(', '}']);
        inside.starts_with('}') || end.is_some_and(|end| inside[end..].starts_with(':'))
    }

    fn object(&mut self, path: &str, depth: usize) -> Option<()> {
        self.has_keys = true;
        self.at += 1;
        loop {
            self.skip_blanks();
            if self.take('}') {
                return Some(());
            }
            let key = self.key()?;
            self.skip_blanks();
            if !self.take(':') {
                return None;
            }
            let path = match path {
                "" => key,
                path => format!("{path}.{key}"),
            };
            self.value(&path, depth + 1)?;
            self.skip_blanks();
            if !self.take(',') && !self.rest().starts_with('}') {
                return None;
            }
        }
    }

    fn list(&mut self, open: char, path: &str, depth: usize) -> Option<()> {
        let close = match open {
            '{' => '}',
            '[' => ']',
            _ => ')',
        };
        self.at += 1;
        for index in 1.. {
            self.skip_blanks();
            if self.take(close) {
                break;
            }
            let path = match path {
                "" => index.to_string(),
                path => format!("{path} {index}"),
            };
            self.value(&path, depth + 1)?;
            self.skip_blanks();
            if !self.take(',') && !self.rest().starts_with(close) {
                return None;
            }
        }
        Some(())
    }

    fn key(&mut self) -> Option<String> {
        if let Some(quote) = self
            .rest()
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))
        {
            let start = self.at;
            let inside = self.quoted(quote)?;
            let quoted = &self.text[start..self.at];
            return Some(serde_json::from_str(quoted).unwrap_or_else(|_| inside.to_owned()));
        }
        let end = self.rest().find([':', ',', '}', '"', '{', '['])?;
        let key = self.rest()[..end].trim_end().to_owned();
        self.at += end;
        (!key.is_empty()).then_some(key)
    }

    /// Returns what stands between quotes.
    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        let start = self.at + 1;
        let mut is_escaped = false;
        let end = self.text[start..].find(|c: char| {
            let ends = c == quote && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        self.at = start + end + 1;
        Some(&self.text[start..start + end])
    }

    /// Returns a word or a number without quotes.
    fn bare(&mut self) -> Option<&'a str> {
        let end = self
            .rest()
            .find([',', ']', '}', ')', '"', '{', '[', '(', ':'])?;
        let text = self.rest()[..end].trim_end();
        self.at += end;
        (!text.is_empty()).then_some(text)
    }

    fn push(&mut self, path: &str, number: Option<Option<Decimal>>) {
        if self.found.len() < MAX_VALUES {
            let path = path.to_owned();
            self.found.push(Found { path, number });
        }
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.rest().starts_with(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
}

/// Returns the number that a scalar is, with or without its unit; None for anything else.
fn scalar(text: &str) -> Option<Option<Decimal>> {
    match fields::classify(text, fields::mark_alone(text)) {
        Field::Number(number, _) => Some(number),
        _ => None,
    }
}
