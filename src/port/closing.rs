//! Closing a device without waiting for output that it does not take.

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

use super::device::Device;
use super::modem_lines::Sequence;

/// Tells whether a port that was to be closed is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is.
    Free,
    /// The system still holds it, for output that the device does not take.
    Stuck,
}

/// The closing of the device that was open last.
#[derive(Default)]
pub(crate) struct Closing {
    /// The thread that closes the device sends here when it is done.
    done: Option<oneshot::Receiver<()>>,
}

impl Closing {
    /// Releases the modem lines of a device and closes it, on a thread of its own: the system may
    /// block the caller for as long as the device does not take its output.
    pub(crate) async fn close(&mut self, mut device: Box<dyn Device>, lines: Sequence) -> Closed {
        let limit = device.close_timeout();
        let (sender, mut done) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // A device that has gone or has no modem lines has nothing to release.
            let _ = lines
                .into_iter()
                .try_for_each(|(_, change)| device.change_line(change));
            device.close();
            // Nobody may be waiting any longer.
            let _ = sender.send(());
        });
        let is_late = timeout(limit, &mut done).await.is_err();
        self.done = is_late.then_some(done);
        self.state()
    }

    /// Tells whether the device is closed by now.
    pub(crate) fn state(&mut self) -> Closed {
        match self.done.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => Closed::Stuck,
            _ => Closed::Free,
        }
    }
}
