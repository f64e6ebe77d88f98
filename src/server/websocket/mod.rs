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

mod device_list;
mod frame_limits;
mod latest;

pub(crate) mod close;
pub(crate) mod delivery;
pub(crate) mod device_request;
pub(crate) mod echo;
pub(crate) mod frame;
pub(crate) mod keepalive;
pub(crate) mod line_query;
pub(crate) mod params;
pub(crate) mod port_client;
pub(crate) mod protocol;
pub(crate) mod requests;
pub(crate) mod send_queue;
pub(crate) mod session;
pub(crate) mod turn;
pub(crate) mod upgrade;
pub(crate) mod wake_flag;
