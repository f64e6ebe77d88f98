//! This computer as another one would see it: by its address in the network.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
};

use super::{Bridge, Program, skip};

/// A bridge that listens to the network, and its address there.
pub struct Network {
    pub bridge: Bridge,
    pub at: SocketAddr,
    pub home: PathBuf,
}

impl Network {
    pub async fn new(name: &str, arguments: &[&str]) -> Option<Self> {
        Self::at(home(name), arguments).await
    }

    pub async fn at(home: PathBuf, arguments: &[&str]) -> Option<Self> {
        let Some(address) = address() else {
            skip("this computer is in no network");
            return None;
        };
        let own = ["--port", "sensor=sim", "--listen", "0.0.0.0:0"];
        let text = home.to_str().expect("the folder is text");
        let variables = [("XDG_CONFIG_HOME", text), ("HOME", text), ("APPDATA", text)];
        let program = Program::start_with(&[&own, arguments].concat(), &variables);
        let bridge = Bridge::of(program, 1).await;
        let at = SocketAddr::new(address, bridge.address().port());
        Some(Self { bridge, at, home })
    }

    /// The address of the bridge for this computer alone.
    pub fn here(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.at.port()))
    }
}

/// The address of this computer in its network. Sends nothing.
pub fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

/// A folder for the configuration of one test.
pub fn home(name: &str) -> PathBuf {
    let name = format!("serial-ws-test-{}-lan-{name}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Where the token is kept.
pub fn file(home: &Path) -> PathBuf {
    if cfg!(target_os = "macos") {
        home.join("Library/Application Support/serial-ws/token")
    } else {
        home.join("serial-ws/token")
    }
}

/// The token.
pub fn kept(home: &Path) -> String {
    let text = std::fs::read_to_string(file(home)).expect("the token is kept");
    text.trim().to_owned()
}
