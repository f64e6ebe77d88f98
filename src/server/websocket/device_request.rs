//! The request of a client for a device: whether it may open it, the port that it gets, and the
//! settings that it gives to that port.

use std::time::Instant;

use crate::hub::{Action, Kind, Received, SettingsChange, Start, SubscriberKind, Subscription};
use crate::server::access::Rights;
use crate::server::access::offer::Audience;
use crate::server::devices::{DeviceRejection, OpenedDevicePort};
use crate::server::{App, Port};

use super::params::QueryError;

/// Opens a device for a client, if it may.
///
/// # Errors
/// The code and the reason for a Close frame.
pub(crate) async fn open_device(
    app: &App,
    id: &str,
    change: SettingsChange,
    audience: Audience,
    rights: Rights,
) -> Result<OpenedDevicePort, QueryError> {
    let rejected = |rejection: DeviceRejection| {
        let (code, reason) = rejection.close(id);
        QueryError { code, reason }
    };
    let device = app.devices.find(id).await.map_err(rejected)?;
    if let Err(reason) = app.may_open(&device, &audience, rights) {
        return Err(QueryError { code: 4403, reason });
    }
    let opened = app.devices.open(&device, change).await;
    let mut opened = opened.map_err(rejected)?;
    if let Some(turn) = opened.turn.take() {
        let OpenedDevicePort { port, hold, .. } = &mut opened;
        let settings = port.hub.status().settings;
        let may_change = port.why_read_only(rights).is_none();
        if may_change {
            let changed = change_settings(port, hold, change).await;
            changed.map_err(rejected)?;
        } else if !change.is_made(settings) {
            return Err(rejected(DeviceRejection::OtherSettings(settings)));
        }
        drop(turn);
    }
    Ok(opened)
}

/// Changes the settings of a port that is there already as a newcomer asks, if nobody else uses it.
///
/// # Errors
/// The reason why they stay as they are.
pub(crate) async fn change_as_newcomer(
    port: &Port,
    change: SettingsChange,
    rights: Rights,
) -> Result<(), String> {
    let _turn = port.newcomer.lock().await;
    let mut hold = port.hub.subscribe(SubscriberKind::Client, Start::Live);
    let settings = port.hub.status().settings;
    if change.is_made(settings) && change.baud.is_none() {
        return Ok(());
    }
    // The one is the newcomer itself.
    if port.hub.clients() > 1 {
        let is_made = change.is_made(settings);
        return is_made
            .then_some(())
            .ok_or_else(|| format!("others use it with {settings}"));
    }
    if let Some(reason) = port.why_read_only(rights) {
        return Err(reason.to_owned());
    }
    let changed = change_settings(port, &mut hold, change).await;
    changed.map_err(|rejection| rejection.close(&port.name).1)
}

/// Changes the settings of a port as its only client asks. `hold` is a subscription from before that.
async fn change_settings(
    port: &Port,
    hold: &mut Subscription,
    change: SettingsChange,
) -> Result<(), DeviceRejection> {
    let (mut sender, mut replies) = port.hub.queue.register();
    let sent = sender.try_send(Action::Settings(change));
    sent.map_err(|reason| DeviceRejection::Failed(port.no_room_reason(0, reason)))?;
    let mut is_told = false;
    let mut is_done = false;
    // The status follows the reply, and the greeting is to have it.
    while !(is_told && is_done) {
        tokio::select! {
            reply = replies.recv(), if !is_done => {
                let outcome = reply.map_or(Ok(0), |(_, outcome)| outcome);
                outcome.map_err(|error| DeviceRejection::Refused(error.reason))?;
                is_done = true;
                is_told |= change.is_made(hold.status().settings);
            }
            () = hold.ready() => is_told |= is_told_in(hold, change),
            () = port.stop.cancelled() => {
                return Err(DeviceRejection::Failed("this port was closed".to_owned()));
            }
        }
    }
    Ok(())
}

/// Takes what is ready, and returns true if a status among it has the settings of a change.
fn is_told_in(hold: &mut Subscription, change: SettingsChange) -> bool {
    let mut is_told = false;
    while let Some(received) = hold.next(Instant::now()) {
        is_told |= match received {
            Received::Event(taken) => match &taken.event.kind {
                Kind::Status(status) => change.is_made(status.settings),
                _ => false,
            },
            Received::Missed(_) => change.is_made(hold.status().settings),
        };
    }
    hold.delivered();
    is_told
}
