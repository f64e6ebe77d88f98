//! Tells how serial-ws can be reached from other computers: its addresses in
//! their networks, as the operator's terminal and the page to share show them, and its announcement.

pub(crate) mod addresses;
pub(crate) mod dns_sd;
pub(crate) mod notice;
pub(crate) mod watch;
