//! HTTP on the same TCP port: the access policy, the API, and connections that are no HTTP.

use serde_json::json;

use crate::support::{Bridge, Client, Pair, bare, http, upgrade};

#[tokio::test]
async fn there_is_a_page_at_the_root() {
    let bridge = simulated(&[]).await;
    let reply = bridge.get("/").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(
        reply
            .header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    assert!(reply.body.contains("WebSocket"), "{reply:?}");
}

#[tokio::test]
async fn the_api_describes_the_ports_and_the_server() {
    let bridge = simulated(&[]).await;
    bridge.open("sensor").await;
    let _client = bridge.client("/").await;

    let status = bridge.get("/api/status").await;
    assert_eq!(status.status, 200, "{status:?}");
    let kind = status
        .header("Content-Type")
        .expect("there is a content type");
    assert!(kind.starts_with("application/json"), "{kind}");
    let status = status.json();
    assert!(status["run"].is_string(), "{status}");
    assert_eq!(status["clients"], 1, "{status}");
    assert_eq!(status["ports"][0]["name"], "sensor", "{status}");
    assert_eq!(status["ports"][0]["clients"], 1, "{status}");
    assert_eq!(status["ports"][0]["status"]["state"], "open", "{status}");

    let ports = bridge.get("/api/ports").await;
    assert_eq!(ports.status, 200, "{ports:?}");
    assert!(
        ports.json().is_array() || ports.json().is_object(),
        "{ports:?}"
    );
    assert!(ports.body.contains("\"sensor\""), "{ports:?}");
}

#[tokio::test]
async fn healthz_answers() {
    let bridge = simulated(&[]).await;
    assert_eq!(bridge.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn each_port_has_metrics() {
    let bridge = simulated(&[]).await;
    bridge.open("sensor").await;
    bridge.open("sensor").await;
    let metrics = bridge.get("/metrics").await.body;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a figure has a value");
        assert!(name.starts_with("serial_ws_"), "{line}");
        assert!(name.contains("{port=\"sensor\""), "{line}");
        value.parse::<f64>().expect("a value is a number");
    }
    assert!(metrics.contains("serial_ws_port_state{port=\"sensor\",state=\"open\"} 1\n"));
    assert!(metrics.contains("serial_ws_port_state{port=\"sensor\",state=\"lost\"} 0\n"));
}

#[tokio::test]
async fn metrics_have_delivery_times_except_of_data_that_waits_on_purpose() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let before = deliveries(&bridge).await;
    let mut page = bridge.client("/?view=json").await;
    let mut seldom = bridge.client("/?view=json&latest=100").await;
    page.json_of("hello").await;
    seldom.json_of("hello").await;
    for line in ["1", "2"] {
        pair.device.write(format!("{line}\n")).await;
        assert_eq!(page.json_of("line").await["text"], line);
        assert_eq!(seldom.json_of("line").await["text"], line);
    }
    let mut late = bridge.client("/?view=json&history=2").await;
    late.json_of("hello").await;
    for line in ["1", "2"] {
        assert_eq!(late.json_of("line").await["text"], line);
    }
    // Once a client has its acknowledgement, all that was sent to it before has been counted.
    for client in [&mut page, &mut seldom, &mut late] {
        let question = json!({"type": "write", "text": "x", "id": 1});
        client.send_json(question).await;
        client.json_of("ack").await;
    }
    let after = deliveries(&bridge).await;
    assert!(after.is_sorted(), "{after:?}");
    assert_eq!(after.last().unwrap() - before.last().unwrap(), 2);
}

/// Returns the buckets of the histogram, the last of which counts all deliveries.
async fn deliveries(bridge: &Bridge) -> Vec<u64> {
    let metrics = bridge.get("/metrics").await.body;
    let lines = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    let named = |part: &'static str| {
        let lines = lines.clone().filter(move |(name, _)| name.contains(part));
        lines.map(|(_, value)| value.parse().expect("a count is a number"))
    };
    let totals: Vec<u64> = named("delivery_seconds_bucket").collect();
    assert_eq!(
        totals.last().copied(),
        named("delivery_seconds_count").next()
    );
    totals
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let bridge = simulated(&[]).await;
    let reply = http(bridge.address(), "HEAD", "/", &[]).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{reply:?}");
}

#[tokio::test]
async fn other_methods_and_paths_get_the_right_error() {
    let bridge = simulated(&[]).await;
    for path in ["/", "/healthz", "/metrics", "/api/ports", "/api/status"] {
        for method in ["POST", "PUT", "DELETE"] {
            let reply = http(bridge.address(), method, path, &[]).await;
            assert_eq!(reply.status, 405, "{method} {path}: {reply:?}");
        }
    }
    for path in [
        "/nothing",
        "/api",
        "/api/nothing",
        "/%2e%2e/etc/passwd",
        "/../../etc/passwd",
    ] {
        let reply = bridge.get(path).await;
        assert!((400..405).contains(&reply.status), "{path}: {reply:?}");
        assert_ne!(reply.status, 403, "{path}: {reply:?}");
    }
    assert_eq!(bridge.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_request_without_host_is_rejected() {
    let bridge = simulated(&[]).await;
    for request in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"] {
        let answer = bare(bridge.address(), request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 40"), "{request:?}: {answer}");
    }
    let reply = upgrade(bridge.address(), "/", &[("Host", "")]).await;
    assert_eq!(reply.status, 400, "{reply:?}");
}

#[tokio::test]
async fn two_hosts_or_two_origins_are_rejected() {
    let bridge = simulated(&[]).await;
    let at = bridge.address().to_string();
    let hosts = [("Host", at.as_str()), ("Host", "evil.example")];
    let origins = [
        ("Origin", "http://localhost"),
        ("Origin", "https://evil.example"),
    ];
    for twice in [hosts, origins] {
        let reply = upgrade(bridge.address(), "/", &twice).await;
        assert!([400, 403].contains(&reply.status), "{twice:?}: {reply:?}");
    }
}

#[tokio::test]
async fn an_upgrade_of_another_version_is_told_the_right_one() {
    let bridge = simulated(&[]).await;
    let reply = upgrade(bridge.address(), "/", &[("Sec-WebSocket-Version", "8")]).await;
    assert_eq!(reply.status, 426, "{reply:?}");
    assert_eq!(
        reply.header("Sec-WebSocket-Version"),
        Some("13"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn an_upgrade_with_a_bad_key_is_rejected() {
    let bridge = simulated(&[]).await;
    for key in ["short", "", "not base64 at all!!!!!!!"] {
        let reply = upgrade(bridge.address(), "/", &[("Sec-WebSocket-Key", key)]).await;
        assert_eq!(reply.status, 400, "{key:?}: {reply:?}");
    }
}

#[tokio::test]
async fn every_answer_closes_its_connection() {
    let bridge = simulated(&[]).await;
    for answer in [
        bridge.get("/healthz").await,
        bridge.get("/nothing").await,
        http(bridge.address(), "POST", "/", &[]).await,
        upgrade(bridge.address(), "/", &[("Host", "evil.example")]).await,
        upgrade(bridge.address(), "/", &[("Sec-WebSocket-Version", "8")]).await,
        upgrade(bridge.address(), "/", &[("Sec-WebSocket-Key", "short")]).await,
    ] {
        let connection = answer.header("Connection").map(str::to_ascii_lowercase);
        assert_eq!(connection.as_deref(), Some("close"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_follows_a_request_on_its_connection_is_no_request() {
    let bridge = simulated(&[]).await;
    let second = "POST /api/ports/sensor/release HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for first in [
        "GET /healthz",
        "HEAD /healthz",
        "GET /",
        "GET /nothing",
        "POST /api/ports/sensor/resume",
    ] {
        let both = format!("{first} HTTP/1.1\r\nHost: localhost\r\n\r\n{second}");
        let answer = bare(bridge.address(), both.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert_eq!(bridge.port("sensor").await["status"]["state"], "open");
    }
}

#[tokio::test]
async fn a_connection_that_is_not_http_ends_cleanly_and_disturbs_nobody() {
    let bridge = simulated(&[]).await;
    let mut witness = bridge.client("/").await;
    let tls: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let long = [b"GET /".as_slice(), &[b'x'; 200_000], b" HTTP/1.1\r\n\r\n"].concat();
    for garbage in [
        b"\0\0\0\0\r\n\r\n".as_slice(),
        tls,
        b"hello\r\n\r\n",
        &[0xff; 5000],
        &long,
    ] {
        let answer = bare(bridge.address(), garbage).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    witness.text().await;
    assert!(!bridge.program.log().join("\n").contains("panicked"));
}

#[tokio::test]
async fn a_foreign_host_is_rejected() {
    let bridge = simulated(&[]).await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::2]",
    ] {
        let reply = upgrade(bridge.address(), "/", &[("Host", host)]).await;
        assert_eq!(reply.status, 403, "{host}: {reply:?}");
        assert!(reply.body.contains("--allow-host"), "{host}: {reply:?}");
        let reply = http(bridge.address(), "GET", "/api/status", &[("Host", host)]).await;
        assert_eq!(reply.status, 403, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn every_name_of_this_computer_is_allowed_with_any_tcp_port() {
    let bridge = simulated(&[]).await;
    for host in [
        "localhost",
        "localhost:9",
        "LOCALHOST:80",
        "board.localhost",
        "127.0.0.1",
        "[::1]",
    ] {
        let reply = http(bridge.address(), "GET", "/healthz", &[("Host", host)]).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn allow_host_allows_one_more_name() {
    let bridge = simulated(&["--allow-host", "bench.lan"]).await;
    for (host, status) in [
        ("bench.lan", 200),
        ("bench.lan:8080", 200),
        ("other.lan", 403),
    ] {
        let reply = http(bridge.address(), "GET", "/healthz", &[("Host", host)]).await;
        assert_eq!(reply.status, status, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_rejected_and_told_the_flag() {
    let bridge = simulated(&[]).await;
    let origin = "https://evil.example";
    let reply = upgrade(bridge.address(), "/", &[("Origin", origin)]).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(
        reply.body.contains(&format!("--allow-origin {origin}")),
        "{reply:?}"
    );
    bridge.program.said(origin).await;

    let reply = http(
        bridge.address(),
        "GET",
        "/api/status",
        &[("Origin", origin)],
    )
    .await;
    assert_eq!(
        reply.header("Access-Control-Allow-Origin"),
        None,
        "{reply:?}"
    );
    assert_eq!(reply.status, 403, "{reply:?}");
}

#[tokio::test]
async fn invalid_origins_are_rejected() {
    let bridge = simulated(&[]).await;
    for origin in [
        "null",
        "localhost",
        "http://localhost.evil.example",
        "file://",
        "http://a b",
    ] {
        let reply = upgrade(bridge.address(), "/", &[("Origin", origin)]).await;
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
}

#[tokio::test]
async fn pages_of_this_computer_are_allowed() {
    let bridge = simulated(&[]).await;
    let own = format!("http://{}", bridge.address());
    for origin in [
        own.as_str(),
        "http://localhost:3000",
        "http://127.0.0.1:5500",
        "http://[::1]:8000",
    ] {
        Client::open(bridge.address(), "/", &[("Origin", origin)])
            .await
            .text()
            .await;
    }
}

#[tokio::test]
async fn allow_origin_allows_exactly_that_site() {
    let origin = "https://preview.p5js.org";
    let bridge = simulated(&["--allow-origin", origin]).await;
    Client::open(bridge.address(), "/", &[("Origin", origin)])
        .await
        .text()
        .await;
    let reply = http(
        bridge.address(),
        "GET",
        "/api/status",
        &[("Origin", origin)],
    )
    .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        reply.header("Access-Control-Allow-Origin"),
        Some(origin),
        "{reply:?}"
    );

    for other in [
        "https://evil.preview.p5js.org",
        "http://preview.p5js.org",
        "https://p5js.org",
    ] {
        let reply = upgrade(bridge.address(), "/", &[("Origin", other)]).await;
        assert_eq!(reply.status, 403, "{other}: {reply:?}");
    }
}

#[tokio::test]
async fn an_origin_is_escaped_and_shortened_in_the_terminal() {
    let bridge = simulated(&[]).await;
    let origin = format!("https://evil.example/\t{}", "x".repeat(500));
    upgrade(bridge.address(), "/", &[("Origin", &origin)]).await;
    let line = bridge.program.said("evil.example").await;
    assert!(!line.contains('\t'), "{line:?}");
    assert!(!line.contains(&"x".repeat(121)), "{line:?}");
}

#[tokio::test]
async fn a_page_may_be_allowed_to_read_only() {
    let origin = "https://screen.example";
    let bridge = simulated(&["--allow-origin", "https://screen.example/,read-only"]).await;
    bridge.open("sensor").await;
    let headers = [("Origin", origin)];
    let mut client = Client::open(bridge.address(), "/?view=json&latest=1", &headers).await;
    let hello = client.json_of("hello").await;
    assert_eq!(hello["port"]["settings"]["readOnly"], true, "{hello}");
    let reset = "/api/ports/sensor/release";
    let reply = http(bridge.address(), "POST", reset, &headers).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.body.contains("read only"), "{reply:?}");
    let hello = http(bridge.address(), "GET", "/hello", &headers)
        .await
        .json();
    assert_eq!(hello["readOnly"], true, "{hello}");
    assert_eq!(http(bridge.address(), "POST", reset, &[]).await.status, 200);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_load_data_of_the_device() {
    let bridge = simulated(&[]).await;
    let elsewhere = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    for path in [
        "/api/status",
        "/api/ports",
        "/metrics",
        "/_serial-ws/page.js",
        "/",
    ] {
        let reply = http(bridge.address(), "GET", path, &elsewhere).await;
        assert_eq!(reply.status, 403, "{path}: {reply:?}");
    }
    let hello = http(bridge.address(), "GET", "/hello", &elsewhere).await;
    assert_eq!(
        hello.header("Access-Control-Allow-Origin"),
        Some("*"),
        "{hello:?}"
    );
    assert!(!hello.body.contains("sensor"), "{hello:?}");
}

#[tokio::test]
async fn our_own_pages_run_no_foreign_script_and_in_no_frame() {
    let bridge = simulated(&[]).await;
    let page = bridge.get("/").await;
    let rules = page
        .header("Content-Security-Policy")
        .expect("there are rules");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(rule), "{rules}");
    }
    assert!(!rules.contains("unsafe"), "{rules}");
    assert_eq!(page.header("X-Frame-Options"), Some("DENY"), "{page:?}");
    for path in [
        "/",
        "/_serial-ws/page.js",
        "/api/status",
        "/metrics",
        "/hello",
        "/serial-ws.js",
    ] {
        let reply = bridge.get(path).await;
        assert_eq!(
            reply.header("X-Content-Type-Options"),
            Some("nosniff"),
            "{path}: {reply:?}"
        );
        let open_to = match path {
            "/hello" | "/serial-ws.js" => "cross-origin",
            _ => "same-origin",
        };
        let found = reply.header("Cross-Origin-Resource-Policy");
        assert_eq!(found, Some(open_to), "{path}");
    }
}

#[tokio::test]
async fn rejections_are_logged_once_a_minute() {
    let bridge = simulated(&[]).await;
    for _ in 0..5 {
        upgrade(bridge.address(), "/", &[("Origin", "https://evil.example")]).await;
    }
    upgrade(bridge.address(), "/", &[("Origin", "https://last.example")]).await;
    bridge.program.said("last.example").await;
    let log = bridge.program.log();
    let said = log.iter().filter(|line| line.contains("evil.example"));
    assert_eq!(said.count(), 1, "{log:#?}");
}

/// Starts serial-ws with one port, `sensor`, which is simulated.
async fn simulated(arguments: &[&str]) -> Bridge {
    Bridge::start(&[&["--port", "sensor=sim"], arguments].concat()).await
}

#[tokio::test]
async fn a_browser_that_asks_first_is_answered_for_the_origins_that_are_allowed() {
    let allowed = "https://preview.p5js.org";
    let bridge = simulated(&["--allow-origin", allowed]).await;
    let ask = async |bridge: &Bridge, origin: &str, path: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
            ("Access-Control-Request-Private-Network", "true"),
        ];
        http(bridge.address(), "OPTIONS", path, &headers).await
    };
    let write = "/api/ports/sensor/write";
    for origin in [allowed, "http://localhost:3000"] {
        let reply = ask(&bridge, origin, write).await;
        assert_eq!(reply.status, 204, "{reply:?}");
        for (header, part) in [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "Content-Type"),
            ("Access-Control-Allow-Headers", "Authorization"),
            ("Access-Control-Allow-Headers", "Last-Event-ID"),
            ("Access-Control-Allow-Private-Network", "true"),
            ("Vary", "Origin"),
        ] {
            let value = reply.header(header).unwrap_or_default();
            assert!(value.contains(part), "{header}: {reply:?}");
        }
    }
    let reply = ask(&bridge, "https://evil.example", write).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert_eq!(
        reply.header("Access-Control-Allow-Origin"),
        None,
        "{reply:?}"
    );
    // Nothing else is there by this method.
    let reply = http(bridge.address(), "OPTIONS", write, &[]).await;
    assert_eq!(reply.status, 405, "{reply:?}");

    // Browsers ask without the token, which the request itself needs.
    let token = std::env::temp_dir().join(format!("serial-ws-preflight-{}", std::process::id()));
    std::fs::write(&token, "correct-horse-battery\n").expect("a file can be written");
    let path = token.to_str().expect("the path is text");
    let bridge = simulated(&["--allow-origin", allowed, "--token", path]).await;
    let reply = ask(&bridge, allowed, write).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    let reply = ask(&bridge, "https://evil.example", write).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    let reply = http(
        bridge.address(),
        "GET",
        "/api/status",
        &[("Origin", allowed)],
    )
    .await;
    assert_eq!(reply.status, 401, "{reply:?}");
    let _ = std::fs::remove_file(&token);
}

#[tokio::test]
async fn the_address_of_a_port_leads_a_browser_to_its_page_and_tells_a_program_what_it_is() {
    let bridge = simulated(&[]).await;
    let browser = [("Accept", "text/html,*/*;q=0.8")];
    let reply = http(bridge.address(), "GET", "/ports/sensor", &browser).await;
    assert_eq!(reply.status, 303, "{reply:?}");
    let page = "../_serial-ws/?port=sensor";
    assert_eq!(reply.header("Location"), Some(page), "{reply:?}");
    let reply = bridge.get("/ports/sensor").await;
    assert_eq!(reply.status, 426, "{reply:?}");
    assert_eq!(reply.header("Upgrade"), Some("websocket"), "{reply:?}");
    assert_eq!(
        reply.header("Connection"),
        Some("upgrade, close"),
        "{reply:?}"
    );
    assert!(reply.body.contains("/api/ports/sensor/lines"), "{reply:?}");
    let reply = bridge.get("/ports/senser").await;
    assert_eq!(reply.status, 404, "{reply:?}");
    assert!(reply.body.contains("available: sensor"), "{reply:?}");
}

#[tokio::test]
async fn the_api_has_the_methods_that_its_description_says() {
    let bridge = simulated(&[]).await;
    let description = bridge.get("/api/openapi.json").await;
    assert_eq!(description.status, 200, "{description:?}");
    let description = description.json();
    let paths = description["paths"].as_object().expect("there are paths");
    for (path, operations) in paths {
        let operations = operations.as_object().expect("there are operations");
        let mut expected: Vec<_> = operations.keys().map(|name| name.to_uppercase()).collect();
        if operations.contains_key("get") {
            expected.push("HEAD".to_owned());
        }
        let path = path.replace("{name}", "sensor").replace("{id}", "1");
        let reply = http(bridge.address(), "OPTIONS", &path, &[]).await;
        assert_eq!(reply.status, 405, "{path}: {reply:?}");
        let allowed = reply.header("Allow").unwrap_or_default().split(',');
        let mut allowed: Vec<_> = allowed.map(|name| name.trim().to_owned()).collect();
        expected.sort();
        allowed.sort();
        assert_eq!(allowed, expected, "{path}");
    }
}
