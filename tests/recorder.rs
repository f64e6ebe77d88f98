//! What is recorded whatever happens: much in both directions, a program that is killed, a disk that is full.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serial_ws::recording::RecordingEntry;

use crate::support::{
    Bridge, Client, Pair, Program, Recordings, is_emulated, noise, on_a_full_disk, seen_by, skip,
    until,
};

/// Sends so many bytes in both directions, beside a hundred clients of which ten take nothing.
async fn everything_is_recorded(length: usize) {
    let mut pair = Pair::open().await;
    let recordings = Recordings::new();
    let arguments = [
        "--record",
        recordings.path(),
        "--record-segment",
        "1MiB",
        "--max-clients",
        "200",
    ];
    let bridge = Bridge::on(&mut pair, &arguments).await;
    let mut stalled = Vec::new();
    for _ in 0..10 {
        stalled.push(Client::open_narrow(bridge.address(), "/?view=raw").await);
    }
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..90 {
        let mut client = bridge.client("/?view=raw").await;
        readers.spawn(async move {
            loop {
                client.bytes().await;
            }
        });
    }
    let (sent, received) = (noise(length, 1), noise(length, 2));
    let mut writer = bridge.client("/?view=raw").await;
    for (down, up) in sent.chunks(16 << 10).zip(received.chunks(16 << 10)) {
        writer.send_bytes(down).await;
        pair.device.write(up).await;
        pair.device.expect(down).await;
    }
    // The line that brought the port into step comes before.
    let end = received.len() + 1;
    until("all of it to be read", async || {
        (bridge.port("board").await["bytes"] == end).then_some(())
    })
    .await;
    readers.shutdown().await;
    drop(stalled);
    bridge.stop().await;
    let recorded = recordings.received("board");
    assert_eq!(recorded.len(), end);
    assert!(recorded[1..] == received, "other bytes were recorded");
    assert!(recordings.sent("board") == sent, "other bytes were sent");
    assert!(recordings.read("board").len() > length >> 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_in_both_directions_are_recorded_beside_a_hundred_clients() {
    everything_is_recorded(2 << 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: tests/run --long"]
async fn sixty_four_mebibytes_in_both_directions_are_recorded_beside_a_hundred_clients() {
    everything_is_recorded(64 << 20).await;
}

/// Kills the program at so many moments while a board sends a line every few milliseconds.
async fn killed(times: usize) {
    /// What came earlier before the end than this has to be recorded.
    const PROMISED: Duration = Duration::from_millis(200);
    let mut pair = Pair::open().await;
    let recordings = Recordings::new();
    let port = format!("board={}", pair.path);
    for (run, moment) in noise(times * 2, 3).chunks(2).enumerate() {
        let arguments = ["--port", &port, "--record", recordings.path()];
        let mut bridge = Bridge::start(&arguments).await;
        bridge.in_step("board", &mut pair).await;
        let end = Instant::now() + PROMISED + Duration::from_millis(moment[0].into());
        let mut lines = Vec::new();
        while Instant::now() < end {
            let padding = "x".repeat(moment[1].into());
            let line = format!("{run} {} {padding}\n", lines.len());
            pair.device.write(&line).await;
            lines.push((Instant::now(), line));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The program has read by now what was written before.
        let killed = Instant::now();
        bridge.program.signal(rustix::process::Signal::KILL);
        bridge.program.ended().await;
        let entries = recordings.read("board").into_iter();
        let entries = entries.flat_map(|file| file.entries);
        let recorded: HashSet<_> = entries
            .filter_map(|entry| match entry {
                RecordingEntry::Received { bytes, .. } => Some(bytes),
                _ => None,
            })
            .collect();
        for (written, line) in &lines {
            let is_old = killed.duration_since(*written) > PROMISED;
            let is_there = recorded.contains(line.as_bytes());
            assert!(!is_old || is_there, "{line:?} is missing after run {run}");
        }
    }
}

#[tokio::test]
async fn what_came_200_ms_before_the_program_was_killed_is_recorded() {
    killed(10).await;
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn what_came_200_ms_before_each_of_200_kills_is_recorded() {
    killed(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_costs_no_client_anything_and_the_gap_is_marked() {
    let mut pair = Pair::open().await;
    let folder = Recordings::new();
    std::fs::create_dir(&folder.folder).expect("a folder can be made");
    let disk = folder.path();
    let port = format!("board={}", pair.path);
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--port",
        &port,
        "--record",
        disk,
        "--record-reserve",
        "0",
    ];
    let Some(program) = on_a_full_disk(disk, &arguments) else {
        return;
    };
    let bridge = Bridge::of(program, 1).await;
    bridge.in_step("board", &mut pair).await;
    // As the program sees it.
    let seen = Recordings {
        folder: seen_by(&bridge.program, disk),
    };
    let mut client = bridge.client("/?view=raw").await;
    // More than there is room for, on the disk and in what waits for it.
    let all = noise(14 << 20, 4);
    for bytes in all.chunks(64 << 10) {
        pair.device.write(bytes).await;
        let got = client.bytes_of(bytes.len()).await;
        assert!(got == bytes, "a client missed something");
    }
    until("the status to tell", async || {
        let status = bridge.port("board").await["status"]["recording"].clone();
        let problem = status["problem"].as_str()?;
        problem.ends_with("the disk is full").then_some(())
    })
    .await;
    std::fs::remove_file(seen.folder.join("filler")).expect("the filler is there");
    bridge.program.said("recording goes on").await;
    // The gap is marked before what comes next, once all that waits is written.
    let mut ends = 0;
    let entries = until("the gap to be marked", async || {
        pair.device.write("\nend\n").await;
        ends += 1;
        let files = seen.read("board").into_iter();
        let entries: Vec<_> = files.flat_map(|file| file.entries).collect();
        let is_end = |entry: &RecordingEntry| matches!(entry, RecordingEntry::Received { bytes, .. } if bytes == "end\n");
        entries.iter().any(is_end).then_some(entries)
    })
    .await;
    // The line that brought the port into step comes before.
    let stream = [b"\n", &all[..], &b"\nend\n".repeat(ends)].concat();
    let (mut at, mut recorded, mut missed) = (0, 0, 0);
    for entry in entries {
        match entry {
            RecordingEntry::Received { bytes, .. } => {
                assert!(stream[at..].starts_with(&bytes), "not what came at {at}");
                at += bytes.len();
                recorded += bytes.len();
            }
            RecordingEntry::Missed { received, .. } => {
                at += received as usize;
                missed += received;
            }
            _ => {}
        }
    }
    assert!(at > all.len(), "only {at} bytes are accounted for");
    assert!(recorded > 256 << 10, "only {recorded} bytes were recorded");
    assert!(
        missed > 1 << 20,
        "only {missed} bytes were said to be missing"
    );
    bridge.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_makes_no_client_slower() {
    /// The time that the disk takes for each file.
    const DELAY: Duration = Duration::from_secs(2);
    const CHUNKS: usize = 30;
    let strace = std::process::Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .status();
    if is_emulated() || !strace.is_ok_and(|status| status.success()) {
        return skip("strace, which slows system calls down, is missing or not permitted");
    }
    let mut pair = Pair::open().await;
    let recordings = Recordings::new();
    // Each file is waited for before the next one begins.
    let script = format!(
        "exec strace -D -f --seccomp-bpf -qq -o /dev/null -e trace=fdatasync \
         -e inject=fdatasync:delay_enter={} \"$@\"",
        DELAY.as_micros()
    );
    let port = format!("board={}", pair.path);
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--port",
        &port,
        "--record",
        recordings.path(),
        "--record-segment",
        "4KiB",
    ];
    let bridge = Bridge::of(Program::start_by(&script, &arguments), 1).await;
    bridge.in_step("board", &mut pair).await;
    let mut client = bridge.client("/?view=raw").await;
    let all = noise(CHUNKS * 4096, 5);
    let start = Instant::now();
    for bytes in all.chunks(4096) {
        pair.device.write(bytes).await;
        let got = client.bytes_of(bytes.len()).await;
        assert!(got == bytes, "a client missed something");
    }
    let took = start.elapsed();
    assert!(
        took < DELAY * CHUNKS as u32 / 2,
        "the client waited: {took:?}"
    );
    let files = recordings.names().len();
    assert!(
        files < CHUNKS / 2,
        "the disk was not slow: there are {files} files"
    );
    let status = bridge.port("board").await["status"]["recording"].clone();
    assert!(
        status["bytes"].as_u64() < Some(CHUNKS as u64 * 4096),
        "{status}"
    );
}

#[tokio::test]
async fn a_folder_that_vanishes_is_told_and_recording_goes_on_when_it_is_back() {
    let mut pair = Pair::open().await;
    let recordings = Recordings::new();
    let bridge = Bridge::on(&mut pair, &["--record", recordings.path()]).await;
    let mut client = bridge.json_client().await;
    let mut line = async |text: &str| {
        pair.device.write(text).await;
        client.json_of("line").await;
    };
    std::fs::remove_dir_all(&recordings.folder).expect("it can be removed");
    line("first\n").await;
    until("the status to tell", async || {
        let status = bridge.port("board").await["status"]["recording"].clone();
        let problem = status["problem"].as_str()?;
        problem.ends_with("there is no such folder").then_some(())
    })
    .await;
    line("second\n").await;
    std::fs::create_dir(&recordings.folder).expect("it can be made");
    bridge.program.said("recording goes on").await;
    line("third\n").await;
    bridge.stop().await;
    let files = recordings.read("board").into_iter();
    let entries = files.flat_map(|file| file.entries);
    let received = entries.filter_map(|entry| match entry {
        RecordingEntry::Received { bytes, .. } => Some(bytes),
        _ => None,
    });
    let received = received.collect::<Vec<_>>().concat();
    assert!(
        received.ends_with(b"first\nsecond\nthird\n"),
        "{received:?}"
    );
}
