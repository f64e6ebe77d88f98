//! The table of ports as people type them, and of what each means on this system.

use super::port::PortArg;

/// Ports as they are typed, each with its name (`-` for none), its device, and its settings.
const PORTS: [(&str, &str); 65] = [
    // Paths.
    ("/dev/ttyACM0", "- | /dev/ttyACM0"),
    ("/dev/ttyACM0,baud=115200", "- | /dev/ttyACM0 | baud=115200"),
    ("uno=/dev/ttyACM0", "uno | /dev/ttyACM0"),
    (
        "uno=/dev/ttyACM0,raw,read-only",
        "uno | /dev/ttyACM0 | raw,read-only",
    ),
    (
        "/dev/serial/by-id/usb-A.b_1-if00",
        "- | /dev/serial/by-id/usb-A.b_1-if00",
    ),
    (
        "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0",
        "- | /dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0",
    ),
    ("p=/dev/serial/by-id/a=b", "p | /dev/serial/by-id/a=b"),
    ("/dev/serial/by-id/a=b", "- | /dev/serial/by-id/a=b"),
    ("/dev/cu.usbmodem1101", "- | /dev/cu.usbmodem1101"),
    (
        "/dev/tty.Ann's-phone,text",
        "- | /dev/tty.Ann's-phone | text",
    ),
    ("'/dev/a,b',raw", "- | \"/dev/a,b\" | raw"),
    ("p=\"/dev/a,b\",baud=300", "p | \"/dev/a,b\" | baud=300"),
    ("./links/board", "- | ./links/board"),
    ("/tmp/my board", "- | /tmp/my board"),
    // Windows.
    (r"\\.\COM12", "- | COM12"),
    (r"\\.\com12,baud=300", "- | COM12 | baud=300"),
    (r"p=\\.\COM3", "p | COM3"),
    (r"\\.\CNCA0", r"- | \\.\CNCA0"),
    (r"\\?\COM3x\y", r"- | \\?\COM3x\y"),
    (r"C:\dev\port", r"- | C:\dev\port"),
    (r"p=C:\dev\port,raw", r"p | C:\dev\port | raw"),
    ("C:/dev/port", "- | C:/dev/port"),
    (r"\\server\share\port", r"- | \\server\share\port"),
    // USB.
    ("usb:2341:0043", "- | usb:2341:0043"),
    ("usb:2341:43,raw", "- | usb:2341:0043 | raw"),
    ("usb:0x2341:0x43", "- | usb:2341:0043"),
    ("usb:2A03:0043:A1", "- | usb:2a03:0043:A1"),
    (
        "uno=usb:2341:0043:A1,baud=300",
        "uno | usb:2341:0043:A1 | baud=300",
    ),
    ("usb:303a:1001:B4:3A", "- | usb:303a:1001:B4:3A"),
    ("usb:2341:0043:a=b", "- | usb:2341:0043:a=b"),
    (
        "usb:2341:0043:\"A,1\",text",
        "- | usb:2341:0043:\"A,1\" | text",
    ),
    // Words.
    ("auto", "- | auto"),
    ("board=auto,baud=115200", "board | auto | baud=115200"),
    ("sim", "- | sim"),
    ("sim:raw,raw", "- | sim:raw | raw"),
    ("a-b_9=sim:imu,frame=cr", "a-b_9 | sim:imu | frame=cr"),
    ("sim=sim", "sim | sim"),
    ("loop,lines,append=lf", "- | loop | lines,append=lf"),
    ("room=loop,raw=false", "room | loop | raw=false"),
    // In the network.
    ("tcp://a.local:4000,raw", "- | tcp://a.local:4000 | raw"),
    ("esp=tcp://[::1]:4000", "esp | tcp://[::1]:4000"),
    ("tcp://[fe80::1%eth0]:23", "- | tcp://[fe80::1%eth0]:23"),
    ("ws://pi:8080/ports/uno", "- | ws://pi:8080/ports/uno"),
    (
        "far=wss://[::1],token=/a/b,raw",
        "far | wss://[::1]/ | token=/a/b,raw",
    ),
    // Programs.
    ("exec:ls", "- | exec:ls"),
    (
        "exec:python3 -u 'my sensor.py',text",
        "- | exec:python3 -u 'my sensor.py' | text",
    ),
    (
        "p=exec:python3 -c 'print(1, 2)' --x=\"a,b\",raw",
        "p | exec:python3 -c 'print(1, 2)' --x=\"a,b\" | raw",
    ),
    ("exec:printf a'b,c'd,raw", "- | exec:printf a'b,c'd | raw"),
    ("exec: ./sensor --a=b ", "- | exec:./sensor --a=b"),
    ("exec:/opt/x y=z", "- | exec:/opt/x y=z"),
    (
        r"exec:'C:\Program Files\a,b.exe' /v,raw",
        r"- | exec:'C:\Program Files\a,b.exe' /v | raw",
    ),
    (r"exec:C:\tools\read.exe", r"- | exec:C:\tools\read.exe"),
    ("exec:sh -c 'a | b'", "- | exec:sh -c 'a | b'"),
    // Recordings.
    ("play:a.jsonl", "- | play:a.jsonl"),
    (
        "uno=play:'my class,1.jsonl' b.jsonl,speed=2,from=1.5m,loop",
        "uno | play:'my class,1.jsonl' b.jsonl | speed=2,from=90s,loop",
    ),
    (
        r"play:C:\rec\a.jsonl.gz,speed=max",
        r"- | play:C:\rec\a.jsonl.gz | speed=max",
    ),
    // Settings whose values have parts, or quotes.
    ("sim,frame=delim:2c", "- | sim | frame=delim:2c"),
    ("sim,frame=\"delim:2c\"", "- | sim | frame=delim:2c"),
    (
        "sim,settle=500ms,max-line='1KiB'",
        "- | sim | settle=500ms,max-line=1024",
    ),
    (
        "sim,dtr=off,rts=keep,no-reset",
        "- | sim | dtr=off,rts=keep,no-reset",
    ),
    // What is no name is no name.
    ("/a=sim", "- | /a=sim"),
    ("./=sim", "- | ./=sim"),
    ("a.b/c=sim", "- | a.b/c=sim"),
    ("ä/=/dev/x", "- | ä/=/dev/x"),
    ("/dev/x y=z,raw", "- | /dev/x y=z | raw"),
];

/// Mistakes as they are typed, each with the beginning of what is said of it.
const MISTAKES: [(&str, &str); 39] = [
    ("", "expected a path such as"),
    ("=sim", "unknown device `=sim`"),
    ("a=", "expected a path such as"),
    ("a=b=sim", "unknown device `b=sim`"),
    ("a b=sim", "unknown device `a b=sim`"),
    (",raw", "expected a path such as"),
    (
        "sim,",
        "expected a setting after each comma, such as baud=9600",
    ),
    (
        "sim,,raw",
        "expected a setting after each comma, such as baud=9600",
    ),
    ("sim,baud", "`baud` needs a value, such as baud="),
    ("sim,frame", "`frame` needs a value, such as frame=lf"),
    ("sim,raw,raw", "`raw` is set twice"),
    (
        "sim,bud=3",
        "unknown port setting `bud`; did you mean `baud`?",
    ),
    (
        "sim,listen=3",
        "unknown port setting `listen` (known: baud, ",
    ),
    ("sim,spec=loop", "`spec` is set twice"),
    ("sim,name=a", "unknown port setting `name` (known: baud, "),
    ("sim,frame=start,02", "`frame` cannot be \"start\""),
    ("sim,frame=\"lf", "a quote \" is opened and not closed"),
    ("\"/dev/a\"b", "expected a name between two quotes"),
    ("usb:2341:0043:\"", "a quote \" is opened and not closed"),
    (
        "usb:2341",
        "`usb:2341` is not of the form usb:VID:PID[:SERIAL], such as usb:2341:0043",
    ),
    (
        "auto:1",
        "`auto` stands alone, without a colon; did you mean `auto`?",
    ),
    (
        "loop:1",
        "`loop` stands alone, without a colon; did you mean `loop`?",
    ),
    (
        "sim:imi",
        "unknown simulated device `sim:imi`; did you mean `sim:imu`?",
    ),
    (
        "smi:raw",
        "unknown kind of device `smi`; did you mean `sim:raw`?",
    ),
    ("exec", "`exec:` needs a command, such as exec:"),
    ("exec: ,raw", "`exec:` needs a command, such as exec:"),
    ("exec:'' -v", "the program of `exec:` has no name"),
    ("exec:say it's", "a quote ' is opened and not closed"),
    ("exec:a | b", "`|` is for a shell, and exec: runs none"),
    ("exec:printf a,b", "unknown port setting `b` (known: "),
    ("play", "`play:` needs a recording, such as play:"),
    ("play:a b's", "a quote ' is opened and not closed"),
    (
        "play:a,speed=0",
        "`speed` cannot be \"0\": expected a number",
    ),
    (
        "play:a,from=-1s",
        "`from` cannot be \"-1s\": expected a time",
    ),
    ("tcp://a", "`tcp://a` has no TCP port, such as tcp://a:4000"),
    (
        "ws://pi/?token=abc",
        "`ws://pi/`: a SPEC is shown in statuses and logs. Write the token into a file",
    ),
    ("ws://pi/x", "`ws://pi/x`: a port of a serial-ws is at /"),
    ("ws://pi/,token", "`token` needs a value"),
    (
        "no-such-file",
        "unknown device `no-such-file` (known: a path such as ",
    ),
];

/// Returns what a port means, in the form of the table.
fn meaning(port: &PortArg) -> String {
    let text = |key: &str| port.0.get(key).and_then(|value| value.as_str());
    let (name, spec) = (text("name"), text("spec").unwrap_or_default());
    let shown = port.to_string();
    let start = name.map_or_else(|| spec.to_owned(), |name| format!("{name}={spec}"));
    let settings = shown.strip_prefix(&start).unwrap_or_default();
    let settings = settings
        .strip_prefix(',')
        .map(|settings| format!(" | {settings}"));
    format!(
        "{} | {spec}{}",
        name.unwrap_or("-"),
        settings.unwrap_or_default()
    )
}

#[test]
fn each_port_means_what_the_table_says() {
    let is_elsewhere = |text: &str| {
        if cfg!(windows) {
            text.contains("/dev/") && !text.contains("C:")
        } else {
            text.contains(r"\\.\")
        }
    };
    for (text, expected) in PORTS.into_iter().filter(|(text, _)| !is_elsewhere(text)) {
        let port: Result<PortArg, _> = text.parse();
        let port = port.unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(meaning(&port), expected, "{text}");
        // What is shown of it means the same.
        let again: PortArg = port.to_string().parse().unwrap();
        assert_eq!(meaning(&again), expected, "{text} is shown as {port}");
    }
}

#[test]
fn each_mistake_in_a_port_is_told() {
    for (text, expected) in MISTAKES {
        let why = text.parse::<PortArg>().map(|port| port.to_string());
        let why = why.expect_err(text);
        assert!(why.starts_with(expected), "{text}: {why}");
    }
}

#[test]
fn names_of_another_system_are_refused() {
    let (typed, expected) = if cfg!(windows) {
        (
            "/dev/ttyUSB0",
            "Windows has no serial ports with names such as `/dev/ttyUSB0`",
        )
    } else {
        (
            "COM3",
            "only Windows has serial ports with names such as `COM3`",
        )
    };
    let why = typed
        .parse::<PortArg>()
        .map(|port| port.to_string())
        .unwrap_err();
    assert!(why.starts_with(expected), "{why}");
}
