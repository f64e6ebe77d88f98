//! Checks the outputs: whether the TCP ports and paths of ports are free, whether the MQTT broker accepts
//! us, and whether the receivers of OSC are found.

use futures::future::join_all;

use crate::config::Config;
use crate::output::osc::OscTarget;
use crate::output::{Output, OutputConfig};
use crate::platform;
use crate::port::Diagnostic;
use crate::terminal::shown;

/// Diagnoses all outputs. Where serial-ws is `running`, it may have those of ports itself.
pub(crate) async fn diagnose(config: &Config, running: bool) -> Vec<Diagnostic> {
    let outputs = config.ports.iter().flat_map(|port| &port.outputs);
    let mut diagnostics: Vec<_> = outputs.map(|output| place(output, running)).collect();
    #[cfg(feature = "mqtt")]
    if let Some(mqtt) = &config.mqtt {
        diagnostics.extend(mqtt::diagnose(mqtt).await);
    }
    let targets = config.osc.iter().flat_map(|osc| &osc.targets);
    diagnostics.extend(join_all(targets.map(osc)).await);
    diagnostics
}

/// Tells whether a TCP port or a path is free.
fn place(output: &OutputConfig, running: bool) -> Diagnostic {
    match Output::check(&output.kind) {
        Ok(()) => Diagnostic::ok(format!("{} is free", output.kind)),
        Err(error) if running => {
            let text = platform::sentence(&error);
            Diagnostic::note(format!("{text}; a serial-ws that runs may have it"))
        }
        Err(error) => Diagnostic::action(platform::sentence(&error)),
    }
}

/// Tells whether a receiver of OSC is found. UDP tells nobody whether something arrives.
async fn osc(target: &OscTarget) -> Diagnostic {
    let name = shown(&target.to_string());
    match target.0.look_up().await {
        Ok(_) => Diagnostic::ok(format!(
            "OSC is sent to {name}. Whether a program receives it there, only that program knows"
        )),
        Err(_) => Diagnostic::action(format!(
            "cannot find {name} in the network, so no OSC is sent there. Check the name, or use the \
             address"
        )),
    }
}

#[cfg(feature = "mqtt")]
mod mqtt {
    use crate::output::mqtt::{MqttConfig, check};
    use crate::port::Diagnostic;
    use crate::terminal::shown;

    /// Tells whether the broker accepts us, and whether others could read the password on its way.
    pub(super) async fn diagnose(config: &MqttConfig) -> Vec<Diagnostic> {
        let broker = shown(&config.broker.to_string());
        let mut diagnostics = vec![match check(config).await {
            Ok(()) => Diagnostic::ok(format!("the MQTT broker {broker} accepts serial-ws")),
            Err(why) => Diagnostic::action(format!("cannot publish to {broker}: {why}")),
        }];
        let is_open = !config.broker.is_encrypted && !config.broker.endpoint.is_this_computer();
        if is_open && config.credentials.is_some() {
            diagnostics.push(Diagnostic::note(format!(
                "the password for {broker} is sent unencrypted. If the broker can encrypt: write \
                 mqtts:// instead of mqtt://"
            )));
        }
        diagnostics
    }
}
