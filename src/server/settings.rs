//! The changes of settings that clients ask for.

use serde_json::Value;

use super::change_rules::ChangeRules;

/// The members that they may have.
pub(super) const RULES: ChangeRules = ChangeRules {
    kind: "settings",
    member: "setting",
    members: &[
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
    ],
};

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
    use serde_json::Map;

    use super::*;
    use crate::hub::{FlowControl, Parity, SettingsChange};

    #[track_caller]
    fn check_wrong(members: &str, reason: &str) {
        let object = format!(r#"{{"type":"settings","id":1,{members}}}"#);
        let object: Map<String, Value> = serde_json::from_str(&object).unwrap();
        let error = RULES.check(&object).unwrap_err();
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
        assert!(RULES.check(&Map::new()).is_err());
    }

    fn query(text: &str) -> Result<SettingsChange, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        RULES.read_query(&pairs.collect::<Vec<_>>())
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
