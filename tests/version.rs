//! `serial-ws --version`, and how a build learns what it is built from.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Program, network::home};

#[allow(
    dead_code,
    unreachable_pub,
    reason = "its `main` runs as the build script"
)]
#[path = "../build.rs"]
mod build_script;

#[tokio::test]
async fn the_long_version_adds_the_commit_the_target_and_the_features() {
    let short = Program::run(&["-V"]).await;
    short.with(0, "");
    let name = format!("serial-ws {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(short.stdout, format!("{name}\n"));

    let long = Program::run(&["--version"]).await;
    long.with(0, "");
    let lines = long.stdout.lines().collect::<Vec<_>>();
    let [first, commit, target, features] = lines[..] else {
        panic!("{long:?}");
    };
    assert_eq!(first, name);
    let commit = commit.strip_prefix("commit: ").unwrap_or_default();
    assert!(commit == "unknown" || is_commit(commit), "{long:?}");
    let target = target.strip_prefix("target: ").unwrap_or_default();
    assert!(target.split('-').count() >= 3, "{long:?}");
    assert!(features.starts_with("features: "), "{long:?}");
    if std::env::var_os("SERIAL_WS_TEST_BIN").is_none() {
        assert_eq!(features.contains("tls"), cfg!(feature = "tls"), "{long:?}");
        assert!(target.starts_with(std::env::consts::ARCH), "{long:?}");
    }
}

#[test]
fn a_packaged_crate_knows_its_commit_without_git() {
    let folder = folder("packaged");
    assert_eq!(build_script::commit(&folder), None);
    let noted = r#"{
  "git": {
    "sha1": "0123456789abcdef0123456789abcdef01234567"
  },
  "path_in_vcs": ""
}"#;
    fs::write(folder.join(".cargo_vcs_info.json"), noted).expect("the folder can be written");
    let commit = build_script::commit(&folder);
    assert_eq!(commit.as_deref(), Some("0123456789ab"));
}

#[test]
fn a_checkout_knows_its_commit_and_a_folder_within_another_repository_has_none() {
    let folder = folder("checkout");
    git(&folder, &["init", "--quiet"]);
    assert_eq!(
        build_script::commit(&folder),
        None,
        "there is no commit yet"
    );
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    git(
        &folder,
        &[
            &author[..],
            &["commit", "--quiet", "--allow-empty", "-m", "a"],
        ]
        .concat(),
    );
    let commit = build_script::commit(&folder).expect("there is a commit");
    assert!(is_commit(&commit), "{commit}");

    let inner = folder.join("vendor");
    fs::create_dir(&inner).expect("the folder can be written");
    assert_eq!(build_script::commit(&inner), None);
}

#[test]
fn features_are_listed_without_the_default_that_joins_them() {
    let features =
        |names: &[&str]| build_script::features(names.iter().map(|name| name.to_string()));
    let all = [
        "CARGO_FEATURE_TLS",
        "PATH",
        "CARGO_FEATURE_DEFAULT",
        "CARGO_FEATURE_MQTT",
    ];
    assert_eq!(features(&all), "mqtt, tls");
    assert_eq!(features(&["CARGO_PKG_NAME"]), "none");
}

fn is_commit(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = home(&format!("version-{name}"));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "git {arguments:?}"
    );
}
