//! Lines for Teleplot: `>name:value`, `>name:time:value|g`, `>name:value§unit`.

use super::LineValues;
use super::decimal::{Decimal, DecimalMark, scan};

/// Returns the value of a Teleplot line after its `>`; None for a line that is none of its.
///
/// The form is `name[,widget]:[ms:]value[;[ms:]value…][§unit][|flags]`. Of several values the last
/// one counts. Text (`t`), points (`xy`), commands (`clr`) and what is not to be plotted (`np`) have
/// no value.
pub(super) fn read(line: &str) -> Option<LineValues> {
    let (name, rest) = line.split_once(':')?;
    let name = name.split(',').next().unwrap_or_default();
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let (rest, flags) = rest.split_once('|').unwrap_or((rest, ""));
    let (samples, _unit) = rest.split_once('§').unwrap_or((rest, ""));
    if !is_name || name.contains(['(', '=', ' ']) || samples.starts_with(' ') {
        return None;
    }
    let mut values = LineValues::default();
    let is_plain = flags.split(',').all(|flag| matches!(flag.trim(), "" | "g"));
    let numbers: Option<Vec<_>> = samples
        .trim_end_matches(';')
        .split(';')
        .map(sample)
        .collect();
    if let Some(last) = numbers
        .filter(|_| is_plain)
        .and_then(|mut numbers| numbers.pop())
    {
        values.push(Some(name), last);
    }
    Some(values)
}

/// Returns the number of a sample, which may have its time in milliseconds before it.
fn sample(sample: &str) -> Option<Option<Decimal>> {
    let value = match sample.split_once(':') {
        Some((time, value)) => {
            whole(time)?;
            value
        }
        None => sample,
    };
    if value.eq_ignore_ascii_case("nan") {
        return Some(None);
    }
    whole(value)
}

/// Returns the number that is all of `text`.
fn whole(text: &str) -> Option<Option<Decimal>> {
    let text = text.trim();
    let scanned = scan(text, DecimalMark::Point)?;
    (scanned.len == text.len()).then_some(scanned.number)
}
