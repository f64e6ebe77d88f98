//! The sketches of the simulated boards. Each ends when the other end of the line is gone, and goes
//! on reading while nobody reads what it sends.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use super::pattern::Pattern;
use super::signal;

type Receiver = ReadHalf<DuplexStream>;
type Sender = WriteHalf<DuplexStream>;

/// 50 readings a second, as sketches with `delay(20)` send them.
const SENSOR_PERIOD: Duration = Duration::from_millis(20);
/// 20 readings a second, enough for a curve to move smoothly.
const PLOT_PERIOD: Duration = Duration::from_millis(50);
/// 100 bytes a second; `delay(1)`, as some sketches have it, only fills buffers.
const RAW_PERIOD: Duration = Duration::from_millis(10);
/// The time between two looks at the button; a press lasts several of these.
const BUTTON_PERIOD: Duration = Duration::from_millis(10);
/// The pause between two calls of a board that waits to be answered.
const HELLO_PERIOD: Duration = Duration::from_millis(300);
/// The time that a byte takes at 9600 baud. It keeps a page that asks again after every answer at
/// the pace of a real board.
const BYTE_TIME: Duration = Duration::from_micros(1_042);
/// The time for which `parseInt` waits for another digit, after `Serial.setTimeout(10)`.
const DIGIT_TIME: Duration = Duration::from_millis(10);

/// Runs `pattern` until the other end of `line` is gone.
pub(crate) async fn run(pattern: Pattern, line: DuplexStream) {
    match pattern {
        Pattern::Sensors => send_readings(line, SENSOR_PERIOD, |t| println(sensors(t))).await,
        Pattern::Raw => {
            send_readings(line, RAW_PERIOD, |t| {
                vec![(signal::potentiometer(t) / 4) as u8]
            })
            .await
        }
        Pattern::Call => call(line).await,
        Pattern::Labels => send_readings(line, PLOT_PERIOD, |t| println(labels(t))).await,
        Pattern::Json => send_readings(line, PLOT_PERIOD, |t| println(json(t))).await,
        Pattern::Button => button(line).await,
        Pattern::Led => led(line).await,
        Pattern::Imu => send_readings(line, SENSOR_PERIOD, |t| println(orientation(t))).await,
        Pattern::Uart(_) => sensors_and_led(line).await,
    }
}

/// Runs a sketch that only sends: at every tick, the `reading` for the seconds since the start.
async fn send_readings(line: DuplexStream, period: Duration, reading: impl FnMut(f64) -> Vec<u8>) {
    let (receiver, sender) = tokio::io::split(line);
    run_both(discard(receiver), repeat(sender, period, reading)).await;
}

async fn repeat(
    mut sender: Sender,
    period: Duration,
    mut reading: impl FnMut(f64) -> Vec<u8>,
) -> io::Result<()> {
    let start = Instant::now();
    let mut rhythm = steady_interval(period);
    loop {
        let now = rhythm.tick().await;
        sender
            .write_all(&reading((now - start).as_secs_f64()))
            .await?;
    }
}

/// Discards what a sketch that never reads is sent, so that its sender is not held up.
async fn discard(mut receiver: Receiver) -> io::Result<()> {
    let mut bytes = [0; 256];
    while receiver.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// Sends only changes: a line when the button goes down, another when it comes up.
async fn button(line: DuplexStream) {
    let mut was_down = false;
    let change = move |seconds| {
        let down = signal::button(seconds);
        if down == was_down {
            return Vec::new();
        }
        was_down = down;
        println(u8::from(down).to_string())
    };
    send_readings(line, BUTTON_PERIOD, change).await;
}

/// Runs call and response: `hello` until a client answers, then one reading for each byte.
async fn call(line: DuplexStream) {
    let (receiver, sender) = tokio::io::split(line);
    // One permit for each byte that has not been answered: however many there are, it is a number.
    let calls = Semaphore::new(0);
    run_both(count(receiver, &calls), answer(sender, &calls)).await;
}

async fn count(mut receiver: Receiver, calls: &Semaphore) -> io::Result<()> {
    let mut bytes = [0; 256];
    loop {
        match receiver.read(&mut bytes).await? {
            0 => return Ok(()),
            length => calls.add_permits(length),
        }
    }
}

async fn answer(mut sender: Sender, calls: &Semaphore) -> io::Result<()> {
    let start = Instant::now();
    let mut rhythm = steady_interval(HELLO_PERIOD);
    while calls.available_permits() == 0 {
        tokio::select! {
            _ = next_request(calls) => calls.add_permits(1),
            _ = rhythm.tick() => sender.write_all(b"hello\r\n").await?,
        }
    }
    loop {
        next_request(calls).await;
        let reading = println(sensors(start.elapsed().as_secs_f64()));
        sender.write_all(&reading).await?;
        sleep(BYTE_TIME * reading.len() as u32).await;
    }
}

/// Waits for the next request and takes it.
async fn next_request(requests: &Semaphore) {
    let request = requests.acquire().await;
    request
        .expect("a sketch never closes its own count of requests")
        .forget();
}

/// Runs an LED: `H` and `L` switch it, a number sets its brightness, and the reply to every command is
/// `led:` and the brightness, 0 to 255.
async fn led(line: DuplexStream) {
    let (receiver, sender) = tokio::io::split(line);
    let (brightness, commands) = (AtomicU8::new(0), Semaphore::new(0));
    run_both(
        read_commands(receiver, &brightness, &commands),
        report_state(sender, &brightness, &commands),
    )
    .await;
}

/// Runs sensors and an LED in one sketch.
async fn sensors_and_led(line: DuplexStream) {
    let (receiver, mut sender) = tokio::io::split(line);
    let (brightness, commands) = (AtomicU8::new(0), Semaphore::new(0));
    let send = async {
        let start = Instant::now();
        let mut rhythm = steady_interval(PLOT_PERIOD);
        loop {
            let text = tokio::select! {
                () = next_request(&commands) => state(&brightness),
                now = rhythm.tick() => sensors((now - start).as_secs_f64()),
            };
            sender.write_all(&println(text)).await?;
        }
    };
    run_both(read_commands(receiver, &brightness, &commands), send).await;
}

async fn read_commands(
    mut receiver: Receiver,
    brightness: &AtomicU8,
    commands: &Semaphore,
) -> io::Result<()> {
    let mut number: Option<u32> = None;
    loop {
        let next = match number {
            // A number also ends in a pause, for clients that send no line end.
            Some(_) => timeout(DIGIT_TIME, receiver.read_u8())
                .await
                .unwrap_or(Ok(b'\n')),
            None => receiver.read_u8().await,
        };
        let byte = match next {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            byte => byte?,
        };
        if byte.is_ascii_digit() {
            let digit = u32::from(byte - b'0');
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            continue;
        }
        let switched = match byte {
            b'H' => Some(u8::MAX),
            b'L' => Some(0),
            _ => None,
        };
        let dimmed = number.take().map(|number| number.min(255) as u8);
        for level in dimmed.into_iter().chain(switched) {
            brightness.store(level, Ordering::Relaxed);
            commands.add_permits(1);
            // Lets `report_state` send this state before the next command changes it.
            yield_now().await;
        }
    }
}

async fn report_state(
    mut sender: Sender,
    brightness: &AtomicU8,
    commands: &Semaphore,
) -> io::Result<()> {
    loop {
        next_request(commands).await;
        sender.write_all(&println(state(brightness))).await?;
    }
}

fn state(brightness: &AtomicU8) -> String {
    format!("led:{}", brightness.load(Ordering::Relaxed))
}

/// Runs the two directions of a sketch, until either finds that the other end of the line is gone.
async fn run_both(
    receive: impl Future<Output = io::Result<()>>,
    send: impl Future<Output = io::Result<()>>,
) {
    tokio::select! {
        // Replies go out before more is read.
        biased;
        _ = send => {}
        _ = receive => {}
    }
}

/// Returns a steady rhythm. After a time when nobody read, it continues with the next reading, without
/// a burst of those that were missed.
fn steady_interval(period: Duration) -> Interval {
    let mut rhythm = interval(period);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Skip);
    rhythm
}

/// Returns a line as `Serial.println` ends it.
fn println(text: String) -> Vec<u8> {
    (text + "\r\n").into_bytes()
}

fn sensors(t: f64) -> String {
    format!(
        "{},{},{}",
        signal::potentiometer(t),
        signal::light(t),
        u8::from(signal::button(t))
    )
}

fn labels(t: f64) -> String {
    format!(
        "temperature:{:.2}\thumidity:{:.2}\tlight:{}",
        signal::temperature(t),
        signal::humidity(t),
        signal::light(t)
    )
}

fn json(t: f64) -> String {
    format!(
        r#"{{"potentiometer":{},"light":{},"button":{}}}"#,
        signal::potentiometer(t),
        signal::light(t),
        u8::from(signal::button(t))
    )
}

fn orientation(t: f64) -> String {
    let [heading, pitch, roll] = signal::orientation(t);
    format!("{heading:.2},{pitch:.2},{roll:.2}")
}
