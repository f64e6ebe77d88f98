//! Results on standard output, whose reader may leave early, as after `| head`.

use std::io::Write;

use anyhow::{Context, Result};

use crate::sys;

/// Writes a result. That nobody reads it any more is no error.
///
/// # Errors
/// When it cannot be written.
pub fn print(out: &mut dyn Write, result: impl AsRef<[u8]>) -> Result<()> {
    match out.write_all(result.as_ref()).and_then(|()| out.flush()) {
        Err(error) if sys::is_reader_gone(&error) => Ok(()),
        written => written.context("cannot write the output"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_reader_may_leave() {
        struct Failing(io::ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        print(&mut Failing(io::ErrorKind::BrokenPipe), "text").unwrap();
        print(&mut Failing(io::ErrorKind::StorageFull), "text").unwrap_err();
    }
}
