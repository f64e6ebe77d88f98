//! `tcp://HOST:PORT`: a device whose bytes come over a TCP connection as they are, such as a board
//! behind ESP-Link, or the monitor of an Arduino UNO Q. It has no settings and no modem lines.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::network::{Backoff, NetworkStream, connect};
use super::spec::Spec;
use super::{OpenFailure, OpenedDevice, Opening, Source};
use crate::dial::Endpoint;
use crate::hub::DeviceInfo;
use crate::port::device::Device;

/// The source of a raw TCP connection.
pub(crate) struct TcpSource {
    endpoint: Endpoint,
    backoff: Backoff,
}

impl TcpSource {
    /// Starts without a connection.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            backoff: Backoff::new(),
        }
    }

    async fn connect(&mut self) -> Result<OpenedDevice, OpenFailure> {
        let stream = connect(&self.endpoint).await;
        let stream = stream.inspect_err(|_| self.backoff.ended())?;
        self.backoff.succeeded();
        Ok(OpenedDevice {
            device: Box::new(TcpDevice { stream }),
            info: DeviceInfo {
                path: Spec::Tcp(self.endpoint.clone()).to_string(),
                ..DeviceInfo::default()
            },
            detail: |info, _| format!("{} is open", info.path),
            starts_whole: false,
            // What is between may gather, as adapters do.
            gathers: true,
            has_rate: false,
            finds_rate: false,
            settle: Duration::ZERO,
        })
    }
}

impl Source for TcpSource {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.connect())
    }

    fn release(&mut self, _has_gone: bool) {
        self.backoff.ended();
    }

    fn retry_delay(&self) -> Duration {
        self.backoff.delay()
    }

    fn keeps_ending(&self) -> bool {
        self.backoff.keeps_ending()
    }
}

/// An open raw TCP connection.
struct TcpDevice {
    stream: NetworkStream,
}

impl Device for TcpDevice {
    fn has_input(&self) -> bool {
        self.stream.has_input()
    }

    fn end_reason(&self) -> String {
        "it closed the connection".to_owned()
    }

    fn close(self: Box<Self>) {
        self.stream.close();
    }
}

impl AsyncRead for TcpDevice {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpDevice {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
