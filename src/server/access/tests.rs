//! The access policy, rule by rule. `policy_table` has all of it as a table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::policy::Lan;
use super::sessions::{SessionId, Sessions};
use super::token::Token;
use super::*;

pub(crate) const TOKEN: &str = "K7QDXXYZ12345678";
/// The id of a session that began with the token.
const SESSION: &str = "SESSION";
const P5: &str = "https://preview.p5js.org";

/// Returns these headers; a name may come twice.
fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Returns a decision in short: the rights, `ask`, or the status of the rejection. The operator may
/// read and write as others.
fn decision(policy: &Policy, remote: &str, target: &str, fields: &[(&str, &str)]) -> String {
    let answers = Answers::from([
        ("https://yes.example".to_owned(), Some(Rights::ReadWrite)),
        ("https://look.example".to_owned(), Some(Rights::ReadOnly)),
        ("https://no.example".to_owned(), None),
        ("http://plain.example".to_owned(), Some(Rights::ReadWrite)),
    ]);
    decision_after(&answers, policy, remote, target, fields).replace("op", "rw")
}

/// The same, after these answers of the operator.
pub(crate) fn decision_after(
    answers: &Answers,
    policy: &Policy,
    remote: &str,
    target: &str,
    fields: &[(&str, &str)],
) -> String {
    let headers = headers(fields);
    let (word, target) = target.split_once(' ').unwrap();
    let uri = target.parse().unwrap();
    let (class, method) = match word {
        "WS" => (RequestClass::WebSocket, Method::GET),
        "PAGE" => (RequestClass::Page, Method::GET),
        "HELLO" => (RequestClass::Public, Method::GET),
        "POST" => (RequestClass::Data, Method::POST),
        _ => (RequestClass::Data, Method::GET),
    };
    let caller = Caller {
        method: &method,
        uri: &uri,
        headers: &headers,
        class,
        peer: Peer {
            remote: remote.parse().unwrap(),
            local: "192.168.1.50:8080".parse().unwrap(),
            is_encrypted: false,
        },
    };
    let now = SystemTime::now();
    let mut sessions = Sessions::default();
    sessions.begin(&Token::new(TOKEN), &SessionId::new(SESSION), now);
    let state = AccessState {
        answers,
        sessions: &sessions,
        now,
    };
    match policy.decide(caller, state) {
        Ok(Rights::Operator) => "op".into(),
        Ok(Rights::ReadWrite) => "rw".into(),
        Ok(Rights::ReadOnly) => "ro".into(),
        Err(Denial::Ask(_)) => "ask".into(),
        Err(Denial::Reject(rejection)) => rejection.status.as_str().into(),
    }
}

/// Checks a request of this computer, where only one host name and two origins are allowed.
#[track_caller]
fn check(target: &str, fields: &[(&'static str, &str)], expected: &str) {
    let policy = Policy {
        hosts: vec!["bench.lan".into()],
        origins: HashMap::from([
            ("https://listed.example".into(), Rights::ReadWrite),
            ("https://screen.example".into(), Rights::ReadOnly),
        ]),
        ..Policy::default()
    };
    let decision = decision(&policy, "127.0.0.1", target, fields);
    assert_eq!(decision, expected, "{target} {fields:?}");
}

fn lan(rights: Rights) -> Policy {
    let name = Some("pi".to_owned());
    Policy {
        lan: Some(Lan { rights, name }),
        token: Some(Token::new(TOKEN)),
        ..Policy::default()
    }
}

/// Checks a request with --lan, by default of another computer.
#[track_caller]
fn check_lan(remote: &str, target: &str, fields: &[(&'static str, &str)], expected: &str) {
    let decision = decision(&lan(Rights::ReadWrite), remote, target, fields);
    assert_eq!(decision, expected, "{remote} {target} {fields:?}");
}

#[track_caller]
fn check_host(host: &str, expected: &str) {
    check("WS /", &[("host", host)], expected);
}

/// Checks a WebSocket and two calls of a page at `origin`.
#[track_caller]
fn check_origin(origin: &str, expected: &str) {
    for target in ["WS /", "GET /api/status", "POST /api/ports/a/reset"] {
        check(
            target,
            &[("host", "localhost:8080"), ("origin", origin)],
            expected,
        );
    }
}

#[test]
fn names_of_this_computer_are_allowed_with_any_tcp_port() {
    check_host("localhost", "rw");
    check_host("localhost:8080", "rw");
    check_host("LOCALHOST:1", "rw");
    check_host("127.0.0.1:9", "rw");
    check_host("[::1]", "rw");
    check_host("[::1]:8080", "rw");
    check_host("sketch.localhost:80", "rw");
    check_host("bench.lan:8080", "rw");
    check_host("BENCH.lan", "rw");
}

#[test]
fn foreign_names_are_rejected() {
    check_host("evil.example:8080", "403");
    check_host("0.0.0.0:8080", "403");
    check_host("127.0.0.1.evil.example", "403");
    check_host("localhost.evil.example", "403");
    check_host("evil-localhost", "403");
    check_host("..localhost", "403");
    check_host(".localhost", "403");
    check_host("192.168.1.50", "403");
    check_host("127.0.0.2", "403");
    check_host("pi.local", "403");
    check_host("xbench.lan", "403");
    check_host("bench.lan.", "403");
    check_host("[::]:80", "403");
    check_host("[::ffff:127.0.0.1]", "403");
    check_host("2130706433", "403");
    check_host("0x7f000001", "403");
    check_host("127.1", "403");
}

#[test]
fn malformed_hosts_are_rejected() {
    for host in [
        "",
        "localhost:",
        "localhost:x",
        "localhost:99999",
        "localhost:+80",
        "a b",
        "[::1",
        "[::1]x",
        "user@localhost",
        "localhost:80:80",
        "localhost/",
        "::1",
        "localhost,evil",
    ] {
        check_host(host, "400");
    }
    check("WS /", &[], "400");
    check(
        "WS /",
        &[("host", "localhost"), ("host", "localhost")],
        "400",
    );
    check(
        "GET http://localhost/api/status",
        &[("host", "localhost")],
        "400",
    );
}

#[test]
fn programs_are_allowed() {
    check("WS /", &[("host", "localhost")], "rw");
    check("GET /api/status", &[("host", "localhost")], "rw");
    check("POST /api/ports/a/reset", &[("host", "localhost")], "rw");
}

#[test]
fn pages_of_this_computer_are_allowed() {
    check_origin("http://localhost:8080", "rw");
    check_origin("http://localhost:5500", "rw");
    check_origin("https://localhost", "rw");
    check_origin("http://127.0.0.1:3000", "rw");
    check_origin("http://[::1]:80", "rw");
    check_origin("http://a.localhost", "rw");
    check_origin("http://localhost/", "rw");
    check_origin("http://127.0.0.1:8080/", "rw");
    check(
        "WS /",
        &[
            ("host", "bench.lan:8080"),
            ("origin", "http://bench.lan:8080"),
        ],
        "rw",
    );
    check(
        "WS /",
        &[
            ("host", "bench.lan:8080"),
            ("origin", "http://bench.lan:80"),
        ],
        "403",
    );
}

#[test]
fn listed_pages_have_their_listed_rights() {
    check_origin("https://listed.example", "rw");
    check_origin("https://screen.example", "ro");
}

#[test]
fn unknown_pages_by_https_from_disk_and_of_extensions_are_asked_about() {
    check_origin("https://evil.example", "ask");
    check_origin(P5, "ask");
    check_origin("https://listed.example:444", "ask");
    check_origin("https://xlisted.example", "ask");
    check_origin("https://listed.example.evil.example", "ask");
    check_origin("https://localhost.evil.example", "ask");
    check_origin("null", "ask");
    check_origin("file://", "ask");
    check_origin("file:///android_asset/index.html", "ask");
    check_origin("chrome-extension://abcdefghijklmnop", "ask");
    check_origin("vscode-webview://0b1c2d3e", "ask");
    check_origin("capacitor://localhost", "ask");
    check_origin("app://.", "ask");
}

#[test]
fn an_answer_about_null_holds_for_file() {
    let answers = Answers::from([("null".to_owned(), Some(Rights::ReadOnly))]);
    for origin in ["null", "file://"] {
        let fields = [("host", "localhost"), ("origin", origin)];
        let decision = decision_after(&answers, &Policy::default(), "::1", "WS /", &fields);
        assert_eq!(decision, "ro", "{origin}");
    }
}

/// Checks that what is printed about a refused origin lets it in when it is typed.
#[track_caller]
fn check_remedy(origin: &str, printed: &str) {
    let Rejection { remedy, .. } = rejection::rejected_page(origin::canonical(origin));
    let typed = remedy.rsplit_once("--allow-origin ").expect(origin).1;
    assert_eq!(typed, printed);
    // As a shell would pass it on.
    let flags = [
        "serial-ws",
        "--port",
        "sim",
        "--allow-origin",
        typed.trim_matches('"'),
    ];
    let config = crate::config::Config::from_args(flags).expect(origin);
    let policy = Policy::new(&config.server, None, None);
    let fields = [("host", "localhost"), ("origin", origin)];
    assert_eq!(
        decision(&policy, "127.0.0.1", "WS /", &fields),
        "rw",
        "{origin}"
    );
    let other = format!("{origin}x");
    let fields = [("host", "localhost"), ("origin", other.as_str())];
    let found = decision(&policy, "127.0.0.1", "WS /", &fields);
    assert!(origin.starts_with("file:") || found != "rw", "{other}");
}

#[test]
fn what_is_printed_about_a_refused_origin_lets_it_in() {
    check_remedy("file://", "null");
    check_remedy("null", "null");
    check_remedy("http://plain.example", "http://plain.example");
    for origin in [
        "https://github.com/gilmaimon/TinyWebsockets",
        "https://GitHub.com/gilmaimon/TinyWebsockets/",
        "https://OK.example",
        "HTTPS://ok.example",
        "https://ok.example:443",
        "https://ok.example/",
        "http://user@localhost",
        "vscode-webview://0b1c2d3e4f5061728394a5b6c7d8e9f0",
        "vscode-file://vscode-app",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://.",
        "app://obsidian.md",
        "safari-web-extension://8D9F1B0C-3F4E-4E6F-9C55-0D9A3C1B2A77",
        "ms-appx-web://1a2b.app",
        "ws://192.168.1.50:8080",
    ] {
        check_remedy(origin, origin);
    }
    check_remedy("http://[fd00::1]:8080", "\"http://[fd00::1]:8080\"");
    check_remedy(
        "https://a.example/?b=1&c=(2)",
        "\"https://a.example/?b=1&c=(2)\"",
    );
}

#[test]
fn an_invalid_origin_gets_in_with_the_token_as_the_advice_says() {
    for origin in [
        "",
        "*",
        "localhost",
        "https://a b",
        "https://*.example",
        "a, b",
    ] {
        let Rejection { remedy, .. } = rejection::rejected_page(origin);
        assert!(
            remedy.contains("--token FILE") && remedy.contains("?token="),
            "{remedy}"
        );
        let fields = [("host", "localhost"), ("origin", origin)];
        let target = format!("WS /?token={TOKEN}");
        assert_eq!(
            decision(&lan(Rights::ReadWrite), "127.0.0.1", &target, &fields),
            "rw"
        );
    }
}

#[test]
fn an_answer_holds() {
    check_origin("https://yes.example", "rw");
    check_origin("https://look.example", "ro");
    check_origin("https://no.example", "403");
}

#[test]
fn other_pages_are_always_rejected() {
    for origin in [
        "",
        "http://evil.example",
        "http://plain.example",
        "http://listed.example",
        "http://localhost.evil.example",
        "http://192.168.1.7",
        "http://pi.local",
        "http://localhost//",
        "http://localhost/x",
        "http://localhost.evil.example/",
        "http://localhost:80@evil.example",
        "https://listed.example/",
        "https://LISTED.example/x",
        "NULL",
        "https://",
        "https://a b",
        "https://a/b",
        "localhost",
        "*",
        "data:text/html,x",
        "https://listed.example, https://evil.example",
        "https://evil.example\u{e9}",
    ] {
        check(
            "WS /",
            &[("host", "localhost"), ("origin", origin)],
            if origin.is_ascii() { "403" } else { "400" },
        );
    }
    let twice = ("origin", "http://localhost");
    check("WS /", &[("host", "localhost"), twice, twice], "400");
}

#[test]
fn a_rebound_name_is_rejected_though_page_and_host_agree() {
    let host = ("host", "evil.example:8080");
    check(
        "WS /",
        &[host, ("origin", "http://evil.example:8080")],
        "403",
    );
    check(
        "HELLO /hello",
        &[host, ("origin", "http://evil.example:8080")],
        "403",
    );
    check("PAGE /", &[host], "403");
}

#[test]
fn a_page_cannot_ask_by_a_plain_get() {
    let host = ("host", "localhost");
    for (site, expected) in [
        ("same-origin", "rw"),
        ("none", "rw"),
        ("same-site", "403"),
        ("cross-site", "403"),
        ("", "403"),
    ] {
        let site = ("sec-fetch-site", site);
        check("GET /api/status", &[host, site], expected);
        check("POST /api/ports/a/reset", &[host, site], expected);
        check("WS /", &[host, site], expected);
    }
}

#[test]
fn a_link_of_another_site_leads_to_a_page_and_to_nothing_else() {
    let link = [
        ("host", "localhost"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    check("PAGE /", &link, "rw");
    check("GET /api/status", &link, "403");
    let framed = [link[0], link[1], link[2], ("sec-fetch-dest", "iframe")];
    check("PAGE /", &framed, "403");
}

#[test]
fn every_page_may_say_hello() {
    let host = ("host", "localhost");
    for origin in ["https://evil.example", "null", "http://evil.example"] {
        check("HELLO /hello", &[host, ("origin", origin)], "ro");
    }
    check(
        "HELLO /hello",
        &[host, ("sec-fetch-site", "cross-site")],
        "ro",
    );
    check_lan("192.168.1.9", "HELLO /hello", &[("host", "pi.local")], "ro");
}

#[test]
fn a_proxy_needs_a_token() {
    for header in [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-prefix",
        "x-real-ip",
        "via",
        "cf-connecting-ip",
        "true-client-ip",
        "x-client-ip",
        "x-original-host",
    ] {
        let fields = [("host", "localhost"), (header, "1.2.3.4")];
        check("WS /", &fields, "403");
        check_lan("127.0.0.1", "WS /", &fields, "401");
        check_lan("::1", &format!("WS /?token={TOKEN}"), &fields, "rw");
    }
}

#[test]
fn this_computer_needs_no_token_for_itself() {
    check_lan("127.0.0.1", "WS /", &[("host", "localhost")], "rw");
    check_lan("::ffff:127.0.0.1", "WS /", &[("host", "localhost")], "rw");
    check_lan(
        "127.0.0.1",
        "WS /",
        &[("host", "localhost"), ("origin", P5)],
        "ask",
    );
    // A name that others can claim is one of the network.
    check_lan("127.0.0.1", "WS /", &[("host", "pi.local")], "401");
    check_lan("127.0.0.1", "WS /", &[("host", "192.168.1.50:8080")], "401");
}

#[test]
fn other_computers_need_the_token() {
    for host in [
        "192.168.1.50:8080",
        "pi",
        "pi.local:8080",
        "PI.LOCAL",
        "localhost",
    ] {
        let host = ("host", host);
        check_lan("192.168.1.9", "WS /", &[host], "401");
        check_lan("192.168.1.9", "WS /?token=wrong", &[host], "401");
        check_lan("192.168.1.9", &format!("WS /?token={TOKEN}"), &[host], "rw");
        check_lan(
            "192.168.1.9",
            &format!("WS /?token={TOKEN}&token={TOKEN}"),
            &[host],
            "400",
        );
        let bearer = format!("Bearer {TOKEN}");
        check_lan(
            "192.168.1.9",
            "WS /",
            &[host, ("authorization", &bearer)],
            "rw",
        );
        check_lan(
            "192.168.1.9",
            "WS /",
            &[host, ("authorization", "Bearer wrong")],
            "401",
        );
        check_lan(
            "192.168.1.9",
            "WS /",
            &[host, ("authorization", "Basic YTpi")],
            "401",
        );
        check_lan("192.168.1.9", "PAGE /", &[host], "401");
    }
    check_lan(
        "192.168.1.9",
        "WS /",
        &[("host", "pi"), ("origin", "http://localhost")],
        "401",
    );
    let read_only = lan(Rights::ReadOnly);
    let target = format!("WS /?token={TOKEN}");
    assert_eq!(
        decision(&read_only, "192.168.1.9", &target, &[("host", "pi")]),
        "ro"
    );
    assert_eq!(
        decision(&read_only, "127.0.0.1", "WS /", &[("host", "localhost")]),
        "rw"
    );
}

#[test]
fn a_token_answers_the_question_of_origin_and_not_that_of_host() {
    let target = &format!("WS /?token={TOKEN}");
    check_lan(
        "192.168.1.9",
        target,
        &[("host", "pi"), ("origin", "null")],
        "rw",
    );
    check_lan(
        "127.0.0.1",
        target,
        &[("host", "localhost"), ("origin", P5)],
        "rw",
    );
    check_lan("192.168.1.9", target, &[("host", "evil.example")], "403");
    check_lan("192.168.1.9", target, &[("host", "pi.example")], "403");
    check_lan("192.168.1.9", target, &[("host", "192.168.1.51")], "403");
    check_lan(
        "192.168.1.9",
        target,
        &[("host", "pi"), ("host", "pi")],
        "400",
    );
    check_lan(
        "127.0.0.1",
        "WS /?token=wrong",
        &[("host", "localhost")],
        "401",
    );
}

#[test]
fn a_cookie_counts_from_our_own_page_only() {
    let cookie = format!("a=b; serial-ws-8080={SESSION}");
    let (host, cookie) = (("host", "pi.local:8080"), ("cookie", cookie.as_str()));
    let own = ("origin", "http://pi.local:8080");
    check_lan("192.168.1.9", "WS /", &[host, cookie, own], "rw");
    check_lan(
        "192.168.1.9",
        "POST /api/ports/a/reset",
        &[host, cookie, own],
        "rw",
    );
    check_lan("192.168.1.9", "PAGE /", &[host, cookie], "rw");
    check_lan("192.168.1.9", "GET /api/status", &[host, cookie], "rw");
    check_lan("192.168.1.9", "WS /", &[host, cookie], "401");
    check_lan(
        "192.168.1.9",
        "POST /api/ports/a/reset",
        &[host, cookie],
        "401",
    );
    for other in [
        "http://pi.local:8081",
        "https://evil.example",
        "null",
        "http://localhost:8080",
    ] {
        check_lan(
            "192.168.1.9",
            "WS /",
            &[host, cookie, ("origin", other)],
            "401",
        );
    }
    let cross = ("sec-fetch-site", "cross-site");
    check_lan(
        "192.168.1.9",
        "GET /api/status",
        &[host, cookie, cross],
        "401",
    );
    let of_other_port = ("cookie", "serial-ws-8081=x");
    check_lan("192.168.1.9", "WS /", &[host, of_other_port, own], "401");
}

#[test]
fn the_token_itself_is_no_session() {
    let cookie = format!("serial-ws-8080={TOKEN}");
    let fields = [("host", "pi.local:8080"), ("cookie", cookie.as_str())];
    check_lan("192.168.1.9", "PAGE /", &fields, "401");
}

#[test]
fn a_session_counts_before_a_wrong_token_in_an_address() {
    let cookie = format!("serial-ws-8080={SESSION}");
    let host = ("host", "pi.local:8080");
    let cookie = ("cookie", cookie.as_str());
    let target = "PAGE /?token=of-an-earlier-run";
    check_lan("192.168.1.9", target, &[host, cookie], "rw");
    check_lan("192.168.1.9", target, &[host], "401");
    let elsewhere = ("origin", "https://evil.example");
    check_lan("192.168.1.9", target, &[host, cookie, elsewhere], "401");
}

#[test]
fn a_session_has_the_rights_of_its_token() {
    let cookie = format!("serial-ws-8080={SESSION}");
    let fields = [("host", "pi.local:8080"), ("cookie", cookie.as_str())];
    let read_only = lan(Rights::ReadOnly);
    assert_eq!(decision(&read_only, "192.168.1.9", "PAGE /", &fields), "ro");
    // A new token has none of the sessions of the old one.
    let renewed = Policy {
        token: Some(Token::new("a-new-token-of-mine")),
        ..lan(Rights::ReadWrite)
    };
    assert_eq!(decision(&renewed, "192.168.1.9", "PAGE /", &fields), "401");
}

#[track_caller]
fn check_operator(remote: &str, fields: &[(&str, &str)], expected: bool) {
    let headers = headers(fields);
    let caller = Caller {
        method: &Method::GET,
        uri: &"/api/clients".parse().unwrap(),
        headers: &headers,
        class: RequestClass::Data,
        peer: Peer {
            remote: remote.parse().unwrap(),
            local: "192.168.1.50:8080".parse().unwrap(),
            is_encrypted: false,
        },
    };
    let policy = Policy {
        hosts: vec!["bench.lan".into()],
        origins: HashMap::from([("https://listed.example".into(), Rights::ReadWrite)]),
        ..lan(Rights::ReadWrite)
    };
    assert_eq!(policy.is_operator(caller), expected, "{remote} {fields:?}");
}

#[test]
fn the_operator_is_a_program_here_or_our_own_page_here() {
    let host = ("host", "localhost:8080");
    let site = |value| ("sec-fetch-site", value);
    for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        check_operator(here, &[host], true);
    }
    check_operator("127.0.0.1", &[("host", "bench.lan")], true);
    check_operator(
        "127.0.0.1",
        &[host, ("origin", "http://localhost:8080")],
        true,
    );
    check_operator("127.0.0.1", &[host, site("same-origin")], true);
    check_operator("127.0.0.1", &[host, site("none")], true);
    for origin in [
        "http://localhost:5500",
        "http://127.0.0.1:8080",
        "https://listed.example",
        "null",
        "file://",
        "vscode-webview://x",
        "",
    ] {
        check_operator("127.0.0.1", &[host, ("origin", origin)], false);
    }
    for value in ["cross-site", "same-site", ""] {
        check_operator("127.0.0.1", &[host, site(value)], false);
    }
    let link = [
        host,
        site("cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    check_operator("127.0.0.1", &link, false);
    for proxied in ["x-forwarded-for", "via", "forwarded"] {
        check_operator("127.0.0.1", &[host, (proxied, "1.2.3.4")], false);
    }
    check_operator("192.168.1.9", &[host], false);
    check_operator("192.168.1.50", &[("host", "192.168.1.50:8080")], false);
    check_operator("127.0.0.1", &[("host", "pi.local")], false);
    check_operator("127.0.0.1", &[("host", "evil.example")], false);
    check_operator("127.0.0.1", &[host, host], false);
}

#[track_caller]
fn check_origin_or_site(fields: &[(&str, &str)], expected: &str) {
    let headers = headers(fields);
    let caller = Caller {
        method: &Method::GET,
        uri: &"/".parse().unwrap(),
        headers: &headers,
        class: RequestClass::Page,
        peer: Peer {
            remote: "127.0.0.1".parse().unwrap(),
            local: "127.0.0.1:8080".parse().unwrap(),
            is_encrypted: false,
        },
    };
    assert_eq!(caller.origin_or_site(), expected.as_bytes());
}

#[test]
fn what_a_page_of_another_site_loads_is_told_from_programs_and_typed_addresses() {
    let (site, document) = ("sec-fetch-site", ("sec-fetch-dest", "document"));
    let image = ("sec-fetch-dest", "image");
    check_origin_or_site(&[], "");
    check_origin_or_site(&[document], "");
    check_origin_or_site(&[(site, "none"), document], "");
    check_origin_or_site(&[(site, "same-origin"), image], "");
    check_origin_or_site(&[(site, "cross-site"), document], "a link");
    check_origin_or_site(&[(site, "cross-site"), image], "another site");
    check_origin_or_site(&[(site, "same-site")], "another site");
    check_origin_or_site(&[(site, "nonsense")], "another site");
    let origin = ("origin", "https://a.example");
    check_origin_or_site(&[origin, (site, "cross-site"), image], "https://a.example");
}

#[test]
fn a_token_for_all_is_needed_by_all() {
    let policy = Policy {
        token: Some(Token::new(TOKEN)),
        token_for_all: true,
        ..Policy::default()
    };
    let host = ("host", "localhost");
    let own = ("origin", "http://localhost");
    let target = format!("WS /?token={TOKEN}");
    assert_eq!(decision(&policy, "127.0.0.1", "WS /", &[host]), "401");
    assert_eq!(decision(&policy, "127.0.0.1", "WS /", &[host, own]), "401");
    assert_eq!(decision(&policy, "127.0.0.1", &target, &[host]), "rw");
    assert_eq!(
        decision(&policy, "127.0.0.1", "HELLO /hello", &[host]),
        "ro"
    );
}

#[track_caller]
fn check_limit_address(remote: &str, local: &str, expected: &str) {
    let [remote, local] = [remote, local].map(|ip| (ip.parse::<IpAddr>().unwrap(), 8080).into());
    assert_eq!(
        Peer::new(remote, local).limit_address().to_string(),
        expected
    );
}

#[test]
fn limits_count_computers_of_our_network_and_other_networks_as_a_whole() {
    check_limit_address("192.168.1.9", "192.168.1.50", "192.168.1.9");
    check_limit_address("203.0.113.9", "192.168.1.50", "203.0.113.9");
    check_limit_address("::ffff:192.168.1.9", "::ffff:192.168.1.50", "192.168.1.9");
    check_limit_address("fd00::9", "fd00::50", "fd00::9");
    check_limit_address("fe80::9", "fe80::50", "fe80::9");
    check_limit_address("2001:db8::9", "fd00::50", "2001:db8::");
    check_limit_address("2001:db8:0:1:2::9", "2001:db8::50", "2001:db8:0:1::");
}

/// Pieces that make up look-alikes of valid headers.
const PIECES: &str = r"(localhost|127\.0\.0\.1|\[::1\]|evil\.example|bench\.lan|listed\.example|null|https?://|://|:80|:|\.|@|,|/|%6c|[ -~]){0,5}";

proptest::proptest! {
    #[test]
    fn no_strange_host_or_origin_is_allowed(host in PIECES, origin in PIECES, site in PIECES) {
        let policy = Policy::default();
        let fields = [("host", &*host), ("origin", &origin), ("sec-fetch-site", &site)];
        for fields in [&fields[..1], &fields[..2], &fields] {
            if decision(&policy, "127.0.0.1", "WS /", fields) != "rw" {
                continue;
            }
            let name = origin::host_name(&host).unwrap();
            assert!(origin::is_loopback(name), "{host}");
            if fields.len() > 1 {
                let after = origin.strip_prefix("http").unwrap();
                let name = after.trim_start_matches('s').strip_prefix("://").unwrap();
                // The slash that some libraries add.
                let name = name.strip_suffix('/').unwrap_or(name);
                assert!(origin::is_loopback(origin::host_name(name).unwrap()), "{origin}");
            }
        }
    }

    #[test]
    fn no_wrong_token_is_allowed(attempt in "[ -~]{0,40}", cookie in "[ -~]{0,60}") {
        let bearer = format!("Bearer {attempt}");
        let fields = [("host", "pi"), ("authorization", &*bearer), ("cookie", &*cookie)];
        let decision = decision(&lan(Rights::ReadWrite), "10.0.0.9", "WS /", &fields);
        assert!(decision != "rw" || attempt.trim() == TOKEN, "{attempt} {cookie}");
    }
}
