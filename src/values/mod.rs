//! The numbers in lines, with their names: one grammar for the plot, for CSV and for programs.
//! PROTOCOL.md describes it. Pure.
//!
//! A line's values depend on its text and on the header that was in force when it was cut; a
//! [`HeaderTracker`] settles that once, for all who will ask. Where the meaning of a line is
//! uncertain it has no values: no plot is better than a wrong one.

mod boot_log;
mod clean;
mod commas;
mod container;
mod decimal;
mod fields;
mod header;
mod labels;
mod lexemes;
mod line_class;
mod prefix;
mod teleplot;
mod time;
mod units;
mod wrapper;

use std::collections::HashSet;

pub use decimal::Decimal;
pub use header::{Header, HeaderTracker, LineHeaders};

use commas::Comma;
use fields::Field;
use lexemes::LexemeKind;

/// Bytes of a line that may have values. A longer one has none.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// Values of one line. Further ones are left out.
pub const MAX_VALUES: usize = 1024;

/// Characters of a label or of a name in a header; a longer one is a sentence.
const MAX_NAME_CHARS: usize = 40;

/// Prefixes and brackets around brackets. A line with more has no values.
const MAX_WRAPPERS: usize = 3;

/// The values of a line: either all of them have names, or none has.
#[derive(Debug, Default, PartialEq)]
pub struct LineValues {
    list: Vec<Value>,
    names: HashSet<Box<str>>,
}

/// One value.
#[derive(Debug, PartialEq)]
pub struct Value {
    /// Its name, if the line or a header gives it one.
    pub name: Option<Box<str>>,
    /// The number; None where it is missing, as "nan" is.
    pub number: Option<Decimal>,
}

/// Returns the values of a line with the header that was in force when it was cut.
pub fn values(line: &[u8], header: Option<&Header>) -> LineValues {
    if line.len() > MAX_LINE_BYTES {
        return LineValues::default();
    }
    let text = clean::visible_text(line);
    let named = header.and_then(|header| header.values(&text));
    named.unwrap_or_else(|| read(text.trim(), 0))
}

/// Returns the values of a line's visible text, which no header names, or of what stands inside so
/// many wrappers.
fn read(text: &str, depth: usize) -> LineValues {
    if text.is_empty() || depth > MAX_WRAPPERS || boot_log::is_boot_log(text) {
        return LineValues::default();
    }
    if let Some(values) = container::read(text) {
        return values;
    }
    if let Some(values) = wrapper::read_wrapped(text, depth + 1) {
        return values;
    }
    prefix::read_after(text, depth + 1).unwrap_or_else(|| read_plain(text))
}

/// Returns the values of a text with nothing around it.
fn read_plain(text: &str) -> LineValues {
    let (lexemes, comma) = commas::read(text);
    read_lexemes(text, &lexemes, comma)
}

fn read_lexemes(text: &str, lexemes: &[lexemes::Lexeme<'_>], comma: Comma) -> LineValues {
    let is_labelled = lexemes.iter().any(|lexeme| lexeme.kind == LexemeKind::Sign);
    if is_labelled {
        labels::labelled(text, lexemes, comma)
    } else {
        fields::unlabelled(text, lexemes, comma)
    }
}

impl LineValues {
    /// Returns true for a line without values.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The values in the order of the line.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.list.iter()
    }

    /// Appends the values as JSON: an object if they have names, otherwise an array.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let is_named = self.list.iter().any(|value| value.name.is_some());
        out.push(if is_named { b'{' } else { b'[' });
        for (index, value) in self.list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if let Some(name) = &value.name {
                // Writing to a Vec cannot fail.
                let _ = serde_json::to_writer(&mut *out, name);
                out.push(b':');
            }
            let number = value.number.as_ref().map_or("null", Decimal::as_str);
            out.extend_from_slice(number.as_bytes());
        }
        out.push(if is_named { b'}' } else { b']' });
    }

    /// Appends a value, unless there is one with its name already or there are too many.
    fn push(&mut self, name: Option<&str>, number: Option<Decimal>) {
        let is_new = |name: &str| !name.is_empty() && self.names.insert(name.into());
        if self.list.len() < MAX_VALUES && name.is_none_or(is_new) {
            let name = name.map(Into::into);
            self.list.push(Value { name, number });
        }
    }

    /// Appends the numbers of one label: one has its name, several have numbers after it.
    fn push_list(&mut self, name: &str, numbers: impl IntoIterator<Item = Option<Decimal>>) {
        let mut numbers = numbers.into_iter().take(MAX_VALUES).peekable();
        let Some(first) = numbers.next() else {
            return;
        };
        if numbers.peek().is_none() {
            return self.push(Some(name), first);
        }
        for (index, number) in std::iter::once(first).chain(numbers).enumerate() {
            self.push(Some(&format!("{name} {}", index + 1)), number);
        }
    }

    /// Appends columns without names. A column that is no number holds its place if one follows.
    fn push_columns(&mut self, fields: &[Field<'_>]) {
        let is_number = |field: &Field<'_>| matches!(field, Field::Number(..));
        let end = fields
            .iter()
            .rposition(is_number)
            .map_or(0, |last| last + 1);
        self.push_columns_of(fields[..end].iter());
    }

    fn push_columns_of<'a>(&mut self, fields: impl Iterator<Item = &'a Field<'a>>) {
        for field in fields {
            let number = match field {
                Field::Number(number, _) => number.clone(),
                _ => None,
            };
            self.push(None, number);
        }
    }

    /// Gives unnamed values the name of what they belong to.
    fn named(self, name: &str) -> Self {
        let mut named = Self::default();
        if self.list.iter().any(|value| value.name.is_some()) {
            return self;
        }
        named.push_list(name, self.list.into_iter().map(|value| value.number));
        named
    }
}

#[cfg(test)]
mod tests;
