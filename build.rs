//! Tells the program what it is built from, for `serial-ws --version`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Digits of a commit, enough to tell all commits apart.
const DIGITS: usize = 12;

fn main() {
    // Without this, the script would run again after each change of any file.
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    // Builds for development do not ask, so that a commit alone makes cargo compile nothing.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = is_release.then(|| commit(&folder)).flatten();
    let target = env::var("TARGET").unwrap_or_default();
    set("COMMIT", commit.as_deref().unwrap_or("unknown"));
    set("TARGET", &target);
    set("FEATURES", &features(env::vars().map(|(name, _)| name)));
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env=SERIAL_WS_{name}={value}");
}

/// Returns the commit of the sources in `folder`: what `cargo package` noted beside them, or that of
/// their own git repository. A repository that merely surrounds them says nothing about them.
pub fn commit(folder: &Path) -> Option<String> {
    let noted = fs::read_to_string(folder.join(".cargo_vcs_info.json"));
    let commit = match noted {
        Ok(noted) => noted.split_once(r#""sha1": ""#)?.1.to_owned(),
        Err(_) if folder.join(".git").exists() => {
            let log = folder.join(git(folder, &["rev-parse", "--git-path", "logs/HEAD"])?);
            // cargo runs the script each time if the file is missing.
            if log.exists() {
                println!("cargo::rerun-if-changed={}", log.display());
            }
            git(folder, &["rev-parse", "HEAD"])?
        }
        Err(_) => return None,
    };
    let commit = commit.get(..DIGITS)?;
    let is_hex = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| commit.to_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Returns the optional features among variables such as `CARGO_FEATURE_MQTT`, sorted.
pub fn features(variables: impl Iterator<Item = String>) -> String {
    let names = variables.filter_map(|name| {
        let name = name.strip_prefix("CARGO_FEATURE_")?.to_lowercase();
        (name != "default").then(|| name.replace('_', "-"))
    });
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
