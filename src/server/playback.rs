//! The changes of playing a recording that clients ask for.

use serde_json::Value;

use super::change_rules::ChangeRules;
use crate::hub::PlaybackSpeed;

/// The members that they may have.
pub(super) const RULES: ChangeRules = ChangeRules {
    kind: "playback",
    member: "member of playback",
    members: &[
        ("pause", Value::is_boolean, "true or false"),
        ("seek", is_place, "a time in seconds such as 90"),
        (
            "speed",
            is_speed,
            r#"a number from 0.01 to 1000 such as 2, or "max""#,
        ),
    ],
};

fn is_place(value: &Value) -> bool {
    value.as_f64().is_some_and(|seconds| seconds >= 0.0)
}

fn is_speed(value: &Value) -> bool {
    serde_json::from_value::<PlaybackSpeed>(value.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::hub::PlaybackChange;

    #[track_caller]
    fn check(members: &str, reason: &str) {
        let object = format!(r#"{{"type":"playback","id":1,{members}}}"#);
        let object: Map<String, Value> = serde_json::from_str(&object).unwrap();
        let error = RULES.check(&object).unwrap_err();
        assert!(error.contains(reason), "{members}: {error}");
    }

    #[test]
    fn a_wrong_member_is_told_with_what_is_right() {
        check(r#""pause":1"#, r#""pause" must be true or false"#);
        check(r#""seek":-1"#, r#""seek" must be a time in seconds"#);
        check(r#""seek":"90s""#, r#""seek" must be a time in seconds"#);
        let speed = r#""speed" must be a number from 0.01 to 1000 such as 2, or "max""#;
        for wrong in ["0", "-1", "1001", r#""fast""#, "true", "[2]"] {
            check(&format!(r#""speed":{wrong}"#), speed);
        }
        check(r#""sped":2"#, "`sped`; did you mean `speed`?");
        check(r#""pause":null"#, r#"one or more of "pause", "seek", "#);
    }

    #[test]
    fn a_query_has_the_same_members() {
        let query = [("pause", "true"), ("seek", "90.5"), ("speed", "max")];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = PlaybackChange {
            pause: Some(true),
            seek: Some(90.5),
            speed: Some(PlaybackSpeed::Max),
        };
        assert_eq!(RULES.read_query(&query), Ok(expected));
        assert!(RULES.read_query::<PlaybackChange>(&[]).is_err());
    }
}
