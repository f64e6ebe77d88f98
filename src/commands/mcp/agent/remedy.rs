//! What an agent can do about a refusal or a state, in terms of its tools. The sentences of serial-ws are
//! for people, and name commands and flags; what they are about comes with them as a code. Pure.

use std::borrow::Cow;

use crate::commands::connect::Failure;
use crate::hub::{Advice, ErrorCode};
use crate::protocol::StatusMessage;

/// Says of a refusal what an agent can do about it, where that is not what a person would do. `status` is
/// that of the port.
pub(super) fn of_refusal(error: anyhow::Error, status: &StatusMessage<'_>) -> anyhow::Error {
    let Some(Failure::Refused(code, reason)) = error.downcast_ref() else {
        return error;
    };
    let text = match code {
        ErrorCode::Locked => {
            let reason = status.writer.as_ref().map(|writer| writer.reason());
            let reason = reason.unwrap_or_else(|| "another client has the write lock".to_owned());
            format!("{reason}: the person for whom you work can end that; you cannot")
        }
        ErrorCode::Released => {
            "another client has released the port, to a program that may still be \
                                running. Wait until `status` says that it is open"
                .to_owned()
        }
        ErrorCode::Fixed => format!("{reason}: `lock` does that"),
        ErrorCode::Timeout | ErrorCode::Gone | ErrorCode::Unknown => return error,
    };
    Failure::Refused(*code, text).into()
}

/// Returns the hint of a status for an agent, if there is any.
pub(super) fn of_status<'a>(status: &'a StatusMessage<'_>) -> Option<Cow<'a, str>> {
    let hint = match (&*status.state, &status.advice) {
        ("released", _) => "`resume` takes it back, if you have released it".into(),
        (_, Some(advice)) if fits_settings(advice) => {
            "what comes would fit the settings in `advice`: `settings` changes them".into()
        }
        _ => Cow::Borrowed(&*status.hint),
    };
    (!hint.is_empty()).then_some(hint)
}

/// Returns true for advice that the tool `settings` can follow.
fn fits_settings(advice: &Advice) -> bool {
    let Advice {
        baud,
        data_bits,
        parity,
        ..
    } = advice;
    baud.is_some() || data_bits.is_some() || parity.is_some()
}
