//! What publishing to an MQTT broker adds to the cost of serial-ws: 100 clients at 1,000 lines/s, with
//! and without `--mqtt`. The broker is a mosquitto of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::device::Device;
use crate::effort::Effort;
use crate::fanout::{add_lost, paced};
use crate::rig::Rig;
use crate::subject::{Kind, Subject, bridge_arguments, free_address, serial_ws};
use crate::table::{Table, Target, measure};

/// The longest time for the broker to listen, and for serial-ws to be connected to it.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Measures serial-ws with `--mqtt`. Without it, it takes the place of the floor.
pub fn mqtt(effort: Effort, _: &[Kind], table: &mut Table) -> Result<()> {
    let Some(broker) = Broker::start()? else {
        println!("mosquitto: not installed");
        return Ok(());
    };
    let pair = [Kind::SerialWs, Kind::Floor];
    let measured = measure(effort, &pair, |kind| {
        let publishes = kind == Kind::SerialWs;
        let device = Device::new()?;
        let address = free_address()?;
        let tty = device.path().to_str().context("a tty has a plain name")?;
        let mut command = Command::new(serial_ws());
        command.args(bridge_arguments(tty, address));
        if publishes {
            command.args(["--mqtt", &format!("mqtt://{}/bench", broker.address)]);
        }
        let rig = Rig::with(device, Subject::spawn(command, address)?, 100)?;
        if publishes {
            wait_for("the broker to be connected", || is_publishing(address))?;
        }
        paced(rig, 1000, effort.time)
    })?;
    let target = Target::RatioAtMost(1.15);
    table.add("CPU per message, µs", &measured, |paced| paced.cpu, target);
    add_lost(&measured, table);
    Ok(())
}

/// A broker without subscribers. It is killed when dropped.
struct Broker {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Broker {
    /// Starts mosquitto, and waits until it listens; None where it is not installed.
    fn start() -> Result<Option<Self>> {
        let address = free_address()?;
        let folder = std::env::temp_dir().join(format!("serial-ws-bench-{}", address.port()));
        std::fs::create_dir_all(&folder)?;
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {} {}\nallow_anonymous true\n",
            address.port(),
            address.ip()
        );
        std::fs::write(&config, text)?;
        // Debian keeps it where only root looks for commands.
        let path = std::env::var("PATH").unwrap_or_default();
        let child = Command::new("mosquitto")
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            std::fs::remove_dir_all(&folder)?;
            return Ok(None);
        };
        let broker = Self {
            child,
            address,
            folder,
        };
        wait_for("mosquitto to listen", || {
            TcpStream::connect(address).is_ok()
        })?;
        Ok(Some(broker))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns true if serial-ws says so itself: without it, the pair would be twice the same.
fn is_publishing(address: SocketAddr) -> bool {
    let metrics = || {
        let mut stream = TcpStream::connect(address)?;
        let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    metrics().is_ok_and(|metrics| metrics.contains("\nserial_ws_mqtt_connected 1\n"))
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while !is_so() {
        ensure!(
            Instant::now() < deadline,
            "waited {} s for {what}",
            START_TIMEOUT.as_secs()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
