//! serial-ws shares a serial port with any number of web pages and programs over WebSocket.

pub mod cli;
pub mod config;
pub mod hub;
pub mod port;
pub mod server;
pub mod view;
