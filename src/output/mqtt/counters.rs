//! The numbers of the connection to a broker, for `/metrics`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The numbers of the connection to a broker.
#[derive(Default)]
pub(crate) struct MqttCounters {
    /// True while the broker is connected.
    pub(super) is_connected: AtomicBool,
    /// Connections so far.
    pub(super) connections: AtomicU64,
    /// Messages that were handed to the connection.
    pub(super) sent: AtomicU64,
    /// Lines that came while the broker was away or too slow, for longer than history reaches.
    pub(super) missed_lines: AtomicU64,
    /// Messages from the broker that were not written.
    pub(super) dropped_writes: AtomicU64,
}

impl MqttCounters {
    /// Returns each number with its name and its help, as metrics have them.
    pub(crate) fn metrics(&self) -> [(&'static str, &'static str, u64); 5] {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            (
                "mqtt_connected",
                "1 while the MQTT broker is connected",
                self.is_connected.load(Ordering::Relaxed).into(),
            ),
            (
                "mqtt_reconnects_total",
                "Number of times the MQTT broker came back after it was lost",
                load(&self.connections).saturating_sub(1),
            ),
            (
                "mqtt_messages_total",
                "Messages published to the MQTT broker",
                load(&self.sent),
            ),
            (
                "mqtt_missed_lines_total",
                "Lines that were not published to the MQTT broker",
                load(&self.missed_lines),
            ),
            (
                "mqtt_dropped_writes_total",
                "Messages from the MQTT broker that were not written",
                load(&self.dropped_writes),
            ),
        ]
    }
}
