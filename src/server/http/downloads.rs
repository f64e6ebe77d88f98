//! The limit on answers that last, because they do not fit into the buffers of a connection.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use futures::StreamExt;

use crate::server::App;
use crate::server::access::Rejection;

/// Bytes of an answer that fits into the buffers of a connection, and so needs no place.
const MAX_SHORT_BYTES: u64 = 64 << 10;

/// Takes a place for an answer that may last, until it has been sent.
///
/// # Errors
/// When too many last already.
pub(super) fn limit(
    app: &App,
    address: Option<IpAddr>,
    answer: Response,
) -> Result<Response, Rejection> {
    let length = answer.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    // Answers without a body, such as 304, have no length.
    if length.unwrap_or(0) <= MAX_SHORT_BYTES {
        return Ok(answer);
    }
    let place = app.limits.downloads.try_acquire(address);
    let place = place.map_err(|_| Rejection::overloaded())?;
    Ok(answer.map(|body| {
        let hold = move |_: &_| {
            let _held = &place;
        };
        Body::from_stream(body.into_data_stream().inspect(hold))
    }))
}
