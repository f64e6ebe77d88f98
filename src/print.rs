//! Results on standard output, whose reader may leave early, as after `| head`.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// What Windows says when the reader of our output is gone, ERROR_PIPE_NOT_CONNECTED; Rust gives
/// it no kind.
const PIPE_NOT_CONNECTED: i32 = 233;

/// Writes a result. That nobody reads it any more is no error.
///
/// # Errors
/// When it cannot be written.
pub fn print(out: &mut dyn Write, result: impl AsRef<[u8]>) -> Result<()> {
    match out.write_all(result.as_ref()).and_then(|()| out.flush()) {
        Err(error) if is_reader_gone(&error) => Ok(()),
        written => written.context("cannot write the output"),
    }
}

fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || (cfg!(windows) && error.raw_os_error() == Some(PIPE_NOT_CONNECTED))
}

#[cfg(test)]
mod tests {
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
