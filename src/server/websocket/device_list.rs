//! `/devices`: sends the list of devices at once and after each change, to a client that need send
//! nothing.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::close::{self, CloseReason};
use super::frame;
use crate::protocol::ServerMessage;
use crate::server::App;
use crate::server::access::offer::Audience;
use crate::server::client::keepalive::Keepalive;
use crate::server::client::send_queue::{ClientSocket, Io, drive};
use crate::server::devices::Devices;
use crate::server::progress::ReportsProgress;

/// Serves one client of this `audience` until it leaves, `stop` disconnects it, or the program ends. A
/// client that is slow gets the newest list when it can take it.
pub(crate) async fn run<S>(
    mut ws: ClientSocket<S>,
    app: Arc<App>,
    audience: Audience,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + ReportsProgress + Unpin,
{
    let mut watch = app.devices.watch().await;
    let mut answered = app.consent.board_answered();
    let mut keepalive = Keepalive::new();
    let mut devices: Option<Devices> = None;
    let mut sent = String::new();
    let reason = loop {
        if let (Some(devices), true) = (&devices, ws.get_ref().is_empty()) {
            let devices = app.shown_devices(devices, &audience);
            let text = ServerMessage::Devices { devices }.to_json();
            if text != sent {
                ws.get_mut().push_answer(frame::text(&text));
                sent = text;
            }
        }
        let io = tokio::select! {
            biased;
            () = stop.cancelled() => break CloseReason::of_stop(&app.stop),
            io = drive(&mut ws, true) => io,
            list = watch.next() => {
                devices = Some(list);
                continue;
            }
            Ok(()) = answered.changed() => continue,
            () = keepalive.idle() => match keepalive.on_idle(ws.get_mut(), true) {
                Ok(()) => continue,
                Err(reason) => break reason,
            },
        };
        match io {
            Io::Sent => {}
            Io::Received(_) => keepalive.on_activity(),
            Io::Failed(error) => break CloseReason::after(&error),
        }
    };
    close::close(&mut ws, reason).await;
}
