//! Writes the unit for systemd: the packaged one, with the command to run and what it needs. Pure.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Scope;
use super::flags::{Flags, Word, upstream_token};
use super::quote;

/// The packaged unit, which is for the whole computer.
const PACKAGED: &str = include_str!("../../../packaging/systemd/serial-ws.service");

/// The first line of a unit that we wrote, and therefore may overwrite and delete.
const MARK: &str = "# Written by serial-ws service install; serial-ws service remove deletes it.";

/// The keys of the packaged unit that a user's unit has too: a user's manager may not do the rest.
const USER_KEYS: [&str; 18] = [
    "Description",
    "Type",
    "Restart",
    "RestartSec",
    "UMask",
    "RestrictAddressFamilies",
    "NoNewPrivileges",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "MemoryMax",
    "TasksMax",
    "LimitNOFILE",
];

/// The folders in which a unit of the system sees nothing, or other files than we do.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// The advice about a file in one of them.
const HIDDEN_ADVICE: &str =
    "the system's services cannot see that folder. Put it elsewhere, such as below /srv or /etc";

/// The flags whose files are secret, or kept beside secrets. The manager hands them over as
/// credentials.
const SECRETS: [&str; 6] = [
    "token",
    "lan-token",
    "tls-cert",
    "tls-key",
    "mqtt-password",
    "mqtt-ca",
];

/// The flags whose files are written, which [`folders`] sees to.
const WRITTEN: [&str; 2] = ["record", "save"];

/// The folder in which a unit finds its credentials.
const CREDENTIALS: &str = "${CREDENTIALS_DIRECTORY}";

/// The folder in which a unit of the system may make pseudo-terminals: systemd makes it, for the user of
/// the unit.
const RUNTIME_FOLDER: &str = "/run/serial-ws";

/// The folder that a unit of the system may write to in any case: systemd makes it, for the user of the
/// unit.
const STATE_FOLDER: &str = "/var/lib/serial-ws";

/// The line that lets the manager have the file of saved lines opened again.
const RELOAD: &str = "ExecReload=/bin/kill -HUP $MAINPID";

/// The bits of the mode of a folder in which the group of a unit, or everybody, may make files.
const GROUP_MAY_WRITE: u32 = 0o022;

/// The bit of the mode of a file that everybody may read.
const OTHERS_MAY_READ: u32 = 0o004;

/// The memory of a unit that also runs programs as devices.
const PROGRAMS_MEMORY: &str = "MemoryMax=512M";

/// The first letters of the ports that the packaged unit may open.
const ALLOWED_PORTS: [&str; 4] = ["ttyACM", "ttyUSB", "ttyAMA", "ttyS"];

/// Returns true for the text of a unit that we wrote.
pub(crate) fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// Returns the unit that runs `program` with `flags`. `group` is the one that may open serial ports.
///
/// # Errors
/// When the unit could not see a file or run the program.
pub(crate) fn text(scope: Scope, program: &Path, flags: &Flags, group: &str) -> Result<String> {
    let mut start = format!("ExecStart={}", quote::systemd_program(program.as_os_str())?);
    let mut more = Vec::new();
    if scope == Scope::System {
        ensure!(
            !is_hidden(program),
            "the system's services cannot see programs in {dir}. Put serial-ws elsewhere and run it \
             there: sudo install {from} /usr/local/bin/ && sudo /usr/local/bin/serial-ws service \
             install --system{flags}",
            flags = typed(flags),
            dir = program.parent().unwrap_or(program).display(),
            from = quote::shell(&program.to_string_lossy()),
        );
        more = devices(flags);
        more.extend(terminals(flags)?);
        more.extend(folders(flags, group)?);
        played(flags)?;
        for file in &flags.program_files {
            ensure!(!is_hidden(file), "{}: {HIDDEN_ADVICE}", file.display());
        }
    }
    more.extend(flags.saves.then(|| RELOAD.to_owned()));
    for word in &flags.words {
        start.push(' ');
        start += &argument(scope, word, &mut more)?;
    }
    let lines = PACKAGED.lines().filter_map(|line| {
        let (key, _) = line.split_once('=').unwrap_or((line, ""));
        let is_kept = match scope {
            _ if key.starts_with('#') => false,
            Scope::User => !line.contains('=') || USER_KEYS.contains(&key),
            Scope::System => !(flags.uses_network && key.starts_with("IPAddress")),
        };
        match (key, scope) {
            // Node and others compile while they run.
            ("MemoryDenyWriteExecute", _) if flags.runs_programs => None,
            ("MemoryMax", _) if flags.runs_programs => Some(PROGRAMS_MEMORY.to_owned()),
            ("ExecStart", _) => Some(lines_of(&start, &more)),
            // The command has the flags, and not every installation has the manual page.
            ("EnvironmentFile" | "Documentation", _) => None,
            ("Environment", _) if line.contains("SERIAL_WS_OPTIONS") => None,
            ("SupplementaryGroups", Scope::System) => Some(format!("{key}={group}")),
            ("WantedBy", Scope::User) => Some("WantedBy=default.target".to_owned()),
            _ => is_kept.then(|| line.to_owned()),
        }
    });
    Ok(tidy(lines))
}

/// Returns the flags as they are typed behind the command in a shell.
fn typed(flags: &Flags) -> String {
    if flags.words.is_empty() {
        return String::new();
    }
    let words = flags
        .words
        .iter()
        .map(|word| quote::shell(&word.text().to_string_lossy()));
    format!(" -- {}", words.collect::<Vec<_>>().join(" "))
}

/// Writes one argument of the command, and adds the line to `more` that it needs.
fn argument(scope: Scope, word: &Word, more: &mut Vec<String>) -> Result<String> {
    if let (Scope::System, Word::Path { flag, path }) = (scope, word) {
        if SECRETS.contains(&flag.as_str()) {
            let path = path.to_string_lossy().replace('%', "%%");
            more.push(format!("LoadCredential={flag}:{path}"));
            return Ok(format!("{CREDENTIALS}/{flag}"));
        }
        let is_written = WRITTEN.contains(&flag.as_str());
        ensure!(
            is_written || !is_hidden(path),
            "--{flag} {path}: {HIDDEN_ADVICE}",
            path = path.display()
        );
    }
    let text = word.text().to_string_lossy();
    match upstream_token(&text).filter(|_| scope == Scope::System) {
        Some(file) => {
            let name = format!("upstream-token-{}", more.len());
            let path = file.replace('%', "%%");
            more.push(format!("LoadCredential={name}:{path}"));
            let text = text.replacen(file, TOKEN_PLACEHOLDER, 1);
            let quoted = quote::systemd(text.as_ref());
            Ok(quoted.replacen(TOKEN_PLACEHOLDER, &format!("{CREDENTIALS}/{name}"), 1))
        }
        None => Ok(quote::systemd(word.text())),
    }
}

/// Stands for the file of a token while the argument around it is quoted.
const TOKEN_PLACEHOLDER: &str = "UPSTREAM-TOKEN";

/// Returns the lines that allow other ports than those of the packaged unit.
fn devices(flags: &Flags) -> Vec<String> {
    let is_other = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.starts_with("/dev")
            && !path.starts_with("/dev/serial")
            && !ALLOWED_PORTS.iter().any(|start| name.starts_with(start))
    };
    let others = flags.ports.iter().filter(is_other);
    let lines = others.map(|path| format!("DeviceAllow={} rw", path.display()).replace('%', "%%"));
    lines.collect()
}

/// Returns the lines that allow pseudo-terminals.
fn terminals(flags: &Flags) -> Result<Option<String>> {
    for path in &flags.terminals {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ensure!(
            path.parent() == Some(Path::new(RUNTIME_FOLDER)),
            "pty={path}: the system's services make links in {RUNTIME_FOLDER} only: \
             pty={RUNTIME_FOLDER}/{name}, which root alone can open. Programs of yours can open that of \
             your own service: leave out --system",
            path = path.display(),
        );
    }
    let line = "RuntimeDirectory=serial-ws".to_owned();
    Ok((!flags.terminals.is_empty()).then_some(line))
}

/// Returns the lines that allow writing to the folders of recordings and saved lines.
fn folders(flags: &Flags, group: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for seen in &flags.written {
        let folder = &seen.path;
        if folder.starts_with(STATE_FOLDER) {
            // serial-ws makes a folder for recordings, but none above it.
            let depth = folder.strip_prefix(STATE_FOLDER)?.components().count();
            ensure!(
                depth <= 1,
                "{}: in {STATE_FOLDER} is no other folder than those that serial-ws makes for \
                 recordings, such as {STATE_FOLDER}/recordings",
                folder.display(),
            );
            continue;
        }
        ensure!(
            !is_hidden(folder),
            "{}: the system's services cannot write there. Choose a place in {STATE_FOLDER}, such as \
             {STATE_FOLDER}/recordings, which they may read and write alone",
            folder.display(),
        );
        let path = quote::shell(&folder.to_string_lossy());
        ensure!(
            seen.has(GROUP_MAY_WRITE),
            "{}: the service has a user of its own, who cannot write there. Let its group, or choose \
             {STATE_FOLDER}/recordings: sudo install -d -g {group} -m 2770 {path}",
            folder.display(),
        );
        // Variables are none of such a path.
        let quoted = quote::systemd(folder.as_os_str()).replace("$$", "$");
        lines.push(format!("ReadWritePaths={quoted}"));
    }
    Ok(lines)
}

/// Checks that a unit of the system can read the recordings that it plays.
fn played(flags: &Flags) -> Result<()> {
    for seen in &flags.played {
        let file = &seen.path;
        if file.starts_with(STATE_FOLDER) {
            continue;
        }
        ensure!(!is_hidden(file), "{}: {HIDDEN_ADVICE}", file.display());
        let path = quote::shell(&file.to_string_lossy());
        ensure!(
            seen.has(OTHERS_MAY_READ),
            "{}: the service has a user of its own, who cannot read it: sudo chmod a+r {path}",
            file.display(),
        );
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    HIDDEN.iter().any(|folder| path.starts_with(folder))
}

fn lines_of(first: &str, more: &[String]) -> String {
    let first = std::iter::once(first);
    let lines = first.chain(more.iter().map(String::as_str));
    lines.collect::<Vec<_>>().join("\n")
}

/// Joins the lines after our mark, with one empty line before each section and nowhere else.
fn tidy(lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("{MARK}\n");
    for line in lines.filter(|line| !line.is_empty()) {
        if line.starts_with('[') {
            text.push('\n');
        }
        text += &line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn unit(scope: Scope, program: &str, flags: &[&str]) -> Result<String> {
        let flags: Vec<_> = flags.iter().map(OsString::from).collect();
        text(
            scope,
            program.as_ref(),
            &Flags::check(&flags).unwrap(),
            "uucp",
        )
    }

    #[track_caller]
    fn check(scope: Scope, flags: &[&str], has: &[&str], has_not: &[&str]) {
        let unit = unit(scope, "/usr/bin/serial-ws", flags).unwrap();
        assert!(is_ours(&unit));
        let starts = |part: &&&str| unit.lines().any(|line| line.starts_with(**part));
        let missing: Vec<_> = has.iter().filter(|part| !starts(part)).collect();
        let extra: Vec<_> = has_not.iter().filter(starts).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{unit}");
    }

    const BEGIN: &str = "ExecStart=/usr/bin/serial-ws";

    #[test]
    fn the_token_of_another_serial_ws_is_handed_to_a_service_of_the_system() {
        let flags = "a=ws://10.0.0.7:8080/,token=/etc/class-token,raw";
        check(
            Scope::System,
            &[flags],
            &[
                "LoadCredential=upstream-token-0:/etc/class-token",
                &format!(
                    "{BEGIN} a=ws://10.0.0.7:8080/,token=${{CREDENTIALS_DIRECTORY}}/upstream-token-0,raw"
                ),
            ],
            &["IPAddressDeny"],
        );
    }

    #[test]
    fn the_unit_of_a_user_has_what_their_manager_can_do() {
        check(
            Scope::User,
            &["--port", "auto,baud=115200"],
            &[
                "ExecStart=/usr/bin/serial-ws --port auto,baud=115200",
                "Type=notify",
                "Restart=always",
                "SystemCallFilter=~",
                "WantedBy=default.target",
            ],
            &[
                "DynamicUser",
                "DeviceAllow",
                "IPAddress",
                "Protect",
                "ExecStartPre",
            ],
        );
    }

    #[test]
    fn the_system_has_the_packaged_unit() {
        let has = [
            BEGIN,
            "Environment=XDG_CONFIG_HOME=",
            "DynamicUser=yes",
            "SupplementaryGroups=uucp",
            "IPAddressDeny=any",
            "WantedBy=multi-user.target",
        ];
        let has_not = [
            "LoadCredential",
            "DeviceAllow=/",
            "EnvironmentFile",
            "Environment=SERIAL_WS_OPTIONS",
        ];
        check(Scope::System, &[], &has, &has_not);
    }

    #[test]
    fn the_unit_may_do_what_the_flags_need() {
        check(
            Scope::System,
            &["--lan", "--port", "/dev/rfcomm0", "--port", "/dev/ttyUSB0"],
            &["DeviceAllow=/dev/rfcomm0 rw", "RestrictAddressFamilies="],
            &["IPAddress", "DeviceAllow=/dev/ttyUSB0"],
        );
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_handed_over_to_a_user_who_could_not_read_them() {
        let file = std::env::temp_dir().join("serial-ws-100%-token");
        std::fs::write(&file, "a-long-enough-token").unwrap();
        let file = file.to_str().unwrap();
        let credential = format!("LoadCredential=token:{}", file.replace('%', "%%"));
        let start = format!("{BEGIN} --token ${{CREDENTIALS_DIRECTORY}}/token");
        check(
            Scope::System,
            &["--token", file],
            &[&credential, &start],
            &[],
        );
        std::fs::remove_file(file).unwrap();
        check(
            Scope::System,
            &["--lan", "--lan-token", "/etc/serial-ws-new-token"],
            &[
                "LoadCredential=lan-token:/etc/serial-ws-new-token",
                &format!("{BEGIN} --lan --lan-token ${{CREDENTIALS_DIRECTORY}}/lan-token"),
            ],
            &["IPAddress"],
        );
    }

    #[cfg(all(unix, feature = "mqtt", feature = "tls"))]
    #[test]
    fn a_broker_is_reached_with_the_files_that_it_takes() {
        let file = |name: &str| {
            let file =
                std::env::temp_dir().join(format!("serial-ws-{}-{name}", std::process::id()));
            std::fs::write(&file, "secret").unwrap();
            file.to_str().unwrap().to_owned()
        };
        let (password, ca) = (file("password"), file("ca"));
        let user = ["--mqtt-user", "lab", "--mqtt-password", &password];
        let flags = ["--mqtt", "mqtts://10.0.0.7", "--mqtt-ca", &ca];
        check(
            Scope::System,
            &[&flags[..], &user].concat(),
            &[
                &format!("LoadCredential=mqtt-ca:{ca}"),
                &format!("LoadCredential=mqtt-password:{password}"),
                &format!(
                    "{BEGIN} --mqtt mqtts://10.0.0.7 --mqtt-ca ${{CREDENTIALS_DIRECTORY}}/mqtt-ca \
                     --mqtt-user lab --mqtt-password ${{CREDENTIALS_DIRECTORY}}/mqtt-password"
                ),
            ],
            &["IPAddress"],
        );
        // A broker of this computer needs no other network.
        let local = [&["--mqtt", "mqtt://localhost"], &user[..]].concat();
        check(Scope::System, &local, &["IPAddressDeny=any"], &[]);
        for file in [password, ca] {
            std::fs::remove_file(file).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn programs_as_devices_may_compile_while_they_run() {
        let has = ["MemoryMax=512M", "IPAddressDeny=any", "ExecStart="];
        let has_not = ["MemoryDenyWriteExecute", "MemoryMax=128M"];
        for scope in [Scope::System, Scope::User] {
            let has = &has[..if scope == Scope::System { 3 } else { 1 }];
            check(scope, &["exec:cat"], has, &has_not);
        }
        check(
            Scope::System,
            &["sim"],
            &["MemoryDenyWriteExecute", "MemoryMax=128M"],
            &[],
        );
    }

    #[cfg(unix)]
    #[test]
    fn pseudo_terminals_are_made_where_the_unit_may_write() {
        let path = "/run/serial-ws/board";
        let line = "RuntimeDirectory=serial-ws";
        for flags in [
            &["--pty", path][..],
            &["--port", "sim,pty=/run/serial-ws/board"],
        ] {
            check(Scope::System, flags, &[line], &[]);
            check(Scope::User, flags, &[], &[line]);
        }
        check(Scope::System, &["sim"], &[], &[line]);
        let error = unit(
            Scope::System,
            "/usr/bin/serial-ws",
            &["--pty", "/tmp/board"],
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("pty=/run/serial-ws/board, which root alone"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_unit_may_write_recordings_where_it_is_told_to_and_nowhere_else() {
        let state = "/var/lib/serial-ws/recordings";
        let start = format!("{BEGIN} --record {state}");
        let has = [&*start, "StateDirectory=serial-ws"];
        check(
            Scope::System,
            &["--record", state],
            &has,
            &["ReadWritePaths", "ExecReload"],
        );
        let file = "sim,save=/var/lib/serial-ws/a.log";
        check(Scope::System, &[file], &[RELOAD], &["ReadWritePaths"]);
        check(
            Scope::User,
            &[file],
            &[RELOAD],
            &["ReadWritePaths", "StateDirectory"],
        );
        if cfg!(target_os = "linux") {
            let has = ["ReadWritePaths=/dev/shm"];
            check(Scope::System, &["--save", "/dev/shm/a.log"], &has, &[]);
        }
        let refused = |flags: &[&str], part: &str| {
            let error = unit(Scope::System, "/usr/bin/serial-ws", flags);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(
            &["--record", "/home/ana/rec"],
            "cannot write there. Choose a place in /var/lib",
        );
        refused(
            &["--record", "/usr/rec"],
            "sudo install -d -g uucp -m 2770 '/usr/rec'",
        );
        refused(&["sim,save=/var/lib/serial-ws/a/b/c"], "is no other folder");
    }

    #[cfg(unix)]
    #[test]
    fn the_unit_can_read_the_recordings_that_it_plays() {
        let recording = |folder: &str| {
            let file = Path::new(folder).join(format!("serial-ws-{}.jsonl", std::process::id()));
            std::fs::copy("firmware/recordings/imu.jsonl", &file).unwrap();
            file
        };
        let file = recording("/tmp");
        let error = unit(
            Scope::System,
            "/usr/bin/serial-ws",
            &[&format!("play:{}", file.display())],
        );
        std::fs::remove_file(file).unwrap();
        assert!(error.unwrap_err().to_string().contains(HIDDEN_ADVICE));
        if cfg!(target_os = "linux") {
            use std::os::unix::fs::PermissionsExt;
            let file = recording("/dev/shm");
            let play = format!("play:{}", file.display());
            let with_mode = |mode| {
                let mode = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(&file, mode).unwrap();
                unit(Scope::System, "/usr/bin/serial-ws", &[&play])
            };
            let (closed, open) = (with_mode(0o600), with_mode(0o644));
            std::fs::remove_file(&file).unwrap();
            assert!(closed.unwrap_err().to_string().contains("sudo chmod a+r"));
            assert!(open.is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn hidden_files_are_refused() {
        let error = |program, flags: &[&str]| {
            let error = unit(Scope::System, program, flags);
            error.unwrap_err().to_string()
        };
        let program = error("/home/ana/.cargo/bin/serial-ws", &[]);
        assert!(program.contains("/usr/local/bin/"), "{program}");
        let web = error("/usr/bin/serial-ws", &["--web", "/tmp"]);
        assert!(web.contains("--web /tmp"), "{web}");
        let script = error("/usr/bin/serial-ws", &["exec:/home/ana/read.sh"]);
        assert!(
            script.starts_with("/home/ana/read.sh: the system's services"),
            "{script}"
        );
        assert!(unit(Scope::User, "/home/ana/x", &["--web", "/tmp"]).is_ok());
    }
}
