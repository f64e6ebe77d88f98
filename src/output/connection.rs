//! The connection of a program: by TCP, or by a pseudo-terminal that it has opened.

use std::io;

use tokio::net::tcp::OwnedReadHalf;

use crate::platform::{TerminalInput, TerminalReader};

/// The half of a connection that is read.
pub(super) enum ConnectionReader {
    /// A TCP connection.
    Tcp(OwnedReadHalf),
    /// A terminal.
    Pty(TerminalReader),
}

impl ConnectionReader {
    /// Reads what comes next; None at the end. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) async fn read(&mut self, bytes: &mut [u8]) -> io::Result<Option<TerminalInput>> {
        match self {
            Self::Tcp(stream) => loop {
                stream.readable().await?;
                match stream.try_read(bytes) {
                    Ok(0) => return Ok(None),
                    Ok(count) => {
                        return Ok(Some(TerminalInput {
                            count,
                            ..TerminalInput::default()
                        }));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            },
            Self::Pty(terminal) => terminal.read(bytes).await,
        }
    }

    /// Returns true if the other end, which sends no more, reads no more either.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.try_read(&mut [0]).is_err(),
            Self::Pty(_) => true,
        }
    }
}
