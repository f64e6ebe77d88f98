//! `--save`: the lines of a port as text, in a file that others may move.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, Program, until};

/// A folder, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("serial-ws-saving-{process}-{count}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder can be made");
        Self(folder)
    }

    /// The path of a file in it.
    fn path(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.to_str().expect("its path is text").to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// Waits until a file ends with this text, and returns all of it.
    async fn ends(&self, name: &str, end: &str) -> String {
        until(&format!("{end:?} at the end of {name}"), async || {
            let text = self.read(name);
            text.ends_with(end).then_some(text)
        })
        .await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sends lines, and waits until a client has them all.
async fn send(pair: &mut Pair, client: &mut Client, lines: &[&str]) {
    for line in lines {
        pair.device.write(line).await;
        client.json_of("line").await;
    }
}

async fn saving(bridge: &Bridge) -> Value {
    bridge.port("board").await["status"]["outputs"][0].clone()
}

#[tokio::test]
async fn each_line_is_appended_with_its_time() {
    let (mut pair, folder) = (Pair::open().await, Folder::new());
    let file = folder.path("board.log");
    fs::write(&file, "of an earlier run\nwhich was killed in the midd").expect("it can be written");
    let bridge = Bridge::on(&mut pair, &["--save", &file]).await;
    let mut client = bridge.json_client().await;
    send(&mut pair, &mut client, &["584,678,0\r\n", "\u{e9}\n"]).await;
    let text = folder.ends("board.log", "\u{e9}\n").await;
    let status = saving(&bridge).await;
    assert_eq!(
        (&status["kind"], &status["at"]),
        (&json!("save"), &json!("board.log"))
    );
    assert!(status["sent"].as_u64() > Some(60), "{status}");
    bridge.stop().await;

    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("of an earlier run"));
    assert_eq!(lines.next(), Some("which was killed in the midd"));
    // The first is the one that brought the port into step.
    for expected in ["", "584,678,0", "\u{e9}"] {
        let line = lines.next().expect("it was saved");
        let (time, line) = line.split_once(' ').expect("a time stands before it");
        let time: Vec<_> = time.split(['-', 'T', ':', '.', '+', 'Z']).collect();
        assert!(time.len() >= 8 && time[0].starts_with("20"), "{time:?}");
        assert_eq!(line, expected);
    }
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn a_full_file_is_renamed_and_the_oldest_goes() {
    let (mut pair, folder) = (Pair::open().await, Folder::new());
    let file = folder.path("board.log");
    let sizes = ["--save-size", "4KiB", "--save-count", "2"];
    let arguments = [&["--save", &file, "--timestamps", "none"], &sizes[..]].concat();
    let bridge = Bridge::on(&mut pair, &arguments).await;
    let mut client = bridge.json_client().await;
    let lines: Vec<_> = (0..60).map(|n| format!("{n:0255}\n")).collect();
    for line in &lines {
        send(&mut pair, &mut client, &[line]).await;
        // One after the other, so that none is written with the next.
        until("the line to be saved", async || {
            let names = ["board.log", "board.log.1"].into_iter();
            names
                .map(|name| folder.read(name))
                .any(|text| text.ends_with(&**line))
                .then_some(())
        })
        .await;
    }
    bridge.stop().await;
    let names = ["board.log.2", "board.log.1", "board.log"];
    let texts = names.map(|name| folder.read(name));
    // Each line has 256 bytes, and the one that brought the port into step has one.
    for text in &texts[..2] {
        assert_eq!(text.len(), 4 << 10);
    }
    let all = lines.concat();
    assert!(all.ends_with(&texts.concat()), "{texts:?}");
    assert!(!folder.0.join("board.log.3").exists());
}

#[tokio::test]
async fn a_file_that_somebody_moves_is_followed_by_a_new_one() {
    let (mut pair, folder) = (Pair::open().await, Folder::new());
    let file = folder.path("board.log");
    let bridge = Bridge::on(&mut pair, &["--save", &file, "--timestamps", "none"]).await;
    let mut client = bridge.json_client().await;
    send(&mut pair, &mut client, &["first\n"]).await;
    folder.ends("board.log", "first\n").await;
    fs::rename(&file, folder.path("moved")).expect("it can be renamed");
    send(&mut pair, &mut client, &["second\n"]).await;
    folder.ends("board.log", "second\n").await;
    assert_eq!(folder.read("moved"), "\nfirst\n");
    bridge.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_has_the_file_opened_again_and_ends_nothing() {
    if crate::support::is_for_windows() {
        return crate::support::skip("Windows has no signals");
    }
    let (mut pair, folder) = (Pair::open().await, Folder::new());
    let file = folder.path("board.log");
    let bridge = Bridge::on(&mut pair, &["--save", &file, "--timestamps", "none"]).await;
    let mut client = bridge.json_client().await;
    for round in 0..3 {
        let line = format!("{round}\n");
        send(&mut pair, &mut client, &[&line]).await;
        folder.ends("board.log", &line).await;
        let moved = folder.path(&format!("moved.{round}"));
        fs::rename(&file, &moved).expect("it can be renamed");
        bridge.program.signal(rustix::process::Signal::HUP);
        // At once, before there is another line.
        until("a new file", async || {
            fs::exists(&file).ok().filter(|it| *it)
        })
        .await;
        assert!(fs::read_to_string(&moved).is_ok_and(|text| text.ends_with(&line)));
    }
    bridge.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_ends_the_program_with_the_reason() {
    let folder = Folder::new();
    let fails = async |path: &str, why: &str| {
        let ended = Bridge::fail(&["sim", "--save", path]).await;
        ended.with(1, &format!("cannot save to {path}: {why}"));
    };
    fails(&folder.path("missing/a.log"), "there is no such folder").await;
    fails(&folder.path(""), "it is a folder").await;
    let taken = folder.path("taken.log");
    let _first = Bridge::start(&["sim", "--save", &taken]).await;
    fails(&taken, "another port or program writes to it").await;
}

/// Whatever the operator's shell opens could be waited for without an end.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_no_file_for_lines() {
    if crate::support::is_for_windows() {
        return crate::support::skip("Windows has no such pipes");
    }
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let ended = Bridge::fail(&["sim", "--save", &pipe]).await;
    ended.with(1, "it is not an ordinary file");
}

#[tokio::test]
async fn two_ports_do_not_share_a_file_by_any_name() {
    let folder = Folder::new();
    let file = folder.path("a.log");
    let save = |name: &str, path: &str| format!("{name}=sim,save={path}");
    let other = folder.path("./a.log");
    let ports = [save("a", &file), save("b", &other)];
    let ended = Program::run(&["--port", &ports[0], "--port", &ports[1]]).await;
    ended.with(2, &format!("port a has save={file} already"));
    #[cfg(unix)]
    {
        let link = folder.path("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link can be made");
        let ports = [save("a", &file), save("b", &link)];
        let ended = Bridge::fail(&["--port", &ports[0], "--port", &ports[1]]).await;
        ended.with(1, "another port or program writes to it");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_costs_no_client_a_line_and_the_gap_is_marked() {
    use crate::support::{on_a_full_disk, seen_by};

    let (mut pair, folder) = (Pair::open().await, Folder::new());
    let disk = folder.path("disk");
    fs::create_dir(&disk).expect("a folder can be made");
    let (port, file) = (format!("board={}", pair.path), format!("{disk}/board.log"));
    let listen = ["--listen", "127.0.0.1:0", "--record-reserve", "0"];
    let save = ["--save", &file, "--timestamps", "none", "--port", &port];
    let Some(program) = on_a_full_disk(&disk, &[&listen[..], &save].concat()) else {
        return;
    };
    let bridge = Bridge::of(program, 1).await;
    bridge.in_step("board", &mut pair).await;
    let seen = seen_by(&bridge.program, &disk);
    let mut client = bridge.client("/?view=raw").await;
    // More than there is room for, on the disk and in what waits for it: 12 MiB in lines of 64 bytes.
    let lines = |first: usize| (first..first + 1024).map(|n| format!("{n:063}\n"));
    for n in 0..192 {
        let bytes: String = lines(n * 1024).collect();
        pair.device.write(&bytes).await;
        let got = client.bytes_of(bytes.len()).await;
        assert!(got == bytes.as_bytes(), "a client missed something");
    }
    until("the status to tell", async || {
        let problem = saving(&bridge).await["problem"].clone();
        problem
            .as_str()?
            .ends_with("the disk is full")
            .then_some(())
    })
    .await;
    fs::remove_file(seen.join("filler")).expect("the filler is there");
    bridge.program.said("saving goes on").await;
    let text = until("a line after the gap", async || {
        pair.device.write("end\n").await;
        let text = fs::read_to_string(seen.join("board.log")).ok()?;
        text.ends_with("\nend\n").then_some(text)
    })
    .await;
    let mut next = 0;
    for line in text.lines().skip(1) {
        match line
            .strip_prefix("# missed ")
            .and_then(|rest| rest.strip_suffix(" lines"))
        {
            Some(count) => next += count.parse::<usize>().expect("it is a number"),
            None if line == "end" => next += 1,
            None => {
                assert_eq!(line.parse(), Ok(next), "not what came there");
                next += 1;
            }
        }
    }
    assert!(text.contains("# missed "), "everything was saved");
    assert!(next > 192 * 1024, "only {next} lines are accounted for");
    let missed = saving(&bridge).await["missed"].as_u64();
    assert!(missed > Some(1 << 20), "{missed:?} bytes are missing");
    bridge.stop().await;
}
