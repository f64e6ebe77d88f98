//! Checks the changes of settings that clients ask for, as json objects or as queries of HTTP.

use serde_json::{Map, Value};

use crate::config::unknown_name;
use crate::hub::SettingsChange;

/// A setting, the values that it can have, and the same in words.
type SettingRule = (&'static str, fn(&Value) -> bool, &'static str);

const MEMBERS: [SettingRule; 7] = [
    (
        "baud",
        is_rate,
        r#"a whole number such as 115200, or "auto""#,
    ),
    ("dataBits", |value| is_from(value, 5, 8), "5, 6, 7 or 8"),
    ("parity", is_parity, "none, odd, even, mark or space"),
    ("stopBits", |value| is_from(value, 1, 2), "1 or 2"),
    ("flowControl", is_flow_control, "none, software or hardware"),
    ("dtr", Value::is_boolean, "true or false"),
    ("rts", Value::is_boolean, "true or false"),
];

/// Members of a message beside its settings.
const OTHER_MEMBERS: [&str; 2] = ["type", "id"];

/// The parameter of a query that is for access.
const TOKEN: &str = "token";

/// Checks a json object that asks for a change. One that is not understood must not pass for done, so
/// an unknown member is an error.
///
/// # Errors
/// A sentence that says what would be right.
pub(super) fn check(object: &Map<String, Value>) -> Result<(), String> {
    let is_setting = |(name, _): &(&String, &Value)| !OTHER_MEMBERS.contains(&name.as_str());
    let mut count = 0;
    for (name, value) in object.iter().filter(is_setting) {
        let Some((_, fits, expected)) = MEMBERS.iter().find(|(known, ..)| known == name) else {
            return Err(unknown_name("unknown setting", name, &names()));
        };
        if value.is_null() {
            continue;
        }
        if !fits(value) {
            return Err(format!(r#""{name}" must be {expected}"#));
        }
        count += 1;
    }
    if count == 0 {
        let names = names().map(|name| format!(r#""{name}""#));
        return Err(format!(
            "settings takes one or more of {}",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Reads the change that a query asks for, such as `baud=115200&parity=even`.
///
/// # Errors
/// A sentence that says what would be right.
pub(super) fn from_query(query: &[(String, String)]) -> Result<SettingsChange, String> {
    let mut object = Map::new();
    for (name, text) in query.iter().filter(|(name, _)| name != TOKEN) {
        if OTHER_MEMBERS.contains(&&**name) {
            return Err(unknown_name("unknown setting", name, &names()));
        }
        // Words need no quotes.
        let value = serde_json::from_str(text).ok().filter(is_simple);
        let value = value.unwrap_or_else(|| Value::from(text.as_str()));
        if object.insert(name.clone(), value).is_some() {
            return Err(format!("`{name}` is set twice"));
        }
    }
    check(&object)?;
    serde_json::from_value(object.into()).map_err(|error| error.to_string())
}

fn names() -> [&'static str; 7] {
    MEMBERS.map(|(name, ..)| name)
}

fn is_simple(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}

fn is_rate(value: &Value) -> bool {
    is_from(value, 1, u32::MAX.into()) || value == "auto"
}

fn is_from(value: &Value, min: u64, max: u64) -> bool {
    value
        .as_u64()
        .is_some_and(|number| (min..=max).contains(&number))
}

fn is_parity(value: &Value) -> bool {
    serde_json::from_value::<crate::hub::Parity>(value.clone()).is_ok()
}

fn is_flow_control(value: &Value) -> bool {
    serde_json::from_value::<crate::hub::FlowControl>(value.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{FlowControl, Parity};

    #[track_caller]
    fn check_wrong(members: &str, reason: &str) {
        let object = format!(r#"{{"type":"settings","id":1,{members}}}"#);
        let object: Map<String, Value> = serde_json::from_str(&object).unwrap();
        let error = check(&object).unwrap_err();
        assert!(error.contains(reason), "{members}: {error}");
    }

    #[test]
    fn a_wrong_value_is_told_with_what_is_right() {
        let rate = r#""baud" must be a whole number such as 115200"#;
        for value in [
            "0",
            "-1",
            "9600.5",
            "4294967296",
            r#""9600""#,
            "true",
            "[]",
            "1e99",
        ] {
            check_wrong(&format!(r#""baud":{value}"#), rate);
        }
        for value in ["4", "9", "7.5", r#""8""#] {
            check_wrong(&format!(r#""dataBits":{value}"#), "must be 5, 6, 7 or 8");
        }
        for value in ["0", "3", "1.5"] {
            check_wrong(&format!(r#""stopBits":{value}"#), "must be 1 or 2");
        }
        for value in [r#""Even""#, "false", "0", r#""""#] {
            check_wrong(&format!(r#""parity":{value}"#), "must be none, odd, even,");
        }
        check_wrong(
            r#""flowControl":"rts""#,
            "must be none, software or hardware",
        );
        check_wrong(r#""dtr":1"#, "must be true or false");
        check_wrong(
            r#""baud":9600,"rts":"on""#,
            r#""rts" must be true or false"#,
        );
    }

    #[test]
    fn an_unknown_setting_is_no_change() {
        check_wrong(
            r#""baudRate":9600"#,
            "unknown setting `baudRate`; did you mean `baud`?",
        );
        check_wrong(
            r#""baud":9600,"colour":"red""#,
            "unknown setting `colour` (known: baud,",
        );
        check_wrong(r#""view":"raw""#, "unknown setting `view`");
    }

    #[test]
    fn a_change_of_nothing_is_an_error() {
        check_wrong(r#""baud":null"#, r#"takes one or more of "baud", "#);
        assert!(check(&Map::new()).is_err());
    }

    fn query(text: &str) -> Result<SettingsChange, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        from_query(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn a_query_has_the_same_settings() {
        let all =
            "baud=300&dataBits=7&parity=even&stopBits=2&flowControl=software&dtr=false&rts=true";
        let expected = SettingsChange {
            baud: Some(300.into()),
            data_bits: Some(7),
            parity: Some(Parity::Even),
            stop_bits: Some(2),
            flow_control: Some(FlowControl::Software),
            dtr: Some(false),
            rts: Some(true),
        };
        assert_eq!(query(all), Ok(expected));
        assert_eq!(query(&format!("token=x&{all}")), Ok(expected));
        for wrong in [
            "",
            "baud",
            "baud=",
            "baud=fast",
            "baud=9600.5",
            "baud=0",
            "parity=null",
            "dtr=on",
            "baud=1&baud=2",
            "id=1&baud=9600",
            "speed=9600",
        ] {
            assert!(query(wrong).is_err(), "{wrong}");
        }
    }
}
