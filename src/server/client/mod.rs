//! The parts that every client of a port has, by WebSocket, by HTTP or as a p5.serialport sketch: its
//! query, its subscription, its requests, and the queue of what is sent to it.

mod latest;

pub(crate) mod client_name;
pub(crate) mod delivery;
pub(crate) mod keepalive;
pub(crate) mod line_query;
pub(crate) mod params;
pub(crate) mod port_client;
pub(crate) mod requests;
pub(crate) mod send_queue;
pub(crate) mod wake_flag;
