//! Checks what clients ask to be changed, as json objects or as queries of HTTP. A change that is not
//! understood must not pass for done, so an unknown member is an error.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::unknown_name;

/// Members of a message beside what it changes.
const OTHER_MEMBERS: [&str; 2] = ["type", "id"];

/// The parameter of a query that is for access.
const TOKEN: &str = "token";

/// A member, the values that it can have, and the same in words.
pub(super) type MemberRule = (&'static str, fn(&Value) -> bool, &'static str);

/// The members of one kind of change.
pub(super) struct ChangeRules {
    /// The type of the message.
    pub(super) kind: &'static str,
    /// The word for one of its members.
    pub(super) member: &'static str,
    /// The members, of which a change has one or more.
    pub(super) members: &'static [MemberRule],
}

impl ChangeRules {
    /// Checks a json object that asks for a change.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(super) fn check(&self, object: &Map<String, Value>) -> Result<(), String> {
        let is_change = |(name, _): &(&String, &Value)| !OTHER_MEMBERS.contains(&name.as_str());
        let mut count = 0;
        for (name, value) in object.iter().filter(is_change) {
            let mut members = self.members.iter();
            let Some((_, fits, expected)) = members.find(|(known, ..)| known == name) else {
                return Err(self.unknown(name));
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
            let names = self.names().into_iter().map(|name| format!(r#""{name}""#));
            return Err(format!(
                "{} takes one or more of {}",
                self.kind,
                names.collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(())
    }

    /// Reads the change that a query asks for, such as `baud=115200&parity=even`.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(super) fn read_query<T: DeserializeOwned>(
        &self,
        query: &[(String, String)],
    ) -> Result<T, String> {
        let mut object = Map::new();
        for (name, text) in query.iter().filter(|(name, _)| name != TOKEN) {
            if OTHER_MEMBERS.contains(&&**name) {
                return Err(self.unknown(name));
            }
            // Words need no quotes.
            let value = serde_json::from_str(text).ok().filter(is_simple);
            let value = value.unwrap_or_else(|| Value::from(text.as_str()));
            if object.insert(name.clone(), value).is_some() {
                return Err(format!("`{name}` is set twice"));
            }
        }
        self.check(&object)?;
        serde_json::from_value(object.into()).map_err(|error| error.to_string())
    }

    fn unknown(&self, name: &str) -> String {
        unknown_name(&format!("unknown {}", self.member), name, &self.names())
    }

    fn names(&self) -> Vec<&'static str> {
        self.members.iter().map(|(name, ..)| *name).collect()
    }
}

fn is_simple(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}
