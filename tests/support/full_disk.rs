//! A disk with little room, which only the program sees.

use std::path::PathBuf;
use std::process::Command;

use super::{Program, is_emulated, skip};

/// Starts the program with a disk of its own at this folder: one megabyte of it is free, the rest is in
/// a file `filler`. None, with a word on it, where that is not possible.
pub fn on_a_full_disk(folder: &str, arguments: &[&str]) -> Option<Program> {
    let namespace = Command::new("unshare").args(["--mount", "true"]).status();
    if is_emulated() || !namespace.is_ok_and(|status| status.success()) {
        skip("only root can make mount namespaces, on Linux");
        return None;
    }
    let script = format!(
        "exec unshare --mount sh -ec 'mount -t tmpfs -o size=40m none {folder}; \
         head -c 39m /dev/zero > {folder}/filler; exec \"$@\"' sh \"$@\""
    );
    Some(Program::start_by(&script, arguments))
}

/// The folder as the program sees it.
pub fn seen_by(program: &Program, folder: &str) -> PathBuf {
    format!("/proc/{}/root{folder}", program.id()).into()
}
