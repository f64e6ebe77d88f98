//! What a program for Windows finds when wine runs it: COM ports, which are links in a folder of
//! wine's, and boards, which are entries of its registry. Both can come and go while it runs.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::bridge;

/// Where Windows keeps what was plugged in by USB.
const USB: &str = r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Enum\USB";

/// The class of serial ports.
const PORTS: &str = "{4d36e978-e325-11ce-bfc1-08002be10318}";

/// Ports below this number may be those of the machine.
const FIRST_PORT: u32 = 100;

/// Whether wine runs the program.
pub fn runs_it() -> bool {
    bridge::is_for_windows()
}

/// A COM port that no other test uses: its name, and the link that makes it.
pub fn port() -> (String, PathBuf) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = FIRST_PORT + COUNT.fetch_add(1, Ordering::Relaxed);
    let prefix = std::env::var_os("WINEPREFIX").map(PathBuf::from);
    let prefix = prefix.or_else(|| Some(std::env::home_dir()?.join(".wine")));
    let link = prefix.expect("wine has a folder").join("dosdevices");
    let link = link.join(format!("com{number}"));
    // One may be left of a run that was stopped.
    let _ = std::fs::remove_file(&link);
    (format!("COM{number}"), link)
}

/// Lets programs have the configuration folder that a test gives them: wine has one for all.
pub fn give_up_configuration() {
    static DONE: OnceLock<()> = OnceLock::new();
    let key = r"HKCU\Volatile Environment";
    // Where it is not there, it was given up before.
    DONE.get_or_init(|| run(&["reg", "delete", key, "/v", "APPDATA", "/f"]));
}

/// A USB board with a serial port, in the list of Windows until it is dropped.
pub struct Board {
    key: String,
}

impl Board {
    /// A board at `port`, such as COM100; `id` is as in `VID_2341&PID_0043\SERIAL`.
    pub fn new(port: &str, id: &str, name: &str) -> Self {
        let key = format!(r"{USB}\{id}");
        let text = format!(
            "Windows Registry Editor Version 5.00\n\n\
             [HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Control\\Class\\{PORTS}]\n\
             \"Class\"=\"Ports\"\n\n\
             [{key}]\n\
             \"ClassGUID\"=\"{PORTS}\"\n\
             \"Class\"=\"Ports\"\n\
             \"Mfg\"=\"Arduino LLC\"\n\
             \"FriendlyName\"=\"{name} ({port})\"\n\n\
             [{key}\\Device Parameters]\n\
             \"PortName\"=\"{port}\"\n"
        );
        let file = format!("serial-ws-test-{}-{port}.reg", std::process::id());
        let file = std::env::temp_dir().join(file);
        std::fs::write(&file, text).expect("a file can be written");
        run(&["regedit", "/S", file.to_str().expect("the path is text")]);
        let _ = std::fs::remove_file(file);
        Self { key }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        run(&["reg", "delete", &self.key, "/f"]);
    }
}

/// Runs a program of wine's own to its end.
fn run(arguments: &[&str]) {
    let words = bridge::words();
    let (_, wine) = words.split_last().expect("the program has a name");
    let mut command = Command::new(&wine[0]);
    command.args(&wine[1..]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.expect("wine can be started");
}
