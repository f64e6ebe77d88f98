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

use crate::support::network::{Network, home, kept};
use crate::support::{Bridge, Client, Program, http, within};

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
    let here = SocketAddr::from(([127, 0, 0, 1], at.port()));
    Client::open(here, "/", &[]).await.text().await;

    // The next run has the same certificate.
    let said = bridge.program.said("fingerprint").await;
    let again = Network::at(home.clone(), &["--tls", "self-signed"])
        .await
        .expect("as before");
    assert_eq!(again.bridge.program.said("fingerprint").await, said);
    encrypted(again.at, home).await;
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
