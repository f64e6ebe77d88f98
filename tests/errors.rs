//! Errors in the browser: a page for those who ask for HTML, plain text for programs, and the form in
//! which people enter the token.

use std::net::SocketAddr;

use crate::support::{Bridge, Program, Reply, bare, http, request};

const TOKEN: &str = "correct-horse-battery";
const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

async fn with_token() -> Bridge {
    let arguments = ["--port", "sim", "--listen", "127.0.0.1:0"];
    let program = Program::start_with(&arguments, &[("SERIAL_WS_TOKEN", TOKEN)]);
    Bridge::of(program, 1).await
}

/// Sends a form to a page.
async fn send_form(at: SocketAddr, path: &str, body: &str) -> String {
    let length = body.len().to_string();
    let headers = [HTML, FORM, ("Content-Length", &length)];
    let request = request(at, "POST", path, &headers) + body;
    String::from_utf8_lossy(&bare(at, request.as_bytes()).await).into_owned()
}

/// Checks that an answer is a page that can do nothing but what it is for.
#[track_caller]
fn check_page(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.body.starts_with("<!doctype html>"), "{reply:?}");
    assert!(reply.body.contains(part), "{part}: {reply:?}");
    assert!(!reply.body.contains("{content}"), "{reply:?}");
    let kind = reply.header("Content-Type");
    assert_eq!(kind, Some("text/html; charset=utf-8"), "{reply:?}");
    let policy = reply.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for (name, value) in [
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "strict-origin"),
        ("Vary", "Origin, Accept"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{reply:?}");
    }
}

#[tokio::test]
async fn a_browser_gets_a_page_and_a_program_gets_text() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let at = bridge.address();
    let foreign = ("Host", "evil.example");
    let proxied = ("Via", "1.1 proxy");
    for (method, path, header, status, part) in [
        ("GET", "/none", None, 404, "Nothing is at /none"),
        ("GET", "/_serial-ws/none", None, 404, "not found"),
        ("POST", "/", None, 405, "does not answer POST"),
        ("GET", "/api/ports/sim/reset", None, 405, "for programs"),
        ("POST", "/api/ports/no/reset", None, 404, "available: sim"),
        ("GET", "/", Some(foreign), 403, "--allow-host evil.example"),
        ("GET", "/", Some(proxied), 403, "--token FILE"),
        (
            "GET",
            "/?token=a&token=b",
            Some(proxied),
            403,
            "--token FILE",
        ),
        (
            "GET",
            "/socket.io/?EIO=4&transport=polling",
            None,
            400,
            "Socket.IO",
        ),
        ("GET", "/", Some(("Content-Length", "1")), 400, "a body"),
    ] {
        let mut headers = vec![HTML];
        headers.extend(header);
        check_page(&http(at, method, path, &headers).await, status, part);
        for accept in ["*/*", "application/json", ""] {
            headers[0] = ("Accept", accept);
            let reply = http(at, method, path, &headers).await;
            assert_eq!(reply.status, status, "{reply:?}");
            assert!(!reply.body.contains('<'), "{reply:?}");
            assert!(!reply.body.is_empty(), "{reply:?}");
        }
    }
    // What is no error stays as it is.
    let reply = http(at, "GET", "/healthz", &[HTML]).await;
    assert_eq!(reply.body, "ok\n", "{reply:?}");
}

#[tokio::test]
async fn nothing_in_a_request_becomes_markup() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let script = "<script>alert(1)</script>";
    for path in ["/%3Cscript%3E<script>", "/a'\"><script>x", "/?<script>"] {
        let reply = http(bridge.address(), "POST", path, &[HTML]).await;
        assert!(!reply.body.contains("<script"), "{reply:?}");
    }
    let headers = [HTML, ("Origin", script), ("Sec-Fetch-Site", script)];
    let reply = http(bridge.address(), "GET", "/", &headers).await;
    assert!(reply.body.contains("&lt;script&gt;"), "{reply:?}");
    assert!(!reply.body.contains("<script"), "{reply:?}");
}

#[tokio::test]
async fn a_form_with_the_token_begins_a_session_and_leads_back() {
    let bridge = with_token().await;
    let at = bridge.address();
    let reply = http(at, "GET", "/a/b.html?x=1&token=old", &[HTML]).await;
    check_page(&reply, 401, "action=\"./b.html?x=1\"");
    let form = format!("token={TOKEN}");
    for (path, target) in [
        ("/", "./"),
        ("/a/b.html?x=1", "./b.html?x=1"),
        ("/a/?token=old", "./"),
        ("//evil.example", "./evil.example"),
    ] {
        let answer = send_form(at, path, &form).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        assert!(
            answer.contains(&format!("location: {target}\r\n")),
            "{answer}"
        );
        assert!(answer.contains("HttpOnly; SameSite=Strict"), "{answer}");
        assert!(!answer.contains(TOKEN), "{answer}");
    }
    assert!(!bridge.program.log().join("\n").contains(TOKEN));
}

#[tokio::test]
async fn a_form_leads_back_also_where_no_token_is_needed() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let answer = send_form(bridge.address(), "/a?x=1", "token=x").await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains("location: ./a?x=1\r\n"), "{answer}");
    assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
}

#[tokio::test]
async fn a_wrong_form_begins_no_session() {
    let bridge = with_token().await;
    let at = bridge.address();
    let long = format!("token={}", "x".repeat(5000));
    let right = format!("token={TOKEN}");
    for (path, body, status) in [
        ("/", "token=wrong", 401),
        ("/", "token=", 401),
        ("/", "other=x", 400),
        ("/", "", 400),
        ("/", "\u{1}", 400),
        ("/", &long, 413),
        // No form of ours: whoever posts there sends data.
        ("/api/ports/sim/reset", &right, 401),
        ("/hello", &right, 400),
    ] {
        let answer = send_form(at, path, body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path} {body}: {answer}"
        );
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
    }
}

#[tokio::test]
async fn wrong_forms_are_rate_limited() {
    let bridge = with_token().await;
    let at = bridge.address();
    for n in 0..30 {
        let answer = send_form(at, "/", &format!("token=wrong{n}")).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let answer = send_form(at, "/", &format!("token={TOKEN}")).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(answer.contains("Wait a minute"), "{answer}");
}
