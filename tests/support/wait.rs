//! Waiting for what must happen, with a limit and a name, and leaving a test out, with a reason.

use std::{future::Future, io::Write, time::Duration};

/// How long a test waits for something that must happen; reaching it fails the test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often `until` looks again at what cannot be awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Awaits `future`, or fails with what was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Looks until there is something to see: for what other programs do, which cannot be awaited.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await
}

/// Says that the test of the current thread cannot run on this system, and why: to the terminal
/// past the capture of cargo test, and to the list that `tests/run` prints at its end.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}\n", thread.name().unwrap_or("a test"));
    let _ = std::io::stderr().write_all(format!("skipped: {line}").as_bytes());
    if let Some(list) = std::env::var_os("SERIAL_WS_TEST_SKIPPED") {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(list);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of skipped tests can be written");
    }
}
