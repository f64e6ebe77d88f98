//! The request of a client for a device: whether it may open it, and the port that it gets.

use crate::hub::SettingsChange;
use crate::server::App;
use crate::server::access::offer::Audience;
use crate::server::access::{Caller, Peer, RequestClass, Rights};
use crate::server::devices::{DeviceRejection, OpenedDevicePort};

use super::params::QueryError;

/// Opens a device for a client, if it may.
///
/// # Errors
/// The code and the reason for a Close frame.
pub(super) async fn open_device(
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
    app.devices.open(&device, change).map_err(rejected)
}

/// Returns the audience that the client belongs to.
pub(super) fn audience(request: &axum::http::Request<()>) -> Audience {
    Audience::of(caller(request))
}

/// Returns what the access policy knows of the client.
pub(super) fn caller(request: &axum::http::Request<()>) -> Caller<'_> {
    let peer = request.extensions().get::<Peer>();
    Caller {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        class: RequestClass::WebSocket,
        peer: *peer.expect("every connection adds its addresses to its request"),
    }
}
