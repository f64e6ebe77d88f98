//! The user's folder (`--web`), and `--open`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bridge, Program, Reply, http, is_for_windows, request, skip, within};
#[cfg(unix)]
use crate::support::{network, until};

/// A folder that is deleted with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("serial-ws-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let folder = Self(path);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    }

    async fn serve(&self) -> Bridge {
        let web = self.0.to_str().expect("the path is text");
        Bridge::start(&["--port", "sensor=sim", "--web", web]).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_folder_is_served_live_with_the_right_types() {
    let folder = Folder::new(
        "live",
        &[
            ("index.html", "<script>mine</script>"),
            ("sketch.js", "one"),
            ("data/a b.csv", "1,2"),
            ("data/index.html", "inside"),
            ("style.css", "p {}"),
        ],
    );
    let bridge = folder.serve().await;
    for (path, kind, body) in [
        ("/", "text/html", "mine"),
        ("/index.html", "text/html", "mine"),
        ("/sketch.js", "text/javascript", "one"),
        ("/sketch.js?v=2", "text/javascript", "one"),
        ("/data/a%20b.csv", "text/csv", "1,2"),
        ("/data/", "text/html", "inside"),
        ("/style.css", "text/css", "p {}"),
    ] {
        let reply = bridge.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert!(reply.body.contains(body), "{path}: {reply:?}");
        let said = reply.header("Content-Type").expect("there is a type");
        assert!(said.starts_with(kind), "{path}: {said}");
        // A learner's page has inline scripts and libraries from elsewhere.
        assert_eq!(reply.header("Content-Security-Policy"), None, "{path}");
    }
    folder.write("sketch.js", "two");
    assert_eq!(bridge.get("/sketch.js").await.body, "two");
    let reply = bridge.get("/data").await;
    assert_eq!(reply.status, 308, "{reply:?}");
    assert_eq!(reply.header("Location"), Some("./data/"), "{reply:?}");
    let reply = bridge.get("/data?v=2").await;
    assert_eq!(reply.header("Location"), Some("./data/?v=2"), "{reply:?}");
    let reply = http(bridge.address(), "POST", "/sketch.js", &[]).await;
    assert_eq!(reply.status, 405, "{reply:?}");
}

#[tokio::test]
async fn the_library_is_in_every_folder_and_knows_where_the_root_is() {
    let folder = Folder::new("library", &[("libraries/serial-ws.js", "a copy")]);
    let bridge = folder.serve().await;
    for (path, root) in [
        ("/serial-ws.js", "./"),
        ("/data/serial-ws.js", "../"),
        ("/libraries/serial-ws.js", "../"),
        ("/a/b%20c/serial-ws.js", "../../"),
        ("/web-serial.js", "./"),
        ("/a/b%20c/web-serial.js", "../../"),
    ] {
        let reply = bridge.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let line = format!("const ROOT = \"{root}\";");
        assert!(reply.body.contains(&line), "{path}: {}", reply.body);
    }
    assert_eq!(bridge.get("/data/serial-ws.mjs").await.status, 200);
    assert_eq!(bridge.get("/data/serial-ws-p5.js").await.status, 200);
    for part in ["link", "chooser"] {
        let path = format!("/data/web-serial-{part}.mjs");
        assert_eq!(bridge.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(bridge.get("/data/serial-ws.css").await.status, 404);
    let reply = http(bridge.address(), "POST", "/data/serial-ws.js", &[]).await;
    assert_eq!(reply.status, 405, "{reply:?}");
}

#[tokio::test]
async fn nothing_hidden_or_outside_is_served() {
    let folder = Folder::new(
        "outside",
        &[
            ("web/a.txt", "a"),
            ("web/.env", "TOPSECRET"),
            ("web/.git/config", "TOPSECRET"),
            ("secret", "TOPSECRET"),
            ("web/d/x", "x"),
        ],
    );
    #[cfg(unix)]
    for (link, target) in [
        ("out", "../secret"),
        ("passwd", "/etc/passwd"),
        ("up", ".."),
        ("in", "a.txt"),
        ("env", ".env"),
        ("git", "d/../.git"),
    ] {
        std::os::unix::fs::symlink(target, folder.0.join("web").join(link))
            .expect("links can be made");
    }
    let web = folder.0.join("web");
    let web = web.to_str().expect("the path is text");
    let bridge = Bridge::start(&["--port", "sim", "--web", web]).await;
    assert_eq!(bridge.get("/a.txt").await.body, "a");
    if cfg!(unix) {
        assert_eq!(
            bridge.get("/in").await.body,
            "a",
            "a link that stays inside"
        );
    }
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/a/../../secret",
        "/..%5csecret",
        "/.env",
        "/env",
        "/git/config",
        "/%2eenv",
        "/.git/config",
        "/out",
        "/passwd",
        "/up/secret",
        "//etc/passwd",
        "/a.txt%00",
        "/COM3",
        "/nul",
        "/d/",
        "/none",
        "/_serial-ws/..%2f..%2fCargo.toml",
        "/_serial-ws/%2e%2e%2f%2e%2e%2fCargo.toml",
    ] {
        for (method, headers) in [
            ("GET", &[][..]),
            ("GET", &[("Range", "bytes=0-2")]),
            ("HEAD", &[]),
        ] {
            let reply = http(bridge.address(), method, path, headers).await;
            assert_eq!(reply.status, 404, "{path}: {reply:?}");
            assert!(!reply.body.contains("TOP"), "{path}: {reply:?}");
        }
    }
}

/// Ten bytes, each of which names its place.
const DIGITS: &str = "0123456789";

/// Checks an answer about `/digits.txt`: its status, its Content-Range, its body.
#[track_caller]
fn check_range(reply: &Reply, status: u16, content_range: Option<&str>, body: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("Content-Range"), content_range, "{reply:?}");
    assert_eq!(reply.body, body, "{reply:?}");
    let length = body.len().to_string();
    assert_eq!(reply.header("Content-Length"), Some(&*length), "{reply:?}");
    if status != 416 {
        assert_eq!(
            reply.header("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(reply.header("Accept-Ranges"), Some("bytes"), "{reply:?}");
    }
    assert_eq!(reply.header("Cache-Control"), Some("no-cache"), "{reply:?}");
}

/// Starts serial-ws with a folder that has `/digits.txt`.
async fn with_digits(name: &str) -> (Folder, Bridge) {
    let folder = Folder::new(name, &[("digits.txt", DIGITS)]);
    let bridge = folder.serve().await;
    (folder, bridge)
}

async fn digits(bridge: &Bridge, method: &str, headers: &[(&str, &str)]) -> Reply {
    http(bridge.address(), method, "/digits.txt", headers).await
}

#[tokio::test]
async fn a_range_of_a_file_is_served() {
    let (_folder, bridge) = with_digits("range").await;
    for (range, content_range, body) in [
        ("bytes=0-1", "bytes 0-1/10", "01"),
        ("bytes=2-5", "bytes 2-5/10", "2345"),
        ("bytes=9-9", "bytes 9-9/10", "9"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=7-99", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
    ] {
        let reply = digits(&bridge, "GET", &[("Range", range)]).await;
        check_range(&reply, 206, Some(content_range), body);
    }
}

#[tokio::test]
async fn a_range_beyond_the_end_is_not_satisfiable() {
    let (_folder, bridge) = with_digits("no-range").await;
    for range in ["bytes=10-", "bytes=10-12", "bytes=99-100", "bytes=-0"] {
        let reply = digits(&bridge, "GET", &[("Range", range)]).await;
        check_range(&reply, 416, Some("bytes */10"), "");
    }
}

#[tokio::test]
async fn several_ranges_and_other_units_get_the_whole_file() {
    let (_folder, bridge) = with_digits("ranges").await;
    for range in ["bytes=0-1,4-5", "bytes=0-1, -1", "lines=1-2", "nonsense"] {
        let reply = digits(&bridge, "GET", &[("Range", range)]).await;
        check_range(&reply, 200, None, DIGITS);
    }
}

#[tokio::test]
async fn head_describes_a_file_without_its_content() {
    let (_folder, bridge) = with_digits("head").await;
    // A range is for GET only.
    for headers in [&[][..], &[("Range", "bytes=2-5")]] {
        let reply = digits(&bridge, "HEAD", headers).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{reply:?}");
        assert_eq!(reply.header("Content-Length"), Some("10"), "{reply:?}");
        assert!(reply.header("Last-Modified").is_some(), "{reply:?}");
    }
}

#[tokio::test]
async fn a_file_that_did_not_change_is_not_sent_again() {
    let (_folder, bridge) = with_digits("unchanged").await;
    let first = digits(&bridge, "GET", &[]).await;
    let tag = first.header("ETag").expect("there is a tag");
    let time = first.header("Last-Modified").expect("there is a time");
    for header in [("If-None-Match", tag), ("If-Modified-Since", time)] {
        let reply = digits(&bridge, "GET", &[header]).await;
        assert_eq!((reply.status, reply.body.as_str()), (304, ""), "{reply:?}");
        assert_eq!(reply.header("ETag"), Some(tag), "{reply:?}");
        assert_eq!(reply.header("Cache-Control"), Some("no-cache"), "{reply:?}");
    }
    for header in [
        ("If-None-Match", "\"other\""),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        check_range(&digits(&bridge, "GET", &[header]).await, 200, None, DIGITS);
    }
}

#[tokio::test]
async fn a_file_that_changed_is_sent_whole_instead_of_a_range() {
    let (folder, bridge) = with_digits("changed").await;
    let part = ("Range", "bytes=2-5");
    let first = digits(&bridge, "GET", &[]).await;
    let tag = first.header("ETag").expect("there is a tag");
    let time = first.header("Last-Modified").expect("there is a time");
    for version in [tag, time] {
        let reply = digits(&bridge, "GET", &[part, ("If-Range", version)]).await;
        check_range(&reply, 206, Some("bytes 2-5/10"), "2345");
    }

    folder.write("digits.txt", "abcdefghijkl");
    let file = fs::File::options()
        .write(true)
        .open(folder.0.join("digits.txt"));
    let later = SystemTime::now() + Duration::from_secs(10);
    file.and_then(|file| file.set_modified(later))
        .expect("files can have a time");
    for version in [tag, time] {
        for range in ["bytes=2-5", "bytes=99-"] {
            let headers = [("Range", range), ("If-Range", version)];
            let reply = digits(&bridge, "GET", &headers).await;
            check_range(&reply, 200, None, "abcdefghijkl");
        }
    }
    for header in [("If-None-Match", tag), ("If-Modified-Since", time)] {
        let reply = digits(&bridge, "GET", &[header]).await;
        check_range(&reply, 200, None, "abcdefghijkl");
    }
}

#[tokio::test]
async fn a_file_that_grows_during_a_download_keeps_its_announced_length() {
    const SIZE: usize = 4 << 20;
    let folder = Folder::new("grows", &[]);
    folder.write("log.txt", &"x".repeat(SIZE));
    let bridge = folder.serve().await;
    let mut stream = TcpStream::connect(bridge.address())
        .await
        .expect("it listens");
    let request = request(bridge.address(), "GET", "/log.txt", &[]);
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut answer = vec![0; 1000];
    let read = within("the beginning", stream.read_exact(&mut answer)).await;
    read.expect("it has begun");
    let log = fs::File::options()
        .append(true)
        .open(folder.0.join("log.txt"));
    log.and_then(|mut log| log.write_all(&[b'x'; 100_000]))
        .expect("files can grow");
    let read = within("the end", stream.read_to_end(&mut answer)).await;
    read.expect("it ends");
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let body = answer.len() - head.expect("there is a head") - 4;
    assert_eq!(body, SIZE);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_the_folder_is_not_opened() {
    if is_for_windows() {
        return skip("Windows has no pipes in folders");
    }
    let (folder, bridge) = with_digits("pipe").await;
    let made = std::process::Command::new("mkfifo")
        .arg(folder.0.join("pipe"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    for method in ["GET", "HEAD"] {
        let reply = http(bridge.address(), method, "/pipe", &[]).await;
        assert_eq!(reply.status, 404, "{reply:?}");
    }
}

#[tokio::test]
async fn our_own_pages_come_first_and_the_log_says_so() {
    let folder = Folder::new(
        "ours",
        &[
            ("index.html", "mine"),
            ("hello", "mine"),
            ("api/x", "mine"),
            ("serial-ws.js", "mine"),
        ],
    );
    let bridge = folder.serve().await;
    assert!(
        bridge
            .get("/_serial-ws/")
            .await
            .body
            .contains("<title>serial-ws")
    );
    assert!(
        bridge
            .get("/serial-ws.js")
            .await
            .body
            .contains("class SerialWs")
    );
    assert!(bridge.get("/hello").await.body.contains("\"allowed\""));
    for name in ["hello", "api", "serial-ws.js"] {
        bridge
            .program
            .said(&format!("{name} in the folder is not served"))
            .await;
    }
    assert!(
        !bridge
            .program
            .log()
            .iter()
            .any(|line| line.contains("metrics in"))
    );
}

#[tokio::test]
async fn the_built_in_page_has_all_of_its_parts() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web/page"));
    let parts = folder.expect("the parts lie there").map(|part| {
        let name = part.expect("it has a name").file_name();
        format!("/_serial-ws/{}", name.to_string_lossy())
    });
    let library = [
        "/serial-ws.js",
        "/serial-ws.mjs",
        "/serial-ws-p5.js",
        "/socket.io/socket.io.js",
        "/web-serial.js",
    ];
    for part in parts.chain(library.map(str::to_owned)) {
        assert_eq!(bridge.get(&part).await.status, 200, "{part}");
    }
    for other in ["/_serial-ws/README.md", "/_serial-ws/../index.html"] {
        assert_eq!(bridge.get(other).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn every_page_may_load_io_but_nobody_else_the_file_that_a_folder_has_in_its_place() {
    const CLIENT: &str = "/socket.io/socket.io.js";
    let evil = [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let folder = Folder::new("io", &[("index.html", "x")]);
    let bridge = folder.serve().await;
    for headers in [&evil[..], &[]] {
        let reply = http(bridge.address(), "GET", CLIENT, headers).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains("globalThis.io ="), "{}", reply.body);
        let policy = reply.header("Cross-Origin-Resource-Policy");
        assert_eq!(policy, Some("cross-origin"), "{}", reply.head);
    }
    folder.write("socket.io/socket.io.js", "my own");
    assert_eq!(bridge.get(CLIENT).await.body, "my own");
    let reply = http(bridge.address(), "GET", CLIENT, &evil).await;
    assert!(reply.body.contains("globalThis.io ="), "{}", reply.body);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_wrong_usage() {
    let ended = Program::run(&["--port", "sim", "--web", "/no/such/folder"]).await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("/no/such/folder: there is no such folder"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_wrong_usage() {
    let folder = Folder::new("file", &[("sketch.js", "x")]);
    let file = folder.0.join("sketch.js");
    let file = file.to_str().expect("the path is text");
    let ended = Program::run(&["--port", "sim", "--web", file]).await;
    let advice = format!(
        "is a file; give the folder that it is in: {}",
        folder.0.display()
    );
    ended.with(2, &advice);
}

/// Checks the warning about a folder with these files, and the answer to `/` there.
async fn check_without_index(name: &str, files: &[(&str, &str)], sentence: &str, there: &str) {
    let folder = Folder::new(name, files);
    fs::create_dir_all(&folder.0).expect("folders can be made");
    let bridge = folder.serve().await;
    let warning = bridge.program.said(sentence).await;
    assert!(warning.contains("at /_serial-ws/"), "{warning}");
    let reply = bridge.get("/").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    let expected = format!("{sentence}\npages here: {there}\n");
    assert!(reply.body.ends_with(&expected), "{reply:?}");
}

#[tokio::test]
async fn a_folder_without_an_index_is_explained_at_the_start_and_in_the_answer() {
    check_without_index(
        "empty",
        &[],
        "the folder is empty: put an index.html into it",
        "/_serial-ws/",
    )
    .await;
    check_without_index(
        "sketch",
        &[("sketch.js", "x")],
        "but no index.html, the page that loads it: add one with <script src=\"sketch.js\"></script>",
        "/_serial-ws/",
    )
    .await;
    check_without_index(
        "pages",
        &[
            ("b.html", "x"),
            ("a b.htm", "x"),
            ("c/index.html", "x"),
            ("d/x.html", "x"),
            (".hidden.html", "x"),
            ("api/index.html", "x"),
            ("index.html/x", "x"),
        ],
        "the folder has no index.html, so / shows nothing: open /a b.htm",
        "/a b.htm /b.html /c/ /_serial-ws/",
    )
    .await;
    check_without_index(
        "other",
        &[("data.csv", "1,2")],
        "the folder has no index.html, so / shows nothing: add one",
        "/_serial-ws/",
    )
    .await;
}

#[tokio::test]
async fn a_folder_with_an_index_needs_no_warning() {
    let folder = Folder::new("index", &[("index.html", "x"), ("b.html", "x")]);
    let bridge = folder.serve().await;
    let reply = bridge.get("/none").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    assert!(reply.body.starts_with("nothing is at /none\n"), "{reply:?}");
    let html = [("Accept", "text/html")];
    let reply = http(bridge.address(), "GET", "/x/none", &html).await;
    for link in [
        "href=\"../\"",
        "href=\"../b.html\"",
        "href=\"../_serial-ws/\"",
    ] {
        assert!(reply.body.contains(link), "{reply:?}");
    }
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("index.html"), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn open_shows_the_page_in_the_browser() {
    let browser = Browser::new("open");
    let (bridge, shown) = browser.started(&["--listen", "127.0.0.1:0"]).await;
    let port = bridge.address().port();
    assert_eq!(shown, format!("http://localhost:{port}/"));
}

#[cfg(unix)]
#[tokio::test]
async fn open_shows_the_address_with_the_token_where_one_is_needed() {
    let Some(address) = network::address() else {
        return skip("this computer is in no network");
    };
    let browser = Browser::new("open-lan");
    let listen = format!("{address}:0");
    let (bridge, shown) = browser.started(&["--listen", &listen]).await;
    let at = bridge.address();
    let token = network::kept(&browser.0.0);
    assert_eq!(shown, format!("http://{at}/?token={token}"));
    let page = format!("at http://{at}/ (Ctrl-C");
    bridge.program.said(&page).await;
    let path = shown.strip_prefix(&format!("http://{at}"));
    let reply = http(at, "GET", path.expect("it was just compared"), &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_browser_is_never_started_with_the_operators_token() {
    let browser = Browser::new("open-token");
    let token = browser.0.0.join("secret");
    browser.0.write("secret", "correct-horse-battery");
    let token = token.to_str().expect("the path is text");
    let arguments = ["--listen", "127.0.0.1:0", "--token", token];
    let program = browser.start(&arguments);
    program.said("--open leaves the browser to you").await;
    assert_eq!(browser.shown(), None);
}

/// A folder with a stand-in for the browser, which is the folder for configuration too.
#[cfg(unix)]
struct Browser(Folder);

#[cfg(unix)]
impl Browser {
    fn new(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;

        let folder = Folder::new(name, &[]);
        // Linux has `xdg-open`, macOS `open`.
        for name in ["xdg-open", "open"] {
            folder.write(name, "#!/bin/sh\necho \"$1\" > \"$0.shown\"\n");
            fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(0o755))
                .expect("it can be made a program");
        }
        Self(folder)
    }

    fn start(&self, arguments: &[&str]) -> Program {
        let path = self.0.0.to_str().expect("the path is text");
        let homes = ["XDG_CONFIG_HOME", "HOME", "APPDATA"];
        let variables = ["PATH"].into_iter().chain(homes).map(|name| (name, path));
        let variables: Vec<_> = variables.collect();
        Program::start_with(
            &[&["--port", "sim", "--open"], arguments].concat(),
            &variables,
        )
    }

    /// Starts serial-ws, and returns the address that it opens.
    async fn started(&self, arguments: &[&str]) -> (Bridge, String) {
        let bridge = Bridge::of(self.start(arguments), 1).await;
        let shown = until("the browser to be opened", async || self.shown()).await;
        (bridge, shown)
    }

    fn shown(&self) -> Option<String> {
        let mut shown = ["xdg-open.shown", "open.shown"].into_iter();
        let text = shown.find_map(|name| fs::read_to_string(self.0.0.join(name)).ok())?;
        text.strip_suffix('\n').map(str::to_owned)
    }
}

#[tokio::test]
async fn without_a_browser_the_program_runs_on() {
    if is_for_windows() {
        return skip("Windows finds what opens a page without any path");
    }
    let program = Program::start_with(
        &["--port", "sim", "--listen", "127.0.0.1:0", "--open"],
        &[("PATH", "/no/such/folder")],
    );
    program.said("cannot open a browser").await;
    program.said("sim is open").await;
}
