//! The history of another serial-ws, kept until all of it is here. Pure.

use std::collections::VecDeque;

use crate::hub::{Data, Hub, Position, Status, Timestamp, UpstreamRun};

/// The history of another serial-ws on its way here.
pub(super) struct Earlier {
    run: UpstreamRun,
    /// The place after which it is what comes live.
    newest: Position,
    /// The place that is reached.
    pub(super) end: Position,
    chunks: VecDeque<(Position, Timestamp, Data)>,
    /// The bytes of the chunks, and the most that they may have.
    size: usize,
    max: usize,
    pub(super) status: Status,
}

impl Earlier {
    /// Starts with a greeting, whose history reaches from `start` to `newest`. At most `max` bytes of it are
    /// kept.
    pub(super) fn new(
        run: UpstreamRun,
        (start, newest): (Position, Position),
        max: usize,
        status: Status,
    ) -> Self {
        Self {
            run,
            newest,
            end: start,
            chunks: VecDeque::new(),
            size: 0,
            max,
            status,
        }
    }

    /// Returns true once all of it is here.
    pub(super) fn is_complete(&self) -> bool {
        self.end.reaches(self.newest)
    }

    /// Begins with the run of the other serial-ws.
    pub(super) fn publish(self, hub: &Hub) {
        let first = self.chunks.front();
        let start = first.map_or(self.end, |(place, ..)| *place);
        hub.begin_run(self.run, start, self.chunks, self.status);
        if hub.end() != self.end {
            hub.skip_to(self.end);
        }
    }

    /// Adds what came with one read, and drops the oldest where there is too much.
    pub(super) fn push(&mut self, place: Position, at: Timestamp, data: Data, end: Position) {
        self.size += data.chunk.len();
        self.end = end;
        self.chunks.push_back((place, at, data));
        while self.size > self.max
            && let Some((.., oldest)) = self.chunks.pop_front()
        {
            self.size -= oldest.chunk.len();
        }
    }
}
