//! Keeps the sessions of browsers across restarts, in a file that only the user can read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::Result;

use super::sessions::{SessionId, Sessions};
use super::token::Token;
use crate::platform;

/// The file with the sessions, in the folder for configuration.
const SESSIONS_FILE: &str = "sessions";

/// The sessions, in memory and in their file.
#[derive(Default)]
pub(crate) struct SessionStore {
    /// The sessions that this program knows.
    sessions: Mutex<Sessions>,
    /// The file; None where there is none, or none that can be used in this run.
    file: Mutex<Option<PathBuf>>,
}

impl SessionStore {
    /// Loads the sessions of earlier runs. Warns where their file cannot be used.
    pub(crate) fn load() -> Self {
        let store = Self::default();
        let Some(folder) = platform::config_folder() else {
            return store;
        };
        let file = folder.join(SESSIONS_FILE);
        match read(&file) {
            Ok(sessions) => {
                store.lock().merge(sessions, SystemTime::now());
                *lock(&store.file) = Some(file);
            }
            Err(error) => warn("use", &file, &error),
        }
        store
    }

    /// Calls `look` with all sessions.
    pub(crate) fn with_sessions<T>(&self, look: impl FnOnce(&Sessions) -> T) -> T {
        look(&self.lock())
    }

    /// Begins a session of a browser that has shown the token, or prolongs the one of `cookie`, and
    /// returns its id. Waits for the disk.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn begin(&self, token: &Token, cookie: Option<&str>) -> Result<SessionId> {
        let now = SystemTime::now();
        let mut sessions = self.lock();
        let valid = cookie.filter(|id| sessions.is_valid(token, id, now));
        let id = match valid {
            Some(id) => SessionId::new(id),
            None => SessionId::random()?,
        };
        sessions.begin(token, &id, now);
        drop(sessions);
        self.write(now);
        Ok(id)
    }

    /// Writes the file, with what another serial-ws of this user has written there meanwhile. Warns
    /// once where it cannot be written; sessions then end with this run.
    fn write(&self, now: SystemTime) {
        // Held meanwhile, so that an older list never replaces a newer one.
        let mut file = lock(&self.file);
        let Some(path) = file.as_deref() else {
            return;
        };
        let written = read(path).and_then(|mut sessions| {
            sessions.merge(self.lock().clone(), now);
            platform::write_private(path, &sessions.to_text())
        });
        if let Err(error) = written {
            warn("write", path, &error);
            *file = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }
}

/// Reads the sessions in a file; none where there is no file.
fn read(path: &Path) -> io::Result<Sessions> {
    match platform::read_secret(path) {
        Ok(text) => Ok(Sessions::parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Sessions::default()),
        Err(error) => Err(error),
    }
}

fn warn(verb: &str, path: &Path, error: &io::Error) {
    tracing::warn!(
        "cannot {verb} {}: {}. Browsers need the token again after a restart",
        path.display(),
        platform::reason(error)
    );
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call, so that a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
