//! Opens a port for a sketch: finds it, gives it the settings that the sketch asks for if nobody else
//! uses it, and waits until its device is open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::SketchClient;
use super::find::{FoundPort, Openable, PortChoices};
use super::message::OpenRequest;
use super::opened_port::OpenedPort;
use crate::hub::{
    Kind, Received, SettingsChange, Start, State, Status, StreamItem, SubscriberKind, Subscription,
};
use crate::server::Port;
use crate::server::devices::DeviceEntry;
use crate::server::websocket::device_request::{change_as_newcomer, open_device};
use crate::terminal::shown;

/// The time that a device has to be open. At the limit the sketch is told what keeps it, and may try
/// again. A board that was just plugged in takes a second or two.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);

/// The reason why a port that takes nothing does not change its settings.
const STUCK: &str = "it takes none of what it is asked for";

/// Opens a port as a sketch asks.
///
/// # Errors
/// A sentence for the sketch.
pub(super) async fn open(
    sketch: &SketchClient,
    request: OpenRequest,
) -> Result<OpenedPort, String> {
    let OpenRequest { name, change } = request;
    let FoundPort {
        target,
        is_only_one,
    } = PortChoices::of(sketch).await.find(&name)?;
    let (port, hold, kept) = match target {
        Openable::Port(port) => {
            let changing = change_as_newcomer(&port, change, sketch.rights);
            let changed = timeout(OPEN_TIMEOUT, changing).await;
            let kept = changed.unwrap_or_else(|_| Err(STUCK.to_owned())).err();
            (port, None, kept)
        }
        Openable::Device(device) => {
            let opening = open_offered(sketch, &device, change);
            let opened = timeout(OPEN_TIMEOUT, opening).await;
            opened.map_err(|_| format!("{} is not open: {STUCK}", shown(&name)))??
        }
    };
    let subscription = port.hub.subscribe(SubscriberKind::Client, Start::Live);
    drop(hold);
    let mut subscription = subscription.of(StreamItem::Byte).with_bytes();
    let opening = timeout(OPEN_TIMEOUT, wait_until_open(&port, &mut subscription));
    match opening.await {
        Ok(opened) => opened?,
        Err(_) => return Err(obstacle(&port.name, &port.hub.status())),
    }
    let opened = OpenedPort::new(sketch.clone(), port, subscription);
    if is_only_one {
        opened.log(&format!("asked for {}, got the only board", shown(&name)));
    }
    if let Some(reason) = kept {
        let wanted = serde_json::to_string(&change).unwrap_or_default();
        opened.log(&format!(
            "asked for {wanted}, which it did not get: {reason}"
        ));
    }
    Ok(opened)
}

/// Opens a device on offer. If its settings are not those that the sketch asks for, also says why.
async fn open_offered(
    sketch: &SketchClient,
    device: &DeviceEntry,
    change: SettingsChange,
) -> Result<(Arc<Port>, Option<Subscription>, Option<String>), String> {
    let open = async |change| {
        let audience = sketch.audience.clone();
        open_device(&sketch.app, &device.id, change, audience, sketch.rights).await
    };
    let (opened, kept) = match open(change).await {
        Ok(opened) => (opened, None),
        Err(error) if matches!(error.code, 4400 | 4409) => {
            let opened = open(SettingsChange::default()).await;
            (opened.map_err(|error| error.reason)?, Some(error.reason))
        }
        Err(error) => return Err(error.reason),
    };
    Ok((opened.port, Some(opened.arrival.hold), kept))
}

/// Waits until the device of a port is open, whose events `subscription` gets. Fails as soon as it is
/// known that waiting will not do.
async fn wait_until_open(port: &Port, subscription: &mut Subscription) -> Result<(), String> {
    let is_open = |status: &Status| match status.state {
        State::Open => Ok(true),
        State::Released => Err(obstacle(&port.name, status)),
        // The system, or a program such as ModemManager, may keep a board that was just plugged in.
        State::Waiting | State::Lost | State::Denied | State::Busy => Ok(false),
    };
    if is_open(&subscription.status())? {
        return Ok(());
    }
    loop {
        tokio::select! {
            biased;
            () = port.stop.cancelled() => {
                let reason = port.end.get().map_or("it was closed", |end| &end.reason);
                return Err(format!("cannot open {}: {reason}", port.name));
            }
            () = subscription.ready() => {}
        }
        while let Some(received) = subscription.next(Instant::now()) {
            let has_opened = match received {
                Received::Event(taken) => match &taken.event.kind {
                    Kind::Status(status) => is_open(status)?,
                    Kind::Data(_) | Kind::Written(_) | Kind::Note(_) => false,
                },
                Received::Missed(_) | Received::Restarted => is_open(&subscription.status())?,
            };
            if has_opened {
                return Ok(());
            }
        }
        subscription.delivered();
    }
}

fn obstacle(port: &str, status: &Status) -> String {
    format!("{port} is not open: {}", status.sentence())
}
