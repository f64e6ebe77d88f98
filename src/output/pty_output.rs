//! Waits for programs that open the pseudo-terminal of a port, one after the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connection::ConnectionReader;
use super::connection_log::ConnectionLog;
use super::session::OutputSession;
use super::{OutputConfig, OutputKind};
use crate::hub::{Hub, OutputReporter, OutputState};
use crate::log::throttled::ThrottledLog;
use crate::platform::{SharedTerminal, reason};

/// The delay before trying again when the system lacks something, such as descriptors.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A pseudo-terminal that programs may open.
pub(crate) struct PtyOutput {
    config: OutputConfig,
    terminal: SharedTerminal,
    log: Arc<ThrottledLog>,
    reporter: Arc<OutputReporter>,
    /// The kind and the path.
    name: String,
}

impl PtyOutput {
    /// Makes the terminal.
    ///
    /// # Errors
    /// When that is not possible.
    pub(super) fn open(
        config: OutputConfig,
        path: &Path,
        port: &str,
        hub: &Arc<Hub>,
    ) -> Result<Self> {
        let terminal = SharedTerminal::open(path, &hub.status().settings);
        let terminal = terminal.map_err(|error| explained(&config.kind, &error))?;
        let rights = if config.may_write { "" } else { ", read only" };
        tracing::info!(port, "programs may open {}{rights}", path.display());
        Ok(Self {
            name: format!("{} {}", config.kind.name(), path.display()),
            reporter: hub.add_listening_output(config.kind.name(), config.kind.place()),
            config,
            terminal,
            log: Arc::default(),
        })
    }

    /// Serves those who open it until the port is removed or the program stops.
    pub(super) async fn run(mut self, port: String, hub: Arc<Hub>, stop: CancellationToken) {
        let mut shown = hub.status().settings;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                settings = hub.settings_other_than(&shown) => {
                    shown = settings;
                    let set = self.terminal.set(&settings);
                    self.check(&port, set);
                }
                opened = self.terminal.opened() => {
                    let served = match opened {
                        Ok(()) => self.serve(&port, &hub, &stop).await,
                        failed => failed,
                    };
                    shown = hub.status().settings;
                    let renewed = served.and_then(|()| self.terminal.renew(&shown));
                    if !self.check(&port, renewed) {
                        sleep(RETRY_DELAY).await;
                    }
                }
            }
        }
    }

    /// Serves those who have it open, until the last of them closes it.
    async fn serve(&self, port: &str, hub: &Arc<Hub>, stop: &CancellationToken) -> io::Result<()> {
        let (reader, writer) = self.terminal.connect()?;
        let name = self.name.clone();
        let log = ConnectionLog::new(&self.log, port, name.clone(), name);
        let told = (log, Arc::clone(&self.reporter));
        let session = OutputSession::new(&self.config, told, hub, stop.clone());
        session.run(ConnectionReader::Pty(reader), writer).await;
        Ok(())
    }

    /// Returns true if something was done, and tells of it if not.
    fn check(&self, port: &str, done: io::Result<()>) -> bool {
        let is_done = done.is_ok();
        self.reporter.set(match done {
            Ok(()) => OutputState::Open,
            Err(error) => {
                let why = reason(&error);
                let text = format_args!("{}: {why}", self.name);
                self.log.trouble(port, &self.name, text);
                OutputState::Waiting(why.into())
            }
        });
        is_done
    }
}

/// Checks that the terminal can be made.
///
/// # Errors
/// Says why not.
pub(super) fn check(kind: &OutputKind, path: &Path) -> Result<()> {
    SharedTerminal::check(path).map_err(|error| explained(kind, &error))
}

fn explained(kind: &OutputKind, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot make {kind}: {}", reason(error))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::hub::{Data, HubConfig, Kind, LineSettings, State, Status, Timestamp};

    #[tokio::test]
    async fn one_that_nobody_opens_is_woken_by_no_data() {
        let name = format!("serial-ws-pty-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let config = OutputConfig {
            kind: OutputKind::Pty(path.clone()),
            may_write: true,
        };
        let limits = HubConfig {
            history: 1 << 16,
            max_behind: Duration::from_secs(10),
        };
        let hub = Hub::new(limits, Status::new(State::Open, "open"));
        let output = PtyOutput::open(config, &path, "board", &hub).unwrap();
        let (stop, polls) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let run = output.run("board".to_owned(), Arc::clone(&hub), stop.clone());
        let counter = Arc::clone(&polls);
        let task = tokio::spawn(async move {
            let mut run = pin!(run);
            poll_fn(|cx| {
                counter.fetch_add(1, Ordering::Relaxed);
                run.as_mut().poll(cx)
            })
            .await;
        });
        while polls.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let before = polls.load(Ordering::Relaxed);
        for _ in 0..1000 {
            hub.publish(Timestamp::now(), Kind::Data(Data::default()));
            tokio::task::yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), before);
        let settings = LineSettings {
            baud: 57600,
            ..LineSettings::default()
        };
        hub.publish_status(Status::new(State::Open, "open").with_settings(settings));
        while polls.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        task.await.unwrap();
        assert!(std::fs::symlink_metadata(&path).is_err());
    }
}
