//! Sessions: the cookie of a browser that has shown the token. This computer stands for another one,
//! by its address in the network.

use std::net::SocketAddr;
use std::path::Path;

use crate::support::network::{Network, file, home, kept};
use crate::support::{Bridge, Client, Program, Reply, http, upgrade};
#[cfg(unix)]
use crate::support::{is_for_windows, skip};

const TOKEN: &str = "correct-horse-battery";

/// Returns the value of the cookie that an answer sets.
#[track_caller]
fn cookie_of(reply: &Reply) -> String {
    let cookie = reply.header("Set-Cookie").expect("there is a cookie");
    let (_, rest) = cookie.split_once('=').expect("a cookie has a name");
    let (id, _) = rest.split_once(';').expect("a cookie has attributes");
    id.to_owned()
}

/// Begins a session by opening the page with the token, and returns its id.
async fn begin(at: SocketAddr, token: &str) -> String {
    let reply = http(at, "GET", &format!("/?token={token}"), &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    cookie_of(&reply)
}

/// Returns the status of the answer to a page that has this session.
async fn status(at: SocketAddr, id: &str) -> u16 {
    let cookie = format!("serial-ws-{}={id}", at.port());
    http(at, "GET", "/", &[("Cookie", &cookie)]).await.status
}

/// Starts the program with a token of its own, and its configuration in a folder.
async fn with_token(home: &Path, token: &str) -> Bridge {
    let text = home.to_str().expect("the folder is text");
    let variables = [
        ("SERIAL_WS_TOKEN", token),
        ("XDG_CONFIG_HOME", text),
        ("HOME", text),
        ("APPDATA", text),
    ];
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
    Bridge::of(Program::start_with(&arguments, &variables), 1).await
}

#[tokio::test]
async fn a_page_keeps_a_random_id_in_a_cookie_and_never_the_token() {
    let Some(network) = Network::new("cookie", &[]).await else {
        return;
    };
    let (at, token) = (network.at, kept(&network.home));
    let reply = http(at, "GET", &format!("//a?x=1&token={token}&y"), &[]).await;
    assert_eq!(
        reply.header("Refresh"),
        Some("0; url=./a?x=1&y"),
        "{reply:?}"
    );
    let cookie = reply.header("Set-Cookie").expect("there is a cookie");
    let name = format!("serial-ws-{}=", at.port());
    assert!(cookie.starts_with(&name), "{cookie}");
    let attributes = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict";
    assert!(cookie.ends_with(attributes), "{cookie}");
    for part in [&reply.head, &reply.body] {
        assert!(!part.contains(&token), "{reply:?}");
    }

    let id = cookie_of(&reply);
    let cookie = format!("{name}{id}");
    let own = format!("http://{at}");
    assert_eq!(status(at, &id).await, 200);
    let page = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    Client::open(at, "/", &page).await.text().await;
    for elsewhere in ["https://evil.example", "null", "http://localhost"] {
        let page = [("Cookie", cookie.as_str()), ("Origin", elsewhere)];
        assert_eq!(upgrade(at, "/", &page).await.status, 401, "{elsewhere}");
    }
    // A second browser has an id of its own, and the token is none.
    assert_ne!(begin(at, &token).await, id);
    assert_eq!(status(at, &token).await, 401);
    assert!(!network.bridge.program.log().join("\n").contains(&id));
}

#[tokio::test]
async fn hello_tells_our_own_page_on_another_computer_that_it_may_connect() {
    let Some(network) = Network::new("hello", &[]).await else {
        return;
    };
    let name = format!("serial-ws-{}", network.at.port());
    let id = begin(network.at, &kept(&network.home)).await;
    for (id, is_allowed) in [(id, true), ("old".to_owned(), false)] {
        let cookie = format!("{name}={id}");
        // Browsers send no Origin with a page's GET to its own server.
        let reply = http(network.at, "GET", "/hello", &[("Cookie", &cookie)]).await;
        assert_eq!(reply.json()["allowed"], is_allowed, "{reply:?}");
    }
    let reply = http(network.at, "GET", "/hello", &[]).await;
    assert_eq!(reply.json()["allowed"], false, "{reply:?}");
}

#[tokio::test]
async fn a_session_outlives_the_program_and_ends_with_its_token() {
    let Some(network) = Network::new("restart", &[]).await else {
        return;
    };
    let id = begin(network.at, &kept(&network.home)).await;
    let Network { bridge, home, .. } = network;
    drop(bridge);

    let again = Network::at(home.clone(), &[]).await.expect("a network");
    assert_eq!(status(again.at, &id).await, 200);
    drop(again);

    std::fs::remove_file(file(&home)).expect("the token is kept");
    let renewed = Network::at(home, &[]).await.expect("a network");
    let cookie = format!("serial-ws-{}={id}", renewed.at.port());
    let reply = http(renewed.at, "GET", "/", &[("Cookie", &cookie)]).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(reply.body.contains("session has ended"), "{reply:?}");
}

#[tokio::test]
async fn a_token_of_ones_own_ends_the_sessions_of_another() {
    let home = home("own-token");
    let bridge = with_token(&home, TOKEN).await;
    let id = begin(bridge.address(), TOKEN).await;
    drop(bridge);
    for (token, expected) in [("another-horse-battery", 401), (TOKEN, 200)] {
        let bridge = with_token(&home, token).await;
        assert_eq!(status(bridge.address(), &id).await, expected, "{token}");
    }
}

#[tokio::test]
async fn two_programs_of_one_user_keep_their_sessions_in_one_file() {
    let home = home("two");
    let one = with_token(&home, TOKEN).await;
    let other = with_token(&home, TOKEN).await;
    let ids = [
        begin(one.address(), TOKEN).await,
        begin(other.address(), TOKEN).await,
        begin(one.address(), TOKEN).await,
    ];
    drop((one, other));
    let again = with_token(&home, TOKEN).await;
    for id in &ids {
        assert_eq!(status(again.address(), id).await, 200);
    }
}

#[tokio::test]
async fn opening_the_address_again_begins_no_second_session() {
    let bridge = with_token(&home("again"), TOKEN).await;
    let at = bridge.address();
    let id = begin(at, TOKEN).await;
    let cookie = format!("serial-ws-{}={id}", at.port());
    let target = format!("/?token={TOKEN}");
    let reply = http(at, "GET", &target, &[("Cookie", &cookie)]).await;
    assert_eq!(cookie_of(&reply), id);
}

#[tokio::test]
async fn a_session_may_do_what_its_token_may() {
    let Some(network) = Network::new("session-reads", &["--lan-read-only"]).await else {
        return;
    };
    let at = network.at;
    let id = begin(at, &kept(&network.home)).await;
    let cookie = format!("serial-ws-{}={id}", at.port());
    let own = format!("http://{at}");
    let page = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let mut client = Client::open(at, "/?view=json&latest=1", &page).await;
    let hello = client.json_of("hello").await;
    assert_eq!(hello["port"]["settings"]["readOnly"], true, "{hello}");
    let release = "/api/ports/sensor/release";
    assert_eq!(http(at, "POST", release, &page).await.status, 403);
}

#[tokio::test]
async fn a_valid_session_is_never_rate_limited() {
    let bridge = with_token(&home("never-limited"), TOKEN).await;
    let at = bridge.address();
    let id = begin(at, TOKEN).await;
    let cookie = format!("serial-ws-{}={id}", at.port());
    let own = format!("http://{at}");
    // By a program that names many origins, that of our own page among them.
    for n in 0..310 {
        let other = format!("http://{n}.example");
        let origin = if n < 35 { &own } else { &other };
        let target = format!("/api/status?token=wrong{n}");
        http(at, "GET", &target, &[("Origin", origin)]).await;
    }
    let right = format!("/?token={TOKEN}");
    let reply = http(at, "GET", &right, &[("Origin", &own)]).await;
    assert_eq!(reply.status, 429, "{reply:?}");

    assert_eq!(status(at, &id).await, 200);
    let page = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    Client::open(at, "/", &page).await.text().await;
    // Not even with a token in the address beside it.
    let reply = http(at, "GET", &right, &page).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let guess = format!("serial-ws-{}=guess", at.port());
    let page = [("Cookie", guess.as_str()), ("Origin", own.as_str())];
    assert_eq!(upgrade(at, "/", &page).await.status, 401);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read_the_file_which_has_no_id() {
    use std::os::unix::fs::PermissionsExt;
    if is_for_windows() {
        return skip("on Windows the folder of the file is the user's alone");
    }
    let home = home("session-file");
    let bridge = with_token(&home, TOKEN).await;
    let id = begin(bridge.address(), TOKEN).await;
    let path = file(&home).with_file_name("sessions");
    let mode = std::fs::metadata(&path).expect("it is kept").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("it is text");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains(&id) && !text.contains(TOKEN), "{text}");
}

/// Checks that sessions last for one run, with one warning, where `spoil` has made their file
/// unusable.
#[cfg(unix)]
async fn check_for_one_run(name: &str, spoil: impl Fn(&Path), warning: &str) {
    if is_for_windows() {
        return skip("on Windows the folder of the file is the user's alone");
    }
    let home = home(name);
    let path = file(&home).with_file_name("sessions");
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
    spoil(&path);
    let bridge = with_token(&home, TOKEN).await;
    let id = check_sessions_with_one_warning(&bridge, warning).await;
    drop(bridge);
    let again = with_token(&home, TOKEN).await;
    assert_eq!(status(again.address(), &id).await, 401);
}

/// Begins three sessions, and returns the id of the last one.
#[cfg(unix)]
async fn check_sessions_with_one_warning(bridge: &Bridge, warning: &str) -> String {
    let mut last = String::new();
    for _ in 0..3 {
        last = begin(bridge.address(), TOKEN).await;
        assert_eq!(status(bridge.address(), &last).await, 200);
    }
    bridge.program.said(warning).await;
    let log = bridge.program.log().join("\n");
    let warnings = log.matches("need the token again after a restart");
    assert_eq!(warnings.count(), 1, "{log}");
    last
}

#[cfg(unix)]
fn write_with_mode(path: &Path, text: &[u8], mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("the folder can be written");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("the file is ours");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_read_is_not_used() {
    let spoil = |path: &Path| write_with_mode(path, b"", 0o644);
    check_for_one_run("readable", spoil, "others may read it").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_change_is_not_used() {
    let spoil = |path: &Path| write_with_mode(path, b"", 0o622);
    check_for_one_run("changeable", spoil, "others may change it").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_no_text_is_not_used() {
    let spoil = |path: &Path| write_with_mode(path, b"\xff\xfe", 0o600);
    check_for_one_run("no-text", spoil, "cannot use").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_in_place_of_the_file_is_not_used() {
    let spoil = |path: &Path| std::fs::create_dir(path).expect("a folder");
    check_for_one_run("folder", spoil, "it is no file").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_the_folder_cannot_be_written_sessions_last_for_one_run() {
    if is_for_windows() {
        return skip("Windows has no folder in which not even its owner can write");
    }
    let bridge = with_token(Path::new("/proc/nothing"), TOKEN).await;
    check_sessions_with_one_warning(&bridge, "cannot write /proc/nothing").await;
}
