//! The numbers in lines, with their names: `view=values`, and `&values` in json.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair};

/// Streams of lines, with the values that a person would read in each. The same table is used by
/// the unit tests of the grammar, and by those of the built-in page.
const TABLE: &str = include_str!("values.jsonl");

/// A line that ends whatever header was in force, and names nothing.
const END_OF_STREAM: &str = "0";

#[tokio::test]
async fn clients_get_the_values_that_a_person_would_read() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut values = bridge.client("/?view=values").await;
    let mut json = bridge.client("/?view=json&values").await;
    json.json_of("hello").await;
    for entry in TABLE.lines() {
        let entry: Value = serde_json::from_str(entry).unwrap();
        let lines = entry["lines"].as_array().unwrap().iter();
        let lines: Vec<_> = lines.map(|line| line.as_str().unwrap()).collect();
        let text = lines.join("\n") + "\n" + END_OF_STREAM + "\n";
        pair.device.write(text).await;
        for (line, expected) in lines.iter().zip(entry["values"].as_array().unwrap()) {
            let object = json.json_of("line").await;
            assert_eq!(object["text"], *line);
            assert_eq!(doubles(&object["values"]), doubles(expected), "{line:?}");
            if !expected.is_null() {
                let message = serde_json::from_str(&values.text().await).unwrap();
                assert_eq!(doubles(&message), doubles(expected), "{line:?}");
            }
        }
        assert_eq!(json.json_of("line").await["values"], json!([0]));
        assert_eq!(values.text().await, "[0]");
    }
}

#[tokio::test]
async fn names_and_values_are_the_same_for_those_who_join_late_or_come_back() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut early = bridge.client("/?view=json&values").await;
    let run = early.json_of("hello").await["run"]
        .as_str()
        .unwrap()
        .to_owned();
    // In pieces, so that the header and its first row come apart.
    for piece in ["temp,h", "um\n2", "1.5,40\n22", ".0,41\nlog\n23,42\n"] {
        pair.device.write(piece).await;
    }
    let mut objects = Vec::new();
    for _ in 0..5 {
        objects.push(early.json_of("line").await);
    }
    let named = json!({ "temp": 22.0, "hum": 41 });
    assert_eq!(objects[2]["values"], named);
    assert_eq!(objects[3].get("values"), None);
    let mut late = bridge.client("/?view=json&values&history=3").await;
    late.json_of("hello").await;
    for object in &objects[2..] {
        assert_eq!(late.json_of("line").await, *object);
    }
    let since = format!("/?view=json&values&since={run}:{}", objects[1]["seq"]);
    let mut back = bridge.client(&since).await;
    back.json_of("hello").await;
    for object in &objects[2..] {
        assert_eq!(back.json_of("line").await, *object);
    }
}

#[tokio::test]
async fn history_of_values_counts_lines_that_have_some() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    pair.device.write("t:1\nt:2\nlog\n\nmore log\n").await;
    seen(&bridge, "more log").await;
    let mut one = bridge.client("/?view=values&history=1").await;
    let mut two = bridge.client("/?view=values&history=2").await;
    let mut all = bridge.client("/?view=values&history=1000").await;
    pair.device.write("t:3\n").await;
    check(&mut one, &[r#"{"t":2}"#, r#"{"t":3}"#]).await;
    check(&mut two, &[r#"{"t":1}"#, r#"{"t":2}"#, r#"{"t":3}"#]).await;
    check(&mut all, &[r#"{"t":1}"#, r#"{"t":2}"#, r#"{"t":3}"#]).await;
}

#[tokio::test]
async fn the_newest_values_are_not_displaced_by_lines_without_any() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut newest = bridge.client("/?view=values&latest=1000").await;
    pair.device.write("t:1\nlog\n").await;
    check(&mut newest, &[r#"{"t":1}"#]).await;
    pair.device.write("log\nt:2\nlog\n").await;
    check(&mut newest, &[r#"{"t":2}"#]).await;
}

#[tokio::test]
async fn a_part_of_a_line_has_no_values() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-line", "16"]).await;
    let mut values = bridge.client("/?view=values").await;
    let mut json = bridge.client("/?view=json&values").await;
    json.json_of("hello").await;
    pair.device.write("1234567890,1234567890\n7\n").await;
    for _ in 0..2 {
        let piece = json.json_of("line").await;
        assert_eq!(piece["partial"], true);
        assert_eq!(piece.get("values"), None);
    }
    check(&mut values, &["[7]"]).await;
}

#[tokio::test]
async fn values_can_be_asked_for_by_subprotocol_and_not_with_chunks() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut values = bridge.client_as("/", "serial-ws.values").await;
    pair.device.write("512,3,0\n").await;
    check(&mut values, &["[512,3,0]"]).await;
    for (query, part) in [
        ("/?view=json&data=chunks&values", "values needs data=lines"),
        ("/?values", "values needs view=json"),
        ("/?view=json&values=x", "values takes no value"),
    ] {
        let (code, reason) = bridge.client(query).await.closed().await;
        assert_eq!(code, 4400);
        assert!(reason.contains(part), "{reason}");
    }
}

#[tokio::test]
async fn what_a_client_writes_by_the_values_view_reaches_the_device() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=values&append=lf").await;
    client.send("LED ON").await;
    pair.device.expect("LED ON\n").await;
}

/// Waits until the program has read this line.
async fn seen(bridge: &Bridge, line: &str) {
    let mut client = bridge.client("/?history=1000").await;
    while client.text().await != line {}
}

async fn check(client: &mut Client, expected: &[&str]) {
    for expected in expected {
        assert_eq!(client.text().await, *expected);
    }
}

/// The numbers of both as doubles, so that 7 and 7.0 are the same.
fn doubles(json: &Value) -> Value {
    match json {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(doubles).collect(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(name, value)| (name.clone(), doubles(value)));
            Value::Object(pairs.collect())
        }
        other => other.clone(),
    }
}
