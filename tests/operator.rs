//! What only the operator may: see who is connected, disconnect a client, and share the address.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::network::{Network, kept};
use crate::support::{Bridge, Client, Pair, Program, bare, http, until};

const TOKEN: &str = "correct-horse-battery";

/// The headers of a browser that shows an address that somebody typed.
const TYPED: [(&str, &str); 4] = [
    ("Accept", "text/html"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
];

async fn clients(at: SocketAddr) -> Vec<Value> {
    let reply = http(at, "GET", "/api/clients", &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).expect("the answer is a list")
}

#[tokio::test]
async fn the_operator_sees_who_is_connected() {
    let bridge = Bridge::start(&["--port", "one=sim", "--port", "two=sim,read-only"]).await;
    let at = bridge.address();
    assert_eq!(clients(at).await, Vec::<Value>::new());
    let page = [
        ("Origin", "http://localhost:5500"),
        ("User-Agent", "Browser/1"),
    ];
    let first = Client::open(at, "/ports/one?view=json", &page).await;
    let second = Client::open(at, "/ports/two", &[]).await;
    let list = clients(at).await;
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(list[0]["address"], "127.0.0.1");
    assert_eq!(list[0]["origin"], "http://localhost:5500");
    assert!(
        !list[0]["agent"].to_string().contains("\\u001b"),
        "{list:?}"
    );
    assert_eq!(list[0]["port"], "one");
    assert_eq!(list[0]["view"], "json");
    assert_eq!(list[0]["readOnly"], false);
    assert_eq!(list[1]["origin"], Value::Null);
    assert_eq!(list[1]["port"], "two");
    assert_eq!(list[1]["view"], "lines");
    assert_eq!(list[1]["readOnly"], true);
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is right");
    let since = list[0]["since"].as_u64().expect("a number");
    assert!(now.as_secs().abs_diff(since) < 600, "{list:?}");
    drop((first, second));
    until("the list to be empty", async || {
        clients(at).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn clients_of_no_port_are_listed_and_can_be_disconnected() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let at = bridge.address();
    for (path, view, reads) in [("/devices", "devices", true), ("/echo", "echo", false)] {
        let mut client = Client::open(at, path, &[]).await;
        let list = clients(at).await;
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0]["port"], Value::Null);
        assert_eq!(list[0]["view"], view);
        assert_eq!(list[0]["readOnly"], reads);
        let disconnect = format!("/api/clients/{}", list[0]["id"]);
        assert_eq!(http(at, "DELETE", &disconnect, &[]).await.status, 200);
        assert_eq!(client.closed().await.0, 4410);
        assert_eq!(clients(at).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_client_has_one_number_wherever_it_is_told() {
    let bridge = Bridge::start(&["--port", "one=loop", "--port", "two=loop"]).await;
    let at = bridge.address();
    let mut numbers = Vec::new();
    let mut sessions = Vec::new();
    for port in ["one", "two", "one"] {
        let mut client = Client::open(at, &format!("/ports/{port}?view=json&writes"), &[]).await;
        numbers.push(client.json_of("hello").await["client"].clone());
        sessions.push(client);
    }
    let listed: Vec<Value> = clients(at)
        .await
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    assert_eq!(listed, numbers);
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    let [first, _, last] = &mut sessions[..] else {
        panic!("there are three");
    };
    last.send(r#"{"type":"lock"}"#).await;
    assert_eq!(
        first.json_of("status").await["writer"]["client"],
        numbers[2]
    );
    last.send(r#"{"type":"write","text":"x"}"#).await;
    assert_eq!(first.json_of("written").await["client"], numbers[2]);
}

#[tokio::test]
async fn the_operator_disconnects_one_client_and_no_other() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let at = bridge.address();
    let mut unwanted = Client::open(at, "/", &[]).await;
    let mut other = Client::open(at, "/", &[]).await;
    let id = clients(at).await[0]["id"].to_string();
    let path = format!("/api/clients/{id}");
    let reply = http(at, "DELETE", &path, &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["id"].to_string(), id);
    let (code, reason) = unwanted.closed().await;
    assert_eq!(code, 4410, "{reason}");
    assert!(reason.contains("operator"), "{reason}");
    other.text().await;
    until("the client to leave the list", async || {
        (clients(at).await.len() == 1).then_some(())
    })
    .await;
    for path in [&path, "/api/clients/none", "/api/clients/-1"] {
        assert_eq!(http(at, "DELETE", path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn nobody_else_may() {
    let Some(network) = Network::new("operator", &[]).await else {
        return;
    };
    let (at, token) = (network.at, kept(&network.home));
    let here = network.here();
    let mut client = Client::open(here, "/", &[]).await;
    let bearer = format!("Bearer {token}");
    let with_token = ("Authorization", bearer.as_str());
    for (place, headers) in [
        // Another computer, a page of another origin, a proxy, a link of another site.
        (at, &[with_token][..]),
        (here, &[("Origin", "http://localhost:5500")]),
        (here, &[with_token, ("Origin", "https://site.example")]),
        (here, &[with_token, ("X-Forwarded-For", "1.2.3.4")]),
        (here, &[("Sec-Fetch-Site", "cross-site")]),
    ] {
        for (method, path) in [
            ("GET", "/api/clients"),
            ("DELETE", "/api/clients/1"),
            ("GET", "/_serial-ws/share"),
        ] {
            let reply = http(place, method, path, headers).await;
            assert_eq!(reply.status, 403, "{method} {path} {headers:?}: {reply:?}");
            assert!(!reply.body.contains(&token), "{reply:?}");
        }
        let mut link = TYPED.to_vec();
        link.extend(headers.iter().filter(|(name, _)| *name != "Sec-Fetch-Site"));
        link[1].1 = "cross-site";
        let reply = http(place, "GET", "/_serial-ws/share", &link).await;
        assert_eq!(reply.status, 403, "{headers:?}: {reply:?}");
    }
    client.text().await;
}

#[tokio::test]
async fn the_page_to_share_has_an_address_and_a_code_for_each_network() {
    let Some(network) = Network::new("share", &[]).await else {
        return;
    };
    let (at, token) = (network.at, kept(&network.home));
    let here = network.here();
    let reply = http(here, "GET", "/_serial-ws/share", &TYPED).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let url = format!("http://{at}/?token={token}");
    assert!(reply.body.contains(&url), "{reply:?}");
    assert!(reply.body.contains("<svg"), "{reply:?}");
    let policy = reply.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(policy.ends_with("sandbox"), "{policy}");
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    assert_eq!(reply.header("Access-Control-Allow-Origin"), None);

    // No script and no program gets it.
    for (name, value) in [
        ("Sec-Fetch-Dest", "empty"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Sec-Fetch-Dest", "embed"),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Mode", ""),
    ] {
        let mut headers = TYPED.to_vec();
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value));
        let reply = http(here, "GET", "/_serial-ws/share", &headers).await;
        assert_eq!(reply.status, 403, "{name} {value}: {reply:?}");
        assert!(!reply.body.contains(&token), "{reply:?}");
    }
    let paths = [
        "/api/status",
        "/api/ports",
        "/api/clients",
        "/hello",
        "/metrics",
        "/",
    ];
    for path in paths {
        let reply = http(here, "GET", path, &[]).await;
        assert!(!reply.body.contains(&token), "{path}");
    }
    assert!(!network.bridge.program.log().join("\n").contains(&token));
}

#[tokio::test]
async fn where_nobody_can_come_from_elsewhere_the_page_says_how_to_let_them_in() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let reply = http(bridge.address(), "GET", "/_serial-ws/share", &TYPED).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.contains("--lan"), "{reply:?}");
    assert!(!reply.body.contains("<svg"), "{reply:?}");
}

#[tokio::test]
async fn where_all_need_the_token_the_operator_needs_it_too() {
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
    let program = Program::start_with(&arguments, &[("SERIAL_WS_TOKEN", TOKEN)]);
    let bridge = Bridge::of(program, 1).await;
    let at = bridge.address();
    assert_eq!(http(at, "GET", "/api/clients", &[]).await.status, 401);
    let share = http(at, "GET", "/_serial-ws/share", &TYPED).await;
    assert_eq!(share.status, 401, "{share:?}");
    let target = format!("/api/clients?token={TOKEN}");
    assert_eq!(http(at, "GET", &target, &[]).await.status, 200);
}

#[tokio::test]
async fn a_client_that_names_itself_is_shown_with_that_name() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut watcher = bridge.client("/?view=json&writes").await;
    watcher.json_of("hello").await;
    let mut agent = bridge.client("/?view=json&client=claude-code/1.0").await;
    agent.json_of("hello").await;
    let said = r#"connected: "claude-code/1.0" at 127.0.0.1, view json"#;
    bridge.program.said(said).await;
    let list = clients(bridge.address()).await;
    let names: Vec<_> = list.iter().map(|client| &client["name"]).collect();
    assert_eq!(names, [&Value::Null, &json!("claude-code/1.0")]);
    agent.acked(json!({"type": "write", "text": "G28\n"})).await;
    pair.device.expect("G28\n").await;
    let written = watcher.json_of("written").await;
    assert_eq!(written["name"], "claude-code/1.0", "{written}");
    let path = "/api/ports/board/write?client=lab%20script";
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nH"
    );
    bare(bridge.address(), request.as_bytes()).await;
    assert_eq!(watcher.json_of("written").await["name"], "lab script");
    let url = format!("http://{}", bridge.address());
    Program::run(&["ask", "--url", &url, "--timeout", "100ms", "?"]).await;
    assert_eq!(watcher.json_of("written").await["name"], "serial-ws-ask");
    // One that gives no name to its lock has its own.
    agent.acked(json!({"type": "lock"})).await;
    let status = watcher.json_of("status").await;
    assert_eq!(status["writer"]["name"], "claude-code/1.0", "{status}");
    let refused = bridge.refused("/?client=a%22b").await;
    assert_eq!(refused.0, 4400);
    assert!(refused.1.contains("client must be 1 to 40"), "{refused:?}");
}
