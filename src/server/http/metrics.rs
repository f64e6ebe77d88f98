//! The metrics of all ports (`/metrics`), in the text format of Prometheus.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hub::{BUCKETS, Hub, OutputState, OutputStatus, State};
use crate::output::mqtt::MqttCounters;
use crate::output::osc::OscCounters;
use crate::server::Port;

/// The numbers of the outputs that all ports share, where there are any.
#[derive(Default)]
pub(crate) struct OutputCounters {
    /// Those of the connection to an MQTT broker.
    pub(crate) mqtt: Option<Arc<MqttCounters>>,
    /// Those of OSC.
    pub(crate) osc: Option<Arc<OscCounters>>,
}

/// A metric that each port has: its name without the prefix `serial_ws_`, its help, and its value. One
/// whose name ends in `_total` is a counter, others are gauges.
type Metric = (&'static str, &'static str, fn(&Hub) -> u64);

const METRICS: [Metric; 12] = [
    ("clients", "Connected clients", |hub| hub.clients() as u64),
    ("received_bytes_total", "Bytes from the device", |hub| {
        hub.end().offset
    }),
    ("chunks_total", "Reads that returned those bytes", |hub| {
        load(&hub.counters.chunks)
    }),
    ("lines_total", "Lines from the device", |hub| hub.end().line),
    (
        "invalid_lines_total",
        "Lines that were not valid UTF-8",
        |hub| load(&hub.counters.invalid_lines),
    ),
    (
        "missed_lines_total",
        "Lines that slow clients missed",
        |hub| load(&hub.counters.missed_lines),
    ),
    (
        "missed_bytes_total",
        "Bytes that slow clients missed",
        |hub| load(&hub.counters.missed_bytes),
    ),
    (
        "written_bytes_total",
        "Bytes that the system accepted for the device",
        |hub| load(&hub.counters.written_bytes),
    ),
    (
        "dropped_bytes_total",
        "Bytes that a recording accepted and dropped",
        |hub| load(&hub.counters.dropped_bytes),
    ),
    (
        "refused_total",
        "Requests of clients that were refused",
        |hub| load(&hub.counters.refused),
    ),
    (
        "opened_total",
        "Number of times the device was opened",
        |hub| load(&hub.counters.opened),
    ),
    (
        "reconnects_total",
        "Number of times the device came back after it was lost",
        |hub| load(&hub.counters.reconnects),
    ),
];

/// A metric that each output of each port has.
type OutputMetric = (&'static str, &'static str, fn(&OutputStatus) -> u64);

const OUTPUT_METRICS: [OutputMetric; 4] = [
    ("output_up", "1 while the output works", |output| {
        u64::from(output.state == OutputState::Open)
    }),
    (
        "output_sent_bytes_total",
        "Bytes that the output sent",
        |output| load(&output.totals.sent),
    ),
    (
        "output_missed_bytes_total",
        "Bytes that the output was to send and never will",
        |output| load(&output.totals.missed),
    ),
    (
        "output_reconnects_total",
        "Number of times the output worked again after it did not",
        |output| load(&output.totals.reconnects),
    ),
];

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Returns the metrics of all ports, and of the outputs that they share. The names of ports need no
/// escaping.
pub(crate) fn text(ports: &[Arc<Port>], outputs: &OutputCounters) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_states(&mut text, ports);
    for (name, help, value) in METRICS {
        let _ = write_head(&mut text, name, kind(name), help);
        for port in ports {
            let (port, value) = (&port.name, value(&port.hub));
            let _ = writeln!(text, "serial_ws_{name}{{port=\"{port}\"}} {value}");
        }
    }
    let _ = write_delivery_times(&mut text, ports);
    let _ = write_outputs(&mut text, ports);
    let OutputCounters { mqtt, osc } = outputs;
    let mqtt = mqtt.iter().flat_map(|mqtt| mqtt.metrics());
    let osc = osc.iter().flat_map(|osc| osc.metrics());
    for (name, help, value) in mqtt.chain(osc) {
        let _ = write_head(&mut text, name, kind(name), help);
        let _ = writeln!(text, "serial_ws_{name} {value}");
    }
    text
}

/// Returns the kind of a metric, which its name tells.
fn kind(name: &str) -> &'static str {
    if name.ends_with("_total") {
        "counter"
    } else {
        "gauge"
    }
}

fn write_head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP serial_ws_{name} {help}")?;
    writeln!(text, "# TYPE serial_ws_{name} {kind}")
}

/// Writes a gauge for each state of each port: 1 for the port's current state, 0 for the others.
fn write_states(text: &mut String, ports: &[Arc<Port>]) -> fmt::Result {
    let name = "port_state";
    write_head(text, name, "gauge", "1 for the state that the port is in")?;
    for port in ports {
        let (port, now) = (&port.name, port.hub.status().state);
        for state in State::ALL {
            let (word, is_now) = (state.word(), u8::from(state == now));
            writeln!(
                text,
                "serial_ws_{name}{{port=\"{port}\",state=\"{word}\"}} {is_now}"
            )?;
        }
    }
    Ok(())
}

/// Writes the metrics of the outputs of all ports, if there are any.
fn write_outputs(text: &mut String, ports: &[Arc<Port>]) -> fmt::Result {
    let statuses = ports
        .iter()
        .map(|port| (&port.name, port.hub.status().outputs));
    let ports: Vec<_> = statuses.collect();
    if ports.iter().all(|(_, outputs)| outputs.is_empty()) {
        return Ok(());
    }
    for (name, help, value) in OUTPUT_METRICS {
        write_head(text, name, kind(name), help)?;
        for (port, outputs) in &ports {
            for output in outputs.iter() {
                let (kind, place, value) = (output.kind, label_value(&output.place), value(output));
                writeln!(
                    text,
                    "serial_ws_{name}{{port=\"{port}\",output=\"{kind}\",at=\"{place}\"}} {value}"
                )?;
            }
        }
    }
    Ok(())
}

/// Escapes the value of a label.
fn label_value(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    text.replace('\n', r"\n")
}

/// Writes the histogram of delivery times. Its bounds are in seconds, as its sum is.
fn write_delivery_times(text: &mut String, ports: &[Arc<Port>]) -> fmt::Result {
    let name = "delivery_seconds";
    let help = "Time from reading until the data was in a client's socket";
    write_head(text, name, "histogram", help)?;
    for port in ports {
        let (port, delays) = (&port.name, &port.hub.delays);
        let totals = delays.totals();
        for (end, total) in BUCKETS.iter().zip(totals) {
            let end = *end as f64 / 1e6;
            writeln!(
                text,
                "serial_ws_{name}_bucket{{port=\"{port}\",le=\"{end}\"}} {total}"
            )?;
        }
        let (all, sum) = (totals[BUCKETS.len()], delays.sum().as_secs_f64());
        writeln!(
            text,
            "serial_ws_{name}_bucket{{port=\"{port}\",le=\"+Inf\"}} {all}"
        )?;
        writeln!(text, "serial_ws_{name}_sum{{port=\"{port}\"}} {sum}")?;
        writeln!(text, "serial_ws_{name}_count{{port=\"{port}\"}} {all}")?;
    }
    Ok(())
}
