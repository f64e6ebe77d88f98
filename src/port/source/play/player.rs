//! Plays a recording: hands out each cue when it is due, as the control has it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use super::cue::{BATCHES_AHEAD, Cue, TimedCue, read};
use super::files::RecordedFile;
use super::sequence::{RecordingSequence, SequenceItem, SequenceMark};
use crate::hub::{Hub, PlaybackControl};

/// The least time that a recording takes which begins again at its end. A shorter one would make the
/// program busy with nothing else.
const MIN_PASS: Duration = Duration::from_millis(100);

/// The time between two reports of the place, where it does not follow from the time.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Plays a recording.
pub(super) struct Player {
    files: Arc<[RecordedFile]>,
    /// The files with their places, once all of them were read.
    marks: Arc<OnceLock<Vec<(Duration, SequenceMark)>>>,
    control: Arc<PlaybackControl>,
    hub: Arc<Hub>,
    /// The port, for the log.
    port: String,
    repeats: bool,
    /// Hands over what is read; None at the end.
    batches: Option<mpsc::Receiver<Vec<TimedCue>>>,
    cues: VecDeque<TimedCue>,
    /// True if something was played since it began at its beginning.
    has_played: bool,
    /// The time at which that was; None before the first time.
    pass_began: Option<Instant>,
    /// The time to begin again.
    restart: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    reported: Instant,
    /// The place of the cue that was handed out last.
    position: Duration,
}

impl Player {
    /// Prepares to play these files. Looks through them meanwhile, for how long they are.
    pub(super) fn new(
        files: Arc<[RecordedFile]>,
        control: Arc<PlaybackControl>,
        hub: Arc<Hub>,
        port: &str,
        repeats: bool,
    ) -> Self {
        let marks = Arc::<OnceLock<_>>::default();
        let (all, places) = (Arc::clone(&files), Arc::clone(&marks));
        let (measured, publisher) = (Arc::clone(&control), Arc::clone(&hub));
        tokio::task::spawn_blocking(move || {
            let (length, marks) = measure(all);
            let _ = places.set(marks);
            measured.set_length(length);
            publisher.publish_playback();
        });
        let now = Instant::now();
        Self {
            files,
            marks,
            control,
            hub,
            port: port.to_owned(),
            repeats,
            batches: None,
            cues: VecDeque::new(),
            has_played: false,
            pass_began: None,
            restart: None,
            sleep: None,
            reported: now,
            position: Duration::ZERO,
        }
    }

    /// Returns the next cue when it is due; None once at the end, after which there is nothing more
    /// until a client goes to another place.
    pub(super) fn poll_cue(&mut self, cx: &mut Context<'_>) -> Poll<Option<Cue>> {
        loop {
            self.control.wake_after_change(cx.waker());
            let now = Instant::now();
            if let Some(place) = self.control.take_seek() {
                self.go_to(place, now);
            }
            let Some(next) = self.cues.front() else {
                match ready!(self.poll_batch(cx, now)) {
                    Some(()) => continue,
                    None => return Poll::Ready(None),
                }
            };
            // Who goes to another place is shown it at once.
            let is_jump = matches!(next.cue, Cue::Jump(_));
            if !is_jump {
                let Some(due) = self.control.due(next.at, now) else {
                    return Poll::Pending;
                };
                ready!(self.poll_sleep(cx, due, now));
            }
            if let Some(TimedCue { at, cue }) = self.cues.pop_front() {
                self.note(at, &cue, now);
                return Poll::Ready(Some(cue));
            }
        }
    }

    /// Returns true if there is nothing more, unless a client goes to another place.
    pub(super) fn has_ended(&self) -> bool {
        let has_begun = self.pass_began.is_some();
        has_begun && self.cues.is_empty() && self.batches.is_none() && self.restart.is_none()
    }

    /// Plays a cue again that was taken too early.
    pub(super) fn put_back(&mut self, cue: Cue) {
        let at = self.position;
        self.cues.push_front(TimedCue { at, cue });
    }

    /// Takes what was read next. Ready with nothing once at the end.
    fn poll_batch(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Option<()>> {
        if let Some(at) = self.restart {
            ready!(self.poll_sleep(cx, at, now));
            self.control.rewind(now);
            self.go_to(Duration::ZERO, now);
            self.hub.publish_playback();
            return Poll::Ready(Some(()));
        }
        let Some(batches) = &mut self.batches else {
            return Poll::Pending;
        };
        if let Some(batch) = ready!(batches.poll_recv(cx)) {
            self.cues = batch.into();
            return Poll::Ready(Some(()));
        }
        self.batches = None;
        if self.repeats && self.has_played {
            let earliest = self.pass_began.map_or(now, |began| began + MIN_PASS);
            self.restart = Some(now.max(earliest));
            return Poll::Ready(Some(()));
        }
        self.control.stop(now);
        Poll::Ready(None)
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant, now: Instant) -> Poll<()> {
        if until <= now {
            return Poll::Ready(());
        }
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }

    /// Reads on from another place.
    fn go_to(&mut self, place: Duration, now: Instant) {
        self.cues.clear();
        (self.has_played, self.restart, self.pass_began) = (false, None, Some(now));
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        self.batches = Some(batches);
        let mark = self.mark_before(place);
        let (files, port) = (Arc::clone(&self.files), self.port.clone());
        tokio::task::spawn_blocking(move || read(files, mark, place, port, sender));
    }

    /// Returns where to begin reading for what is at this place.
    fn mark_before(&self, place: Duration) -> SequenceMark {
        let marks = self.marks.get().map_or(&[][..], Vec::as_slice);
        let after = marks.partition_point(|(start, _)| *start <= place);
        // The file in which the place is may say of the device only what has changed since the one before.
        let mark = after.checked_sub(1).map(|index| marks[index].1.clone());
        mark.unwrap_or_default()
    }

    /// Notes what was played.
    fn note(&mut self, at: Duration, cue: &Cue, now: Instant) {
        self.has_played |= matches!(cue, Cue::Bytes(_));
        self.control.played(at);
        self.position = at;
        let is_due = now >= self.reported + REPORT_INTERVAL;
        if is_due && self.control.is_irregular() {
            self.reported = now;
            self.hub.publish_playback();
        }
    }
}

/// Returns how long a recording is, and where its files begin. Blocks.
fn measure(files: Arc<[RecordedFile]>) -> (Duration, Vec<(Duration, SequenceMark)>) {
    let mut sequence = RecordingSequence::new(files);
    let (mut length, mut marks) = (Duration::ZERO, Vec::new());
    // What cannot be read is said when it is played.
    while let Ok(Some((position, item))) = sequence.next_item() {
        if let SequenceItem::File {
            mark: Some(mark), ..
        } = item
        {
            marks.push((position, mark));
        }
        length = position;
    }
    (length, marks)
}
