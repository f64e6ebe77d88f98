//! serial-ws shares a serial port with any number of web pages and programs over WebSocket.

pub mod escape;
pub mod list;
pub mod port;
pub mod sys;
