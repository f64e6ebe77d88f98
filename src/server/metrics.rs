//! `/metrics`: what has happened, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Port;
use crate::hub::{Hub, State};

/// One figure of each port.
struct Figure {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Hub) -> u64,
}

const FIGURES: [Figure; 10] = [
    gauge("port_open", "Whether the device is open", |hub| {
        u64::from(hub.status().state == State::Open)
    }),
    gauge("clients", "Connected clients", |hub| {
        hub.subscribers() as u64
    }),
    counter("received_bytes", "Bytes from the device", |hub| {
        hub.end().offset
    }),
    counter("lines", "Lines from the device", |hub| hub.end().line),
    counter("invalid_lines", "Lines that were not valid UTF-8", |hub| {
        value(&hub.counters.invalid_lines)
    }),
    counter(
        "written_bytes",
        "Bytes that the system took for the device",
        |hub| value(&hub.counters.written_bytes),
    ),
    counter(
        "refused",
        "Requests of clients that were not carried out",
        |hub| value(&hub.counters.refused),
    ),
    counter(
        "missed_lines",
        "Lines that clients were too slow for",
        |hub| value(&hub.counters.missed_lines),
    ),
    counter(
        "missed_bytes",
        "Bytes that clients were too slow for",
        |hub| value(&hub.counters.missed_bytes),
    ),
    counter("opened", "Times that the device was opened", |hub| {
        value(&hub.counters.opened)
    }),
];

const fn gauge(name: &'static str, help: &'static str, value: fn(&Hub) -> u64) -> Figure {
    Figure {
        name,
        kind: "gauge",
        help,
        value,
    }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Hub) -> u64) -> Figure {
    Figure {
        name,
        kind: "counter",
        help,
        value,
    }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// All figures of all ports. The names of ports need no escaping.
pub fn text<'a>(ports: impl Iterator<Item = &'a Port> + Clone) -> String {
    let mut text = String::new();
    for Figure {
        name,
        kind,
        help,
        value,
    } in FIGURES
    {
        let total = if kind == "counter" { "_total" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP serial_ws_{name}{total} {help}");
        let _ = writeln!(text, "# TYPE serial_ws_{name}{total} {kind}");
        for port in ports.clone() {
            let value = value(&port.hub);
            let _ = writeln!(
                text,
                "serial_ws_{name}{total}{{port=\"{}\"}} {value}",
                port.name
            );
        }
    }
    text
}
