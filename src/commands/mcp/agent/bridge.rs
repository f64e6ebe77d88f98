//! The running serial-ws, the bridge, as tools reach it: by a connection for each call.

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{ToolAnswer, ToolError};
use super::remedy;
use crate::commands::client::{AccessArgs, Address, client};
use crate::commands::lease::bridge_client::BridgeClient;
use crate::commands::lease::with_client;
use crate::port::is_name;
use crate::server::client_name;

/// The most lines a second for a call that wants none.
const FEW_LINES: &str = "latest=1";

/// Longest list of names in an answer, in bytes.
const MAX_NAMES_BYTES: usize = 2048;

/// The way to the bridge.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    /// Its address, as it was typed.
    pub(super) url: String,
    /// The port that a call means which names none.
    pub(super) port: Option<String>,
    /// The token and the fingerprint.
    pub(super) access: AccessArgs,
    /// The name by which others see what the agent does; empty for our own.
    pub(super) client: String,
}

impl Bridge {
    /// Returns the way for an agent's program that calls itself so.
    pub(super) fn for_client(&self, name: &str) -> Self {
        Self {
            client: client_name::from_text(name),
            ..self.clone()
        }
    }

    /// Returns the address of a port, with parameters.
    ///
    /// # Errors
    /// When the port has no possible name.
    pub(super) fn address(
        &self,
        port: Option<&str>,
        parameters: &[String],
    ) -> Result<Address, ToolError> {
        if let Some(name) = port.filter(|name| !is_name(name)) {
            return Err(ToolError::usage(format!(
                "`port` is {name:?}: expected the name of a port, such as one of `ports` in the \
                 answer of status"
            )));
        }
        let port = port.or(self.port.as_deref());
        let address = Address::new(&self.url, port, &self.parameters(parameters), &self.access);
        address.map_err(ToolError::from)
    }

    /// Returns the address at which a device is opened by its ID.
    ///
    /// # Errors
    /// When the address that was typed is none.
    pub(super) fn device_address(&self, id: &str) -> Result<Address, ToolError> {
        let parameters = self.parameters(&[FEW_LINES.to_owned()]);
        let address = Address::new(&self.url, None, &parameters, &self.access)?;
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        Ok(address.at(&format!("/devices/{id}"))?)
    }

    /// Returns the parameters of every connection to a port, and these.
    fn parameters(&self, own: &[String]) -> Vec<String> {
        let name = utf8_percent_encode(&self.client, NON_ALPHANUMERIC);
        let client = match &*self.client {
            "" => client("mcp"),
            _ => format!("client={name}"),
        };
        [&["view=json".to_owned(), client], own].concat()
    }

    /// Returns the address of the list of devices.
    ///
    /// # Errors
    /// When the address that was typed is none.
    pub(super) fn devices_address(&self) -> Result<Address, ToolError> {
        let address = Address::new(&self.url, None, &[], &self.access);
        Ok(address.and_then(|address| address.at("/devices"))?)
    }

    /// Connects to a port, and hands the connection to `task`.
    ///
    /// # Errors
    /// When there is no connection, and those of `task`.
    pub(super) async fn visit<T>(
        &self,
        port: Option<&str>,
        parameters: &[String],
        task: impl AsyncFnOnce(BridgeClient<'_>) -> Result<T>,
    ) -> Result<T, ToolError> {
        let address = self.address(port, parameters)?;
        let stream = address.dial().await;
        let stream = stream.map_err(|error| ToolError::unreachable(&error))?;
        Ok(with_client(&address, stream, task).await?)
    }

    /// Does the same for a task that wants none of the lines.
    ///
    /// # Errors
    /// When there is no connection, and those of `task`.
    pub(super) async fn visit_quietly<T>(
        &self,
        port: Option<&str>,
        task: impl AsyncFnOnce(BridgeClient<'_>) -> Result<T>,
    ) -> Result<T, ToolError> {
        self.visit(port, &[FEW_LINES.to_owned()], task).await
    }
}

/// Returns the place at which a client began, as `since` takes it.
pub(super) fn place(client: &BridgeClient<'_>) -> String {
    let (run, seq) = client.place();
    format!("{run}:{seq}")
}

/// Returns an answer about the port of a client: its status in words, its state, and the path of the
/// device.
pub(super) fn about_port(client: &BridgeClient<'_>) -> ToolAnswer {
    let status = client.status_message();
    let mut text = status.detail.to_string();
    if let Some(hint) = remedy::of_status(status) {
        text += &format!("\n{hint}");
    }
    let device = client.device();
    let identifier = device.filter(|path| super::text::is_identifier(path));
    ToolAnswer::new(&text)
        .with("state", &*status.state)
        .with_some("path", identifier)
}

/// Returns as many of the names of all ports as an answer has room for.
pub(super) fn port_names(client: &BridgeClient<'_>) -> Vec<String> {
    let mut size = 0;
    let names = client.ports().iter().take_while(|name| {
        size += name.len();
        size <= MAX_NAMES_BYTES
    });
    names.cloned().collect()
}
