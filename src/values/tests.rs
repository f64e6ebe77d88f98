//! The grammar against the table of `tests/values.jsonl`, and the laws that hold for any line.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// The table: each entry is a stream of lines, with the values that a person would read in each.
const TABLE: &str = include_str!("../../tests/values.jsonl");

/// Lines of which every one begins a stream.
const SEPARATE: Option<&Header> = None;

fn json_of(values: &LineValues) -> Json {
    if values.is_empty() {
        return Json::Null;
    }
    let mut text = Vec::new();
    values.write_json(&mut text);
    serde_json::from_slice(&text).unwrap()
}

/// The numbers of both as doubles, so that 7 and 7.0 are the same.
fn doubles(json: &Json) -> Json {
    match json {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(list) => list.iter().map(doubles).collect(),
        Json::Object(map) => {
            let pairs = map
                .iter()
                .map(|(name, value)| (name.clone(), doubles(value)));
            Json::Object(pairs.collect())
        }
        other => other.clone(),
    }
}

#[track_caller]
fn check(line: &str, expected: Json) {
    let found = json_of(&values(line.as_bytes(), SEPARATE));
    assert_eq!(doubles(&found), doubles(&expected), "{line:?}");
}

#[test]
fn every_line_of_the_table_has_the_values_that_a_person_would_read() {
    let mut count = 0;
    for entry in TABLE.lines() {
        let entry: Json = serde_json::from_str(entry).unwrap();
        let mut headers = HeaderTracker::default();
        let lines = entry["lines"].as_array().unwrap();
        let expected = entry["values"].as_array().unwrap();
        assert_eq!(lines.len(), expected.len(), "{}", entry["about"]);
        for (line, expected) in lines.iter().zip(expected) {
            let line = line.as_str().unwrap();
            headers.next(line.as_bytes());
            let header = headers.in_force().cloned();
            let found = json_of(&values(line.as_bytes(), header.as_deref()));
            assert_eq!(
                doubles(&found),
                doubles(expected),
                "{line:?} in {}",
                entry["about"]
            );
            count += 1;
        }
    }
    assert!(count >= 120, "the table has {count} lines");
}

#[test]
fn digits_are_kept_as_they_are_written() {
    let mut out = Vec::new();
    let line = b"a: 21.50 b: 0042 c: 1e3 d: 12345678901234567890.10";
    values(line, SEPARATE).write_json(&mut out);
    let expected = r#"{"a":21.50,"b":42,"c":1e3,"d":12345678901234567890.10}"#;
    assert_eq!(str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn a_degree_sign_of_another_encoding_is_a_unit() {
    let found = json_of(&values(b"Temp: 23.5\xb0C, Hum: 40%", SEPARATE));
    assert_eq!(found, json!({ "Temp": 23.5, "Hum": 40 }));
}

#[test]
fn an_expression_a_place_and_a_path_have_no_values() {
    check("a!=5", json!(null));
    check("x<=5", json!(null));
    check("main.c:12: error", json!(null));
    check("aa:bb:12", json!(null));
}

#[test]
fn a_line_is_bounded_whatever_is_in_it() {
    assert!(values(&b",".repeat(1 << 20), SEPARATE).is_empty());
    assert!(values(&b"1,".repeat(1 << 20), SEPARATE).is_empty());
    let pieces = [
        "1,",
        ",",
        "a:1 ",
        "a ( ",
        "(",
        "{",
        "[",
        "[1,",
        "{a:",
        ">",
        "> ",
        "ok ",
        "I (1) a: ",
        "[a] ",
        "\u{1b}[",
        "\"",
        "'",
        "5 ",
        "- ",
        "1e",
        "a=",
        "::",
        "/*",
        "1;2\t",
        "é",
        "a b c ",
        "<",
        "$1,",
    ];
    for piece in pieces {
        let line = piece.repeat(MAX_LINE_BYTES / piece.len());
        let mut headers = HeaderTracker::default();
        for _ in 0..2 {
            headers.next(line.as_bytes());
            let header = headers.in_force().cloned();
            let found = values(line.as_bytes(), header.as_deref());
            assert!(found.iter().len() <= MAX_VALUES, "{piece}");
        }
    }
}

/// Lines out of pieces that mean something to the grammar.
fn line() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "1",
        "23,9",
        "-2.5",
        "+ 12",
        "0042",
        ".5",
        "1e3",
        ",",
        ", ",
        ";",
        "\t",
        " ",
        ":",
        ": ",
        "=",
        "a",
        "temp",
        "Temp (C)",
        "nan",
        "12:30:05",
        "2025-10-31",
        "°C",
        "kg",
        "%",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "'",
        "<",
        ">",
        "|",
        "$",
        "/*",
        "*/",
        "§",
        "\u{1b}[32m",
        "\u{1b}[0m",
        "\0",
        "ok ",
        "I (12) a: ",
        "0x1F",
        "3F",
        "->",
        "\"a\":",
        "{\"a\":1",
        "é",
        "#",
        "-",
        "true",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

/// Returns true if the digits of `numbers` stand in `line` in this order.
fn stand_in(numbers: &LineValues, line: &str) -> bool {
    let mut rest = line.bytes().filter(u8::is_ascii_digit);
    numbers
        .iter()
        .filter_map(|value| value.number.as_ref())
        .all(|number| {
            // The zero that JSON asks for before a point need not stand in the line.
            let text = number.as_str().trim_start_matches('-');
            let text = text.strip_prefix("0.").unwrap_or(text);
            let mut digits = text.bytes().filter(u8::is_ascii_digit);
            digits.all(|digit| rest.any(|byte| byte == digit))
        })
}

proptest! {
    #[test]
    fn every_digit_of_the_values_stands_in_the_line_in_this_order(
        lines in prop::collection::vec(line(), 1..5),
    ) {
        let mut headers = HeaderTracker::default();
        for line in lines {
            headers.next(line.as_bytes());
            let header = headers.in_force().cloned();
            let found = values(line.as_bytes(), header.as_deref());
            prop_assert!(stand_in(&found, &line), "{:?} in {line:?}", found);
        }
    }

    #[test]
    fn values_are_valid_json_with_all_names_or_none(line in line()) {
        let found = values(line.as_bytes(), SEPARATE);
        let names = found.iter().filter(|value| value.name.is_some()).count();
        prop_assert!(names == 0 || names == found.iter().len());
        let json = json_of(&found);
        prop_assert!(json.is_null() || json.is_object() || json.is_array());
        let count = json.as_object().map(|map| map.len()).or(json.as_array().map(Vec::len));
        prop_assert_eq!(count.unwrap_or(0), found.iter().len());
    }

    #[test]
    fn no_bytes_are_too_much_for_the_grammar(
        lines in prop::collection::vec(any::<Vec<u8>>(), 1..4),
    ) {
        let mut headers = HeaderTracker::default();
        for line in lines {
            let header = {
                headers.next(&line);
                headers.in_force().cloned()
            };
            json_of(&values(&line, header.as_deref()));
        }
    }
}
