//! Browsers that have shown the token: each keeps the random id of its session in a cookie. Pure; see
//! `session_store` for the file.
//!
//! An id stands for the token without revealing it. Only a hash of each id is kept, keyed with the
//! token: whoever reads the hashes learns no id, and a new token ends all sessions of the old one.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::token::Token;
use crate::platform;

/// Time for which a session is valid after the browser has shown the token.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Sessions that are kept. At the limit, the one that ends first makes room.
const MAX_SESSIONS: usize = 256;

/// Random bytes of an id.
const ID_BYTES: usize = 32;

/// The id of a session, for a cookie.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId(String);

/// The valid sessions, and some that have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions(Vec<Entry>);

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// The hash of the id, keyed with the token.
    hash: Hash,
    /// The end of the session, in seconds of Unix time.
    end: u64,
}

type Hash = [u8; 32];

impl SessionId {
    /// Makes an id that nobody can guess.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn random() -> Result<Self> {
        let bytes = platform::random_bytes::<ID_BYTES>()?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Takes an id from a cookie.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the id itself, for a cookie.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

/// Never prints the id, so that it cannot get into a log by accident.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

impl Sessions {
    /// Returns true if the id is that of a session which began with this token and has not ended.
    pub(crate) fn is_valid(&self, token: &Token, id: &str, now: SystemTime) -> bool {
        let (hash, now) = (hash(token, id), unix(now));
        let mut entries = self.0.iter();
        entries.any(|entry| entry.hash == hash && now < entry.end)
    }

    /// Begins a session, or prolongs it.
    pub(crate) fn begin(&mut self, token: &Token, id: &SessionId, now: SystemTime) {
        let (hash, end) = (hash(token, &id.0), unix(now + SESSION_LIFETIME));
        self.insert(Entry { hash, end });
        self.forget(now);
    }

    /// Adds the sessions of another list, such as that of another serial-ws with the same file.
    pub(crate) fn merge(&mut self, others: Self, now: SystemTime) {
        for entry in others.0 {
            self.insert(entry);
        }
        self.forget(now);
    }

    /// Reads what [`Sessions::to_text`] wrote. Lines that are no session are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let mut sessions = Self::default();
        for entry in text.lines().filter_map(parse_entry) {
            sessions.insert(entry);
        }
        sessions
    }

    /// Writes one line for each session: when it ends, and its hash.
    pub(crate) fn to_text(&self) -> String {
        let lines = self.0.iter().map(|Entry { hash, end }| {
            let hash = BASE64_URL_SAFE_NO_PAD.encode(hash);
            format!("{end} {hash}\n")
        });
        lines.collect()
    }

    fn insert(&mut self, new: Entry) {
        match self.0.iter_mut().find(|entry| entry.hash == new.hash) {
            Some(entry) => entry.end = entry.end.max(new.end),
            None => self.0.push(new),
        }
    }

    /// Forgets sessions that have ended, and those for which there is no room.
    fn forget(&mut self, now: SystemTime) {
        let now = unix(now);
        self.0.retain(|entry| now < entry.end);
        self.0.sort_by_key(|entry| entry.end);
        let excess = self.0.len().saturating_sub(MAX_SESSIONS);
        self.0.drain(..excess);
    }
}

fn parse_entry(line: &str) -> Option<Entry> {
    let (end, hash) = line.split_once(' ')?;
    let hash = BASE64_URL_SAFE_NO_PAD.decode(hash).ok()?;
    Some(Entry {
        hash: hash.try_into().ok()?,
        end: end.parse().ok()?,
    })
}

fn hash(token: &Token, id: &str) -> Hash {
    let key = Hmac::<Sha256>::new_from_slice(token.secret().as_bytes());
    let mut hmac = key.expect("HMAC takes keys of any length");
    hmac.update(id.as_bytes());
    hmac.finalize().into_bytes().into()
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn start() -> SystemTime {
        UNIX_EPOCH + 20_000 * DAY
    }

    fn token() -> Token {
        Token::new("correct-horse-battery")
    }

    /// Begins a session with a new id.
    fn begin(sessions: &mut Sessions, now: SystemTime) -> SessionId {
        let id = SessionId::random().unwrap();
        sessions.begin(&token(), &id, now);
        id
    }

    #[track_caller]
    fn check(sessions: &Sessions, id: &SessionId, now: SystemTime, expected: bool) {
        assert_eq!(sessions.is_valid(&token(), id.secret(), now), expected);
    }

    #[test]
    fn a_session_is_valid_for_30_days_with_its_token() {
        let mut sessions = Sessions::default();
        let id = begin(&mut sessions, start());
        let just_before = start() + SESSION_LIFETIME - Duration::from_secs(1);
        check(&sessions, &id, start(), true);
        check(&sessions, &id, just_before, true);
        check(&sessions, &id, start() + SESSION_LIFETIME, false);
        assert!(!sessions.is_valid(&Token::new("a-new-token-of-mine"), id.secret(), start()));
        for other in ["", "correct-horse-battery", &id.secret()[1..]] {
            assert!(!sessions.is_valid(&token(), other, start()), "{other}");
        }
    }

    #[test]
    fn showing_the_token_again_prolongs_a_session() {
        let mut sessions = Sessions::default();
        let id = begin(&mut sessions, start());
        sessions.begin(&token(), &id, start() + 20 * DAY);
        check(&sessions, &id, start() + 49 * DAY, true);
        check(&sessions, &id, start() + 50 * DAY, false);
        assert_eq!(sessions.0.len(), 1);
    }

    #[test]
    fn the_text_reveals_neither_ids_nor_the_token_and_is_read_back() {
        let mut sessions = Sessions::default();
        let ids = [0, 1, 2].map(|day| begin(&mut sessions, start() + day * DAY));
        let text = sessions.to_text();
        assert_eq!(text.lines().count(), 3);
        assert!(ids.iter().all(|id| !text.contains(id.secret())), "{text}");
        assert!(!text.contains(token().secret()), "{text}");
        assert_eq!(Sessions::parse(&text), sessions);
    }

    #[test]
    fn lines_that_are_no_session_are_ignored() {
        let mut sessions = Sessions::default();
        let id = begin(&mut sessions, start());
        let line = sessions.to_text();
        for other in [
            "",
            "x",
            "1 x",
            "x y z",
            "-1 AAAA",
            "99999999999999999999 A",
            "\0\u{202e}",
        ] {
            let read = Sessions::parse(&format!("{other}\n{line}\r\n{other}"));
            check(&read, &id, start(), true);
            assert_eq!(read.0.len(), 1, "{other}");
        }
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes_first() {
        let mut sessions = Sessions::default();
        let first = begin(&mut sessions, start());
        let second = begin(&mut sessions, start() + DAY);
        for _ in 2..MAX_SESSIONS {
            begin(&mut sessions, start() + 2 * DAY);
        }
        check(&sessions, &first, start() + 2 * DAY, true);
        begin(&mut sessions, start() + 2 * DAY);
        check(&sessions, &first, start() + 2 * DAY, false);
        check(&sessions, &second, start() + 2 * DAY, true);
        // Also where two programs filled a file together.
        let mut others = Sessions::default();
        for _ in 0..MAX_SESSIONS {
            begin(&mut others, start() + 3 * DAY);
        }
        sessions.merge(others, start() + 3 * DAY);
        check(&sessions, &second, start() + 3 * DAY, false);
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
    }

    #[test]
    fn sessions_that_have_ended_are_forgotten() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, start());
        begin(&mut sessions, start() + SESSION_LIFETIME);
        assert_eq!(sessions.0.len(), 1);
    }
}
