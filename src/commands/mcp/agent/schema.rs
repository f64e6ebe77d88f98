//! Checks the arguments of a tool by its schema, in words that say what would be right. Pure.

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::config::unknown_name;
use crate::terminal::shown;

/// Checks arguments.
///
/// # Errors
/// A sentence that names the first argument that is wrong.
pub(super) fn check(schema: &JsonObject, arguments: &JsonObject) -> Result<(), String> {
    let none = JsonObject::new();
    let known = schema.get("properties").and_then(Value::as_object);
    let known = known.unwrap_or(&none);
    for (name, value) in arguments {
        let Some(rule) = known.get(name) else {
            let names: Vec<_> = known.keys().map(String::as_str).collect();
            return Err(unknown_name("unknown argument", name, &names));
        };
        if !fits(rule, value) {
            let shown = shown(&value.to_string());
            return Err(format!("`{name}` is {shown}: expected {}", expected(rule)));
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    match required.find(|name| !arguments.contains_key(*name)) {
        Some(name) => Err(format!("the argument `{name}` is missing")),
        None => Ok(()),
    }
}

fn fits(rule: &Value, value: &Value) -> bool {
    let of_kind = match rule["type"].as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_u64().is_some(),
        Some("number") => value.is_number(),
        Some("array") => {
            let items = value.as_array();
            items.is_some_and(|items| items.iter().all(|item| fits(&rule["items"], item)))
        }
        _ => false,
    };
    let number = value.as_f64();
    let bound = |name: &str| rule[name].as_f64();
    let is_above = number.zip(bound("minimum")).is_none_or(|(n, min)| n >= min);
    let is_below = number.zip(bound("maximum")).is_none_or(|(n, max)| n <= max);
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let is_short = length
        .zip(bound("maxLength"))
        .is_none_or(|(n, max)| n <= max);
    let choices = rule["enum"].as_array();
    of_kind && is_above && is_below && is_short && choices.is_none_or(|all| all.contains(value))
}

/// Describes what fits.
fn expected(rule: &Value) -> String {
    if let Some(choices) = rule["enum"].as_array() {
        let choices: Vec<_> = choices.iter().map(Value::to_string).collect();
        return choices.join(" or ");
    }
    match (rule["type"].as_str(), &rule["minimum"], &rule["maximum"]) {
        (Some("boolean"), ..) => "true or false".to_owned(),
        (Some("integer"), min, Value::Null) => format!("a whole number from {min} on"),
        (Some("integer"), min, max) => format!("a whole number from {min} to {max}"),
        (Some("number"), min, max) => format!("a number from {min} to {max}"),
        (Some("array"), ..) => "a list of texts".to_owned(),
        _ => match rule["maxLength"].as_u64() {
            Some(max) => format!("a text of at most {max} characters"),
            None => "a text".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::mcp::agent::tools::Tool;

    #[track_caller]
    fn check(tool: Tool, arguments: &str, expected: &str) {
        let arguments = serde_json::from_str(arguments).unwrap();
        let checked = super::check(&tool.definition().input_schema, &arguments);
        assert_eq!(checked.err().unwrap_or_default(), expected);
    }

    #[test]
    fn a_wrong_argument_gets_a_sentence_that_says_what_is_right() {
        check(Tool::Read, r#"{"until":"^OK","timeout":0.5}"#, "");
        check(Tool::Ask, r#"{"text":"?","until":["text:OK"]}"#, "");
        for (tool, arguments, expected) in [
            (
                Tool::Read,
                r#"{"untl":"x"}"#,
                "unknown argument `untl`; did you mean `until`?",
            ),
            (
                Tool::Read,
                r#"{"timeout":"5s"}"#,
                "`timeout` is \"5s\": expected a number from 0 to 300",
            ),
            (
                Tool::Read,
                r#"{"history":-1}"#,
                "`history` is -1: expected a whole number from 0 to 10000",
            ),
            (
                Tool::Devices,
                r#"{"after":1.5}"#,
                "`after` is 1.5: expected a whole number from 0 on",
            ),
            (Tool::Ask, "{}", "the argument `text` is missing"),
            (
                Tool::Ask,
                r#"{"text":"?","until":"OK"}"#,
                "`until` is \"OK\": expected a list of texts",
            ),
            (
                Tool::Write,
                r#"{"text":7}"#,
                "`text` is 7: expected a text of at most 4096 characters",
            ),
            (
                Tool::Settings,
                r#"{"parity":"evn"}"#,
                r#"`parity` is "evn": expected "none" or "odd" or "even" or "mark" or "space""#,
            ),
            (
                Tool::Lock,
                r#"{"on":1}"#,
                "`on` is 1: expected true or false",
            ),
        ] {
            check(tool, arguments, expected);
        }
    }
}
