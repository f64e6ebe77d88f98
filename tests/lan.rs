//! Other computers: the token, and the requests that need it. This computer stands for
//! another one, by its address in the network.

use std::path::PathBuf;

use crate::support::network::{Network, file, home, kept};
use crate::support::{Bridge, Client, Program, http, upgrade};
#[cfg(unix)]
use crate::support::{is_for_windows, skip};

const TOKEN: &str = "correct-horse-battery";

#[tokio::test]
async fn other_computers_need_the_token_that_is_kept() {
    let Some(network) = Network::new("kept", &[]).await else {
        return;
    };
    let Network { bridge, at, home } = &network;
    let reply = upgrade(*at, "/", &[]).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(reply.body.contains("?token="), "{reply:?}");
    let token = kept(home);
    assert!(token.len() >= 26, "{token}");
    Client::open(*at, &format!("/?token={token}"), &[])
        .await
        .text()
        .await;
    let bearer = format!("Bearer {token}");
    Client::open(*at, "/", &[("Authorization", &bearer)])
        .await
        .text()
        .await;
    // This computer needs none for itself.
    let here = network.here();
    Client::open(here, "/", &[]).await.text().await;
    assert!(
        !bridge.program.log().join("\n").contains(&token),
        "the token is in the log"
    );

    let again = Network::at(home.clone(), &[])
        .await
        .expect("there was a network");
    assert_eq!(kept(home), token);
    Client::open(again.at, &format!("/?token={token}"), &[])
        .await
        .text()
        .await;
}

/// Starts the program for other computers, with this as the file of its token.
#[cfg(unix)]
fn start_with_kept(name: &str, text: &[u8]) -> (Program, PathBuf) {
    use std::os::unix::fs::PermissionsExt;

    let home = home(name);
    let path = file(&home);
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
    std::fs::write(&path, text).expect("the folder can be written");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, private).expect("the file is ours");
    let folder = home.to_str().expect("the folder is text");
    let variables = [
        ("XDG_CONFIG_HOME", folder),
        ("HOME", folder),
        ("APPDATA", folder),
    ];
    let arguments = ["--port", "sim", "--lan", "--listen", "0.0.0.0:0"];
    (Program::start_with(&arguments, &variables), home)
}

#[cfg(unix)]
#[tokio::test]
async fn a_kept_token_that_could_be_guessed_is_replaced_with_a_warning() {
    let (program, home) = start_with_kept("short", b"kitten\n");
    program.said("so a new one takes its place").await;
    program.said("listening on").await;
    assert!(kept(&home).len() >= 26, "{}", kept(&home));
    // One that was never written, such as on a full disk, was nobody's.
    let (program, home) = start_with_kept("empty", b"");
    program.said("listening on").await;
    let log = program.log().join("\n");
    assert!(kept(&home).len() >= 26 && !log.contains("WARN"), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_kept_token_that_is_no_text_is_explained() {
    let (mut program, _home) = start_with_kept("no-text", b"\xff\xfe\0");
    let ended = program.ended().await;
    ended.with(1, "token: it is not text in UTF-8: remove it");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_no_token_can_be_kept_the_log_names_the_flag() {
    if is_for_windows() {
        return skip("Windows has no folder in which not even its owner can write");
    }
    let arguments = ["--port", "sim", "--lan", "--listen", "0.0.0.0:0"];
    let variables = [("XDG_CONFIG_HOME", "/proc/nothing")];
    let program = Program::start_with(&arguments, &variables);
    let bridge = Bridge::of(program, 1).await;
    bridge.program.said("give one of your own: --token").await;
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("need the token in"), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read_the_token_file() {
    use std::os::unix::fs::PermissionsExt;
    if is_for_windows() {
        return skip("on Windows the folder of the file is the user's alone");
    }
    let Some(network) = Network::new("private", &[]).await else {
        return;
    };
    let mode = std::fs::metadata(file(&network.home))
        .expect("it is kept")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn the_terminal_shows_the_address_and_a_qr_code() {
    let home = home("shown");
    let text = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", text), ("HOME", text), ("APPDATA", text)];
    let arguments = ["--port", "sim", "--listen", "0.0.0.0:0"];
    let (program, _keys) = Program::start_at_a_terminal(&arguments, &variables);
    let bridge = Bridge::of(program, 1).await;
    bridge
        .program
        .said(&format!("/?token={}", kept(&home)))
        .await;
    bridge.program.said("█").await;
    bridge.program.said("not encrypted").await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_address_with_a_token_full_of_punctuation_works() {
    const PUNCTUATION: &str = "a+b&c#d%25=e/?~";
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
    let variables = [("SERIAL_WS_TOKEN", PUNCTUATION)];
    let (program, _keys) = Program::start_at_a_terminal(&arguments, &variables);
    let bridge = Bridge::of(program, 1).await;
    let shown = bridge.program.said("/?token=").await;
    let (place, target) = shown
        .trim()
        .split_at(shown.trim().find("/?").expect("it was said"));
    assert_eq!(
        place,
        format!("http://localhost:{}", bridge.address().port())
    );
    let reply = bridge.get(target).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("Set-Cookie").is_some(), "{reply:?}");
}

#[tokio::test]
async fn an_old_cookie_keeps_nobody_out() {
    let Some(network) = Network::new("old-cookie", &[]).await else {
        return;
    };
    let at = network.at;
    let here = network.here();
    let cookie = format!("serial-ws-{}=of-an-earlier-token", at.port());
    let old = ("Cookie", cookie.as_str());
    assert_eq!(http(here, "GET", "/", &[old]).await.status, 200);
    // A page that was left open tries again and again.
    let own = format!("http://{at}");
    for _ in 0..10 {
        let reply = upgrade(at, "/", &[old, ("Origin", &own)]).await;
        assert_eq!(reply.status, 401, "{reply:?}");
    }
    let target = format!("/?token={}", kept(&network.home));
    let reply = http(at, "GET", &target, &[old]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn other_computers_may_be_allowed_to_read_only() {
    let Some(network) = Network::new("read-only", &["--lan-read-only"]).await else {
        return;
    };
    let target = format!("/?view=json&latest=1&token={}", kept(&network.home));
    let hello = Client::open(network.at, &target, &[])
        .await
        .json_of("hello")
        .await;
    assert_eq!(hello["port"]["settings"]["readOnly"], true, "{hello}");
    let here = network.here();
    let hello = Client::open(here, "/?view=json&latest=1", &[])
        .await
        .json_of("hello")
        .await;
    assert_eq!(hello["port"]["settings"]["readOnly"], false, "{hello}");
}

#[tokio::test]
async fn the_token_gives_a_read_only_page_no_more_rights() {
    let bridge = with_own_token(&["--allow-origin", "https://screen.example,read-only"]).await;
    let target = format!("/?view=json&latest=1&token={TOKEN}");
    for (origin, is_read_only) in [
        ("https://screen.example", true),
        ("http://localhost", false),
    ] {
        let mut client = Client::open(bridge.address(), &target, &[("Origin", origin)]).await;
        let hello = client.json_of("hello").await;
        assert_eq!(
            hello["port"]["settings"]["readOnly"], is_read_only,
            "{hello}"
        );
    }
}

#[tokio::test]
async fn wrong_tokens_are_rate_limited() {
    let bridge = with_own_token(&[]).await;
    for n in 0..30 {
        let target = format!("/api/status?token=wrong{n}");
        let reply = http(bridge.address(), "GET", &target, &[]).await;
        assert_eq!(reply.status, 401, "{reply:?}");
    }
    for guess in ["wrong", TOKEN] {
        let target = format!("/api/status?token={guess}");
        assert_eq!(
            http(bridge.address(), "GET", &target, &[]).await.status,
            429,
            "{guess}"
        );
    }
    // A page of another origin has guesses of its own, and so have other programs.
    let right = format!("/api/status?token={TOKEN}");
    let origin = [("Origin", "http://localhost:5500")];
    let reply = http(bridge.address(), "GET", &right, &origin).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(bridge.get("/hello").await.status, 200);
    assert!(!bridge.program.log().join("\n").contains(TOKEN));
}

#[tokio::test]
async fn a_page_of_another_site_locks_nobody_out() {
    let bridge = with_own_token(&[]).await;
    let foreign = [("Origin", "https://evil.example")];
    for path in ["/", "/hello"] {
        for n in 0..40 {
            let target = format!("{path}?token=wrong{n}");
            http(bridge.address(), "GET", &target, &foreign).await;
        }
    }
    let target = format!("/?token={TOKEN}");
    assert_eq!(
        upgrade(bridge.address(), &target, &foreign).await.status,
        429
    );
    Client::open(bridge.address(), &target, &[])
        .await
        .text()
        .await;
}

#[tokio::test]
async fn what_a_page_of_another_site_loads_locks_no_program_out() {
    let bridge = with_own_token(&[]).await;
    // As an image, or by a fetch without CORS, for which browsers name no origin.
    let image = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Dest", "image"),
    ];
    let right = format!("/?token={TOKEN}");
    for n in 0..40 {
        let target = format!("/?token=wrong{n}");
        http(bridge.address(), "GET", &target, &image).await;
    }
    let of_site = http(bridge.address(), "GET", &right, &image).await;
    assert_eq!(of_site.status, 429, "{of_site:?}");
    for typed in [&[][..], &[("Sec-Fetch-Site", "none")]] {
        let reply = http(bridge.address(), "GET", &right, typed).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

#[tokio::test]
async fn a_token_that_nobody_can_guess_has_no_limit() {
    let Some(network) = Network::new("no-limit", &[]).await else {
        return;
    };
    for n in 0..310 {
        let target = format!("/api/status?token=wrong{n}");
        assert_eq!(http(network.at, "GET", &target, &[]).await.status, 401);
    }
    let target = format!("/api/status?token={}", kept(&network.home));
    assert_eq!(http(network.at, "GET", &target, &[]).await.status, 200);
}

#[tokio::test]
async fn the_operators_token_is_needed_by_all() {
    let bridge = with_own_token(&[]).await;
    let at = bridge.address();
    assert_eq!(upgrade(at, "/", &[]).await.status, 401);
    let own = format!("http://{at}");
    assert_eq!(upgrade(at, "/", &[("Origin", &own)]).await.status, 401);
    assert_eq!(bridge.get("/api/status").await.status, 401);
    let url = format!("ws://{at}/");
    let connect = ["connect", &url, "--count", "1", "--token"];
    Program::run(&[&connect[..], &[TOKEN]].concat())
        .await
        .with(0, "");
    Program::run(&[&connect[..], &["wrong-wrong-wrong"]].concat())
        .await
        .with(1, "token");
    let url = format!("http://{at}");
    let release = ["release", "--url", &url, "--token", TOKEN];
    Program::run(&release).await.with(0, "");
    Program::run(&["resume", "--url", &url, "--token", TOKEN])
        .await
        .with(0, "");
    Program::run(&["resume", "--url", &url])
        .await
        .with(1, "token");
}

#[tokio::test]
async fn the_operators_token_has_at_least_12_characters() {
    for (token, part) in [("short", "12"), ("twelve blanks", "blanks")] {
        let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
        let variables = [("SERIAL_WS_TOKEN", token)];
        Program::start_with(&arguments, &variables)
            .ended()
            .await
            .with(2, part);
    }
}

#[tokio::test]
async fn a_request_through_a_proxy_needs_a_token() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let proxied = [("X-Forwarded-For", "203.0.113.9")];
    let reply = http(bridge.address(), "GET", "/api/status", &proxied).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.body.contains("--token"), "{reply:?}");
}

/// Starts a bridge for other computers, with this file as their token.
async fn with_lan_token(name: &str, file: &str) -> Option<(Network, PathBuf)> {
    let folder = home(&format!("{name}-file"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let path = folder.join(file);
    let text = path.to_str().expect("the folder is text").to_owned();
    let network = Network::new(name, &["--lan-token", &text]).await?;
    Some((network, path))
}

#[tokio::test]
async fn a_token_for_other_computers_is_made_and_kept_in_the_file_that_was_named() {
    let Some((network, path)) = with_lan_token("lan-token", "class").await else {
        return;
    };
    let token = std::fs::read_to_string(&path).expect("it is written");
    let token = token.trim();
    assert!(token.len() >= 26, "{token}");
    #[cfg(unix)]
    if !is_for_windows() {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
    assert!(!file(&network.home).exists(), "there is a second token");
    assert_eq!(upgrade(network.at, "/", &[]).await.status, 401);
    let target = format!("/?token={token}");
    Client::open(network.at, &target, &[]).await.text().await;
    // This computer needs none, unless the request is another's.
    Client::open(network.here(), "/", &[]).await.text().await;
    let passed_on = [("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(upgrade(network.here(), "/", &passed_on).await.status, 401);
    assert_eq!(
        upgrade(network.here(), &target, &passed_on).await.status,
        101
    );
    assert!(!network.bridge.program.log().join("\n").contains(token));

    let flag = path.to_str().expect("the folder is text");
    let again = Network::new("lan-token-again", &["--lan-token", flag]).await;
    let again = again.expect("there was a network");
    Client::open(again.at, &target, &[]).await.text().await;
}

#[tokio::test]
async fn a_token_of_ones_own_for_other_computers_can_be_guessed_only_so_often() {
    let folder = home("guessed-file");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let path = folder.join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).expect("the folder can be written");
    let text = path.to_str().expect("the folder is text");
    let Some(network) = Network::new("guessed", &["--lan-token", text]).await else {
        return;
    };
    for n in 0..30 {
        let target = format!("/api/status?token=wrong{n}");
        assert_eq!(http(network.at, "GET", &target, &[]).await.status, 401);
    }
    let right = format!("/api/status?token={TOKEN}");
    assert_eq!(http(network.at, "GET", &right, &[]).await.status, 429);
    // Nobody on this computer is kept out.
    let reply = http(network.here(), "GET", "/api/status", &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn with_own_token(arguments: &[&str]) -> Bridge {
    let own = ["--port", "sensor=sim", "--listen", "127.0.0.1:0"];
    let variables = [("SERIAL_WS_TOKEN", TOKEN)];
    Bridge::of(
        Program::start_with(&[&own, arguments].concat(), &variables),
        1,
    )
    .await
}
