//! `serial-ws list --watch`: prints each serial port that comes or goes, until nobody reads it. Opens
//! none, and does not look at who uses them: only coming and going is told.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{ListArgs, listed};
use crate::platform::is_output_closed;
use crate::platform::signal::Signals;
use crate::port::source::serial::enumerate::PortInfo;
use crate::terminal::{print, shown, shown_json};

/// The time between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The ports at one moment, by what tells them apart: two boards may be at one path in turn.
type WatchedPorts = BTreeMap<(String, Option<String>), PortInfo>;

/// Prints the ports that are here as if they had just come, and then each change.
///
/// # Errors
/// When ports cannot be listed, or the output cannot be written.
pub(super) async fn run(args: &ListArgs, out: &mut dyn Write) -> Result<()> {
    let mut signals = Signals::listen()?;
    let mut looks = interval(POLL_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = WatchedPorts::new();
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(()),
            _ = looks.tick() => {}
        }
        let now = look(args)?;
        let changes = changes(&before, &now, args.json);
        if !changes.is_empty() {
            print(out, changes)?;
        }
        if is_output_closed() {
            return Ok(());
        }
        before = now;
    }
}

fn look(args: &ListArgs) -> Result<WatchedPorts> {
    let ports = listed(args)?.into_iter();
    Ok(ports
        .map(|port| ((port.path.clone(), port.usb_spec()), port))
        .collect())
}

/// Returns one line for each port that has gone or come.
fn changes(before: &WatchedPorts, now: &WatchedPorts, as_json: bool) -> String {
    let gone = before.iter().filter(|(key, _)| !now.contains_key(key));
    let come = now.iter().filter(|(key, _)| !before.contains_key(key));
    let [all_before, all_now] =
        [before, now].map(|ports| ports.values().cloned().collect::<Vec<_>>());
    let gone = gone.map(|(_, port)| line(port, &all_before, false, as_json));
    let come = come.map(|(_, port)| line(port, &all_now, true, as_json));
    gone.chain(come).collect()
}

fn line(port: &PortInfo, all: &[PortInfo], is_here: bool, as_json: bool) -> String {
    if as_json {
        let change = if is_here { "added" } else { "removed" };
        let mut object = json!({ "change": change });
        if let (Some(object), Some(facts)) =
            (object.as_object_mut(), super::facts(port, all).as_object())
        {
            object.extend(facts.clone());
        }
        return shown_json(&object.to_string()) + "\n";
    }
    let sign = if is_here { '+' } else { '-' };
    let facts = [port.board(), port.usb_spec()].into_iter().flatten();
    let facts: Vec<_> = facts.map(|fact| shown(&fact)).collect();
    let path = shown(&port.path);
    if facts.is_empty() {
        return format!("{sign} {path}\n");
    }
    format!("{sign} {path} ({})\n", facts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(ports: &[(&str, &str)]) -> WatchedPorts {
        let ports = ports.iter().map(|(path, usb)| match *usb {
            "" => PortInfo::fake(path),
            usb => PortInfo::fake_usb(path, usb),
        });
        ports
            .map(|port| ((port.path.clone(), port.usb_spec()), port))
            .collect()
    }

    #[test]
    fn what_has_gone_comes_before_what_has_come() {
        let before = ports(&[("/dev/ttyACM0", "2341:0043:A1"), ("/dev/ttyS0", "")]);
        let now = ports(&[("/dev/ttyACM0", "2341:0043:B\u{1b}2"), ("/dev/ttyS0", "")]);
        assert_eq!(
            changes(&before, &now, false),
            "- /dev/ttyACM0 (Arduino Uno, usb:2341:0043:A1)\n\
             + /dev/ttyACM0 (Arduino Uno, usb:2341:0043)\n"
        );
        assert_eq!(changes(&now, &now, false), "");
        assert_eq!(
            changes(&WatchedPorts::new(), &ports(&[("COM1", "")]), false),
            "+ COM1\n"
        );
    }

    #[test]
    fn an_object_is_a_line_with_the_facts_of_the_list() {
        let text = changes(
            &WatchedPorts::new(),
            &ports(&[("COM3", "2341:0043:A1")]),
            true,
        );
        assert_eq!(text.lines().count(), 1);
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["change"], "added");
        assert_eq!(object["path"], "COM3");
        assert_eq!(object["id"], "usb:2341:0043:A1");
        assert_eq!(object["usb"]["vid"], "2341");
        assert_eq!(object.get("state"), None);
    }
}
