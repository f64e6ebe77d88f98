//! The bodies of requests: read whole within limits, or passed over.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::timeout;

/// Time in which a body has to arrive; at the limit, nothing of it counts.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a body that are passed over, and the time for that. A client that sends more before it
/// reads may find the connection reset instead of the answer.
const MAX_DISCARDED_BYTES: usize = 1 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// The reason why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It has more bytes than it may.
    TooLong,
    /// It did not arrive in time.
    Late,
    /// The client left, or sent something else than a body, before the end.
    CutOff,
}

/// Reads a body of at most `max` bytes.
///
/// # Errors
/// When it is longer, late, or ends early.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, BodyError> {
    if declared_length(headers).is_some_and(|length| length > max as u64) {
        discard(headers, body).await;
        return Err(BodyError::TooLong);
    }
    let whole = timeout(BODY_TIMEOUT, read_at_most(body, max)).await;
    match whole.map_err(|_| BodyError::Late)? {
        Err((BodyError::TooLong, rest)) => {
            discard(headers, rest).await;
            Err(BodyError::TooLong)
        }
        Err((error, _)) => Err(error),
        Ok(bytes) => Ok(bytes),
    }
}

async fn read_at_most(body: Body, max: usize) -> Result<Bytes, (BodyError, Body)> {
    let mut chunks = body.into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            return Err((BodyError::CutOff, Body::empty()));
        };
        if whole.len() + chunk.len() > max {
            return Err((BodyError::TooLong, Body::from_stream(chunks)));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Passes over the body of a request that is answered without it. A connection that is closed with
/// bytes unread is reset, and the client may never see its answer.
pub(super) async fn discard(headers: &HeaderMap, body: Body) {
    // To read would be to ask for a body that the client has not begun to send.
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = MAX_DISCARDED_BYTES;
    let mut chunks = body.into_data_stream();
    let pass_over = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // What comes later is not waited for.
    let _ = timeout(DISCARD_TIMEOUT, pass_over).await;
}

/// Returns the length that a request gives for its body.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::HeaderValue;
    use futures::stream;
    use tokio::time::Instant;

    use super::*;

    fn chunks(count: usize) -> Body {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(&[0; 1000]));
        Body::from_stream(stream::iter(vec![chunk; count]))
    }

    /// A body that never ends, and of which nothing comes.
    fn silent() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_10_s_and_so_many_bytes() {
        let headers = HeaderMap::new();
        let start = Instant::now();
        let late = read(&headers, silent(), 9).await;
        assert_eq!(late, Err(BodyError::Late));
        assert_eq!(start.elapsed().as_secs(), 10);
        assert_eq!(read(&headers, chunks(3), 3000).await.unwrap().len(), 3000);
        let long = read(&headers, chunks(3), 2999).await;
        assert_eq!(long, Err(BodyError::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn passing_over_a_body_takes_a_second_at_most_and_asks_for_none() {
        let start = Instant::now();
        discard(&HeaderMap::new(), silent()).await;
        assert_eq!(start.elapsed().as_secs(), 1);
        let endless = Ok::<_, Infallible>(Bytes::from_static(&[0; 1000]));
        discard(
            &HeaderMap::new(),
            Body::from_stream(stream::repeat(endless)),
        )
        .await;
        let expect = HeaderValue::from_static("100-continue");
        let headers = HeaderMap::from_iter([(header::EXPECT, expect)]);
        discard(&headers, silent()).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
