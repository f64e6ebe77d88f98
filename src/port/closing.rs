//! Why work with a device ends, and closing it without waiting for output that it does not take.

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

use super::device::{Device, DeviceStatus};
use super::modem_lines::Sequence;
use crate::hub::{Lease, Request};

/// The reason why work with a device ended.
pub(crate) enum End {
    /// The program stops.
    Stopped,
    /// The device has gone, and why.
    Lost(String),
    /// A recording tells that the device is open no longer.
    Recorded(DeviceStatus),
    /// The client of this request gets the device for another program, and hears when it is free.
    Released(Lease, Request),
}

impl End {
    /// Returns the reason for requests that are not carried out any more.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Stopped => "serial-ws is stopping",
            Self::Lost(_) | Self::Recorded(_) => "the device was lost",
            Self::Released(..) => "the port was released to another program",
        }
    }
}

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
