//! Windows has no pseudo-terminals that a program could open as a serial port.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::path::Path;

use tokio::io::{AsyncWrite, Sink};

use super::TerminalInput;
use crate::hub::LineSettings;

/// A pseudo-terminal, of which there is none.
pub(crate) struct SharedTerminal(Infallible);

/// Its reader, of which there is none.
pub(crate) struct TerminalReader(Infallible);

impl SharedTerminal {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn open(_path: &Path, _settings: &LineSettings) -> io::Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn check(_path: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Is never called.
    pub(crate) async fn opened(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// Is never called.
    pub(crate) fn connect(
        &self,
    ) -> io::Result<(TerminalReader, impl AsyncWrite + Send + Unpin + use<>)> {
        Err::<(TerminalReader, Sink), _>(ErrorKind::Unsupported.into())
    }

    /// Is never called.
    pub(crate) fn set(&mut self, _settings: &LineSettings) -> io::Result<()> {
        match self.0 {}
    }

    /// Is never called.
    pub(crate) fn renew(&mut self, _settings: &LineSettings) -> io::Result<()> {
        match self.0 {}
    }
}

impl TerminalReader {
    /// Is never called.
    pub(crate) async fn read(&mut self, _bytes: &mut [u8]) -> io::Result<Option<TerminalInput>> {
        match self.0 {}
    }
}
