//! Calls the library for serial ports where it panics instead of returning an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use anyhow::{Context, Result, anyhow};
use serialport::SerialPortInfo;

thread_local! {
    /// True while this thread is in the library: a panic is an error then, and no news for users.
    #[allow(
        clippy::missing_const_for_thread_local,
        reason = "it is const, but on Windows clippy sees what the macro makes of it"
    )]
    static IS_IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
}

/// Returns the ports as the library lists them.
///
/// # Errors
/// If the system cannot list them. On Linux the library panics then, so when there are too many
/// open files (serialport 4.10, `available_ports`).
pub(super) fn available_ports() -> Result<Vec<SerialPortInfo>> {
    catch_panic(serialport::available_ports)?.context("cannot list serial ports")
}

fn catch_panic<T>(call: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_IN_LIBRARY.get() {
                report(panic);
            }
        }));
    });
    IS_IN_LIBRARY.set(true);
    // What the library leaves half done is dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    IS_IN_LIBRARY.set(false);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>();
        tracing::debug!(?text, "the library for serial ports panicked");
        anyhow!("cannot list serial ports: the system refuses to tell, perhaps for now")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_is_an_error() {
        let error = catch_panic(|| panic!("too many {}", "files")).unwrap_err();
        assert!(error.to_string().starts_with("cannot list serial ports"));
        assert_eq!(catch_panic(|| 1).unwrap(), 1);
    }
}
