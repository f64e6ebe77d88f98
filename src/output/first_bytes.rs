//! Keeps web pages from writing to a device by a TCP connection. A browser sends a request to any TCP
//! port that a page names, so the first bytes of a connection are held until it is known that they
//! begin none. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes after which it is known.
const ENOUGH: usize = 8;

/// The time after the first byte for which fewer are held. A browser sends its request at once.
const HOLD_TIMEOUT: Duration = Duration::from_millis(200);

/// The methods of HTTP requests (RFC 9110 §9, RFC 5789), and of the preface of HTTP/2 (RFC 9113).
const METHODS: [&str; 10] = [
    "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI ",
];

/// The beginning of a TLS handshake (RFC 8446 §5.1).
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// The types of STUN and TURN messages that a browser begins with (RFC 8489, RFC 8656).
const STUN_TYPES: [[u8; 2]; 2] = [[0, 1], [0, 3]];

/// The half of STUN's magic cookie that is among the first bytes.
const STUN_COOKIE: [u8; 2] = [0x21, 0x12];

/// The first bytes of a connection.
#[derive(Default)]
pub(super) struct FirstBytes {
    held: Vec<u8>,
    since: Option<Instant>,
    is_over: bool,
}

/// The outcome of a look at the first bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FirstLook {
    /// It is not known yet.
    Hold,
    /// These bytes are from a program that means the device.
    Pass(Vec<u8>),
    /// They are from a browser: the name of what they begin.
    Refuse(&'static str),
}

impl FirstBytes {
    /// Returns those of a connection that no browser can make.
    pub(super) fn of_program() -> Self {
        Self {
            is_over: true,
            ..Self::default()
        }
    }

    /// Takes bytes that came.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) -> FirstLook {
        if self.is_over {
            return FirstLook::Pass(bytes.to_vec());
        }
        self.held.extend_from_slice(bytes);
        self.since.get_or_insert(now);
        if let Some(name) = request(&self.held) {
            return FirstLook::Refuse(name);
        }
        if self.held.len() < ENOUGH {
            return FirstLook::Hold;
        }
        self.pass()
    }

    /// Returns when to call [`FirstBytes::pass`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.is_over)?;
        Some(since + HOLD_TIMEOUT)
    }

    /// Lets through what was held.
    pub(super) fn pass(&mut self) -> FirstLook {
        self.is_over = true;
        FirstLook::Pass(std::mem::take(&mut self.held))
    }
}

/// Returns the name of what a browser begins so.
fn request(bytes: &[u8]) -> Option<&'static str> {
    let begins = |method: &str| {
        let start = bytes.get(..method.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(method.as_bytes()))
    };
    if METHODS.iter().any(|method| begins(method)) {
        return Some("an HTTP request");
    }
    if bytes.starts_with(&TLS_HANDSHAKE) {
        return Some("a TLS handshake");
    }
    // With a length before it, as between peers (RFC 4571), and without, as to a server.
    let is_stun = |message: &[u8], cookie: usize| {
        let is_type = STUN_TYPES.iter().any(|kind| message.starts_with(kind));
        let has_cookie = message
            .get(cookie..)
            .is_some_and(|rest| rest.starts_with(&STUN_COOKIE));
        is_type && has_cookie
    };
    let with_length = bytes.get(2..).unwrap_or_default();
    (is_stun(bytes, 4) || is_stun(with_length, 4)).then_some("a STUN request")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_refused(bytes: &[u8], name: &'static str) {
        // However it is cut.
        for cut in 1..bytes.len() {
            let (mut first, now) = (FirstBytes::default(), Instant::now());
            let begin = first.push(&bytes[..cut], now);
            let all = match begin {
                FirstLook::Hold => first.push(&bytes[cut..], now),
                known => known,
            };
            assert_eq!(all, FirstLook::Refuse(name), "cut at {cut}");
        }
    }

    #[test]
    fn what_browsers_send_is_refused() {
        for method in METHODS {
            check_refused(
                format!("{method}/ HTTP/1.1\r\n").as_bytes(),
                "an HTTP request",
            );
        }
        check_refused(b"get / HTTP/1.1\r\n", "an HTTP request");
        check_refused(b"\x16\x03\x01\x02\x00\x01\x00", "a TLS handshake");
        check_refused(
            b"\x00\x70\x00\x01\x00\x5c\x21\x12\xa4\x42",
            "a STUN request",
        );
        check_refused(b"\x00\x03\x00\x24\x21\x12\xa4\x42", "a STUN request");
    }

    #[test]
    fn what_programs_send_passes_at_once_or_after_a_moment() {
        let (mut first, now) = (FirstBytes::default(), Instant::now());
        assert_eq!(first.deadline(), None, "nothing is held");
        assert_eq!(first.push(b"G", now), FirstLook::Hold);
        assert_eq!(first.deadline(), Some(now + HOLD_TIMEOUT));
        assert_eq!(first.pass(), FirstLook::Pass(b"G".to_vec()));
        assert_eq!(first.deadline(), None);
        // Later it may be anything.
        let later = first.push(b"GET /", now);
        assert_eq!(later, FirstLook::Pass(b"GET /".to_vec()));
        let long = b"G28 X0 Y0\n".to_vec();
        let passed = FirstBytes::default().push(&long, now);
        assert_eq!(passed, FirstLook::Pass(long));
    }

    proptest! {
        #[test]
        fn all_bytes_of_a_program_pass_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..10)
        ) {
            let (mut first, now) = (FirstBytes::default(), Instant::now());
            let mut passed = Vec::new();
            for piece in &pieces {
                match first.push(piece, now) {
                    FirstLook::Hold => prop_assert!(first.held.len() < ENOUGH),
                    FirstLook::Pass(bytes) => passed.extend(bytes),
                    FirstLook::Refuse(_) => return Ok(()),
                }
            }
            passed.extend(first.held);
            prop_assert_eq!(passed, pieces.concat());
        }
    }
}
