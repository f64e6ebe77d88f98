//! The tools, one file each but for those that only hand one request on. Their names, descriptions and
//! schemas are constant, in `tools.json`.

mod actions;
mod ask;
mod devices;
mod lock;
mod read;
mod status;
mod unended;

use std::sync::{Arc, OnceLock};

use rmcp::model::JsonObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::answer::{ToolAnswer, ToolError};
use super::bridge::Bridge;
use super::locks::Locks;
use super::opened::OpenedDevices;
use super::releases::Releases;
use super::schema;

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Status,
    Devices,
    Read,
    Ask,
    Write,
    Reset,
    Release,
    Resume,
    Settings,
    Lock,
}

/// The surroundings of a call.
pub(super) struct Call<'a> {
    pub(super) bridge: &'a Bridge,
    pub(super) locks: &'a Locks,
    pub(super) releases: &'a Releases,
    pub(super) opened: &'a OpenedDevices,
    /// Cancelled when the agent's program has gone: nothing is waited for any more.
    pub(super) gone: &'a CancellationToken,
}

/// The constant part of all tools.
#[derive(Deserialize)]
struct Catalog {
    /// The schema of the answers of tools that have none of their own.
    done: Arc<JsonObject>,
    tools: Vec<rmcp::model::Tool>,
}

impl Tool {
    /// The tools that change nothing.
    const READING: [Self; 3] = [Self::Status, Self::Devices, Self::Read];

    /// The tools that change something.
    const WRITING: [Self; 7] = [
        Self::Ask,
        Self::Write,
        Self::Reset,
        Self::Release,
        Self::Resume,
        Self::Settings,
        Self::Lock,
    ];

    /// Returns the tools that an agent may use.
    pub(super) fn all(may_write: bool) -> impl Iterator<Item = Self> {
        let writing = may_write.then_some(Self::WRITING);
        Self::READING
            .into_iter()
            .chain(writing.into_iter().flatten())
    }

    /// Returns the tool with this name, if an agent may use it.
    pub(super) fn named(name: &str, may_write: bool) -> Option<Self> {
        Self::all(may_write).find(|tool| tool.definition().name == name)
    }

    /// Returns what an agent is told of it.
    pub(super) fn definition(self) -> rmcp::model::Tool {
        let index = Self::all(true).position(|tool| tool == self);
        let Catalog { done, tools } = catalog();
        let tool = tools[index.unwrap_or_default()].clone();
        match tool.output_schema {
            Some(_) => tool,
            None => tool.with_raw_output_schema(Arc::clone(done)),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// When an argument is wrong, or serial-ws or the board refuses.
    pub(super) async fn run(
        self,
        call: &Call<'_>,
        arguments: JsonObject,
    ) -> Result<ToolAnswer, ToolError> {
        schema::check(&self.definition().input_schema, &arguments).map_err(ToolError::usage)?;
        let mut arguments = Value::Object(arguments);
        if let Some(id) = arguments["port"].as_str().filter(|port| is_id(port)) {
            let port = if Self::READING.contains(&self) {
                devices::port_of(call, id).await?
            } else {
                call.opened.open(call.bridge, id, call.gone).await?
            };
            arguments["port"] = port.into();
        }
        match self {
            Self::Status => status::run(call, read(arguments)?).await,
            Self::Devices => devices::run(call, read(arguments)?).await,
            Self::Read => read::run(call, read(arguments)?).await,
            Self::Ask => ask::run(call, read(arguments)?).await,
            Self::Write => actions::write(call, read(arguments)?).await,
            Self::Reset => actions::reset(call, read(arguments)?).await,
            Self::Release => actions::release(call, read(arguments)?).await,
            Self::Resume => actions::resume(call, read(arguments)?).await,
            Self::Settings => actions::settings(call, read(arguments)?).await,
            Self::Lock => lock::run(call, read(arguments)?).await,
        }
    }
}

/// Returns true for the ID of a device, as no port is named.
fn is_id(port: &str) -> bool {
    port.contains(':')
}

/// The argument of tools that take nothing else.
#[derive(Deserialize)]
struct PortArgument {
    port: Option<String>,
}

/// Reads arguments that fit the schema.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolError> {
    serde_json::from_value(arguments).map_err(|error| {
        tracing::debug!(%error, "arguments fit the schema, but not the tool");
        ToolError::usage("these arguments do not go together")
    })
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let catalog = serde_json::from_str(include_str!("../tools.json"));
        catalog.expect("tools.json describes tools, as a test checks")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_its_own_description() {
        let names: Vec<_> = Tool::all(true)
            .map(|tool| format!("{tool:?}").to_lowercase())
            .collect();
        let described: Vec<_> = catalog().tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(described, names);
    }

    #[test]
    fn only_tools_that_change_nothing_are_called_so() {
        for tool in Tool::all(true) {
            let annotations = tool.definition().annotations.unwrap();
            let reads = Tool::READING.contains(&tool);
            assert_eq!(annotations.read_only_hint, Some(reads), "{tool:?}");
        }
        assert_eq!(Tool::named("write", false), None);
        assert_eq!(Tool::named("write", true), Some(Tool::Write));
    }
}
