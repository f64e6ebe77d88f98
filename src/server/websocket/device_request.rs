//! The request of a client for a device, or for settings of a port: whether it may open it, the port
//! that it gets, and the settings that it gives to that port.

use std::time::Instant;

use crate::hub::{Action, Kind, Received, SettingsChange, Subscription};
use crate::server::access::Rights;
use crate::server::access::offer::Audience;
use crate::server::devices::{DeviceRejection, OpenedDevicePort};
use crate::server::{App, Arrival, Port};

use crate::server::client::params::QueryError;

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
    let rejected = |rejection: DeviceRejection| rejection.error(id);
    let device = app.devices.find(id).await.map_err(rejected)?;
    if let Err(reason) = app.may_open(&device, &audience, rights) {
        return Err(QueryError { code: 4403, reason });
    }
    let opened = app.devices.open(&device, change).await;
    let mut opened = opened.map_err(rejected)?;
    let OpenedDevicePort { port, arrival } = &mut opened;
    settle(port, arrival, change, rights)
        .await
        .map_err(rejected)?;
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
    let settings = port.hub.status().settings;
    if let Some(reason) = port.why_read_only(rights)
        && !change.is_made(settings)
    {
        return Err(reason.to_owned());
    }
    let joined = join(port, change, rights).await;
    joined.map(drop).map_err(|rejection| match rejection {
        DeviceRejection::OtherSettings(settings) => format!("others use it with {settings}"),
        other => other.close(&port.name).1,
    })
}

/// Lets a client come to a port with settings of its own, if nobody else uses it or they are in force.
///
/// # Errors
/// The code and the reason for a Close frame.
pub(super) async fn join_port(
    port: &Port,
    change: SettingsChange,
    rights: Rights,
) -> Result<Arrival, QueryError> {
    let joined = join(port, change, rights).await;
    joined.map_err(|rejection| rejection.error(&port.name))
}

/// Does the same.
///
/// # Errors
/// The reason why it does not come, or why the settings stay as they are.
async fn join(
    port: &Port,
    change: SettingsChange,
    rights: Rights,
) -> Result<Arrival, DeviceRejection> {
    let mut turn = None;
    let mut arrival = loop {
        match port.try_join(change, turn)? {
            Ok(arrival) => break arrival,
            Err(newcomer) => turn = Some(newcomer.lock_owned().await),
        }
    };
    settle(port, &mut arrival, change, rights).await?;
    Ok(arrival)
}

/// Makes the change that a newcomer asked for, if it is its turn and it may.
async fn settle(
    port: &Port,
    arrival: &mut Arrival,
    change: SettingsChange,
    rights: Rights,
) -> Result<(), DeviceRejection> {
    let Some(_turn) = arrival.turn.take() else {
        return Ok(());
    };
    let settings = port.hub.status().settings;
    if port.why_read_only(rights).is_none() {
        return change_settings(port, &mut arrival.hold, change, rights).await;
    }
    if change.is_made(settings) {
        Ok(())
    } else {
        Err(DeviceRejection::OtherSettings(settings))
    }
}

impl DeviceRejection {
    /// Returns the code and the reason of a Close frame for the client that asked for `name`.
    fn error(&self, name: &str) -> QueryError {
        let (code, reason) = self.close(name);
        QueryError { code, reason }
    }
}

/// Changes the settings of a port as its only client asks. `hold` is a subscription from before that.
async fn change_settings(
    port: &Port,
    hold: &mut Subscription,
    change: SettingsChange,
    rights: Rights,
) -> Result<(), DeviceRejection> {
    let (sender, mut replies) = port.hub.queue.register();
    let mut sender = sender.of_operator(rights.are_operators());
    let sent = sender.try_send(Action::Settings(change));
    sent.map_err(|reason| DeviceRejection::Failed(port.no_room_reason(0, reason)))?;
    let mut is_told = false;
    let mut is_done = false;
    // The status follows the reply, and the greeting is to have it.
    while !(is_told && is_done) {
        tokio::select! {
            reply = replies.recv(), if !is_done => {
                if let Ok((_, Err(error))) = reply {
                    return Err(DeviceRejection::Refused(error.reason));
                }
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
            Received::Missed(_) | Received::Restarted => change.is_made(hold.status().settings),
        };
    }
    hold.delivered();
    is_told
}
