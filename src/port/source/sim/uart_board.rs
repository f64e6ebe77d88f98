//! `sim:uart`: a simulated board on a simulated line. What it sends is read at the rate of the port,
//! and what it is sent at its own, bit for bit.

use std::collections::VecDeque;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::uart::{Character, CharacterError, CharacterFormat, Level, SECOND, UartReceiver};
use super::{OpenedDevice, Opening, Pattern, Simulation, Source, source};
use crate::hub::{DeviceInfo, LineErrors, LineSettings};
use crate::port::device::Device;

/// The time of the line for which the board hands over bytes to be sent.
const BUFFER_TIME: Duration = Duration::from_millis(5);

/// The most bytes that are sent or received in one go.
const BUFFER_BYTES: usize = 512;

/// A source whose device is a board at the other end of a line.
pub(crate) struct UartSimulation {
    board: Simulation,
    /// The rate of the board.
    baud: u32,
    /// The settings of the port.
    settings: LineSettings,
}

impl UartSimulation {
    /// Returns the source of a board that sends at `baud`, 8N1, to a port with `settings`.
    pub(crate) fn new(baud: u32, settings: LineSettings) -> Self {
        Self {
            board: source(Pattern::Uart(baud)),
            baud,
            settings,
        }
    }
}

impl Source for UartSimulation {
    fn open(&mut self) -> Opening<'_> {
        let board = (self.board.power_up)();
        Box::pin(ready(Ok(OpenedDevice {
            device: line(board, self.baud, self.settings),
            info: DeviceInfo {
                path: self.board.path.clone(),
                ..DeviceInfo::default()
            },
            detail: |info, line| {
                format!(
                    "{} is open (simulated, {})",
                    info.path,
                    line.rate_for_people()
                )
            },
            starts_whole: false,
            gathers: false,
            has_rate: true,
            finds_rate: true,
            settle: Duration::ZERO,
        })))
    }

    fn set_settings(&mut self, settings: LineSettings, _are_chosen: bool) {
        self.settings = settings;
    }
}

/// Returns the port's end of a line, with a board at the other that sends at `baud`.
pub(crate) fn line(board: DuplexStream, baud: u32, settings: LineSettings) -> Box<dyn Device> {
    let own = LineSettings {
        baud,
        ..LineSettings::default()
    };
    Box::new(UartLine::new(board, own, settings))
}

/// The port's end of the line.
struct UartLine {
    board: DuplexStream,
    /// The format of the board and of the port.
    own: CharacterFormat,
    port: CharacterFormat,
    /// The levels that the board has put on the line and the port has not heard.
    sent: VecDeque<Level>,
    /// The moment up to which the port has heard the line.
    heard: Instant,
    receiver: UartReceiver,
    received: VecDeque<u8>,
    errors: LineErrors,
    board_receiver: UartReceiver,
    /// The bytes that the board's receiver has received and the board has not taken.
    to_board: VecDeque<u8>,
    /// The moment up to which the port sends.
    sending: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl UartLine {
    fn new(board: DuplexStream, own: LineSettings, settings: LineSettings) -> Self {
        let [own, port] = [own, settings].map(|settings| CharacterFormat::new(&settings));
        let now = Instant::now();
        Self {
            board,
            own,
            port,
            sent: VecDeque::new(),
            heard: now,
            receiver: UartReceiver::new(port),
            received: VecDeque::new(),
            errors: LineErrors::default(),
            board_receiver: UartReceiver::new(own),
            to_board: VecDeque::new(),
            sending: now,
            sleep: Box::pin(sleep_until(now)),
        }
    }

    /// Lets the port hear the line up to a moment.
    fn hear_until(&mut self, now: Instant) {
        let mut rest = picoseconds(now - self.heard);
        self.heard = now;
        while rest > 0 {
            let level = match self.sent.front_mut() {
                Some(level) if level.length > rest => {
                    level.length -= rest;
                    let is_high = level.is_high;
                    let length = rest;
                    Level { is_high, length }
                }
                Some(_) => self.sent.pop_front().expect("there is a first one"),
                None => Level {
                    is_high: true,
                    length: rest,
                },
            };
            rest -= level.length;
            for Character { byte, error } in self.receiver.follow(level) {
                self.received.push_back(byte);
                match error {
                    Some(CharacterError::Framing) => self.errors.framing += 1,
                    Some(CharacterError::Parity) => self.errors.parity += 1,
                    // A break is none of the errors that drivers count here.
                    Some(CharacterError::Break) | None => {}
                }
            }
        }
    }

    /// Returns when everything that was sent will have been heard.
    fn end_of_sent(&self) -> Instant {
        let length: u64 = self.sent.iter().map(|level| level.length).sum();
        self.heard + Duration::from_nanos(length.div_ceil(1000))
    }

    /// Takes what the board sends next. Returns false if it has gone.
    fn poll_board(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; BUFFER_BYTES];
        let count = picoseconds(BUFFER_TIME) / self.own.character;
        let count = (count as usize).clamp(1, BUFFER_BYTES);
        let mut buffer = ReadBuf::new(&mut bytes[..count]);
        ready!(Pin::new(&mut self.board).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        // Until now the line was at rest.
        self.hear_until(Instant::now());
        for byte in bytes {
            self.sent.extend(self.own.send(*byte));
        }
        Poll::Ready(Ok(!bytes.is_empty()))
    }

    /// Hands over to the board what it has received.
    fn poll_to_board(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.to_board.is_empty() {
            let (bytes, _) = self.to_board.as_slices();
            let count = ready!(Pin::new(&mut self.board).poll_write(cx, bytes))?;
            self.to_board.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for UartLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            // What a write had no room for.
            let _ = self.poll_to_board(cx)?;
            self.hear_until(Instant::now());
            if !self.received.is_empty() {
                let count = buffer.remaining().min(self.received.len());
                let bytes: Vec<u8> = self.received.drain(..count).collect();
                buffer.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
            if !self.sent.is_empty() {
                let end = self.end_of_sent();
                self.sleep.as_mut().reset(end);
                ready!(self.sleep.as_mut().poll(cx));
            } else if !ready!(self.poll_board(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for UartLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_to_board(cx))?;
        let now = Instant::now();
        let rest = Level {
            is_high: true,
            length: picoseconds(now - self.sending),
        };
        let bytes = &bytes[..bytes.len().min(BUFFER_BYTES)];
        let port = self.port;
        let levels = bytes.iter().flat_map(|byte| port.send(*byte));
        for level in std::iter::once(rest).chain(levels) {
            let this = &mut *self;
            let received = this.board_receiver.follow(level);
            this.to_board
                .extend(received.map(|character| character.byte));
        }
        let length = port.character * bytes.len() as u64;
        self.sending = self.sending.max(now) + Duration::from_nanos(length / 1000);
        let _ = self.poll_to_board(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Device for UartLine {
    fn configure(&mut self, settings: &LineSettings) -> io::Result<()> {
        self.hear_until(Instant::now());
        self.port = CharacterFormat::new(settings);
        self.receiver = UartReceiver::new(self.port);
        Ok(())
    }

    fn has_input(&self) -> bool {
        !self.received.is_empty()
    }

    fn line_errors(&self) -> Option<LineErrors> {
        Some(self.errors)
    }
}

fn picoseconds(time: Duration) -> u64 {
    let picoseconds = time.as_nanos() * u128::from(SECOND / 1_000_000_000);
    picoseconds.min(u64::MAX.into()) as u64
}
