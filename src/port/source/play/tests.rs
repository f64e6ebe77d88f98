//! Playing recordings, with a clock that the tests hold.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::config::Config;
use crate::hub::{HubConfig, PlaybackChange, PlaybackSpeed};
use crate::port::device::{Device, RecordedChange};

/// A folder of recordings, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("serial-ws-play-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the text of a recording of this port and run that begins at `t`, with these entries.
fn recording(port: &str, run: &str, (offset, t): (u64, u64), entries: &[&str]) -> String {
    let header = format!(
        r#"{{"recording":"serial-ws","version":1,"run":"{run}","port":"{port}","path":"/dev/ttyX","settings":{{"baud":300}},"offset":{offset},"t":{t}}}"#
    );
    let entries = entries.iter().map(|entry| format!("{entry}\n"));
    format!("{header}\n{}", entries.collect::<String>())
}

fn rx(t: &str, text: &str) -> String {
    format!(r#"{{"t":{t},"rx":"{text}"}}"#)
}

/// Returns a source that plays `paths`, with its hub.
fn source(paths: &[&Path], settings: &str) -> (PlaySource, Arc<Hub>) {
    let paths = paths.iter().map(|path| format!("'{}'", path.display()));
    let files = paths.collect::<Vec<_>>().join(" ");
    let spec = format!("p=play:{files}{settings}");
    let config = Config::from_args(["serial-ws", "--port", &spec]).unwrap();
    let limits = HubConfig {
        history: 0,
        max_behind: Duration::from_secs(10),
    };
    let hub = Hub::new(limits, Status::new(State::Waiting, ""));
    let config = config.port_configs().remove(0);
    let crate::port::source::spec::Spec::Play(files) = &config.spec else {
        panic!("{:?}", config.spec);
    };
    (PlaySource::new(files, &config, &hub), hub)
}

/// A thing that was played, with the time since the beginning in microseconds.
type Played = (u64, String);

/// Plays all of a recording, and returns what came, and when.
async fn play(source: &mut PlaySource) -> Vec<Played> {
    let mut played = Vec::new();
    let began = Instant::now();
    let time = move || began.elapsed().as_micros() as u64;
    loop {
        match tokio::time::timeout(Duration::from_secs(86_400), source.open()).await {
            Err(_) => return played,
            Ok(Err(failure)) => {
                played.push((time(), failure.status.detail.clone()));
                assert!(!failure.is_permanent, "{failure:?}");
            }
            Ok(Ok(opened)) => {
                let mut device = opened.device;
                let told = device.recorded_change().unwrap();
                played.push((time(), told.status.unwrap().detail));
                read_all(&mut *device, &mut played, time).await;
                device.close();
                source.release(true);
            }
        }
    }
}

/// Reads a device until it ends.
async fn read_all(device: &mut dyn Device, played: &mut Vec<Played>, time: impl Fn() -> u64) {
    let mut buffer = [0; 4096];
    loop {
        let count = device.read(&mut buffer).await.unwrap();
        let text = match (count, device.recorded_change()) {
            (0, None) => {
                played.push((time(), device.end_reason()));
                return;
            }
            (0, Some(change)) => {
                let is_loss = change.is_loss();
                played.push((time(), shown_change(change)));
                if is_loss {
                    return;
                }
                continue;
            }
            (count, _) => String::from_utf8_lossy(&buffer[..count]).into_owned(),
        };
        played.push((time(), text));
    }
}

fn shown_change(change: RecordedChange) -> String {
    let begins = change
        .starts_whole
        .map(|whole| if whole { "whole " } else { "partial " });
    let status = change.status.map(|status| status.detail);
    format!("{}{}", begins.unwrap_or(""), status.unwrap_or_default())
}

fn texts(played: &[Played]) -> Vec<&str> {
    played.iter().map(|(_, text)| text.as_str()).collect()
}

const OPENED: &str = "/dev/ttyX is open (recording, 300 baud)";
const ENDED: &str = "the recording has ended";

#[tokio::test(start_paused = true)]
async fn the_gaps_are_those_of_the_recording() {
    let folder = Folder::new("gaps");
    let entries = [
        rx("100.25", "a\\n"),
        rx("100.261", "b\\n"),
        rx("103", "c"),
        rx("3703", "d\\n"),
    ];
    let entries = entries.each_ref().map(String::as_str);
    let text = recording("uno", "r", (0, 100), &entries);
    let path = folder.write("a.jsonl", text);
    for (settings, factor) in [("", 1.0), (",speed=2", 2.0), (",speed=0.5", 0.5)] {
        let (mut source, _hub) = source(&[&path], settings);
        let played = play(&mut source).await;
        assert_eq!(texts(&played), [OPENED, "a\n", "b\n", "c", "d\n", ENDED]);
        for ((time, _), seconds) in played[1..].iter().zip([0.25, 0.261, 3.0, 3603.0]) {
            // Timers of tokio have milliseconds; what they add does not add up.
            let late = *time as f64 - seconds * 1e6 / factor;
            assert!((0.0..1000.0).contains(&late), "{settings}: {played:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn at_max_speed_nothing_waits() {
    let folder = Folder::new("max");
    let entries = [rx("101", "a\\n"), rx("5000", "b\\n")];
    let text = recording(
        "uno",
        "r",
        (0, 100),
        &entries.each_ref().map(String::as_str),
    );
    let path = folder.write("a.jsonl", text);
    let (mut source, _hub) = source(&[&path], ",speed=max");
    let played = play(&mut source).await;
    assert_eq!(texts(&played), [OPENED, "a\n", "b\n", ENDED]);
    assert!(played.iter().all(|(time, _)| *time == 0), "{played:?}");
}

#[tokio::test(start_paused = true)]
async fn losses_and_openings_are_those_of_the_recording() {
    let folder = Folder::new("losses");
    let entries = [
        r#"{"t":100,"status":"open","detail":"it is open"}"#,
        r#"{"t":101,"rx":"a"}"#,
        r#"{"t":102,"status":"lost","detail":"it was lost"}"#,
        r#"{"t":103,"status":"busy","detail":"it is busy"}"#,
        r#"{"t":104,"status":"open","detail":"it is back"}"#,
        r#"{"t":105,"rx":"b"}"#,
        r#"{"t":106,"missed":{"bytes":10}}"#,
        r#"{"t":107,"rx":"c"}"#,
        r#"{"t":108,"status":"someday","detail":"of a later version"}"#,
        r#"{"t":108,"tx":"x","client":1}"#,
    ];
    let path = folder.write("a.jsonl", recording("uno", "r", (0, 100), &entries));
    let (mut source, _hub) = source(&[&path], "");
    let played = play(&mut source).await;
    let seconds = played
        .iter()
        .map(|(time, text)| (time / 1_000_000, text.as_str()));
    let expected = [
        (0, OPENED),
        (0, "it is open"),
        (1, "a"),
        (2, "it was lost"),
        (3, "it is busy"),
        (4, "it is back"),
        (5, "b"),
        (6, "partial it is back"),
        (7, "c"),
        // Until what was sent to it is told, too.
        (8, ENDED),
    ];
    assert_eq!(seconds.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_clients_write_is_taken_and_counted() {
    let folder = Folder::new("writes");
    let path = folder.write("a.jsonl", recording("uno", "r", (0, 100), &[]));
    let (mut source, hub) = source(&[&path], "");
    let mut opened = source.open().await.unwrap();
    opened.device.write_all(b"hello").await.unwrap();
    let dropped = &hub.counters.dropped_bytes;
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn a_recording_may_begin_later_and_again() {
    let folder = Folder::new("loop");
    let entries = [
        rx("101", "a\\n"),
        rx("102", "b"),
        rx("103", "c\\n"),
        rx("104", "d\\n"),
    ];
    let text = recording(
        "uno",
        "r",
        (0, 100),
        &entries.each_ref().map(String::as_str),
    );
    let path = folder.write("a.jsonl", text);
    let (mut source, _hub) = source(&[&path], ",from=2.5s,loop");
    let opened = source.open().await.unwrap();
    let mut device = opened.device;
    device.recorded_change().unwrap();
    let began = Instant::now();
    let mut played = Vec::new();
    let mut buffer = [0; 64];
    while played.len() < 9 {
        let count = device.read(&mut buffer).await.unwrap();
        let text = match device.recorded_change() {
            Some(change) => shown_change(change),
            None => String::from_utf8_lossy(&buffer[..count]).into_owned(),
        };
        played.push((began.elapsed().as_millis(), text));
    }
    let played: Vec<_> = played
        .iter()
        .map(|(ms, text)| (*ms, text.as_str()))
        .collect();
    let expected = [
        (500, "c\n"),
        (1500, "d\n"),
        (1500, "whole "),
        (2500, "a\n"),
        (3500, "b"),
        (4500, "c\n"),
        (5500, "d\n"),
        (5500, "whole "),
        (6500, "a\n"),
    ];
    assert_eq!(played, expected);
}

#[tokio::test(start_paused = true)]
async fn an_empty_recording_that_begins_again_does_not_spin() {
    let folder = Folder::new("spin");
    let empty = folder.write("empty.jsonl", recording("uno", "r", (0, 100), &[]));
    let (mut source, _hub) = source(&[&empty], ",loop,speed=max");
    assert_eq!(texts(&play(&mut source).await), [OPENED, ENDED]);
    let text = recording("uno", "r", (0, 100), &[&rx("100", "a")]);
    let short = folder.write("short.jsonl", text);
    let (mut source, _hub) = self::source(&[&short], ",loop,speed=max");
    let mut device = source.open().await.unwrap().device;
    let began = Instant::now();
    let mut passes = 0;
    while began.elapsed() < Duration::from_secs(1) {
        let mut buffer = [0; 64];
        passes += usize::from(device.read(&mut buffer).await.unwrap() > 0);
        device.recorded_change();
    }
    assert!((10..=11).contains(&passes), "{passes}");
}

#[tokio::test(start_paused = true)]
async fn clients_pause_and_go_to_other_places() {
    let folder = Folder::new("control");
    let entries = [
        rx("101", "a\\n"),
        rx("102", "b"),
        rx("103", "c\\n"),
        rx("104", "d\\n"),
    ];
    let text = recording(
        "uno",
        "r",
        (0, 100),
        &entries.each_ref().map(String::as_str),
    );
    let path = folder.write("a.jsonl", text);
    let (mut source, hub) = source(&[&path], "");
    let change = |change: PlaybackChange| hub.change_playback(&change).unwrap();
    let mut device = source.open().await.unwrap().device;
    device.recorded_change().unwrap();
    let mut buffer = [0; 64];
    assert_eq!(device.read(&mut buffer).await.unwrap(), 2);
    change(PlaybackChange {
        pause: Some(true),
        ..PlaybackChange::default()
    });
    let hour = Duration::from_secs(3600);
    let waiting = tokio::time::timeout(hour, device.read(&mut buffer));
    assert!(waiting.await.is_err());
    change(PlaybackChange {
        seek: Some(2.5),
        ..PlaybackChange::default()
    });
    // The place is new at once, also while it is paused.
    assert_eq!(device.read(&mut buffer).await.unwrap(), 0);
    let changed = device.recorded_change().unwrap();
    assert_eq!(changed.starts_whole, Some(false));
    let began = Instant::now();
    change(PlaybackChange {
        pause: Some(false),
        speed: PlaybackSpeed::times(2.0),
        ..PlaybackChange::default()
    });
    let playback = hub.status().playback.unwrap();
    assert_eq!(playback.position, Duration::from_millis(2500));
    let mut played = Vec::new();
    read_all(&mut *device, &mut played, || {
        began.elapsed().as_millis() as u64
    })
    .await;
    let expected = [(250, "c\n"), (750, "d\n"), (750, ENDED)];
    let played = played.iter().map(|(ms, text)| (*ms, text.as_str()));
    assert_eq!(played.collect::<Vec<_>>(), expected);
    device.close();
    // It can be played again after its end.
    change(PlaybackChange {
        seek: Some(3.0),
        ..PlaybackChange::default()
    });
    assert_eq!(
        texts(&play(&mut source).await),
        [OPENED, "c\n", "d\n", ENDED]
    );
}

#[tokio::test(start_paused = true)]
async fn the_length_is_known_once_the_files_were_read() {
    let folder = Folder::new("length");
    let first = recording("uno", "r", (0, 100), &[&rx("101.5", "ab\\n")]);
    let second = recording("uno", "r", (3, 102), &[&rx("104", "c\\n")]);
    let later = recording("uno", "s", (0, 9000), &[&rx("9001", "d\\n")]);
    folder.write("1.jsonl", first);
    folder.write("2.jsonl", second);
    folder.write("3.jsonl", later);
    let (mut source, hub) = source(&[&folder.0], ",speed=max");
    let played = play(&mut source).await;
    // The second file goes on where the first ended; before the third, nothing was recorded.
    let gap = format!("whole {}", "");
    let expected = [OPENED, "ab\n", "c\n", &gap, "d\n", ENDED];
    assert_eq!(texts(&played), expected);
    // Blocking threads do not wait for the clock of the test.
    while hub.status().playback.unwrap().length.is_none() {
        tokio::task::yield_now().await;
    }
    let length = hub.status().playback.unwrap().length;
    assert_eq!(length, Some(Duration::from_secs(5)));
}

/// Returns why these files cannot be played.
async fn failure(paths: &[&Path]) -> String {
    let (mut source, _hub) = source(paths, "");
    let failure = source.open().await.err().unwrap();
    assert!(failure.is_permanent);
    failure.status.detail
}

#[tokio::test]
async fn what_cannot_be_played_is_told() {
    let folder = Folder::new("wrong");
    let check = async |content: &[u8], expected: &str| {
        let path = folder.write("wrong.jsonl", content);
        let why = failure(&[&path]).await;
        assert!(why.starts_with("cannot play play:"), "{why}");
        assert!(why.contains(expected), "{why}");
    };
    check(b"", "wrong.jsonl: it is empty").await;
    check(b"\x00\xff\n", "wrong.jsonl: it is no recording").await;
    check(b"\x1f\x8b\x08\x00rubbish", "it is no recording").await;
    let later = br#"{"recording":"serial-ws","version":2,"t":1}"#;
    check(later, "it is a recording of version 2").await;
    let missing = failure(&[&folder.0.join("none.jsonl")]).await;
    assert!(missing.contains("none.jsonl"), "{missing}");
    let empty = Folder::new("nothing");
    let why = failure(&[&empty.0]).await;
    assert!(why.contains("has no recordings, whose names end"), "{why}");
}

/// Compresses a text as a file of its own.
fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn compressed_files_are_played_as_far_as_they_can_be_read() {
    let folder = Folder::new("gzip");
    let text = recording("uno", "r", (0, 100), &[&rx("101", "a\\n")]);
    let rest = format!("{}\n", rx("102", "b\\n"));
    // What follows was compressed and appended later.
    let whole = [gzip(&text), gzip(&rest)].concat();
    let cut = [&gzip(&text)[..], &gzip(&rest)[..20]].concat();
    let damaged = [&gzip(&text)[..], b"rubbish"].concat();
    for (content, expected) in [
        (&whole, &[OPENED, "a\n", "b\n", ENDED][..]),
        (&cut, &[OPENED, "a\n", ENDED]),
        (&damaged, &[OPENED, "a\n", ENDED]),
    ] {
        // Its name does not matter.
        let path = folder.write("a.jsonl", content);
        let (mut source, _hub) = source(&[&path], ",speed=max");
        assert_eq!(texts(&play(&mut source).await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_has_each_recording_once() {
    let folder = Folder::new("once");
    let text = recording("uno", "r", (0, 100), &[&rx("101", "a\\n")]);
    folder.write("a.jsonl", &text);
    folder.write("a.jsonl.gz", gzip(&text));
    let other = recording("knob", "r", (0, 50), &[&rx("101", "b\\n")]);
    folder.write("b.jsonl.gz", gzip(&other));
    folder.write("c.jsonl", "");
    folder.write("d.txt", "");
    let (mut source, _hub) = source(&[&folder.0], ",speed=max");
    assert_eq!(texts(&play(&mut source).await), [OPENED, "a\n", ENDED]);
    let found = RecordedFiles::find(&[&folder.0], None).unwrap();
    assert_eq!(found.remarks.len(), 2, "{:?}", found.remarks);
    let knob = RecordedFiles::find(&[&folder.0], Some("knob")).unwrap();
    assert_eq!(knob.files.len(), 1);
}
