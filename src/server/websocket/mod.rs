//! WebSockets: a session for each client, and what keeps one client from costing the others.
//!
//! ```text
//!  hub ──▶ view ──▶ frame ──▶ delivery ──▶ send_queue ──▶ frame_limits ──▶ stream
//!   ▲                                                           │
//!   └── requests ◀── session ◀── protocol ◀── WebSocket library ◀─┘
//! ```
//!
//! `upgrade` makes the session of an HTTP request, `close` ends it, and `turn` makes sessions share the
//! thread. The delivery, the send queue and the requests are those of every client: `server/client/`.

mod device_list;

pub(crate) mod close;
pub(crate) mod device_request;
pub(crate) mod echo;
pub(crate) mod frame;
pub(crate) mod frame_limits;
pub(crate) mod protocol;
pub(crate) mod session;
pub(crate) mod turn;
pub(crate) mod upgrade;
