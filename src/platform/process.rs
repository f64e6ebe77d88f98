//! Finds the process that has something open: a serial port or a listening socket.

#[cfg(target_os = "linux")]
use std::{fs, path::Path};

/// Another process of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// The name that it gives itself, so not to be trusted: escape it before showing it.
    pub(crate) name: String,
    /// Its process id.
    pub(crate) pid: u32,
}

#[cfg(target_os = "linux")]
impl Process {
    /// The process with this id, if it runs.
    pub(crate) fn with_id(pid: u32) -> Option<Self> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let name = name.trim_end().to_owned();
        Some(Self { name, pid })
    }
}

/// Finds another process that has such a file among its open ones, each given as its link below
/// `/proc`. Those of other users are closed to us unless we are root.
#[cfg(target_os = "linux")]
pub(crate) fn find_by_open_file(is_meant: impl Fn(&Path) -> bool) -> Option<Process> {
    let pid = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| pid != std::process::id())
        .find(|pid| {
            fs::read_dir(format!("/proc/{pid}/fd"))
                .is_ok_and(|files| files.flatten().any(|file| is_meant(&file.path())))
        })?;
    Process::with_id(pid)
}

/// Finds another process that `lsof` lists for these arguments.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn find_by_lsof<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<Process> {
    let mut lsof = std::process::Command::new("lsof");
    let lsof = lsof.args(["-w", "-F", "pc"]).args(arguments);
    parse_lsof(&String::from_utf8_lossy(&lsof.output().ok()?.stdout))
}

/// Reads lines such as `p4711` and `carduino-ide`, one pair for each process.
#[cfg(any(all(unix, not(target_os = "linux")), test))]
fn parse_lsof(text: &str) -> Option<Process> {
    let mut pid = None;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix('p') {
            pid = number.parse().ok();
        } else if let (Some(name), Some(pid)) = (line.strip_prefix('c'), pid)
            && pid != std::process::id()
        {
            let name = name.to_owned();
            return Some(Process { name, pid });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsof_names_the_other_process() {
        let ours = std::process::id();
        let text = format!("p{ours}\ncserial-ws\nf9\np4711\ncarduino-ide\nf33\n");
        let expected = Process {
            name: "arduino-ide".into(),
            pid: 4711,
        };
        assert_eq!(parse_lsof(&text), Some(expected));
        assert_eq!(parse_lsof(""), None);
    }
}
