//! The operator's consent: the questions in the terminal about pages that are not allowed yet. The
//! terminal is a pseudo-terminal.

use std::{fs::File, io::Write, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::support::{Bridge, Client, Program, skip, upgrade, wine};

const PAGE: &str = "https://sketch.example";
const OTHER: &str = "https://other.example";

#[tokio::test]
async fn yes_allows_a_page_until_the_end_of_the_run() {
    let Some(mut desk) = Desk::new("yes").await else {
        return;
    };
    desk.rejected(PAGE).await;
    desk.bridge
        .program
        .said("A page from https://sketch.example wants to")
        .await;
    // While the question is open, every attempt is rejected.
    desk.rejected(PAGE).await;
    desk.answer("y");
    desk.allowed(PAGE).await;
    assert!(!desk.config().exists(), "y was remembered");
}

#[tokio::test]
async fn read_only_lets_a_page_read() {
    let Some(mut desk) = Desk::new("read-only").await else {
        return;
    };
    desk.rejected(PAGE).await;
    desk.bridge.program.said("wants to").await;
    desk.answer("r");
    let mut client = desk.allowed(PAGE).await;
    let hello = client.json_of("hello").await;
    assert_eq!(hello["port"]["settings"]["readOnly"], true, "{hello}");
    client
        .send_json(serde_json::json!({"type": "write", "text": "H", "id": 1}))
        .await;
    // Readings arrive meanwhile.
    let error = loop {
        let object = client.json().await;
        if object["type"] == "error" {
            break object;
        }
    };
    assert!(error["error"].to_string().contains("read only"), "{error}");
}

#[tokio::test]
async fn no_is_not_asked_again() {
    let Some(mut desk) = Desk::new("no").await else {
        return;
    };
    desk.rejected(PAGE).await;
    desk.bridge.program.said("wants to").await;
    desk.answer("what?");
    desk.answer("n");
    // The next question comes after the answer to this one.
    desk.rejected(OTHER).await;
    desk.bridge
        .program
        .said("https://other.example wants to")
        .await;
    desk.rejected(PAGE).await;
    let log = desk.bridge.program.log();
    let asked = log
        .iter()
        .filter(|line| line.contains("sketch.example wants to"));
    assert_eq!(asked.count(), 2, "{log:#?}");
    desk.answer("n");
}

#[tokio::test]
async fn always_holds_in_the_next_run() {
    let Some(mut desk) = Desk::new("always").await else {
        return;
    };
    desk.rejected(PAGE).await;
    desk.bridge.program.said("wants to").await;
    desk.answer("a");
    desk.allowed(PAGE).await;
    let mode = std::fs::metadata(desk.config())
        .expect("it was remembered")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = desk.folder.clone();
    drop(desk);
    let Some(mut desk) = Desk::at(folder.clone()).await else {
        return;
    };
    desk.allowed(PAGE).await;
    desk.rejected(OTHER).await;
    // A file that other users can write may hold their answers.
    std::fs::set_permissions(desk.config(), PermissionsExt::from_mode(0o666)).expect("it is ours");
    drop(desk);
    let Some(mut desk) = Desk::at(folder).await else {
        return;
    };
    desk.rejected(PAGE).await;
    desk.bridge
        .program
        .said("allowed-origins is not used")
        .await;
}

#[tokio::test]
async fn a_shared_origin_cannot_be_allowed_for_good() {
    for origin in ["null", "https://preview.p5js.org", "tauri://localhost"] {
        let Some(mut desk) = Desk::new("shared").await else {
            return;
        };
        desk.rejected(origin).await;
        desk.bridge.program.said("Note: ").await;
        desk.answer("a");
        desk.answer("y");
        desk.allowed(origin).await;
        let log = desk.bridge.program.log().join("\n");
        assert!(!log.contains("[a]"), "{log}");
        assert!(!desk.config().exists());
    }
}

#[tokio::test]
async fn a_page_of_an_app_can_be_allowed_for_good() {
    const WEBVIEW: &str = "vscode-webview://0B1C2D3E4F5061728394A5B6C7D8E9F0";
    let Some(mut desk) = Desk::new("webview").await else {
        return;
    };
    desk.rejected(WEBVIEW).await;
    desk.bridge.program.said("vscode-webview").await;
    desk.answer("a");
    desk.allowed(WEBVIEW).await;
    let folder = desk.folder.clone();
    drop(desk);
    let Some(mut desk) = Desk::at(folder).await else {
        return;
    };
    desk.allowed(WEBVIEW).await;
    desk.rejected(&WEBVIEW.to_lowercase()).await;
}

#[tokio::test]
async fn a_board_that_says_file_is_asked_about_as_null() {
    let Some(mut desk) = Desk::new("file").await else {
        return;
    };
    desk.rejected("file://").await;
    let program = &desk.bridge.program;
    program.said("A page with no address wants to").await;
    program.said("with `file://`").await;
    desk.answer("y");
    desk.allowed("file://").await;
}

#[tokio::test]
async fn a_page_without_https_is_never_asked_about() {
    let Some(mut desk) = Desk::new("plain").await else {
        return;
    };
    desk.rejected("http://plain.example").await;
    desk.bridge
        .program
        .said("--allow-origin http://plain.example")
        .await;
    assert!(!desk.bridge.program.log().join("\n").contains("wants to"));
}

/// The program, the terminal that it runs in, and the folder of its configuration.
struct Desk {
    bridge: Bridge,
    keys: File,
    folder: PathBuf,
}

impl Desk {
    async fn new(name: &str) -> Option<Self> {
        let name = format!("serial-ws-test-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        Self::at(folder).await
    }

    async fn at(folder: PathBuf) -> Option<Self> {
        if wine::runs_it() {
            skip("wine's console does not always hand over what is typed");
            return None;
        }
        let home = folder.to_str().expect("the folder of the test is text");
        let variables = [("XDG_CONFIG_HOME", home), ("HOME", home)];
        let arguments = ["--port", "sensor=sim", "--listen", "127.0.0.1:0"];
        let (program, keys) = Program::start_at_a_terminal(&arguments, &variables);
        let bridge = Bridge::of(program, 1).await;
        Some(Self {
            bridge,
            keys,
            folder,
        })
    }

    fn config(&self) -> PathBuf {
        if cfg!(target_os = "macos") {
            self.folder
                .join("Library/Application Support/serial-ws/allowed-origins")
        } else {
            self.folder.join("serial-ws/allowed-origins")
        }
    }

    fn answer(&mut self, line: &str) {
        // The Enter key sends a carriage return.
        write!(self.keys, "{line}\r").expect("one can type at the terminal");
    }

    async fn rejected(&mut self, origin: &str) {
        let reply = upgrade(self.bridge.address(), "/", &[("Origin", origin)]).await;
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }

    /// Tries until the page is allowed, as pages do.
    async fn allowed(&mut self, origin: &str) -> Client {
        let at = self.bridge.address();
        let headers = &[("Origin", origin)][..];
        crate::support::until("the page to be allowed", async || {
            (upgrade(at, "/echo", headers).await.status == 101).then_some(())
        })
        .await;
        Client::open(at, "/?view=json&latest=1", headers).await
    }
}
