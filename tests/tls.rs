//! Encrypted connections from other computers, and plain ones on this computer.

use std::{net::SocketAddr, path::Path, sync::Arc};

use futures::StreamExt;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use tokio_tungstenite::client_async;

use crate::support::network::{self, Network, home, kept};
use crate::support::{Bridge, Client, Ended, Program, http, skip, within};

#[tokio::test]
async fn another_computer_must_encrypt_and_this_one_need_not() {
    let Some(network) = Network::new("tls", &["--tls", "self-signed"]).await else {
        return;
    };
    let Network { bridge, at, home } = &network;
    bridge.program.said("SHA-256 fingerprint: ").await;

    let target = format!("wss://{at}/?token={}", kept(home));
    let stream = encrypted(*at, home).await;
    let (mut socket, _) = within("an answer", client_async(&target, stream))
        .await
        .expect("101");
    let message = within("a reading", socket.next())
        .await
        .expect("there is one");
    assert!(message.expect("the socket is whole").is_text());

    let reply = http(*at, "GET", "/", &[]).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("https://"), "{reply:?}");
    let here = network.here();
    Client::open(here, "/", &[]).await.text().await;

    // The next run has the same certificate.
    let said = bridge.program.said("fingerprint").await;
    let again = Network::at(home.clone(), &["--tls", "self-signed"])
        .await
        .expect("as before");
    assert_eq!(again.bridge.program.said("fingerprint").await, said);
    encrypted(again.at, home).await;
}

/// Runs `serial-ws tls` with the configuration at `home`.
async fn tls(home: &Path, arguments: &[&str]) -> Ended {
    let text = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", text), ("HOME", text), ("APPDATA", text)];
    let mut program = Program::start_with(&[&["tls"], arguments].concat(), &variables);
    program.ended().await
}

fn fingerprint(shown: &Ended) -> String {
    let line = shown.stdout.lines().next().expect("there is a line");
    let fingerprint = line.strip_prefix("SHA-256 fingerprint: ");
    fingerprint.expect("it is the fingerprint").to_owned()
}

#[tokio::test]
async fn a_self_signed_certificate_is_one_that_browsers_can_trust() {
    let home = home("tls-rules");
    let shown = tls(&home, &[]).await;
    shown.with(0, "");
    let file = home.join("serial-ws/tls-cert.pem");
    assert!(
        shown.stdout.contains(&file.display().to_string()),
        "{shown:?}"
    );
    let openssl = |arguments: &[&str]| {
        let mut openssl = std::process::Command::new("openssl");
        openssl
            .args(["x509", "-noout", "-in"])
            .arg(&file)
            .args(arguments)
            .output()
    };
    let Ok(text) = openssl(&["-text", "-fingerprint", "-sha256"]) else {
        return skip("there is no openssl");
    };
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in [
        &fingerprint(&shown),
        "CN = serial-ws on ",
        "DNS:localhost",
        "IP Address:127.0.0.1",
        "IP Address:0:0:0:0:0:0:0:1",
        "TLS Web Server Authentication",
        "Digital Signature",
    ] {
        assert!(
            text.contains(part) || text.replace("CN=", "CN = ").contains(part),
            "{part}: {text}"
        );
    }
    assert!(!text.contains("CA:TRUE"), "{text}");
    // It ends within 825 days, less the one that has passed already, and not soon.
    let is_valid_after = |days: u32| {
        let seconds = (days * 24 * 60 * 60).to_string();
        openssl(&["-checkend", &seconds])
            .expect("it ran before")
            .status
            .success()
    };
    assert!(is_valid_after(800) && !is_valid_after(824));
}

#[tokio::test]
async fn a_certificate_near_its_end_is_renewed_and_others_are_kept() {
    let home = home("tls-renewed");
    let first = fingerprint(&tls(&home, &[]).await);
    assert_eq!(fingerprint(&tls(&home, &[]).await), first);
    let file = home.join("serial-ws/tls-cert.pem");
    let text = std::fs::read_to_string(&file).expect("it is kept");
    let (before, after) = text.split_once("valid until: ").expect("its end is kept");
    let (_, after) = after.split_once('\n').expect("the line ends");
    for end in ["4102444800", "no number"] {
        let old = format!("{before}valid until: {end}\n{after}");
        std::fs::write(&file, &old).expect("it can be written");
        let again = tls(&home, &[]).await;
        if end == "no number" {
            again.with(0, "there is a new one");
            assert_ne!(fingerprint(&again), first);
        } else {
            assert_eq!(fingerprint(&again), first);
        }
    }
    let second = fingerprint(&tls(&home, &[]).await);
    assert_ne!(fingerprint(&tls(&home, &["--renew"]).await), second);
}

#[tokio::test]
async fn a_pair_that_is_not_whole_is_explained() {
    for (lost, there) in [
        ("tls-cert.pem", "tls-key.pem"),
        ("tls-key.pem", "tls-cert.pem"),
    ] {
        let home = home(&format!("tls-half-{lost}"));
        tls(&home, &[]).await.with(0, "");
        let folder = home.join("serial-ws");
        std::fs::remove_file(folder.join(lost)).expect("it is there");
        let there = folder.join(there).display().to_string();
        tls(&home, &[])
            .await
            .with(1, &format!("or delete {there} to get a new certificate"));
        std::fs::write(folder.join(lost), "").expect("it can be written");
        tls(&home, &[]).await.with(1, "is damaged; delete ");
    }
}

#[tokio::test]
async fn the_operators_certificate_is_used() {
    let Some(first) = Network::new("tls-files", &["--tls", "self-signed"]).await else {
        return;
    };
    let folder = first.home.join("serial-ws");
    let [cert, key] = ["tls-cert.pem", "tls-key.pem"].map(|name| folder.join(name));
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("the path is text"));
    let other = home("tls-files-other");
    let files = ["--tls-cert", cert, "--tls-key", key];
    let second = Network::at(other, &files).await.expect("as before");
    encrypted(second.at, &first.home).await;
}

#[tokio::test]
async fn an_invalid_certificate_ends_the_program_and_is_named() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let files = ["--port", "sim", "--tls-cert", readme, "--tls-key", readme];
    Bridge::fail(&files).await.with(1, "README.md");
    Bridge::fail(&["--port", "sim", "--tls-cert", readme])
        .await
        .with(2, "--tls-cert: needs tls-key");
}

#[tokio::test]
async fn the_commands_trust_a_given_fingerprint_or_a_certificate_that_this_computer_trusts() {
    let Some(network) = Network::new("tls-client", &["--tls", "self-signed"]).await else {
        return;
    };
    let Network { bridge, at, home } = &network;
    let said = bridge.program.said("SHA-256 fingerprint: ").await;
    let (_, shown) = said.rsplit_once(": ").expect("it is shown");
    let (url, token) = (format!("wss://{at}/"), kept(home));
    let connect = ["connect", &url, "--count", "1", "--token", &token];

    let untrusting = Program::run(&connect).await;
    untrusting.with(1, &format!("--fingerprint {shown}"));
    let wrong = "00".repeat(32);
    let deceived = Program::run(&[&connect[..], &["--fingerprint", &wrong]].concat()).await;
    deceived.with(1, "another fingerprint");
    Program::run(&[&connect[..], &["--fingerprint", shown]].concat())
        .await
        .with(0, "");
    let trusted = home.join("serial-ws/tls-cert.pem");
    let trusted = trusted.to_str().expect("the path is text");
    Program::start_with(&connect, &[("SSL_CERT_FILE", trusted)])
        .ended()
        .await
        .with(0, "");

    let url = format!("https://{at}");
    for command in ["release", "resume"] {
        let arguments = [command, "--url", &url, "--token", &token];
        Program::run(&arguments).await.with(1, "--fingerprint");
        Program::run(&[&arguments[..], &["--fingerprint", shown]].concat())
            .await
            .with(0, "");
    }
    // The command must not run while the program may still hold the port.
    let upload = ["upload", "--url", &url, "--token", &token, "--", "true"];
    Program::run(&upload).await.with(1, "--fingerprint");
}

#[tokio::test]
async fn the_board_of_another_serial_ws_is_shared_on_under_the_same_rules() {
    let Some(network) = Network::new("tls-upstream", &["--tls", "self-signed"]).await else {
        return;
    };
    let Network { bridge, at, home } = &network;
    let said = bridge.program.said("SHA-256 fingerprint: ").await;
    let (_, shown) = said.rsplit_once(": ").expect("it is shown");
    let port = format!("board=wss://{at}/,token={}", network::file(home).display());

    let untrusting = Bridge::start(&["--port", &port]).await;
    let advice = format!("if it is this one: ,fingerprint={shown}");
    untrusting.program.said(&advice).await;
    let wrong = format!("{port},fingerprint={}", "00".repeat(32));
    let deceived = Bridge::start(&["--port", &wrong]).await;
    deceived.program.said("another fingerprint").await;

    let right = format!("{port},fingerprint={shown}");
    let near = Bridge::start(&["--port", &right]).await;
    near.open("board").await;
    near.json_client().await.json_of("line").await;
    let trusted = home.join("serial-ws/tls-cert.pem");
    let trusted = trusted.to_str().expect("the path is text");
    let arguments = ["--port", &port, "--listen", "127.0.0.1:0"];
    let program = Program::start_with(&arguments, &[("SSL_CERT_FILE", trusted)]);
    let near = Bridge::of(program, 1).await;
    near.open("board").await;
    near.json_client().await.json_of("line").await;
}

#[tokio::test]
async fn a_server_without_encryption_is_recognised() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let url = format!("wss://{}", bridge.address());
    let connect = ["connect", &url];
    Program::run(&connect)
        .await
        .with(1, "does not seem to use encryption");
}

/// Opens an encrypted connection that trusts only the certificate kept at `home`.
async fn encrypted(at: SocketAddr, home: &Path) -> TlsStream<TcpStream> {
    let file = home.join("serial-ws/tls-cert.pem");
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file).expect("a certificate is kept");
    roots.add(certificate).expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(at).await.expect("the program listens");
    let connecting = TlsConnector::from(Arc::new(config)).connect(at.ip().into(), stream);
    within("a TLS handshake", connecting)
        .await
        .expect("the certificate is the right one")
}
