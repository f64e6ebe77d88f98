//! Measures the real program on a pty, side by side with the least that any program would need
//! (the floor) and with the peers that are installed, and prints one table. `benches/README.md`
//! describes the scenarios and the figures.
//!
//! ```text
//!  this process ──lines──▶ pty ──▶ program or floor or peer ──WebSocket──▶ load
//! ```
//!
//! Each box is a process of its own, so that only the middle one is measured. The floor and the
//! load are this executable, started again with a role as the first argument.

#[cfg(target_os = "linux")]
mod ask;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod counting;
#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod effort;
#[cfg(target_os = "linux")]
mod fanout;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod mqtt;
#[cfg(target_os = "linux")]
mod noisy;
#[cfg(target_os = "linux")]
mod outputs;
#[cfg(target_os = "linux")]
mod reader;
#[cfg(target_os = "linux")]
mod rig;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod sketches;
#[cfg(target_os = "linux")]
mod stalled;
#[cfg(target_os = "linux")]
mod subject;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod writers;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark reads /proc and needs Linux");
}
