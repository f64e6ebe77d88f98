//! What lies below the hub: serial ports and the devices behind them.

pub mod sim;
