//! WebSockets: a session for each client, and what keeps one client from costing the others.
//!
//! ```text
//!  hub ──▶ view ──▶ frame ──▶ delivery ──▶ send_queue ──▶ frame_limits ──▶ stream
//!   ▲                                                           │
//!   └── requests ◀── session ◀── protocol ◀── WebSocket library ◀─┘
//! ```
//!
//! `upgrade`, `params` and `port_client` make the session of an HTTP request, `keepalive` and `close`
//! end it, and `turn` makes sessions share the thread.

mod delivery;
mod device_list;
mod device_request;
mod frame;
mod frame_limits;
mod keepalive;
mod latest;
mod line_query;
mod port_client;
mod requests;
mod turn;
mod wake_flag;

pub(crate) mod close;
pub(crate) mod echo;
pub(crate) mod params;
pub(crate) mod protocol;
pub(crate) mod send_queue;
pub(crate) mod session;
pub(crate) mod upgrade;
