//! Programs as devices: what they write is read, what clients write they read, and nothing of them is
//! left when they end.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::support::network::home;
use crate::support::{Bridge, Client, is_for_windows, skip, until, within};

/// Returns true, and says so, where the programs of these tests are not.
fn has_no_shell() -> bool {
    let is_so = is_for_windows();
    if is_so {
        skip("the programs are those of Linux and macOS");
    }
    is_so
}

/// Starts a shell script as the device of a port.
async fn start(script: &str, arguments: &[&str]) -> Bridge {
    let port = format!("p=exec:sh -c '{script}'");
    Bridge::start(&[&["--port", &port], arguments].concat()).await
}

/// Waits for a line, and returns it.
async fn line(client: &mut Client, start: &str) -> String {
    loop {
        let event = client.json().await;
        let text = event["text"].as_str().unwrap_or_default();
        if event["type"] == "line" && text.starts_with(start) {
            return text.to_owned();
        }
    }
}

async fn lost(client: &mut Client) -> Value {
    loop {
        let status = client.json().await;
        if status["state"] == "lost" {
            return status;
        }
    }
}

/// Returns the process that a line such as `pid 17` names.
fn process(line: &str) -> Pid {
    let number = line.rsplit(' ').next().and_then(|pid| pid.parse().ok());
    number.and_then(Pid::from_raw).expect(line)
}

async fn gone(process: Pid) {
    until("a process to end", async || {
        test_kill_process(process).is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_program_is_a_port_like_any_other() {
    if has_no_shell() {
        return;
    }
    let bridge = start("echo ready; exec cat", &[]).await;
    let status = bridge.state("p", "open").await;
    assert_eq!(status["detail"], "exec:sh is open");
    let mut client = bridge.client("/?view=json&history=100").await;
    line(&mut client, "ready").await;
    let all: Vec<u8> = (0..=255).cycle().take(64 << 10).collect();
    let mut raw = bridge.client("/?view=raw").await;
    for piece in all.chunks(4 << 10) {
        raw.send_bytes(piece).await;
    }
    assert!(raw.bytes_of(all.len()).await == all, "cat sends it back");
    let port = bridge.port("p").await;
    let shown = port.to_string();
    assert!(!shown.contains("ready"), "no argument is shown: {shown}");
    assert_eq!(port["settings"]["readOnly"], false);
}

#[tokio::test]
async fn its_end_is_told_and_it_starts_again() {
    if has_no_shell() {
        return;
    }
    let bridge = start("echo pid $$; read line; exit $line", &[]).await;
    let mut client = bridge.json_client().await;
    bridge.state("p", "open").await;
    client
        .send_json(json!({"type": "write", "text": "7\n"}))
        .await;
    let detail = "exec:sh was lost: ended with status 7";
    assert_eq!(lost(&mut client).await["detail"], detail);
    let again = process(&line(&mut client, "pid ").await);
    kill_process(again, Signal::KILL).expect("it runs");
    let detail = "exec:sh was lost: was ended by signal 9";
    assert_eq!(lost(&mut client).await["detail"], detail);
}

#[tokio::test]
async fn what_it_wrote_last_is_read_before_its_end() {
    if has_no_shell() {
        return;
    }
    let bridge = start("read line; head -c 60000 /dev/zero; echo; echo last", &[]).await;
    let mut client = bridge.json_client().await;
    bridge.state("p", "open").await;
    client
        .send_json(json!({"type": "write", "text": "\n"}))
        .await;
    loop {
        let event = client.json().await;
        assert_ne!(event["state"], "lost", "first comes what it wrote");
        if event["text"] == "last" {
            break;
        }
    }
}

#[tokio::test]
async fn one_that_ends_at_once_is_not_started_in_a_spin() {
    if has_no_shell() {
        return;
    }
    let bridge = start("exit 3", &[]).await;
    bridge.program.said("ended with status 3").await;
    let begun = Instant::now();
    let opened = until("four starts", async || {
        let opened = bridge.port("p").await["counters"]["opened"].as_u64();
        opened.filter(|opened| *opened >= 4)
    })
    .await;
    // 400 ms, 800 ms and 1600 ms lie between them.
    let least = Duration::from_millis(2500);
    assert!(begun.elapsed() > least && opened == 4, "{opened}");
}

#[tokio::test]
async fn one_that_ignores_term_is_killed_with_all_that_it_has_forked() {
    if has_no_shell() {
        return;
    }
    // The first ends, the second is its child, and the third the child of that.
    let script = "trap \"\" TERM; \
                  sh -c \"echo pid \\$\\$; sh -c \\\"echo pid \\\\\\$\\\\\\$; sleep 1000\\\" & sleep 1000\" & \
                  read line";
    let bridge = start(script, &[]).await;
    let mut client = bridge.client("/?view=json&history=100").await;
    let first = process(&line(&mut client, "pid ").await);
    let second = process(&line(&mut client, "pid ").await);
    client
        .send_json(json!({"type": "write", "text": "\n"}))
        .await;
    let ended = Instant::now();
    assert_eq!(
        lost(&mut client).await["detail"],
        "exec:sh was lost: ended with status 0"
    );
    gone(first).await;
    gone(second).await;
    assert!(
        ended.elapsed() > Duration::from_millis(1900),
        "they had 2 s"
    );
}

#[tokio::test]
async fn nothing_is_left_of_it_when_serial_ws_ends() {
    if has_no_shell() {
        return;
    }
    for (signal, trap) in [
        (Signal::INT, ""),
        (Signal::TERM, ""),
        (Signal::TERM, "trap \"\" TERM INT; "),
    ] {
        let script =
            format!("{trap}echo pid $$; sh -c \"echo pid \\$\\$; exec sleep 1000\" & sleep 1000");
        let mut bridge = start(&script, &[]).await;
        let mut client = bridge.client("/?view=json&history=100").await;
        let first = process(&line(&mut client, "pid ").await);
        let second = process(&line(&mut client, "pid ").await);
        assert_ne!(first, second);
        bridge.program.signal(signal);
        bridge.program.ended().await;
        gone(first).await;
        gone(second).await;
    }
}

#[tokio::test]
async fn it_has_no_descriptor_and_no_secret_of_ours() {
    if !cfg!(target_os = "linux") {
        return skip("descriptors are in /proc on Linux");
    }
    let variables = [("SERIAL_WS_TOKEN", "a-long-enough-token"), ("OTHER", "1")];
    let script = "p=exec:sh -c 'ls /proc/self/fd | tr \"\\n\" \" \"; echo; env; echo end'";
    let program = crate::support::Program::start_with(
        &["--listen", "0", "--port", script, "--port", "sim"],
        &variables,
    );
    let bridge = Bridge::of(program, 2).await;
    let authorization = ("authorization", "Bearer a-long-enough-token");
    let target = "/?view=json&history=100";
    let mut client = Client::open(bridge.address(), target, &[authorization]).await;
    // `ls` itself has the folder open.
    let descriptors = line(&mut client, "0 ").await;
    assert_eq!(descriptors.trim(), "0 1 2 3");
    let mut has_other = false;
    loop {
        let variable = line(&mut client, "").await;
        assert!(!variable.starts_with("SERIAL_WS_"), "{variable}");
        has_other |= variable == "OTHER=1";
        if variable == "end" {
            break;
        }
    }
    assert!(has_other, "others are kept");
}

#[tokio::test]
async fn what_it_writes_to_standard_error_is_in_the_log() {
    if has_no_shell() {
        return;
    }
    let script = "echo one >&2; printf \"\\033[31mtwo\" >&2; exec 2>&-; exec cat";
    let bridge = start(script, &[]).await;
    bridge.program.said("sh: one").await;
    let said = bridge.program.said("two").await;
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[tokio::test]
async fn a_flood_of_errors_costs_few_lines_and_no_memory() {
    if has_no_shell() {
        return;
    }
    let script = "i=0; while [ $i -lt 3000 ]; do echo error $i >&2; i=$((i+1)); done; \
                  head -c 3000000 /dev/zero >&2; echo done; exec 2>&-; exec cat";
    let bridge = start(script, &[]).await;
    let mut client = bridge.client("/?view=json&history=100").await;
    line(&mut client, "done").await;
    bridge.program.said(" more lines").await;
    let lines = bridge.program.log().len();
    assert!(lines < 1000, "{lines}");
}

#[tokio::test]
async fn a_flood_costs_bounded_memory() {
    if !cfg!(target_os = "linux") {
        return skip("memory is read from /proc");
    }
    let bridge = start("exec yes 0123456789", &["--history", "1MiB"]).await;
    let _stalled = Client::open_narrow(bridge.address(), "/").await;
    let mut client = bridge.client("/?view=raw").await;
    let mut count = 0;
    while count < 30 << 20 {
        count += client.bytes().await.len();
    }
    let peak = bridge.program.peak_memory().expect("it is in /proc");
    assert!(peak < 64 << 20, "{} MiB", peak >> 20);
    let mut other = bridge.json_client().await;
    let refused = within(
        "an answer",
        other.refused(json!({"type": "break", "ms": 1})),
    )
    .await;
    assert_eq!(
        refused,
        "cannot send a break to this device: it cannot do this"
    );
}

#[tokio::test]
async fn one_that_reads_nothing_disturbs_nobody() {
    if has_no_shell() {
        return;
    }
    for close in ["", "exec <&-; "] {
        let script = format!("{close}while sleep 0.05; do echo tick; done");
        let bridge = start(&script, &[]).await;
        let mut writer = bridge.client("/?view=raw").await;
        for _ in 0..100 {
            writer.send_bytes(vec![b'x'; 4 << 10]).await;
        }
        let mut reader = bridge.json_client().await;
        for _ in 0..5 {
            line(&mut reader, "tick").await;
        }
        assert_eq!(bridge.port("p").await["counters"]["opened"], 1);
        bridge.state("p", "open").await;
    }
}

#[tokio::test]
async fn one_that_closes_its_output_has_ended() {
    if has_no_shell() {
        return;
    }
    let bridge = start("exec >&-; exec sleep 1000", &[]).await;
    let said = bridge.program.said("was lost").await;
    assert!(
        said.contains("exec:sh was lost: closed its output"),
        "{said}"
    );
}

#[tokio::test]
async fn silence_of_a_pipe_gets_a_hint() {
    if has_no_shell() {
        return;
    }
    let silent = start("sleep 1000", &[]).await;
    let said = silent.program.said("has written nothing for 3 s").await;
    assert!(said.contains("exec-pty:"), "{said}");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_said_with_the_reason() {
    if has_no_shell() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let folder = home("programs");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("it is ours");
        path.display().to_string()
    };
    let folder_name = folder.display().to_string();
    for (program, why) in [
        (
            "no-such-program-here".to_owned(),
            "no folder of PATH has it",
        ),
        ("./no-such-file".to_owned(), "there is no such file in /"),
        ("/no/such".to_owned(), "there is no such file"),
        (folder_name.clone(), "it is a folder"),
        (
            file("plain", "#!/bin/sh\n", 0o644),
            "it is not executable: chmod +x makes it so",
        ),
        (
            file("script", "echo hello\n", 0o755),
            "it is a script whose first line does not name what runs it, such as #!/bin/sh",
        ),
        (
            file("lost", "#!/no/such/interpreter -u\n", 0o755),
            "its first line says that /no/such/interpreter runs it, which is not there",
        ),
        (
            file("junk", "\u{1}\u{2}\u{0}", 0o755),
            "it is not a program that this computer can run",
        ),
    ] {
        let ended = Bridge::fail(&["--port", &format!("exec:{program} -v")]).await;
        ended.with(1, &format!("error: cannot run {program}: {why}"));
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[tokio::test]
async fn only_the_operator_writes_to_it() {
    if has_no_shell() {
        return;
    }
    let bridge = start("exec cat", &["--allow-origin", "https://a.example"]).await;
    bridge.open("p").await;
    let at = bridge.address();
    let own = format!("http://{at}");
    let write = json!({"type": "write", "text": "x\n"});
    for origin in [
        "https://a.example",
        "http://localhost:5500",
        "http://127.0.0.1:1",
    ] {
        let headers = [("origin", origin)];
        let mut page = Client::open(at, "/?view=json", &headers).await;
        let why = page.refused(write.clone()).await;
        assert!(why.ends_with("may write to a program"), "{why}");
        let reply = crate::support::http(at, "POST", "/api/ports/p/reset", &headers).await;
        assert_eq!(reply.status, 403, "{origin}");
    }
    let mut page = Client::open(at, "/?view=json", &[("origin", &own)]).await;
    page.acked(write.clone()).await;
    bridge.json_client().await.acked(write).await;
}

#[tokio::test]
async fn a_terminal_keeps_nothing_back() {
    if has_no_shell() {
        return;
    }
    // sed writes a pipe in blocks, and a terminal in lines.
    let bridge = Bridge::start(&["--port", "p=exec-pty:sh -c 'tty; exec sed s/a/b/'"]).await;
    let mut client = bridge.client("/?view=json&history=100").await;
    line(&mut client, "/dev/").await;
    client
        .acked(json!({"type": "write", "text": "aha\n"}))
        .await;
    line(&mut client, "bha").await;
    let all: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
    let bridge = Bridge::start(&["--port", "p=exec-pty:cat"]).await;
    let mut raw = bridge.client("/?view=raw").await;
    bridge.open("p").await;
    for piece in all.chunks(1 << 10) {
        raw.send_bytes(piece).await;
    }
    assert!(raw.bytes_of(all.len()).await == all, "it is raw");
}

#[tokio::test]
async fn a_terminal_is_a_controlling_one_and_its_end_is_told() {
    if has_no_shell() {
        return;
    }
    let script = "p=exec-pty:sh -c 'echo hello > /dev/tty; echo pid $$; read line; exit 5'";
    let bridge = Bridge::start(&["--port", script]).await;
    let mut client = bridge.client("/?view=json&history=100").await;
    line(&mut client, "hello").await;
    client
        .send_json(json!({"type": "write", "text": "\n"}))
        .await;
    let detail = "exec-pty:sh was lost: ended with status 5";
    assert_eq!(lost(&mut client).await["detail"], detail);
    let again = process(&line(&mut client, "pid ").await);
    drop(bridge);
    gone(again).await;
}

#[tokio::test]
async fn the_examples_of_the_documentation_run() {
    if has_no_shell()
        || std::process::Command::new("python3")
            .arg("-V")
            .output()
            .is_err()
    {
        return skip("there is no python3");
    }
    let page = include_str!("../docs/configuration.md");
    let (_, section) = page
        .split_once("## Programs as devices")
        .expect("it is there");
    let (_, sketch) = section.split_once("```python\n").expect("it has a program");
    let (sketch, _) = sketch.split_once("```").expect("the program ends");
    let folder = home("examples");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("sensor.py");
    std::fs::write(&file, sketch).expect("a file can be written");
    let commands = section
        .lines()
        .filter_map(|line| line.strip_prefix("serial-ws '"));
    let commands: Vec<_> = commands.take(3).collect();
    assert_eq!(commands.len(), 3);
    for command in commands {
        let command = command.trim_end_matches('\'');
        let command = command.replace("sensor.py", &file.to_string_lossy());
        let bridge = Bridge::start(&[&command]).await;
        let mut client = bridge.json_client().await;
        let value = line(&mut client, "").await;
        assert!(value.starts_with(|c: char| c.is_ascii_digit()), "{value}");
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
