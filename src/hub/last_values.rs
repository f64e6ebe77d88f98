//! Finds the place where `history` begins for somebody who gets values. Which lines have values is
//! not counted as they come, since that would cost everybody; so they are counted back from the end.

use super::{Hub, Kind, Start, StreamItem, Unit};

/// Events that are looked at in one go, so that the history is never locked for long.
const BATCH_SIZE: u64 = 64;

/// Returns the place before the last so many lines with values, as far as history reaches.
pub(super) fn start(hub: &Hub, count: u64) -> Start {
    let (mut next, mut line, first_line) = {
        let history = hub.history();
        (history.head(), history.end.line, history.first_line())
    };
    if count >= line - first_line {
        return Start::After(Unit::Lines, first_line);
    }
    let mut left = count;
    while left > 0 {
        let events = hub.history().shown_before(next, BATCH_SIZE);
        if events.is_empty() {
            break;
        }
        next -= events.len() as u64;
        for event in events {
            let Kind::Data(data) = &event.kind else {
                continue;
            };
            for (index, frame) in data.frames.iter().enumerate().rev() {
                if left > 0 && StreamItem::Values.includes(&frame) {
                    line = event.before.line + index as u64;
                    left -= 1;
                }
            }
        }
    }
    Start::After(Unit::Lines, line)
}
