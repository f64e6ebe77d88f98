//! `serial-ws service` under systemd. A `systemctl` of our own tells what it was asked, and whether
//! the unit was there then; the unit itself is judged by systemd, where there is one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use crate::support::{Ended, Program, is_emulated, is_for_windows, skip};

/// The home of somebody who installs services, deleted with the test.
struct Home(PathBuf);

impl Home {
    /// `systemctl` is what the command of that name does, in shell, beside telling that it ran.
    /// None, with a word on it, where the program is for another system.
    fn new(name: &str, systemctl: &str) -> Option<Self> {
        if is_for_windows() {
            skip("only systemd starts services by commands");
            return None;
        }
        let name = format!("serial-ws-test-{}-{name}", std::process::id());
        let home = Self(std::env::temp_dir().join(name));
        let _ = fs::remove_dir_all(&home.0);
        fs::create_dir_all(home.0.join("bin")).expect("a folder can be made");
        let script = format!(
            "#!/bin/sh\nunit=no\n[ -e '{}' ] && unit=yes\necho \"$* unit=$unit\" >>'{}'\n{systemctl}\n",
            home.unit().display(),
            home.0.join("asked").display(),
        );
        let program = home.0.join("bin/systemctl");
        // Renamed into place, as a file that is being written cannot be run.
        let new = home.0.join("bin/new");
        fs::write(&new, script).expect("a script can be written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("it can be run");
        fs::rename(&new, program).expect("it can be renamed");
        Some(home)
    }

    fn unit(&self) -> PathBuf {
        self.0.join("systemd/user/serial-ws.service")
    }

    async fn service(&self, arguments: &[&str]) -> Ended {
        let path = format!("{}:/usr/bin:/bin", self.0.join("bin").display());
        self.service_with(&path, arguments).await
    }

    async fn service_with(&self, path: &str, arguments: &[&str]) -> Ended {
        let home = self.0.to_str().expect("the folder is text");
        let variables = [("PATH", path), ("XDG_CONFIG_HOME", home), ("HOME", home)];
        let arguments = [&["service"], arguments].concat();
        Program::start_with(&arguments, &variables).ended().await
    }

    /// What `systemctl` was asked, in order.
    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.0.join("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_service_is_installed_and_removed_step_by_step() {
    let Some(home) = Home::new("steps", "") else {
        return;
    };
    let installed = home.service(&["install", "--", "--port", "sim"]).await;
    installed.with(0, "");
    let steps = [
        format!("write {}:\n    # Written by", home.unit().display()),
        "run systemctl --user daemon-reload\nrun systemctl --user enable serial-ws.service\n\
         run systemctl --user restart serial-ws.service\n"
            .to_owned(),
    ];
    for step in &steps {
        assert!(installed.stdout.contains(step), "{installed:?}");
    }
    let unit = fs::read_to_string(home.unit()).expect("the unit was written");
    assert!(unit.contains(" --port sim\nRestart="), "{unit}");

    home.service(&["remove"]).await.with(0, "");
    assert!(!home.unit().exists());
    let expected = [
        "--user daemon-reload unit=yes",
        "--user enable serial-ws.service unit=yes",
        "--user restart serial-ws.service unit=yes",
        "--user disable --now serial-ws.service unit=yes",
        "--user daemon-reload unit=no",
    ];
    assert_eq!(home.asked(), expected);
    home.service(&["remove"]).await.with(1, "nothing to remove");
}

#[tokio::test]
async fn a_dry_run_prints_the_same_and_does_nothing() {
    let Some(home) = Home::new("dry", "") else {
        return;
    };
    let dry = home.service(&["install", "--dry-run"]).await;
    dry.with(0, "");
    assert!(
        dry.stdout.contains("run systemctl --user enable"),
        "{dry:?}"
    );
    assert!(!home.unit().exists() && home.asked().is_empty());
    let wet = home.service(&["install"]).await;
    assert!(wet.stdout.starts_with(&dry.stdout), "{wet:?}");
    home.service(&["remove", "--dry-run"]).await.with(0, "");
    assert!(home.unit().exists());
}

#[tokio::test]
async fn a_unit_that_somebody_else_wrote_is_left_alone() {
    let Some(home) = Home::new("foreign", "") else {
        return;
    };
    fs::create_dir_all(home.unit().parent().unwrap()).unwrap();
    fs::write(home.unit(), "[Service]\n").unwrap();
    let installed = home.service(&["install"]).await;
    installed.with(1, "serial-ws did not write it");
    home.service(&["remove"]).await.with(1, "did not write it");
    assert_eq!(fs::read_to_string(home.unit()).unwrap(), "[Service]\n");
    assert!(home.asked().is_empty());
}

#[tokio::test]
async fn wrong_flags_are_found_before_anything_is_written() {
    let Some(home) = Home::new("wrong", "") else {
        return;
    };
    let wrong = home.service(&["install", "--", "--baud", "fast"]).await;
    wrong.with(2, "--baud");
    let wrong = home.service(&["install", "--", "--port", "simm:x"]).await;
    wrong.with(2, "unknown kind of device");
    home.service(&["install", "--", "list"]).await.with(1, "");
    assert!(!home.unit().exists() && home.asked().is_empty());
}

#[tokio::test]
async fn a_service_that_does_not_start_says_where_to_look() {
    let Some(home) = Home::new("failing", "case $* in *restart*) exit 1;; esac") else {
        return;
    };
    let failed = home.service(&["install"]).await;
    failed.with(1, "journalctl --user -u serial-ws");
    assert!(home.unit().exists());
}

#[tokio::test]
async fn if_no_manager_answers_nothing_is_left_behind() {
    let Some(home) = Home::new("silent", "echo 'Failed to connect to bus' >&2; exit 1") else {
        return;
    };
    let failed = home.service(&["install"]).await;
    failed.with(1, "your own login");
    assert!(!home.unit().exists());
    if is_emulated() {
        return skip("without a PATH there is no emulator either");
    }
    let missing = home.service_with("/nowhere", &["install"]).await;
    missing.with(1, "there is no systemctl");
    assert!(!home.unit().exists());
}

#[tokio::test]
async fn the_status_is_a_sentence_and_an_exit_code() {
    let show = "echo LoadState=loaded; echo FragmentPath=/u; echo UnitFileState=enabled; \
                echo ActiveEnterTimestamp=today; echo MainPID=4711; echo Result=success";
    let Some(running) = Home::new("running", &format!("{show}; echo ActiveState=active")) else {
        return;
    };
    let said = running.service(&["status"]).await;
    said.with(0, "");
    let sentence = "your service (/u) is enabled, and has been running since today (pid 4711)\n";
    assert!(said.stdout.starts_with(sentence), "{said:?}");
    let Some(stopped) = Home::new("stopped", &format!("{show}; echo ActiveState=inactive")) else {
        return;
    };
    let said = stopped.service(&["status"]).await;
    said.with(1, "");
    assert!(said.stdout.contains("is not running"), "{said:?}");
    let Some(absent) = Home::new("absent", "echo LoadState=not-found") else {
        return;
    };
    let said = absent.service(&["status"]).await;
    said.with(1, "");
    assert!(said.stdout.contains("is not installed"), "{said:?}");
}

#[tokio::test]
async fn systemd_accepts_both_units_and_finds_the_one_of_the_system_safe() {
    let Some(home) = Home::new("judged", "") else {
        return;
    };
    home.service(&["install", "--", "--web", "."])
        .await
        .with(0, "");
    let user = home.unit().display().to_string();
    let Some(judged) = analyze(&["--user", "verify", &user]) else {
        return skip("there is no systemd-analyze");
    };
    assert!(judged.status.success(), "{judged:?}");

    let dry = home.service(&["install", "--system", "--dry-run"]).await;
    if dry.stderr.contains("cannot see programs in") {
        return skip("the program is in a folder that services do not see");
    }
    dry.with(0, "");
    let unit = dry
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let unit: Vec<_> = unit.collect();
    let system = home.0.join("serial-ws.service").display().to_string();
    fs::write(&system, unit.join("\n")).expect("the unit can be written");
    let judged = analyze(&["verify", &system]).expect("it was there");
    assert!(judged.status.success(), "{judged:?}");
    // In tenths of systemd's scale, on which 0 is safe and 100 is not.
    let judged = analyze(&["security", "--offline=yes", "--threshold=15", &system]);
    let judged = judged.expect("it was there");
    assert!(judged.status.success(), "{judged:?}");
}

/// What systemd says of a unit, or None without systemd. For units of users it wants a folder of
/// that name, and leaves nothing in it.
fn analyze(arguments: &[&str]) -> Option<Output> {
    Command::new("systemd-analyze")
        .args(arguments)
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        .output()
        .ok()
}
