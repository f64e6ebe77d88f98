//! WebSockets: a session for each client, and what keeps one client from costing the others.
//!
//! ```text
//!  request ─▶ upgrade (params) ─▶ session ◀─▶ protocol ◀─▶ view
//!                                   │ frames, encoded once per view for all clients
//!                                   ▼
//!              WebSocket library ─ send_queue ─ frame_limits ─ stream
//! ```

mod frame;
mod frame_limits;
mod keepalive;
mod latest;
mod requests;
mod wake_flag;

pub(crate) mod close;
pub(crate) mod echo;
pub(crate) mod params;
pub(crate) mod protocol;
pub(crate) mod send_queue;
pub(crate) mod session;
pub(crate) mod upgrade;
