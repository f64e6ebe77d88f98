//! The release of a port to another program, as clients ask for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hub;

/// The time for which a port is leased: [`hub::Lease`] as clients write it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReleaseMessage {
    /// For so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// `connected`: as long as the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#while: Option<String>,
}

impl ReleaseMessage {
    /// The time where nothing else is said.
    const DEFAULT: Duration = Duration::from_secs(60);

    /// The longest time; a request for more is refused.
    const MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// Returns the lease that this asks for.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn lease(&self) -> Result<hub::Lease, String> {
        match (self.seconds, self.r#while.as_deref()) {
            (None, None) => Ok(hub::Lease::For(Self::DEFAULT)),
            (None, Some("connected")) => Ok(hub::Lease::WhileConnected),
            (Some(seconds), None) if seconds <= Self::MAX.as_secs_f64() => {
                let time = Duration::try_from_secs_f64(seconds);
                time.map(hub::Lease::For)
                    .map_err(|_| r#""seconds" must be a time such as 60"#.into())
            }
            _ => Err(format!(
                r#"release takes "seconds", at most {}, or "while":"connected""#,
                Self::MAX.as_secs()
            )),
        }
    }
}
