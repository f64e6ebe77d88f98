//! The parts of the program that differ between systems, one topic per file, each behind one
//! interface. Those of serial ports are in [`crate::port::source::serial::os`]; all `unsafe` code is
//! in these two places.

mod acknowledged;
#[cfg(unix)]
mod async_descriptor;
mod beneath;
mod child;
mod computer;
mod descriptors;
mod exclusive_file;
mod interface;
#[cfg(unix)]
mod line_termios;
mod listen;
mod local_time;
mod private_file;
mod process;
mod pty;
mod random;
mod reason;
mod reopen;
mod service_manager;
pub(crate) mod signal;
mod tcp_keepalive;
mod tcp_listener;
mod terminal;
mod window;

pub(crate) use acknowledged::{Acknowledged, acknowledged};
#[cfg(unix)]
pub(crate) use async_descriptor::AsyncDescriptor;
pub(crate) use beneath::{is_hidden, open_beneath};
pub(crate) use child::{
    ProcessGroup, StartedProgram, end_reason, find_program, kill_all, start_program,
};
pub(crate) use computer::{NetworkAddress, computer_name, config_folder, network_addresses};
pub(crate) use descriptors::{Descriptor, descriptors_in_use, raise_descriptor_limit};
pub(crate) use exclusive_file::{
    append_exclusive, can_create_in, create_exclusive, free_bytes, is_at, mode, take_exclusive,
};
pub(crate) use interface::interface_index;
#[cfg(target_os = "linux")]
pub(crate) use line_termios::{FORMAT_MODES, set_line};
pub(crate) use listen::{lacks_address_family, listen};
pub(crate) use local_time::local_time;
pub(crate) use private_file::{
    check_private, read_private, read_secret, warn_of_readers, write_private,
};
pub(crate) use process::Process;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use process::find_by_lsof;
#[cfg(target_os = "linux")]
pub(crate) use process::find_by_open_file;
pub(crate) use pty::{SharedTerminal, TerminalInput, TerminalReader};
pub(crate) use random::random_bytes;
pub(crate) use reason::{reason, sentence};
pub(crate) use reopen::ReopenSignal;
pub(crate) use service_manager::{ServiceManager, launchd_domain, notify_ready, service_manager};
pub(crate) use signal::{StopSignal, end_by_signal};
pub(crate) use tcp_keepalive::{has_input, keep_alive};
pub(crate) use tcp_listener::tcp_listener;
pub(crate) use terminal::{can_ask, forget_typed, is_output_closed, is_reader_gone, shows_colours};
pub(crate) use window::{has_own_window, how_to_stop, keep_window_open};
