//! The thread that writes for an output.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::queue::{DiskQueue, QueueEntry};
use super::report::Report;
use super::writer::{DiskWriter, EntryFormat, Storage};
use crate::platform::reason;

/// The longest time without a look at anything.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The way to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::output) enum StartMode {
    /// Fails if nothing can be written now.
    NowOrNever,
    /// Tries again from time to time.
    WhenPossible,
}

/// Starts the thread. Returns, once the first file is there, what tells that all is written.
///
/// # Errors
/// If that file cannot be written, in words for people.
pub(in crate::output) async fn start<S: Storage, F: EntryFormat<Entry: QueueEntry>>(
    mut writer: DiskWriter<S, F>,
    queue: Arc<DiskQueue<F::Entry>>,
    begin: StartMode,
    mut report: Report,
) -> Result<oneshot::Receiver<()>, String> {
    let (begun, beginning) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let doing = report.doing();
    let thread = thread::Builder::new().name(doing.to_owned());
    let run = move || {
        let outcome = writer.begin(Instant::now());
        let goes_on = outcome.is_ok() || begin == StartMode::WhenPossible;
        let outcome = outcome.or_else(|why| if goes_on { Ok(()) } else { Err(why) });
        if goes_on {
            // Whoever asked for it is answered when the status tells it.
            report.update(&writer);
        }
        if begun.send(outcome).is_ok() && goes_on {
            run(writer, &queue, report);
        }
        let _ = ended.send(());
    };
    thread
        .spawn(run)
        .map_err(|error| no_thread(doing, &error))?;
    let begun = beginning.await;
    begun.map_err(|_| format!("{doing} is not possible: the thread that writes has ended"))??;
    Ok(end)
}

/// The error where the system has no thread left.
pub(in crate::output) fn no_thread(doing: &str, error: &std::io::Error) -> String {
    let why = reason(error);
    format!("{doing} is not possible: no thread can be started: {why}")
}

fn run<S: Storage, F: EntryFormat<Entry: QueueEntry>>(
    mut writer: DiskWriter<S, F>,
    queue: &DiskQueue<F::Entry>,
    mut report: Report,
) {
    let mut entries = VecDeque::new();
    loop {
        let due = [writer.retry_at(), writer.sync_due()].into_iter().flatten();
        let due = due.min().unwrap_or_else(|| Instant::now() + MAX_WAIT);
        // While the disk takes nothing, the queue keeps what comes, and counts what it cannot.
        let has_ended = match writer.retry_at() {
            Some(_) => queue.wait_for_end(due),
            None => queue.take(&mut entries, due),
        };
        if has_ended {
            break;
        }
        if queue.take_reopening() {
            writer.reopen(Instant::now());
        }
        writer.write(&mut entries, Instant::now());
        writer.sync_if_due(Instant::now());
        report.update(&writer);
    }
    queue.take(&mut entries, Instant::now());
    writer.end(&mut entries, Instant::now());
    report.end(&writer, &entries);
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::hub::{Hub, HubConfig, OutputState, State, Status, Timestamp};
    use crate::output::disk::report::ReportedOutput;
    use crate::output::disk::writer::{FileLimits, StoredFile};
    use crate::output::recorder::format::RecordingFormat;
    use crate::recording::{RecordingEntry, RecordingHeader};

    /// A disk that takes nothing while somebody else holds the lock.
    #[derive(Clone, Default)]
    struct SlowDisk(Arc<Mutex<Vec<u8>>>);

    impl Storage for SlowDisk {
        type File = Self;

        fn open(&mut self, _: Timestamp) -> Result<Self, String> {
            Ok(self.clone())
        }

        fn free_bytes(&self) -> io::Result<u64> {
            Ok(u64::MAX)
        }

        fn closed_one(&mut self) {}
    }

    impl StoredFile for SlowDisk {
        fn name(&self) -> &str {
            "slow"
        }

        fn length(&self) -> u64 {
            0
        }

        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn is_there(&self) -> bool {
            true
        }
    }

    const OUTPUT: ReportedOutput = ReportedOutput {
        doing: "recording",
        done: "recorded",
    };

    fn hub() -> Arc<Hub> {
        let limits = HubConfig {
            history: 0,
            max_behind: Duration::from_secs(10),
        };
        Hub::new(limits, Status::new(State::Open, "open"))
    }

    #[tokio::test]
    async fn nobody_waits_for_a_disk_that_takes_nothing() {
        const ENTRY: usize = 4096;
        const COUNT: u64 = (32 << 20) / ENTRY as u64;
        let disk = SlowDisk::default();
        let header = RecordingHeader {
            run: String::new(),
            port: "uno".to_owned(),
            path: None,
            board: None,
            usb: None,
            settings: serde_json::Map::new(),
            offset: 0,
            t: Timestamp(0),
        };
        let limits = FileLimits {
            size: u64::MAX,
            reserve: 0,
        };
        let writer = DiskWriter::new(disk.clone(), limits, RecordingFormat { header });
        let (queue, hub) = (Arc::<DiskQueue<_>>::default(), hub());
        let reporter = hub.add_output("record", "", OutputState::Off);
        let report = Report::new(&OUTPUT, ("uno", Path::new("/disk")), reporter);
        let mode = StartMode::NowOrNever;
        let started = start(writer, Arc::clone(&queue), mode, report).await;
        let written = started.unwrap();
        let stalled = disk.0.lock().unwrap();
        // Were the disk waited for here, this would never end: nobody else lets it go.
        let pushed = (0..COUNT).filter(|t| {
            let bytes = vec![b'x'; ENTRY].into();
            let t = Timestamp(*t);
            queue.push(RecordingEntry::Received { t, d: 0, bytes })
        });
        let pushed = pushed.count() as u64;
        assert!(pushed < COUNT / 2, "{pushed} entries wait in memory");
        drop(stalled);
        queue.end();
        written.await.unwrap();
        let text = disk.0.lock().unwrap();
        let lines = text.split_inclusive(|byte| *byte == b'\n').skip(1);
        let (mut recorded, mut missed) = (0, 0);
        for line in lines {
            match RecordingEntry::parse(line).unwrap() {
                Some(RecordingEntry::Received { bytes, .. }) => recorded += bytes.len() as u64,
                Some(RecordingEntry::Missed { received, .. }) => missed += received,
                entry => panic!("{entry:?}"),
            }
        }
        assert_eq!(recorded, pushed * ENTRY as u64);
        assert_eq!(recorded + missed, COUNT * ENTRY as u64);
    }
}
