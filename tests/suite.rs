//! The integration tests: the real program between a serial pair and real clients. Each test says
//! in its name what someone would notice if it failed.
//!
//! `SERIAL_WS_TEST_BIN` and `SERIAL_WS_TEST_PAIR` (see `support`) run the same tests against
//! another build of the program or another serial pair.

mod support;

// From the device to the clients.
#[cfg(target_os = "linux")] // whose processor time is counted
mod broker; // of MQTT, with many subscribers
#[cfg(target_os = "linux")] // where a broker is started
mod brokers; // that do not do what a broker should
mod first_lines; // after an opening, a restart, and for the first write
mod framing; // what ends a line
mod history; // what came before: history, since, latest
mod slow; // clients that do not keep up, and those beside them
mod streams; // by HTTP
mod values; // the numbers in lines
mod views; // lines, raw, text and json

// From the clients to the device.
mod controls; // breaks, modem lines, parity
#[cfg(unix)] // what shells and Python run
mod machines; // the recipes of docs/machines.md
mod polling; // the same question again and again, for all who watch
mod questions; // and the replies of devices
mod scripts; // by HTTP
mod small_buffer; // of a device that loses what overruns it
mod writes;

// The ports: several, their settings, missing, busy, no port at all.
#[cfg(target_os = "linux")] // a machine that is made up
mod devices; // on offer: listed, watched and opened by their IDs
#[cfg(unix)] // commands of a shell
mod lease; // release, resume and upload
mod lock; // the write lock
#[cfg(unix)] // a pty can be unplugged
mod loss; // the device goes and comes back, or does not read
mod network_devices; // behind a TCP connection
mod operator_lock; // which the operator gives
mod outputs; // beside WebSocket clients
mod p5; // what sketches of p5.serialport see
mod playback; // recordings as devices
mod ports;
#[cfg(unix)] // what a shell runs
mod programs; // as devices
#[cfg(unix)] // other systems have none
mod pty; // for programs that only know serial ports
#[cfg(target_os = "linux")] // namespaces, and signals
mod recorder; // whatever happens to the program and its disk
mod recordings; // of all that a port receives and sends
mod registry; // ports that come and go
mod saving; // lines as text, in a file
mod settings; // changed while the port is open
mod simulated;
mod upstream; // a port of another serial-ws
#[cfg(unix)] // where wine is
mod windows; // what only a program for Windows shows

// The sketches of firmware/ on simulated boards, each ignored: tests/run firmware.
#[cfg(target_os = "linux")]
mod firmware;
#[cfg(all(target_os = "linux", feature = "mcp"))]
mod firmware_agents; // who write sketches, upload them and watch

// What goes wrong at the door and behind it.
#[cfg(unix)] // a terminal of our own
mod ask; // pages that nobody allowed yet
mod errors; // in the browser
#[cfg(unix)] // other systems do not run out
mod exhaustion; // no descriptors left
mod fuzz; // laws that hold for every input
mod handshakes; // what the libraries of others send
mod hostile; // handshakes that nobody honest sends
mod http;
mod lan; // other computers and the token
mod limits; // of heads, frames, connections and descriptors
mod mistakes;
#[cfg(target_os = "linux")] // network namespaces
mod namespaces; // a class in a network without internet
mod operator; // who is connected, and the page to share
mod sessions; // the cookie that stands for the token
#[cfg(all(feature = "tls", not(target_os = "macos")))] // knows where configuration is kept
mod tls; // encrypted connections
mod web; // the built-in page, the folder of --web, --open

// The program as a whole.
mod arguments; // devices on the command line
mod config; // the file with settings
mod connect; // what is typed or piped into it
mod doctor;
mod documents; // what they paste is what the program prints
mod export; // recordings in other forms
#[cfg(unix)] // a terminal of our own
mod log; // what stops taking or reading it
mod manual; // manual pages and completion scripts
#[cfg(feature = "mcp")]
mod mcp; // what coding agents see
mod memory;
#[cfg(target_os = "linux")] // where systemd is
mod service;
#[cfg(unix)] // the signals of a terminal
mod stop;
mod terminal; // what is typed, `list`, `connect`
mod verbs; // ask and status, for scripts
mod version; // --version, and what a build knows of itself
mod wrong_usage; // the table of mistakes

// The sources and the tests themselves.
#[cfg(target_os = "linux")] // where programs can be made to end with others
mod killed; // with its programs
mod rules; // imports, names, sizes
#[cfg(unix)] // where awk is
mod tally; // how tests/run counts

// Minutes long, each ignored: tests/run --long, and for the last one --soak.
#[cfg(unix)] // a pty can be unplugged
mod endurance;
mod floods;
#[cfg(unix)] // a pty can be unplugged
mod soak;
