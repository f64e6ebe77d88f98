//! `serial-ws list`: lists the serial ports of this computer, as a table or as JSON. Opens none of
//! them, since that would restart an Uno. With `--lan`, it lists each serial-ws in the network instead.

mod lan;
mod table;
mod watch;

use std::io::Write;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::platform::Process;
use crate::port::source::serial::device_id;
use crate::port::source::serial::enumerate::{PortInfo, ports};
use crate::port::source::serial::os::{self, Access};
use crate::terminal::print;
use crate::terminal::{shown, shown_json};

const HEADINGS: [&str; 6] = ["PORT", "BOARD", "USB", "SERIAL NUMBER", "MAKER", "STATE"];

/// Arguments of `serial-ws list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print a JSON array instead of a table; with --watch, one object a line
    #[arg(long)]
    json: bool,
    /// Include ports without hardware, Bluetooth, and second names of the same device
    #[arg(long)]
    all: bool,
    /// List each serial-ws that runs with --lan in the networks of this computer, instead of serial ports
    #[arg(long, conflicts_with_all = ["all", "watch"])]
    lan: bool,
    /// Print each port that comes (+) or goes (-), until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Prints the list.
///
/// # Errors
/// When ports cannot be listed, or the output cannot be written.
pub(crate) async fn run(args: &ListArgs, out: &mut dyn Write) -> Result<()> {
    if args.lan {
        return lan::run(args.json, out).await;
    }
    if args.watch {
        return watch::run(args, out).await;
    }
    let ports: Vec<_> = listed(args)?
        .into_iter()
        .map(|port| (Availability::of(&port), port))
        .collect();
    let text = match (args.json, ports.is_empty()) {
        (true, _) => to_json(&ports)?,
        (false, true) => nothing(args.all),
        (false, false) => to_table(&ports),
    };
    print(out, text)
}

/// Returns the ports that were asked for.
fn listed(args: &ListArgs) -> Result<Vec<PortInfo>> {
    let mut ports = ports()?;
    if !args.all {
        ports.retain(|port| !port.is_placeholder());
    }
    Ok(ports)
}

/// The state of a port, as far as it can be known without opening it.
enum Availability {
    Free,
    Busy(Process),
    Denied { hint: Option<String> },
    NoHardware,
    Unknown,
}

impl Availability {
    fn of(port: &PortInfo) -> Availability {
        if port.is_placeholder() {
            return Availability::NoHardware;
        }
        match (os::holder(&port.path), os::access(&port.path)) {
            (Some(holder), _) => Availability::Busy(holder),
            (None, Access::Denied { hint }) => Availability::Denied { hint },
            (None, Access::Granted) => Availability::Free,
            (None, Access::Unknown) => Availability::Unknown,
        }
    }

    fn words(&self) -> String {
        match self {
            Availability::Free => "free".into(),
            Availability::Busy(holder) => format!("in use by {} (pid {})", holder.name, holder.pid),
            Availability::Denied { .. } => "no permission".into(),
            Availability::NoHardware => "no hardware".into(),
            Availability::Unknown => String::new(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Availability::Free => json!({ "state": "free" }),
            Availability::Busy(Process { name, pid }) => {
                json!({ "state": "busy", "holder": { "name": name, "pid": pid } })
            }
            Availability::Denied { hint } => json!({ "state": "denied", "hint": hint }),
            Availability::NoHardware => json!({ "state": "no-hardware" }),
            Availability::Unknown => json!({ "state": "unknown" }),
        }
    }
}

fn nothing(all: bool) -> String {
    let more = if all {
        ""
    } else {
        "--all includes entries without hardware; "
    };
    format!(
        "No serial port found. Plug in a board, with a cable that carries data (some only charge).\n\
         {more}serial-ws sim works without a board.\n"
    )
}

fn to_json(ports: &[(Availability, PortInfo)]) -> Result<String> {
    let all: Vec<_> = ports.iter().map(|(_, port)| port.clone()).collect();
    let objects: Vec<_> = ports
        .iter()
        .map(|(availability, port)| object(port, &all, availability))
        .collect();
    let text = serde_json::to_string_pretty(&objects)?;
    Ok(shown_json(&text) + "\n")
}

fn object(port: &PortInfo, all: &[PortInfo], availability: &Availability) -> Value {
    let mut object = facts(port, all);
    object["state"] = availability.to_json();
    object
}

/// Returns what is known of a port without looking at who uses it. `all` are those with which it was
/// listed: its ID tells it from them.
fn facts(port: &PortInfo, all: &[PortInfo]) -> Value {
    let usb = port.usb().map(|usb| {
        json!({
            "vid": format!("{:04x}", usb.vid),
            "pid": format!("{:04x}", usb.pid),
            "serial": usb.serial,
            "manufacturer": usb.manufacturer,
            "product": usb.product,
            "interface": usb.interface,
            "location": usb.location,
        })
    });
    json!({
        "id": device_id::id(port, all),
        "path": port.path,
        "board": port.board(),
        "usb": usb,
        "spec": port.usb_spec(),
        "aliases": port.aliases,
    })
}

fn to_table(ports: &[(Availability, PortInfo)]) -> String {
    let rows: Vec<_> = ports
        .iter()
        .map(|(availability, port)| row(port, availability))
        .collect();
    table::text(HEADINGS, &rows) + &hints(ports)
}

fn row(port: &PortInfo, availability: &Availability) -> [String; 6] {
    let usb = port.usb();
    let cell = |text: Option<String>| text.as_deref().map(shown).unwrap_or_default();
    [
        shown(&port.path),
        cell(port.board()),
        cell(usb.map(|usb| usb.id())),
        cell(usb.and_then(|usb| usb.serial.clone())),
        cell(usb.and_then(|usb| usb.manufacturer.clone())),
        shown(&availability.words()),
    ]
}

/// Advice on the ports that we may not open, each once.
fn hints(ports: &[(Availability, PortInfo)]) -> String {
    let mut given: Vec<&str> = Vec::new();
    let mut text = String::new();
    for (availability, port) in ports {
        let Availability::Denied { hint: Some(hint) } = availability else {
            continue;
        };
        if !given.contains(&hint.as_str()) {
            given.push(hint);
            text += &format!("{}: {hint}\n", shown(&port.path));
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(Availability, PortInfo)> {
        let hint = Some("It belongs to group dialout: sudo usermod -aG dialout $USER".to_owned());
        let again = hint.clone();
        let name = "arduino-ide\x1b[2J".into();
        vec![
            (
                Availability::Busy(Process { name, pid: 4711 }),
                PortInfo::fake_usb("/dev/ttyACM0", "2341:0043:A1"),
            ),
            (
                Availability::Denied { hint },
                PortInfo::fake_usb("/dev/ttyUSB0", "1a86:7523"),
            ),
            (
                Availability::Denied { hint: again },
                PortInfo::fake_usb("/dev/ttyUSB1", "0403:6001"),
            ),
            (Availability::Free, PortInfo::fake("/dev/ttyAMA0")),
        ]
    }

    #[test]
    fn the_table_lists_the_ports_and_says_what_to_do() {
        let expected = "\
PORT          BOARD             USB            SERIAL NUMBER  STATE
/dev/ttyACM0  Arduino Uno       usb:2341:0043  A1             in use by arduino-ide\\u{1b}[2J (pid 4711)
/dev/ttyUSB0  CH340 USB serial  usb:1a86:7523  -              no permission
/dev/ttyUSB1  FTDI USB serial   usb:0403:6001  -              no permission
/dev/ttyAMA0  -                 -              -              free

/dev/ttyUSB0: It belongs to group dialout: sudo usermod -aG dialout $USER
";
        assert_eq!(to_table(&sample()), expected);
    }

    #[test]
    fn json_has_the_same_facts() {
        let text = to_json(&sample()).unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list[0]["id"], "usb:2341:0043:A1");
        assert_eq!(list[0]["path"], "/dev/ttyACM0");
        assert_eq!(list[0]["board"], "Arduino Uno");
        assert_eq!(list[0]["usb"]["pid"], "0043");
        assert_eq!(list[0]["spec"], "usb:2341:0043:A1");
        assert_eq!(list[0]["state"]["holder"]["pid"], 4711);
        assert_eq!(list[1]["state"]["state"], "denied");
        assert_eq!(list[3]["usb"], Value::Null);
        assert_eq!(list[3]["id"], "port:ttyAMA0");
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn a_column_with_nothing_in_it_is_left_out() {
        let ports = [(Availability::Unknown, PortInfo::fake("COM1"))];
        assert_eq!(to_table(&ports), "PORT\nCOM1\n");
    }

    #[test]
    fn with_no_port_there_is_advice() {
        assert!(nothing(false).contains("--all"));
        assert!(!nothing(true).contains("--all"));
        assert_eq!(to_json(&[]).unwrap(), "[]\n");
    }
}
