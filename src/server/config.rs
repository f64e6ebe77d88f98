//! What the server is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::access::Rights;
use super::access::token::Token;
use crate::view::{LineEnding, View};

/// What clients of a port get that do not ask for anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientDefaults {
    /// The view.
    pub(crate) view: View,
    /// The ending that is added to text messages that lack one.
    pub(crate) append: LineEnding,
    /// Refuses all that clients send.
    pub(crate) read_only: bool,
}

impl Default for ClientDefaults {
    fn default() -> Self {
        Self {
            view: View::Lines,
            append: LineEnding::None,
            read_only: false,
        }
    }
}

/// How clients reach the ports.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// Where to listen.
    pub(crate) listen: Vec<SocketAddr>,
    /// Whether an address family that the system lacks is passed over.
    pub(crate) any_family: bool,
    /// Clients that may be connected at once.
    pub(crate) max_clients: usize,
    /// Bytes of the largest message that a client may send.
    pub(crate) max_message: usize,
    /// The folder that is served at `/`, if not the built-in page.
    pub(crate) web: Option<PathBuf>,
    /// Whether to open the page in the browser.
    pub(crate) open: bool,
    /// Origins to admit beside those of this computer, and what their pages may do.
    pub(crate) allow_origin: Vec<(String, Rights)>,
    /// Host names to answer to beside those of this computer.
    pub(crate) allow_host: Vec<String>,
    /// What other computers may do, where they may connect.
    pub(crate) lan: Option<Rights>,
    /// The operator's own secret, which all must know then.
    pub(crate) token: Option<Token>,
    /// How connections from other computers are encrypted.
    pub(crate) tls: Option<TlsConfig>,
}

/// Where the certificate for encrypted connections comes from.
#[derive(Clone, Debug)]
pub(crate) enum TlsConfig {
    /// From files in PEM format.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "a build without TLS refuses them")
    )]
    Files {
        /// The certificate, and those that vouch for it.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// The program makes its own.
    SelfSigned,
}
