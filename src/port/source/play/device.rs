//! A recording that is played, as an open device.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::cue::{Cue, Scene};
use super::player::Player;
use crate::hub::{Hub, PlaybackControl};
use crate::port::device::{Device, DeviceStatus, RecordedChange};

/// The player of a port, which its source and its open device share.
#[derive(Clone)]
pub(super) struct SharedPlayer(Arc<Mutex<Player>>);

impl SharedPlayer {
    pub(super) fn new(player: Player) -> Self {
        Self(Arc::new(Mutex::new(player)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Player> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recording that is played.
pub(super) struct PlayDevice {
    player: SharedPlayer,
    control: Arc<PlaybackControl>,
    hub: Arc<Hub>,
    /// The bytes of the last cue that were not read yet.
    rest: Bytes,
    /// The event to be told next.
    change: Option<RecordedChange>,
    /// True if the recording goes on while the device is closed: it tells how it was lost.
    is_lost: bool,
}

impl PlayDevice {
    /// A recording whose device has just been opened with this status.
    pub(super) fn new(
        player: SharedPlayer,
        control: Arc<PlaybackControl>,
        hub: Arc<Hub>,
        status: DeviceStatus,
    ) -> Self {
        Self {
            player,
            control,
            hub,
            rest: Bytes::new(),
            change: Some(RecordedChange {
                starts_whole: None,
                status: Some(status),
            }),
            is_lost: false,
        }
    }

    /// Keeps what a cue says of the device.
    fn take(&mut self, cue: Cue) {
        let Some(cue) = cue.publish(&self.hub) else {
            return;
        };
        self.change = match cue {
            Cue::Bytes(bytes) => {
                self.rest = bytes;
                return;
            }
            Cue::Status(status) => Some(RecordedChange {
                starts_whole: None,
                status: Some(status),
            }),
            Cue::Jump(scene) | Cue::Gap(scene) => Some(self.at(scene)),
            Cue::Sent(_) | Cue::Note(_) => None,
        };
    }

    /// Announces what is known at another place of the recording.
    fn at(&self, scene: Scene) -> RecordedChange {
        RecordedChange {
            starts_whole: Some(scene.starts_whole),
            status: scene.status,
        }
    }
}

impl Device for PlayDevice {
    fn recorded_change(&mut self) -> Option<RecordedChange> {
        let change = self.change.take()?;
        self.is_lost = change.is_loss();
        Some(change)
    }

    fn end_reason(&self) -> String {
        "the recording has ended".to_owned()
    }

    fn close(self: Box<Self>) {
        if !self.is_lost {
            self.control.stop(Instant::now());
        }
    }
}

impl AsyncRead for PlayDevice {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            let cue = ready!(self.player.lock().poll_cue(cx));
            let Some(cue) = cue else {
                return Poll::Ready(Ok(()));
            };
            self.take(cue);
            if self.change.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
        let count = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlayDevice {
    /// A recording takes everything, and nothing comes of it.
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let dropped = &self.hub.counters.dropped_bytes;
        dropped.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
