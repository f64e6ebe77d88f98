//! Finds what else on Linux uses serial ports or keeps them away: ModemManager, brltty, an adapter
//! that gathers what it receives, a driver that is not loaded, WSL and containers. Observations are
//! kept in structs, and pure functions say what they mean.

use std::fs;
use std::path::{Path, PathBuf};

use super::class_folder;
use crate::port::Diagnostic;
use crate::terminal::shown;

/// The folder in which the kernel shows USB devices and their interfaces.
const USB_DEVICES: &str = "/sys/bus/usb/devices";

/// The folder in which udev keeps the properties of devices that its rules set.
const UDEV_DATA: &str = "/run/udev/data";

/// Properties that udev's rules give to ports which ModemManager leaves alone.
const IGNORED: [&str; 2] = ["ID_MM_DEVICE_IGNORE", "ID_MM_PORT_IGNORE"];

/// The folders of udev's rules that packages bring.
const RULES: [&str; 2] = ["/usr/lib/udev/rules.d", "/lib/udev/rules.d"];

/// The class of an interface that speaks as a modem does, and those of its protocols that promise
/// AT commands. Those ModemManager tries, as Arduino's boards promise them.
const MODEM_CLASS: &str = "02";
const AT_PROTOCOLS: std::ops::RangeInclusive<u8> = 1..=6;

/// Observations of one port.
#[derive(Default)]
struct PortUse {
    path: String,
    /// Vendor and product, in hex.
    usb: Option<(String, String)>,
    /// Milliseconds for which the adapter gathers.
    latency: Option<u32>,
    /// True if its interface promises AT commands.
    is_like_modem: bool,
    /// True if udev's rules keep ModemManager away.
    is_ignored: bool,
    has_modem_manager: bool,
}

/// A USB serial device for which there is no port.
#[derive(Default)]
struct Portless {
    /// Vendor and product, in hex.
    usb: (String, String),
    /// The driver that makes a port of it.
    wanted: &'static str,
    /// The driver that has it.
    driver: Option<String>,
    /// True if brltty runs or would be started for it.
    has_brltty: bool,
}

/// Describes what else uses this port. `low_latency` says whether we would ask for it.
pub(crate) fn interference(path: &str, low_latency: bool) -> Vec<Diagnostic> {
    let Some(port) = observe(path) else {
        return Vec::new();
    };
    describe_use(&port, low_latency)
}

fn observe(path: &str) -> Option<PortUse> {
    let class = class_folder(path)?;
    let device = fs::canonicalize(class.join("device")).ok()?;
    let usb = device
        .ancestors()
        .find(|folder| folder.join("idVendor").exists());
    let protocol = read(&device.join("bInterfaceProtocol"));
    let protocol = protocol.and_then(|hex| u8::from_str_radix(&hex, 16).ok());
    let folders = [Some(class.as_path()), usb].into_iter().flatten();
    Some(PortUse {
        path: path.to_owned(),
        usb: usb.and_then(usb_id),
        latency: read(&device.join("latency_timer")).and_then(|text| text.parse().ok()),
        is_like_modem: protocol.is_some_and(|protocol| AT_PROTOCOLS.contains(&protocol)),
        is_ignored: folders.filter_map(udev_data).any(|data| is_ignored(&data)),
        has_modem_manager: is_running("ModemManager"),
    })
}

fn describe_use(port: &PortUse, low_latency: bool) -> Vec<Diagnostic> {
    let path = shown(&port.path);
    let mut diagnostics = Vec::new();
    if let (true, true, false, Some((vendor, product))) = (
        port.has_modem_manager,
        port.is_like_modem,
        port.is_ignored,
        &port.usb,
    ) {
        diagnostics.push(Diagnostic::note(format!(
            "ModemManager may take {path} for a modem and talk to it for about 10 s after it is \
             plugged in; serial-ws waits. To prevent this: echo 'ATTRS{{idVendor}}==\"{vendor}\", \
             ATTRS{{idProduct}}==\"{product}\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"' | sudo tee \
             /etc/udev/rules.d/70-no-modem-{vendor}-{product}.rules && sudo udevadm control \
             --reload, then plug it in again"
        )));
    }
    match port.latency {
        Some(latency) if latency > 1 && low_latency => diagnostics.push(Diagnostic::ok(format!(
            "the adapter of {path} gathers what it receives for {latency} ms; serial-ws turns this \
             off when it opens the port"
        ))),
        Some(latency) if latency > 1 => diagnostics.push(Diagnostic::note(format!(
            "the adapter of {path} gathers what it receives for {latency} ms, and \
             --no-low-latency leaves it that way"
        ))),
        _ => {}
    }
    diagnostics
}

/// Describes what keeps ports from being there. `is_missing` says whether one is missed.
pub(crate) fn missing_ports(is_missing: bool) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<_> = portless().iter().map(describe_portless).collect();
    if is_missing && diagnostics.is_empty() {
        diagnostics.extend(describe_environment(
            &fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default(),
            ["/.dockerenv", "/run/.containerenv"]
                .iter()
                .any(|file| Path::new(file).exists()),
        ));
    }
    diagnostics
}

fn portless() -> Vec<Portless> {
    let devices = fs::read_dir(USB_DEVICES).into_iter().flatten().flatten();
    let interfaces = devices.map(|entry| entry.path());
    // Those of a device are beside it, such as 1-1:1.0.
    let interfaces = interfaces.filter(|path| read(&path.join("bInterfaceClass")).is_some());
    interfaces
        .filter_map(|interface| observe_portless(&interface))
        .collect()
}

fn observe_portless(interface: &Path) -> Option<Portless> {
    let interface = fs::canonicalize(interface).ok()?;
    let usb = usb_id(interface.parent()?)?;
    let subclass = read(&interface.join("bInterfaceSubClass"));
    let class = read(&interface.join("bInterfaceClass"));
    let is_modem = class.as_deref() == Some(MODEM_CLASS) && subclass.as_deref() == Some("02");
    let wanted = if is_modem {
        "cdc_acm"
    } else {
        driver_for(&usb.0, &usb.1)?
    };
    let has_port = fs::read_dir(&interface).ok()?.flatten().any(|entry| {
        let name = entry.file_name();
        name == "tty" || name.to_string_lossy().starts_with("ttyUSB")
    });
    let driver = fs::read_link(interface.join("driver")).ok();
    let driver = driver.and_then(|driver| Some(driver.file_name()?.to_str()?.to_owned()));
    (!has_port && driver.as_deref() != Some(wanted)).then(|| Portless {
        usb,
        wanted,
        driver,
        has_brltty: is_running("brltty") || has_rules_of("brltty"),
    })
}

/// The kernel's driver for a chip that is no modem by its class.
fn driver_for(vendor: &str, product: &str) -> Option<&'static str> {
    Some(match (vendor, product) {
        ("0403", _) => "ftdi_sio",
        ("067b", _) => "pl2303",
        ("10c4", _) => "cp210x",
        ("1a86", "7522" | "7523" | "5523") => "ch341",
        _ => return None,
    })
}

fn describe_portless(device: &Portless) -> Diagnostic {
    let Portless {
        usb: (vendor, product),
        wanted,
        driver,
        has_brltty,
    } = device;
    let what = format!("a serial device (usb:{vendor}:{product}) is plugged in, but has no port");
    Diagnostic::action(match driver {
        // Programs that take a device for themselves do so by this driver.
        Some(driver) if driver == "usbfs" && *has_brltty => format!(
            "{what}: brltty, which is for Braille displays, has taken it. If you have none: sudo \
             apt remove brltty, then plug it in again"
        ),
        Some(driver) => format!(
            "{what}: the driver {} has it. Close the program that uses it over USB, then plug it \
             in again",
            shown(driver)
        ),
        None if *has_brltty => format!(
            "{what}. Usually brltty, which is for Braille displays, has taken it. If you have none: \
             sudo apt remove brltty, then plug it in again. Otherwise: sudo modprobe {wanted}"
        ),
        None => format!("{what}: its driver is not loaded: sudo modprobe {wanted}"),
    })
}

/// Tells why there are no ports in WSL or in a container, if we run in one.
fn describe_environment(release: &str, is_container: bool) -> Option<Diagnostic> {
    if release.to_lowercase().contains("microsoft") {
        return Some(Diagnostic::action(
            "this is WSL, which has no access to USB by itself. Run serial-ws on Windows, or run \
             there as administrator: usbipd list, usbipd bind --busid ID, and then usbipd attach \
             --wsl --busid ID",
        ));
    }
    is_container.then(|| {
        Diagnostic::action(
            "this is a container, which sees only the devices that it is given: start it with \
             --device=/dev/ttyACM0",
        )
    })
}

/// A file of sysfs, which ends in a line break.
fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned())
}

/// Vendor and product of the USB device with this folder.
fn usb_id(folder: &Path) -> Option<(String, String)> {
    Some((
        read(&folder.join("idVendor"))?,
        read(&folder.join("idProduct"))?,
    ))
}

/// The text that udev keeps about the device with this folder.
fn udev_data(folder: &Path) -> Option<String> {
    let number = read(&folder.join("dev"))?;
    fs::read_to_string(format!("{UDEV_DATA}/c{number}")).ok()
}

fn is_ignored(data: &str) -> bool {
    let mut properties = data
        .lines()
        .filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    properties.any(|(name, value)| IGNORED.contains(&name) && value == "1")
}

/// Tells whether a program of this name runs.
fn is_running(name: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names = processes.filter_map(|entry| read(&entry.path().join("comm")));
    names.any(|comm| comm == name)
}

/// Tells whether a package has brought udev rules of this name, not counting empty ones.
fn has_rules_of(name: &str) -> bool {
    let folders = RULES.iter().filter_map(|folder| fs::read_dir(folder).ok());
    let files = folders.flatten().flatten().map(|entry| entry.path());
    let mut rules = files.filter(|path: &PathBuf| {
        let file = path.file_name().unwrap_or_default();
        file.to_string_lossy().contains(name)
    });
    rules.any(|path| read(&path).is_some_and(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Severity;

    #[track_caller]
    fn check(diagnostics: &[Diagnostic], expected: &[(Severity, &str)]) {
        let mut pairs = diagnostics.iter().zip(expected);
        let fit = pairs.all(|(found, (severity, part))| {
            found.severity == *severity && found.text.contains(part)
        });
        assert!(
            fit && diagnostics.len() == expected.len(),
            "{diagnostics:?}"
        );
    }

    fn uno() -> PortUse {
        PortUse {
            path: "/dev/ttyACM0".to_owned(),
            usb: Some(("2341".to_owned(), "0043".to_owned())),
            is_like_modem: true,
            has_modem_manager: true,
            ..PortUse::default()
        }
    }

    #[test]
    fn modem_manager_is_noted_where_it_would_interfere() {
        let rule =
            "ATTRS{idVendor}==\"2341\", ATTRS{idProduct}==\"0043\", ENV{ID_MM_DEVICE_IGNORE}";
        check(&describe_use(&uno(), true), &[(Severity::Note, rule)]);
        let ignored = PortUse {
            is_ignored: true,
            ..uno()
        };
        check(&describe_use(&ignored, true), &[]);
        let silent = PortUse {
            is_like_modem: false,
            ..uno()
        };
        check(&describe_use(&silent, true), &[]);
        let absent = PortUse {
            has_modem_manager: false,
            ..uno()
        };
        check(&describe_use(&absent, true), &[]);
    }

    #[test]
    fn an_adapter_that_gathers_is_noted() {
        let ftdi = |latency| PortUse {
            latency: Some(latency),
            ..PortUse::default()
        };
        check(
            &describe_use(&ftdi(16), true),
            &[(Severity::Ok, "16 ms; serial-ws turns this off")],
        );
        check(
            &describe_use(&ftdi(16), false),
            &[(Severity::Note, "--no-low-latency")],
        );
        check(&describe_use(&ftdi(1), false), &[]);
    }

    #[track_caller]
    fn check_portless(driver: Option<&str>, has_brltty: bool, part: &str) {
        let device = Portless {
            usb: ("1a86".to_owned(), "7523".to_owned()),
            wanted: "ch341",
            driver: driver.map(str::to_owned),
            has_brltty,
        };
        check(&[describe_portless(&device)], &[(Severity::Action, part)]);
    }

    #[test]
    fn a_chip_without_a_port_says_who_has_it() {
        check_portless(
            Some("usbfs"),
            true,
            "brltty, which is for Braille displays, has taken it",
        );
        check_portless(Some("usbfs"), false, "the driver usbfs has it");
        check_portless(
            None,
            false,
            "usb:1a86:7523) is plugged in, but has no port: its driver is not loaded: sudo modprobe ch341",
        );
        check_portless(None, true, "Usually brltty");
    }

    #[test]
    fn wsl_and_containers_are_recognised() {
        let wsl = describe_environment("5.15.90.1-microsoft-standard-WSL2", false);
        check(
            &Vec::from_iter(wsl),
            &[(Severity::Action, "usbipd attach --wsl")],
        );
        let container = describe_environment("6.1.0", true);
        check(
            &Vec::from_iter(container),
            &[(Severity::Action, "--device=")],
        );
        check(&Vec::from_iter(describe_environment("6.1.0", false)), &[]);
    }

    #[test]
    fn udev_data_is_read() {
        assert!(is_ignored("S:serial/by-id/x\nE:ID_MM_DEVICE_IGNORE=1\n"));
        assert!(!is_ignored(
            "E:ID_MM_DEVICE_IGNORE=0\nE:ID_MM_CANDIDATE=1\n"
        ));
        assert!(is_running(&read(Path::new("/proc/self/comm")).unwrap()));
    }
}
