//! A machine whose USB boards a test plugs in and out: the program sees a `/dev` and a
//! `/sys/class/tty` of the test's own, in a mount namespace. Each board is a pseudo-terminal.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    bridge::{Bridge, Ended, Program, is_emulated},
    pair::{Device, Pair},
    wait::skip,
};

/// Enters the namespace and starts the program there. `ROOT` is the folder of the machine.
const ENTER: &str = r#"exec unshare -rm sh -ec '
    mount --bind ROOT/tty /sys/class/tty
    for name in null zero random urandom tty ptmx; do
      touch ROOT/dev/$name
      mount --bind /dev/$name ROOT/dev/$name
    done
    mkdir -p ROOT/dev/pts
    mount --rbind /dev/pts ROOT/dev/pts
    mount --rbind ROOT/dev /dev
    exec "$@"' sh "$@""#;

/// A made-up machine. Its folder is removed when this is dropped.
pub struct Machine {
    root: PathBuf,
    /// The process whose namespace it is, while a program runs.
    process: Option<u32>,
    /// The boards that are plugged in, by the names of their ports: the paths of their pseudo-terminals.
    plugged: HashMap<String, String>,
}

impl Machine {
    /// A machine without boards; None, with the reason given, where there can be none.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let probe = Command::new("unshare")
            .args(["-rm", "sh", "-c", "mount --rbind /dev /dev"])
            .stderr(Stdio::null())
            .status();
        if is_emulated() || !probe.is_ok_and(|status| status.success()) {
            skip("a mount namespace of our own cannot be had here");
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("serial-ws-machine-{}-{count}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for folder in ["tty", "dev", "devices", "bus/usb"] {
            fs::create_dir_all(root.join(folder)).expect("a folder can be made");
        }
        Some(Self {
            root,
            process: None,
            plugged: HashMap::new(),
        })
    }

    /// Starts a bridge on the machine.
    pub async fn start(&mut self, arguments: &[&str]) -> Bridge {
        let arguments = [arguments, &["--listen", "127.0.0.1:0"]].concat();
        let program = Program::start_by(&self.script(), &arguments);
        self.process = Some(program.id());
        Bridge::of(program, 1).await
    }

    /// Starts a bridge on the machine, at a terminal whose keys are returned.
    pub async fn start_at_a_terminal(&mut self, arguments: &[&str]) -> (Bridge, File) {
        let arguments = [arguments, &["--listen", "127.0.0.1:0"]].concat();
        let (program, keys) = Program::start_at_a_terminal_by(&self.script(), &arguments, &[]);
        self.process = Some(program.id());
        (Bridge::of(program, 1).await, keys)
    }

    /// Runs another command of the program, beside the one that runs on the machine, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let process = self.process.expect("a program runs");
        let enter = format!("exec nsenter -U -m --preserve-credentials -t {process} \"$@\"");
        Program::start_by(&enter, arguments).ended().await
    }

    fn script(&self) -> String {
        ENTER.replace("ROOT", &self.root.display().to_string())
    }

    /// Plugs a board into a running machine: its port is called `name`, it is in the USB socket
    /// `socket`, and `id` is `VID:PID` or `VID:PID:SERIAL`.
    pub fn plug(&mut self, name: &str, id: &str, socket: &str) -> Device {
        let (node, device, held) = Pair::new_pty();
        // A program that holds the port would be listed as its user.
        drop(held);
        let board = self.root.join("devices").join(socket);
        let interface = board.join(format!("{socket}:1.0"));
        fs::create_dir_all(&interface).expect("a folder can be made");
        let mut words = id.splitn(3, ':');
        for file in ["idVendor", "idProduct", "serial"] {
            let _ = fs::remove_file(board.join(file));
            if let Some(word) = words.next() {
                fs::write(board.join(file), word).expect("a file can be written");
            }
        }
        fs::write(interface.join("bInterfaceNumber"), "00").expect("a file can be written");
        let subsystem = interface.join("subsystem");
        let _ = fs::remove_file(&subsystem);
        symlink(self.root.join("bus/usb"), subsystem).expect("a link can be made");
        self.mount(name, &node);
        // Only now does the system list it.
        let class = self.root.join("tty").join(name);
        fs::create_dir(&class).expect("a folder can be made");
        symlink(interface, class.join("device")).expect("a link can be made");
        self.plugged.insert(name.to_owned(), node);
        device
    }

    /// Unplugs a board; `device` is its other end.
    pub fn unplug(&mut self, name: &str, device: Device) {
        self.plugged.remove(name).expect("it is plugged in");
        let path = Path::new("/dev").join(name);
        fs::remove_dir_all(self.root.join("tty").join(name)).expect("it is listed");
        self.inside(&["umount", "-l", &path.display().to_string()]);
        fs::remove_file(self.root.join("dev").join(name)).expect("it has a node");
        drop(device);
    }

    /// Starts a bridge on the machine again, with the boards that are plugged in there from the start.
    pub async fn restart(&mut self, arguments: &[&str]) -> Bridge {
        // The program finds its boards only where they are mounted, in its own namespace.
        let (hidden, class) = (self.root.join("hidden"), self.root.join("tty"));
        let entries = |folder: &Path| {
            let entries = fs::read_dir(folder).expect("it is a folder").flatten();
            entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
        };
        fs::create_dir_all(&hidden).expect("a folder can be made");
        for name in entries(&class) {
            fs::rename(class.join(&name), hidden.join(&name)).expect("it can be moved");
        }
        let bridge = self.start(arguments).await;
        for (name, node) in &self.plugged {
            self.mount(name, node);
        }
        for name in entries(&hidden) {
            fs::rename(hidden.join(&name), class.join(&name)).expect("it can be moved");
        }
        bridge
    }

    /// Puts the pseudo-terminal `node` where the program looks for the port `name`.
    fn mount(&self, name: &str, node: &str) {
        let path = Path::new("/dev").join(name).display().to_string();
        fs::write(self.root.join("dev").join(name), "").expect("a file can be written");
        self.inside(&["mount", "--bind", node, &path]);
    }

    /// Runs a command in the namespace of the machine.
    fn inside(&self, command: &[&str]) {
        let process = self.process.expect("a program runs").to_string();
        let status = Command::new("nsenter")
            .args(["-U", "-m", "--preserve-credentials", "-t", &process])
            .args(command)
            .status();
        let status = status.expect("nsenter can be started");
        assert!(status.success(), "{command:?}: {status}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
