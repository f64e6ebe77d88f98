//! Reasons for which `serial-ws connect` ends before its time. Each has an exit code, for scripts.

use std::fmt;
use std::process::ExitCode;

use crate::hub::ErrorCode;

/// A reason to end that programs can tell from others.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The time was over before that for which it was waited.
    Timeout(String),
    /// serial-ws or the connection to it has gone.
    Gone(String),
    /// serial-ws refuses a request, for this reason.
    Refused(
        #[cfg_attr(
            not(feature = "mcp"),
            expect(dead_code, reason = "only agents are told by the code")
        )]
        ErrorCode,
        String,
    ),
}

impl Failure {
    /// Returns the exit code of an error.
    pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
        match error.downcast_ref() {
            Some(Self::Timeout(_)) => ExitCode::from(3),
            Some(Self::Gone(_)) => ExitCode::from(4),
            Some(Self::Refused(..)) | None => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(text) | Self::Gone(text) | Self::Refused(_, text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
