//! The configuration file: what it can say, what counts more than it, and what is said when it is
//! wrong.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::network::{self, home};
use crate::support::{Bridge, Ended, Program};

/// A configuration file in a folder of its own, which goes with it.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new(name: &str, text: &str) -> Self {
        let folder = home(&format!("config-{name}"));
        fs::create_dir_all(folder.join("my-sketch")).expect("a folder can be made");
        let desk = Self { folder };
        desk.write(text);
        desk
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("the file can be written");
    }

    fn file(&self) -> String {
        let file = self.folder.join("class.toml");
        file.to_str().expect("the folder is text").to_owned()
    }

    /// Runs `serial-ws config` with the file.
    async fn config(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let file = self.file();
        let arguments = [&["config", "--config", &file], arguments].concat();
        Program::start_with(&arguments, variables).ended().await
    }

    /// What is in force with the file.
    async fn shown(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let ended = self.config(arguments, variables).await;
        ended.with(0, "");
        ended.stdout
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_change_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new("others", "baud = 300\n");
    for (mode, is_refused) in [(0o666, true), (0o664, true), (0o646, true), (0o644, false)] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(desk.file(), permissions).expect("its mode can be changed");
        let ended = desk.config(&[], &[]).await;
        if is_refused {
            ended.with(2, "class.toml: others may change it: chmod 600 it");
        } else {
            ended.with(0, "");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_a_device_may_be_open_to_all() {
    // As people write it who want no file.
    let ended = Program::run(&["config", "--config", "/dev/null"]).await;
    ended.with(0, "");
    assert!(ended.stdout.contains("file is /dev/null"), "{ended:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_that_others_may_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new("readers", "");
    let file = desk.folder.join("secret");
    fs::write(&file, "correct-horse-battery").expect("it can be written");
    for (mode, is_warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(&file, permissions).expect("its mode can be changed");
        let token = file.to_str().expect("the folder is text");
        let ended = desk.config(&["--token", token], &[]).await;
        ended.with(0, "");
        assert_eq!(
            ended.stderr.contains("may read the secret in"),
            is_warned,
            "{ended:?}"
        );
    }
}

/// Checks that a line says so, and where it comes from.
#[track_caller]
fn check(shown: &str, said: &str, from: &str) {
    let line = shown
        .lines()
        .find(|line| line.starts_with(&format!("{said} ")));
    let line = line.unwrap_or_else(|| panic!("{said} is not in {shown}"));
    assert!(line.ends_with(from), "{line:?} does not come from {from}");
}

#[tokio::test]
async fn a_flag_counts_more_than_a_variable_the_file_and_a_default() {
    let desk = Desk::new("order", "port = 'sim:led'\nbaud = 115_200\nlan = true\n");
    let shown = desk.shown(&[], &[]).await;
    check(&shown, "port = \"sim:led\"", "class.toml:1");
    check(&shown, "baud = 115200", "class.toml:2");
    check(&shown, "lan = true", "class.toml:3");
    check(&shown, "# data-bits = 8", "# default");
    check(
        &shown,
        "# listen = [\"0.0.0.0:8080\", \"[::]:8080\"]",
        "# default",
    );
    let variables = [("SERIAL_WS_PORT", "sim:imu")];
    let shown = desk.shown(&[], &variables).await;
    check(
        &shown,
        "port = \"sim:imu\"",
        "# environment variable SERIAL_WS_PORT",
    );
    let shown = desk
        .shown(&["--port", "loop", "-b", "300"], &variables)
        .await;
    check(&shown, "port = \"loop\"", "# flag");
    check(&shown, "baud = 300", "# flag");
}

#[tokio::test]
async fn a_profile_counts_more_than_the_rest_of_the_file() {
    let desk = Desk::new("profile", PROFILES);
    let shown = desk.shown(&["--profile", "class"], &[]).await;
    check(&shown, "port = \"sim\"", "class.toml:10");
    check(&shown, "text = true", "class.toml:11");
    check(&shown, "# raw = false", "# default");
    check(&shown, "read-only = false", "class.toml:12");
    check(&shown, "baud = 300", "class.toml:1");
    let shown = desk.shown(&["--profile", "fast"], &[]).await;
    check(&shown, "port = \"uno=sim\"", "class.toml:5");
    check(&shown, "baud = 115200", "class.toml:14");
    check(&shown, "raw = true", "class.toml:2");
    let unknown = desk.config(&["--profile", "clas"], &[]).await;
    unknown.with(
        2,
        "class.toml: there is no profile `clas`; did you mean `class`?",
    );
}

const PROFILES: &str = "\
baud = 300
raw = true
read-only = true

[port.uno]
spec = 'sim'
baud = 4800

[profile.class]
port = 'sim'
text = true
read-only = false
[profile.fast]
baud = 115200
";

#[tokio::test]
async fn a_flag_takes_the_place_of_those_that_exclude_it() {
    let text =
        "raw = true\nverbose = 2\ntls = 'self-signed'\n[port.a]\nspec = 'sim'\nlines = true\n";
    let desk = Desk::new("exclude", text);
    let shown = desk.shown(&["--text", "-q"], &[]).await;
    check(&shown, "text = true", "# flag");
    check(&shown, "quiet = true", "# flag");
    check(&shown, "port = \"a=sim\"", "class.toml:4");
    for gone in ["\nraw = ", "\nverbose = ", ",lines"] {
        assert!(!shown.contains(gone), "{gone:?} is in {shown}");
    }
}

#[tokio::test]
async fn a_bridge_runs_by_its_file() {
    let text = "\
        listen = '127.0.0.1:0'\nbaud = 19200\nweb = 'my-sketch'\n\
        [port.uno]\nspec = 'sim'\n[port.chat]\nspec = 'loop'\nbaud = 300\nraw = true\n\
        [port]\nb = 'sim:imu,text'\n";
    let desk = Desk::new("bridge", text);
    fs::write(desk.folder.join("my-sketch/index.html"), "mine").expect("it can be written");
    let program = Program::start_with(&["--config", &desk.file()], &[]);
    let bridge = Bridge::of(program, 1).await;
    let says = format!("with the settings in {}", desk.file());
    bridge.program.said(&says).await;
    let ports = bridge.get("/api/ports").await.json();
    let ports = ports.as_array().expect("they are a list");
    let ports = ports.iter().map(|port| {
        let settings = &port["settings"];
        format!("{} {} {}", port["name"], settings["baud"], settings["view"])
    });
    let ports: Vec<_> = ports.collect();
    assert_eq!(
        ports,
        [
            "\"uno\" 19200 \"lines\"",
            "\"chat\" 300 \"raw\"",
            "\"b\" 19200 \"text\""
        ]
    );
    assert_eq!(bridge.get("/").await.body, "mine");
}

#[tokio::test]
async fn what_is_printed_is_a_file_that_means_the_same() {
    let desk = Desk::new("again", PROFILES);
    let typed = [
        "--profile",
        "class",
        "-vv",
        "--allow-origin",
        "https://a.example",
        "--allow-origin",
        "https://b.example,read-only",
        "--allow-host",
        "[::1]",
        "--max-behind",
        "1.5s",
        "--listen",
        "[::1]:9",
        "--no-wait",
    ];
    let values = |shown: &str| {
        let lines = shown
            .lines()
            .skip(1)
            .filter_map(|line| line.rsplit_once(" # "));
        let values = lines.map(|(value, _)| value.trim_end().to_owned());
        values.collect::<Vec<_>>()
    };
    let shown = desk.shown(&typed, &[]).await;
    desk.write(&shown);
    let again = desk.shown(&[], &[]).await;
    assert_eq!(values(&again), values(&shown));
}

#[tokio::test]
async fn every_flag_but_four_can_be_in_the_file() {
    let desk = Desk::new("every", "");
    let shown = desk.shown(&[], &[]).await;
    let help = Program::run(&["--help"]).await.stdout;
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags = words.filter_map(|word| word.strip_prefix("--"));
    for flag in flags.filter(|flag| !["", "config", "profile", "help", "version"].contains(flag)) {
        let mut lines = shown.lines().map(|line| line.trim_start_matches("# "));
        let is_there = lines.any(|line| line.split(' ').next() == Some(flag));
        assert!(is_there, "{flag} is not in {shown}");
    }
}

#[tokio::test]
async fn no_secret_is_printed() {
    let desk = Desk::new("secret", "token = 'secret'\n");
    let secret = "correct-horse-battery";
    fs::write(desk.folder.join("secret"), secret).expect("it can be written");
    let shown = desk.shown(&[], &[]).await;
    check(&shown, "token", "class.toml:1");
    assert!(!shown.contains(secret), "{shown}");
    let shown = desk.shown(&[], &[("SERIAL_WS_TOKEN", secret)]).await;
    check(&shown, "# token", "# environment variable SERIAL_WS_TOKEN");
    assert!(!shown.contains(secret), "{shown}");
}

#[tokio::test]
async fn the_file_in_the_usual_place_is_found_and_need_not_be_there() {
    let home = home("config-usual");
    let text = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", text), ("HOME", text), ("APPDATA", text)];
    let config = async || Program::start_with(&["config"], &variables).ended().await;
    let none = config().await;
    none.with(0, "");
    assert!(
        none.stdout.starts_with("# There is no configuration file "),
        "{none:?}"
    );
    let file = network::file(&home).with_file_name("config.toml");
    fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
    fs::write(&file, "baud = 300\n").expect("it can be written");
    let there = config().await;
    there.with(0, "");
    check(&there.stdout, "baud = 300", "config.toml:1");
    fs::write(&file, "baud = 'slow'\n").expect("it can be written");
    config().await.with(2, "config.toml:1: ");
    let doctor = Program::start_with(&["doctor"], &variables).ended().await;
    doctor.with(2, "config.toml:1: ");
    // Not for those who need no configuration.
    let list = Program::start_with(&["list"], &variables).ended().await;
    list.with(0, "");
    fs::remove_dir_all(home).expect("it is ours");
}

#[tokio::test]
async fn a_file_that_is_named_and_cannot_be_read_is_told() {
    let desk = Desk::new("unread", "");
    let missing = Program::run(&["--config", "no-such.toml"]).await;
    missing.with(2, "cannot read the configuration file no-such.toml: ");
    let variables = [("SERIAL_WS_CONFIG", "no-such.toml")];
    let missing = Program::start_with(&[], &variables).ended().await;
    missing.with(2, "cannot read the configuration file no-such.toml: ");
    let missing = Program::run(&["--profile", "class"]).await;
    missing.with(2, "cannot read the configuration file ");
    fs::write(desk.file(), b"web = \"gr\xfcn\"").expect("it can be written");
    desk.config(&[], &[]).await.with(2, "UTF-8. Save it so");
}

#[tokio::test]
async fn a_file_that_powershell_wrote_is_read() {
    let desk = Desk::new("powershell", "");
    let units = "\u{feff}baud = 300\r\n".encode_utf16();
    let bytes: Vec<_> = units.flat_map(u16::to_le_bytes).collect();
    fs::write(desk.file(), bytes).expect("it can be written");
    check(&desk.shown(&[], &[]).await, "baud = 300", "class.toml:1");
}

#[tokio::test]
async fn an_empty_list_leaves_the_default_in_force() {
    let desk = Desk::new("empty", "port = []\nallow-host = []\n");
    let shown = desk.shown(&[], &[]).await;
    check(&shown, "# port = \"auto\"", "# default");
    check(&shown, "# allow-host", "# default");
}

#[tokio::test]
async fn a_mistake_in_the_file_is_told_with_its_line_and_what_is_right() {
    let desk = Desk::new("mistakes", "");
    for (text, part) in MISTAKES {
        desk.write(text);
        let ended = desk.config(&[], &[]).await;
        ended.with(2, part);
        assert_eq!(ended.stdout, "", "{text}");
        assert_eq!(ended.stderr.lines().count(), 1, "{text}: {ended:?}");
    }
}

const MISTAKES: [(&str, &str); 37] = [
    // Unknown names.
    (
        "# here\nbaudrate = 3",
        "class.toml:2: unknown setting `baudrate`; did you mean `baud`?",
    ),
    (
        "data_bits = 8",
        "class.toml:1: unknown setting `data_bits`; did you mean `data-bits`?",
    ),
    ("ports = 3", "did you mean `port`?"),
    ("[profiles.class]", "did you mean `profile`?"),
    (
        "foo = 1",
        "class.toml:1: unknown setting `foo` (known: port, no-wait, baud, ",
    ),
    (
        "profile = 'class'",
        "class.toml:1: `profile` expects a table: write [profile.NAME]",
    ),
    (
        "config = 'x'",
        "class.toml:1: `config` can only be a flag: --config",
    ),
    (
        "[port.uno]\nspek = 'sim'",
        "class.toml:2: unknown setting `spek`; did you mean `spec`?",
    ),
    (
        "[port.uno]\nspec = 'sim'\nlan = true",
        "class.toml:3: `lan` is not for one port: write it above",
    ),
    (
        "[port.'a b']",
        "class.toml:1: `a b` is no name for a port: use letters",
    ),
    // Unknown values.
    (
        "\n\nbaud = 'fast'",
        "class.toml:3: `baud` cannot be \"fast\": expected auto or a whole number such as 9600",
    ),
    (
        "baud = true",
        "class.toml:1: `baud` cannot be true: expected auto or a whole number such as 9600",
    ),
    (
        "baud = 0",
        "class.toml:1: `baud` cannot be 0: expected auto or a whole number such as 9600",
    ),
    (
        "baud = [1]",
        "class.toml:1: `baud` cannot be [1]: expected a single value",
    ),
    (
        "baud = {}",
        "class.toml:1: `baud` cannot be {}: expected a single value",
    ),
    (
        "lan = 'yes'",
        "class.toml:1: `lan` cannot be \"yes\": expected true or false",
    ),
    (
        "verbose = 12",
        "class.toml:1: `verbose` cannot be 12: expected true, false or a number of times up to 9",
    ),
    (
        "parity = 'some'",
        "class.toml:1: `parity` cannot be \"some\": expected none, odd, even, mark or space",
    ),
    (
        "stop-bits = 7",
        "class.toml:1: `stop-bits` cannot be 7: expected a whole number from 1 to 2",
    ),
    (
        "settle = 'soon'",
        "class.toml:1: `settle` cannot be \"soon\": expected auto or a time such as 500ms, 2s or 5m",
    ),
    (
        "history = '1 MB'",
        "class.toml:1: `history` cannot be \"1 MB\": expected a size such as 65536, 64KiB or 1MB",
    ),
    (
        "frame = 'CR'",
        "class.toml:1: `frame` cannot be \"CR\": expected lf, crlf, cr, delim:HEX, len:N",
    ),
    (
        "max-line = '1GiB'",
        "class.toml:1: `max-line` cannot be \"1GiB\": expected a size from 16B to 1MiB",
    ),
    (
        "listen = ['127.0.0.1:0',\n'nowhere']",
        "class.toml:2: `listen` cannot be \"nowhere\": expected an address such as 127.0.0.1:8080, ",
    ),
    ("web = 'nowhere'", "nowhere: there is no such folder"),
    (
        "port = true",
        "class.toml:1: `port` cannot be true: expected a port as after --port, or [port.NAME]",
    ),
    ("[[port]]\nspec = 'sim'", "or [port.NAME]"),
    (
        "[port.uno]\nspec = 'sim'\ndtr = 'maybe'",
        "class.toml:3: `dtr` cannot be \"maybe\": expected on, off or keep",
    ),
    (
        "[port.uno]\nspec = 'usb:uno'",
        "class.toml:2: `spec` cannot be \"usb:uno\": ",
    ),
    (
        "port = 'sim,help'",
        "class.toml:1: `port` cannot be \"sim,help\": unknown port setting `help` (known: baud, ",
    ),
    (
        "port = ['sim',\n'sim']",
        "class.toml:2: `port`: sim: another port is called sim",
    ),
    // What is right by itself.
    (
        "raw = true\ntext = true",
        "class.toml:1: `raw`: cannot be combined with text",
    ),
    (
        "[port.uno]\nspec = 'sim'\nraw = true\ntext = true",
        "class.toml:1: `port`: uno=sim,raw,text: raw cannot be combined with text",
    ),
    (
        "verbose = 1\nquiet = true",
        "class.toml:1: `verbose`: cannot be combined with quiet",
    ),
    ("tls-cert = 'x'", "class.toml:1: `tls-cert`: needs tls-key"),
    // Broken TOML.
    (
        "baud = 1\nport = /dev/ttyACM0",
        "class.toml:2: invalid TOML: string values must be quoted",
    ),
    (
        "baud = 1\nbaud = 2",
        "class.toml:2: invalid TOML: duplicate key",
    ),
];

#[tokio::test]
async fn a_mistyped_value_of_a_flag_is_told_what_was_expected() {
    for (flag, part) in [
        (
            "--baud=fast",
            "expected auto or a whole number such as 9600",
        ),
        ("--baud=0", "expected auto or a whole number such as 9600"),
        ("--data-bits=9", "expected a whole number from 5 to 8"),
        ("--max-clients=-1", "expected a whole number such as 256"),
        (
            "--history=much",
            "expected a size such as 65536, 64KiB or 1MB",
        ),
        (
            "--max-behind=soon",
            "expected a time such as 500ms, 2s or 5m",
        ),
        ("--settle=soon", "expected auto or a time such as"),
        (
            "--port=sim,baud=fast",
            "`baud` cannot be \"fast\": expected auto or a whole number such as 9600",
        ),
        ("--port=sim,baud", "`baud` needs a value"),
        ("--port=sim,raw,raw", "`raw` is set twice"),
        (
            "--listen=localhost",
            "expected an address such as 127.0.0.1:8080",
        ),
    ] {
        Program::run(&[flag]).await.with(2, part);
    }
}

#[tokio::test]
async fn times_and_sizes_take_units_wherever_they_stand() {
    let text = "settle = '2s'\nhistory = '64KiB'\n\
                [port.a]\nspec = 'sim'\nsettle = '500ms'\nmax-line = '1KiB'\n";
    let desk = Desk::new("units", text);
    let flags = ["--max-behind", "2m", "--max-message", "1MB"];
    let shown = desk.shown(&flags, &[]).await;
    check(&shown, "settle = \"2s\"", "class.toml:1");
    check(&shown, "history = 65536", "class.toml:2");
    let port = "port = \"a=sim,settle=500ms,max-line=1024\"";
    check(&shown, port, "class.toml:3");
    check(&shown, "max-behind = \"120s\"", "# flag");
    check(&shown, "max-message = 1000000", "# flag");
    let variables = [("SERIAL_WS_PORT", "sim,settle=1m,max-line=2KiB")];
    let shown = desk.shown(&[], &variables).await;
    check(
        &shown,
        "port = \"sim,settle=60s,max-line=2048\"",
        "SERIAL_WS_PORT",
    );
}

#[tokio::test]
async fn a_plain_number_means_what_it_always_did() {
    let desk = Desk::new("plain", "max-behind = 3\nsettle = 1500\nhistory = 4096\n");
    let shown = desk.shown(&[], &[]).await;
    check(&shown, "max-behind = \"3s\"", "class.toml:1");
    check(&shown, "settle = \"1500ms\"", "class.toml:2");
    check(&shown, "history = 4096", "class.toml:3");
}

/// What is printed, without the sources of the values.
fn values(shown: &str) -> Vec<&str> {
    let lines = shown.lines().filter_map(|line| line.rsplit_once(" # "));
    lines.map(|(value, _)| value.trim_end()).collect()
}

#[tokio::test]
async fn every_default_that_is_printed_can_be_set() {
    let desk = Desk::new("defaults", "");
    let shown = desk.shown(&[], &[]).await;
    let defaults = values(&shown).into_iter();
    let defaults: Vec<_> = defaults.map(|line| line.trim_start_matches("# ")).collect();
    assert!(defaults.len() > 35, "{shown}");
    desk.write(&defaults.join("\n"));
    let again = desk.shown(&[], &[]).await;
    let again = values(&again).into_iter();
    let again: Vec<_> = again.map(|line| line.trim_start_matches("# ")).collect();
    // A list is printed with one value to a line.
    let again = again
        .join(" ")
        .replace("  \"127", "\"127")
        .replace("  \"[", "\"[");
    for default in defaults.iter().filter(|line| !line.starts_with("listen")) {
        assert!(again.contains(default), "{default} is not in {again}");
    }
}

#[tokio::test]
async fn every_setting_that_is_printed_is_read_back() {
    let desk = Desk::new("every-value", "");
    for name in ["secret", "cert", "key"] {
        let token = "correct-horse-battery";
        fs::write(desk.folder.join(name), token).expect("it can be written");
    }
    desk.write(EVERY_SETTING);
    let shown = desk.shown(&[], &[]).await;
    let defaults = shown.lines().filter(|line| line.ends_with("# default"));
    let keys = defaults.filter_map(|line| line.trim_start_matches("# ").split(' ').next());
    // Those that exclude one that is set, or that Windows does not have.
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [
            "lines",
            "raw",
            "tcp",
            "rfc2217",
            "pty",
            "lan-token",
            "tls",
            "osc-listen",
            "quiet"
        ]
    );
    desk.write(&shown);
    let again = desk.shown(&[], &[]).await;
    assert_eq!(values(&again), values(&shown));
}

const EVERY_SETTING: &str = "\
port = ['a=sim,baud=300,raw,read-only=false,settle=auto,record=mine,save=a.txt', 'b=loop,record=none']
no-wait = true
baud = 115200
text = true
data-bits = 7
parity = 'even'
stop-bits = 2
flow-control = 'hardware'
dtr = 'off'
rts = 'keep'
no-reset = true
no-low-latency = true
settle = 250
append = 'crlf'
frame = 'delim:3b'
max-write-rate = 960
pace = '20ms/line'
poll = '*IDN?\\n'
every = '50ms'
lock = 'operator'
lock-idle = '90s'
max-line = 100
read-only = true
record = 'recordings'
record-segment = '1MiB'
record-keep = '1GB'
record-reserve = 0
save = 'b.txt'
timestamps = 'delta'
save-size = '10MB'
save-count = 9
p5 = 8091
listen = ['0.0.0.0:1', '[::1]:2']
web = 'my-sketch'
open = true
offer = ['usb:2341:*', '/dev/ttyUSB0']
idle-close = '20s'
max-open = 3
history = 0
max-behind = '1.5s'
max-clients = 3
max-clients-per-address = 2
max-message = 10
allow-origin = ['https://a.example', 'https://b.example,read-only']
allow-host = 'pi.local'
lan = true
lan-read-only = true
no-announce = true
token = 'secret'
tls-cert = 'cert'
tls-key = 'key'
mqtt = 'mqtts://localhost/lab'
mqtt-user = 'me'
mqtt-password = 'secret'
mqtt-ca = 'cert'
mqtt-write = true
mqtt-raw = true
osc = ['localhost:9000', '[::1]:9001']
osc-lines = true
verbose = 2
log-format = 'json'
";

#[tokio::test]
async fn a_profile_can_empty_what_the_rest_of_the_file_sets() {
    let text = "web = 'my-sketch'\nallow-host = 'pi'\n\
                [profile.plain]\nweb = ''\nallow-host = []\n";
    let desk = Desk::new("emptied", text);
    let shown = desk.shown(&["--profile", "plain"], &[]).await;
    check(&shown, "# web = \"\"", "# default");
    check(&shown, "# allow-host = []", "# default");
}

#[tokio::test]
async fn a_port_can_switch_off_what_all_ports_have() {
    let text = "raw = true\nread-only = true\n\
                [port.a]\nspec = 'sim'\nraw = false\nread-only = false\n[port.b]\nspec = 'loop'\n";
    let desk = Desk::new("off", &format!("listen = '127.0.0.1:0'\n{text}"));
    let program = Program::start_with(&["--config", &desk.file()], &[]);
    let bridge = Bridge::of(program, 1).await;
    let ports = bridge.get("/api/ports").await.json();
    let setting = |port: usize, key: &str| ports[port]["settings"][key].clone();
    assert_eq!(setting(0, "view"), "lines");
    assert_eq!(setting(0, "readOnly"), false);
    assert_eq!(setting(1, "view"), "raw");
    assert_eq!(setting(1, "readOnly"), true);
}

/// The example in the documents.
fn example() -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = fs::read_to_string(document).expect("the document can be read");
    let example = document.split("```toml\n").nth(1);
    let example = example.and_then(|rest| rest.split("```").next());
    example.expect("the document has an example").to_owned()
}

#[tokio::test]
async fn the_example_in_the_documents_is_right() {
    let desk = Desk::new("documents", &example());
    let shown = desk.shown(&[], &[]).await;
    assert!(
        shown.contains("\n  \"scale=/dev/ttyUSB0,baud=4800,raw\","),
        "{shown}"
    );
    let shown = desk.shown(&["--profile", "class"], &[]).await;
    check(&shown, "port = \"sim\"", "class.toml:14");
}
