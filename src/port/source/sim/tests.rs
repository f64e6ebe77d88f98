//! Tests simulated devices as a port sees them: as byte streams, on paused time.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::{Instant, timeout};

use super::{BUFFER_BYTES, Pattern, firmware, source};
use crate::port::source::echo;

/// The simulated time that a test waits for something that must come.
const SOON: Duration = Duration::from_secs(20);
/// The simulated time that a test waits to see that nothing comes.
const A_WHILE: Duration = Duration::from_secs(5);

struct Board(BufReader<DuplexStream>);

impl Board {
    fn running(pattern: Pattern) -> Board {
        Board(BufReader::new((source(pattern).power_up)()))
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(SOON, self.0.read_line(&mut line)).await;
        read.expect("a line comes soon")
            .expect("the board is there");
        line.strip_suffix("\r\n")
            .expect("lines end like println")
            .to_owned()
    }

    async fn send(&mut self, bytes: &[u8]) {
        let written = timeout(SOON, self.0.write_all(bytes)).await;
        written
            .expect("the board takes in what it is sent")
            .expect("the board is there");
    }

    async fn is_silent(&mut self) -> bool {
        timeout(A_WHILE, self.0.fill_buf()).await.is_err()
    }
}

#[track_caller]
fn numbers(line: &str) -> Vec<f64> {
    let fields = line.split(',').map(|field| field.parse());
    fields
        .collect::<Result<_, _>>()
        .expect("comma-separated numbers")
}

#[tokio::test(start_paused = true)]
async fn sensors_come_as_three_numbers_fifty_times_a_second() {
    let mut board = Board::running(Pattern::Sensors);
    let start = Instant::now();
    for _ in 0..500 {
        let values = numbers(&board.line().await);
        let [pot, light, button] = values[..] else {
            panic!("three values, not {values:?}")
        };
        assert!((0.0..=1023.0).contains(&pot) && (0.0..=1023.0).contains(&light));
        assert!(button == 0.0 || button == 1.0);
    }
    // The first line is there at once, the 500th 499 periods later.
    assert_eq!(start.elapsed(), Duration::from_millis(9_980));
}

#[tokio::test(start_paused = true)]
async fn every_run_shows_the_same_picture() {
    let (mut one, mut other) = (
        Board::running(Pattern::Sensors),
        Board::running(Pattern::Sensors),
    );
    for _ in 0..100 {
        assert_eq!(one.line().await, other.line().await);
    }
}

#[tokio::test(start_paused = true)]
async fn raw_bytes_cover_their_range_at_a_hundred_a_second() {
    let mut board = (source(Pattern::Raw).power_up)();
    let start = Instant::now();
    let mut bytes = [0; 801];
    board.read_exact(&mut bytes).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(8));
    assert!(bytes.contains(&0) && bytes.contains(&255) && bytes.contains(&b'\n'));
}

#[tokio::test(start_paused = true)]
async fn call_says_hello_until_it_is_called() {
    let mut board = Board::running(Pattern::Call);
    let start = Instant::now();
    for _ in 0..4 {
        assert_eq!(board.line().await, "hello");
    }
    assert_eq!(start.elapsed(), Duration::from_millis(900));
    board.send(b"x").await;
    assert_eq!(numbers(&board.line().await).len(), 3);
    assert!(board.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn call_answers_each_byte_with_one_line() {
    let mut board = Board::running(Pattern::Call);
    assert_eq!(board.line().await, "hello");
    board.send(&[b'x'; 1_000]).await;
    for _ in 0..1_000 {
        assert_eq!(numbers(&board.line().await).len(), 3);
    }
    assert!(board.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn labels_name_their_values() {
    let mut board = Board::running(Pattern::Labels);
    for _ in 0..100 {
        let line = board.line().await;
        let labels: Vec<&str> = line
            .split('\t')
            .map(|pair| {
                let (label, value) = pair.split_once(':').expect("label:value");
                value.parse::<f64>().expect("a number");
                label
            })
            .collect();
        assert_eq!(labels, ["temperature", "humidity", "light"]);
    }
}

#[tokio::test(start_paused = true)]
async fn json_comes_as_an_object_per_line() {
    let mut board = Board::running(Pattern::Json);
    for _ in 0..100 {
        let object: serde_json::Value = serde_json::from_str(&board.line().await).unwrap();
        assert!(object["potentiometer"].is_u64() && object["light"].is_u64());
        assert!(object["button"].is_u64());
    }
}

#[tokio::test(start_paused = true)]
async fn a_button_sends_only_its_changes() {
    let mut board = Board::running(Pattern::Button);
    for _ in 0..20 {
        assert_eq!(board.line().await, "1");
        assert_eq!(board.line().await, "0");
    }
}

#[tokio::test(start_paused = true)]
async fn an_led_obeys_letters_and_numbers() {
    let mut board = Board::running(Pattern::Led);
    for (command, state) in [
        ("H", "led:255"),
        ("L", "led:0"),
        ("128\n", "led:128"),
        ("7\r\n", "led:7"),
        ("300\n", "led:255"),
        ("99999999999999\n", "led:255"),
        ("42", "led:42"),
        ("0\n", "led:0"),
    ] {
        board.send(command.as_bytes()).await;
        assert_eq!(board.line().await, state, "after {command:?}");
    }
    board.send(b"HL12\nH").await;
    for state in ["led:255", "led:0", "led:12", "led:255"] {
        assert_eq!(board.line().await, state);
    }
    board.send(b"hello, are you there?\r\n").await;
    assert!(board.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn an_imu_gives_heading_pitch_and_roll() {
    let mut board = Board::running(Pattern::Imu);
    for _ in 0..100 {
        assert_eq!(numbers(&board.line().await).len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_nobody_reads_still_takes_in_what_it_is_sent() {
    for pattern in Pattern::ALL {
        let mut board = Board::running(pattern);
        tokio::time::sleep(Duration::from_secs(600)).await;
        board.send(&[b'H'; 200_000]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_not_read_goes_on_in_its_rhythm_with_whole_lines() {
    let mut board = Board::running(Pattern::Sensors);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let start = Instant::now();
    let mut lines = 0;
    while start.elapsed() < Duration::from_secs(10) {
        assert_eq!(numbers(&board.line().await).len(), 3);
        lines += 1;
    }
    // What waited in a buffer of 4096 bytes comes at once, then 50 lines a second.
    assert!((500..1_100).contains(&lines), "{lines} lines");
}

#[tokio::test(start_paused = true)]
async fn a_loop_sends_back_every_byte_in_order() {
    let sent: Vec<u8> = (0..1_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let (mut reader, mut writer) = tokio::io::split((echo::source().power_up)());
    let mut received = vec![0; sent.len()];
    let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
    written.unwrap();
    read.unwrap();
    assert!(received == sent, "the bytes came back changed");
    assert!(
        timeout(A_WHILE, reader.read_u8()).await.is_err(),
        "more came back than was sent"
    );
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_nobody_reads_holds_its_writer_back() {
    let mut device = (echo::source().power_up)();
    let mut taken = 0;
    while let Ok(written) = timeout(A_WHILE, device.write(&[0; 1_000])).await {
        taken += written.unwrap();
        assert!(taken < 50_000, "a loop keeps growing");
    }
    let mut returned = vec![0; taken];
    device.read_exact(&mut returned).await.unwrap();
}

#[tokio::test]
async fn unplugging_ends_the_firmware() {
    for pattern in Pattern::ALL {
        let (device, line) = tokio::io::duplex(BUFFER_BYTES);
        let firmware = tokio::spawn(firmware::run(pattern, line));
        drop(device);
        timeout(SOON, firmware)
            .await
            .expect("the firmware ends")
            .unwrap();
    }
}

#[track_caller]
fn check_name(name: &str, expected: Pattern) {
    assert_eq!(name.parse::<Pattern>().unwrap(), expected);
}

#[test]
fn a_pattern_is_found_by_what_is_shown_of_it() {
    for pattern in Pattern::ALL {
        check_name(&pattern.to_string(), pattern);
        check_name(pattern.name(), pattern);
    }
    check_name("sim", Pattern::Sensors);
    check_name("", Pattern::Sensors);
}

#[test]
fn a_wrong_name_lists_the_right_ones() {
    let error = "sim:imuu".parse::<Pattern>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown simulated device `sim:imuu` (known: sim, sim:raw, sim:call, sim:labels, sim:json, \
         sim:button, sim:led, sim:imu, sim:uart)"
    );
}
