//! Checks the outputs of ports: whether their TCP ports and paths are free.

use crate::config::Config;
use crate::output::Output;
use crate::platform;
use crate::port::Diagnostic;

/// Diagnoses the outputs of all ports. Where serial-ws is `running`, it may have them itself.
pub(crate) fn diagnose(config: &Config, running: bool) -> Vec<Diagnostic> {
    let outputs = config.ports.iter().flat_map(|port| &port.outputs);
    let check = |output: &crate::output::OutputConfig| match Output::check(&output.kind) {
        Ok(()) => Diagnostic::ok(format!("{} is free", output.kind)),
        Err(error) if running => {
            let text = platform::sentence(&error);
            Diagnostic::note(format!("{text}; a serial-ws that runs may have it"))
        }
        Err(error) => Diagnostic::action(platform::sentence(&error)),
    };
    outputs.map(check).collect()
}
