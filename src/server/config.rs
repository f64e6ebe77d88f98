//! The configuration of the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::access::Rights;
use super::access::offer::Offers;
use super::access::token::Token;
use crate::view::{LineEnding, View};

/// The settings of a port's clients that ask for no other ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientDefaults {
    /// The view.
    pub(crate) view: View,
    /// The ending that is added to text messages that lack one.
    pub(crate) append: LineEnding,
    /// Refuses all that clients send.
    pub(crate) read_only: bool,
}

/// An address to listen on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenAddress {
    /// The address.
    pub(crate) address: SocketAddr,
    /// True if there is another one of the other family, so that one of the two is enough where the
    /// system lacks a family.
    pub(crate) is_one_of_two: bool,
}

/// The configuration of the server as a whole.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// The addresses to listen on.
    pub(crate) listen: Vec<ListenAddress>,
    /// The addresses to listen on for sketches of p5.serialport; none where they are not served.
    pub(crate) p5: Vec<ListenAddress>,
    /// Clients that may be connected at once; one more is rejected by a Close frame with code 1013.
    pub(crate) max_clients: usize,
    /// Clients of one other computer that may be connected at once.
    pub(crate) max_clients_per_address: usize,
    /// Bytes of the largest message that a client may send; a larger one ends its connection.
    pub(crate) max_message: usize,
    /// The folder that is served at `/` instead of the built-in page.
    pub(crate) web: Option<PathBuf>,
    /// Opens the page in the browser.
    pub(crate) open: bool,
    /// Origins that are allowed beside those of this computer, and what their pages may do.
    pub(crate) allow_origin: Vec<(String, Rights)>,
    /// Host names that are allowed beside those of this computer.
    pub(crate) allow_host: Vec<String>,
    /// The rights of other computers; None where they may not connect.
    pub(crate) lan: Option<Rights>,
    /// Announces the server to other computers.
    pub(crate) announces: bool,
    /// The devices that clients may open.
    pub(crate) offers: Offers,
    /// The operator's own token, which all clients need then.
    pub(crate) token: Option<Token>,
    /// The operator's own token for other computers.
    pub(crate) lan_token: Option<LanToken>,
    /// The certificate for connections from other computers; None where they are not encrypted.
    pub(crate) tls: Option<TlsConfig>,
}

/// A token of the operator's own, which only other computers need.
#[derive(Clone, Debug)]
pub(crate) struct LanToken {
    /// The file that it is kept in; None where it is in a variable.
    pub(crate) file: Option<PathBuf>,
    /// The token; None where the file does not exist yet.
    pub(crate) token: Option<Token>,
}

/// The source of the certificate for encrypted connections.
#[derive(Clone, Debug)]
pub(crate) enum TlsConfig {
    /// Files in PEM format.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "a build without TLS refuses them")
    )]
    Files {
        /// The certificate, followed by those of its issuers.
        cert: PathBuf,
        /// The key of the certificate.
        key: PathBuf,
    },
    /// A self-signed certificate that the program makes once and keeps.
    SelfSigned,
}
