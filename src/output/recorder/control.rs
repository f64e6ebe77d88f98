//! Starts and stops the recordings of a port, as the operator's settings and those who may write ask.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::RecorderConfig;
use super::session::RecordingSession;
use crate::hub::{Hub, OutputReporter, OutputState, Timestamp};
use crate::output::disk::thread::StartMode;

/// Requests that wait for the recorder. At the limit, who asks waits.
const MAX_WAITING: usize = 16;

/// The longest remark, in bytes.
const MAX_NOTE: usize = 4096;

/// The answer where the recorder has ended with the program.
const STOPPING: &str = "serial-ws is stopping";

/// The answer to a remark where nothing is recorded.
const NOT_RECORDING: &str = "nothing is being recorded";

/// Something that a client may ask of a recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecorderAction {
    /// Starts recording, or stops it. It is no error if that is so already.
    Record(bool),
    /// Adds a remark to what is being recorded.
    Note(String),
}

/// A request, with the way to answer.
type RecorderRequest = (RecorderAction, oneshot::Sender<Result<(), String>>);

/// Asks the recorder of a port.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    requests: mpsc::Sender<RecorderRequest>,
}

/// The requests as they arrive at the recorder.
pub(crate) struct RecorderRequests(mpsc::Receiver<RecorderRequest>);

impl Recorder {
    /// A recorder that is not running yet.
    pub(crate) fn new() -> (Self, RecorderRequests) {
        let (requests, waiting) = mpsc::channel(MAX_WAITING);
        (Self { requests }, RecorderRequests(waiting))
    }

    /// Does what a client asks for.
    ///
    /// # Errors
    /// In words for people.
    pub(crate) async fn perform(&self, action: RecorderAction) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send((action, answer)).await;
        sent.map_err(|_| STOPPING)?;
        answered.await.map_err(|_| STOPPING)?
    }
}

impl RecorderAction {
    /// Checks a remark.
    ///
    /// # Errors
    /// In words for people.
    pub(crate) fn note(text: String) -> Result<Self, String> {
        match text.len() {
            0..=MAX_NOTE => Ok(Self::Note(text)),
            length => Err(format!(
                "a note may have at most {MAX_NOTE} bytes; this one has {length}"
            )),
        }
    }
}

impl RecorderRequests {
    /// Records `port` until the port is removed or the program stops, from now on and whenever
    /// somebody asks for it. `run` names the run in which the stream of the port is counted.
    pub(crate) async fn serve(
        mut self,
        config: RecorderConfig,
        (port, run): (String, String),
        hub: Arc<Hub>,
        stop: CancellationToken,
    ) {
        let mut recording = Recording {
            reporter: hub.add_output("record", "", OutputState::Off),
            config,
            port,
            run,
            hub,
            session: None,
            recorded: 0,
            restart: false,
        };
        if let Err(why) = recording.start(StartMode::WhenPossible).await {
            tracing::warn!(port = recording.port, "{why}");
        }
        loop {
            // Not where a request would cut it short.
            recording.restart_if_due().await;
            let request = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                request = self.0.recv() => request,
                () = recording.advance() => continue,
            };
            let Some((action, answer)) = request else {
                break;
            };
            let _ = answer.send(recording.perform(action).await);
        }
        recording.stop().await;
    }
}

/// The recording of a port, which may be off.
struct Recording {
    config: RecorderConfig,
    port: String,
    run: String,
    hub: Arc<Hub>,
    reporter: Arc<OutputReporter>,
    session: Option<RecordingSession>,
    /// Bytes of the stream up to the end of the last recording.
    recorded: u64,
    /// True if the stream has begun to be counted anew.
    restart: bool,
}

impl Recording {
    async fn perform(&mut self, action: RecorderAction) -> Result<(), String> {
        match (action, &mut self.session) {
            (RecorderAction::Record(true), Some(_)) => Ok(()),
            (RecorderAction::Record(true), None) => self.start(StartMode::NowOrNever).await,
            (RecorderAction::Record(false), _) => {
                self.stop().await;
                Ok(())
            }
            (RecorderAction::Note(text), Some(session)) => session.note(Timestamp::now(), text),
            (RecorderAction::Note(_), None) => Err(NOT_RECORDING.to_owned()),
        }
    }

    async fn start(&mut self, begin: StartMode) -> Result<(), String> {
        let names = (&*self.port, &*self.run);
        let from = (self.recorded, begin);
        let told = (&self.hub, &self.reporter);
        let session = RecordingSession::start(&self.config, names, told, from).await?;
        self.session = Some(session);
        Ok(())
    }

    /// Records what comes next; waits for ever while nothing is recorded.
    async fn advance(&mut self) {
        let Some(session) = &mut self.session else {
            return std::future::pending().await;
        };
        if session.advance().await {
            self.restart = true;
        }
    }

    /// Goes on in other files where the stream is counted anew.
    async fn restart_if_due(&mut self) {
        if std::mem::take(&mut self.restart) {
            self.stop().await;
            self.recorded = 0;
            if let Err(why) = self.start(StartMode::WhenPossible).await {
                tracing::warn!(port = self.port, "{why}");
            }
        }
    }

    async fn stop(&mut self) {
        if let Some(session) = self.session.take() {
            self.recorded = session.end().await;
        }
    }
}

/// Checks that recordings can be written to a folder, without making it. Returns the folder that is
/// there: the one above where only that one is missing.
///
/// # Errors
/// In words for people.
pub(crate) fn check_folder(folder: &Path) -> Result<&Path, String> {
    let existing = match folder.parent() {
        Some(parent) if !folder.exists() && parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) if !folder.exists() => parent,
        _ => folder,
    };
    let checked = crate::platform::can_create_in(existing);
    checked.map_err(|error| failed(folder, &error))?;
    Ok(existing)
}

fn failed(folder: &Path, error: &std::io::Error) -> String {
    let reason = crate::platform::reason(error);
    format!("cannot record to {}: {reason}", folder.display())
}

/// Checks at the start that recordings can be written to a folder, and makes it if only it is missing.
///
/// # Errors
/// In words for people.
pub(crate) fn prepare_folder(folder: &Path) -> Result<(), String> {
    let prepare = || {
        if !folder.exists() {
            std::fs::create_dir(folder)?;
        }
        crate::platform::can_create_in(folder)
    };
    prepare().map_err(|error| failed(folder, &error))
}
