//! The sketches of `firmware/`, compiled, on simulated boards: the data that pages receive from
//! them, and their reactions to what pages send. A plain `cargo test` ignores these tests;
//! `tests/run firmware` compiles the sketches and runs them.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::{Board, Bridge, Client};

// Data from the sketches.

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn every_line_of_a_busy_sketch_arrives_in_order_and_at_the_rate_of_the_wire() {
    const LINES: u32 = 5_000;
    let Some(mut board) = Board::start("Count-115200", &[]).await else {
        return;
    };
    let bridge = board.bridge(&["--baud", "115200"]).await;
    let mut page = bridge.client("/").await;
    let first: u32 = number(&page.text().await);
    let lost = board.figure("lost").await;
    let start = Instant::now();
    let mut bytes = 0;
    for expected in (first + 1..).take(LINES as usize) {
        let line = page.text().await;
        assert_eq!(number::<u32>(&line), expected);
        bytes += line.len() + "\r\n".len();
    }
    let rate = bytes as f64 / start.elapsed().as_secs_f64();
    println!("{LINES} lines, {rate:.0} bytes per second");
    // The 115200 baud of an Uno are really 117647. A busy machine slows the simulation a lot.
    assert!((3_000.0..12_500.0).contains(&rate), "{rate}");
    assert_eq!(
        board.figure("lost").await,
        lost,
        "the serial line was read in time"
    );
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_sketch_that_counts_in_json_is_read_without_a_gap() {
    let Some(mut board) = Board::start("JsonLines", &[]).await else {
        return;
    };
    board.tell("pin 2 0");
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/").await;
    let object = async |page: &mut Client| -> Value {
        serde_json::from_str(&page.text().await).expect("a line is an object")
    };
    let first = object(&mut page).await;
    for count in 1..20 {
        let next = object(&mut page).await;
        let expected = first["count"].as_u64().map(|first| first + count);
        assert_eq!(next["count"].as_u64(), expected);
        assert_eq!(next["button"], 1, "it is pressed");
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn raw_readings_are_the_bytes_that_the_sketch_wrote() {
    let Some(mut board) = Board::start("RawByte", &[]).await else {
        return;
    };
    let bridge = board.bridge(&["--raw"]).await;
    let mut page = bridge.client("/").await;
    // 4.6 V reads as the byte 235, which is not valid text; 13 and 10 are ordinary bytes.
    for (millivolts, byte) in [(4600, 235), (260, 13), (200, 10), (5000, 255), (0, 0)] {
        board.tell(&format!("adc 0 {millivolts}"));
        while *page.bytes().await.last().expect("no message is empty") != byte {}
        assert!(page.bytes().await.iter().all(|reading| *reading == byte));
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn frames_are_whole_whatever_bytes_are_in_them() {
    let Some(mut board) = Board::start("SlipFrames", &[]).await else {
        return;
    };
    let bridge = board.bridge(&["--frame", "slip"]).await;
    let mut page = bridge.client("/?view=frames").await;
    // The low bytes of these readings are the end of a frame, and the escape of SLIP.
    for (millivolts, reading) in [(2500, 511), (939, 0x0c0), (1071, 0x0db), (0, 0)] {
        board.tell(&format!("adc 0 {millivolts}"));
        let knob = |frame: &[u8]| u16::from_le_bytes([frame[0], frame[1]]);
        loop {
            let frame = page.bytes().await;
            assert_eq!(frame.len(), 4, "{frame:?}");
            if knob(&frame) == reading {
                break;
            }
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_board_that_speaks_when_it_is_asked_is_asked_once_for_all_pages() {
    let Some(mut board) = Board::start("CallResponse", &[]).await else {
        return;
    };
    board.tell("adc 0 2500");
    let bridge = board.bridge(&["--poll", "A", "--every", "50ms"]).await;
    let mut pages = vec![bridge.client("/").await, bridge.client("/").await];
    for page in &mut pages {
        while !page.text().await.starts_with("511,") {}
        for _ in 0..20 {
            assert!(page.text().await.starts_with("511,"));
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn each_sketch_prints_the_lines_that_its_page_reads() {
    for (sketch, millivolts, expected) in [
        ("OneNumber", vec![2500], "511"),
        ("SeveralSensors", vec![2500, 1000], "511,204,0"),
        (
            "LabelledValues",
            vec![2500, 1000],
            "potentiometer:511\tlight:204",
        ),
        ("Orientation", vec![2500, 2500, 3000, 2500], "179.6,"),
    ] {
        let Some(mut board) = Board::start(sketch, &[]).await else {
            return;
        };
        for (input, millivolts) in millivolts.iter().enumerate() {
            board.tell(&format!("adc {input} {millivolts}"));
        }
        let bridge = board.bridge(&[]).await;
        let mut page = bridge.client("/").await;
        while !page.text().await.starts_with(expected) {}
        let line = page.text().await;
        assert!(line.starts_with(expected), "{sketch}: {line}");
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_button_sends_its_changes_and_a_late_page_receives_the_last_one() {
    let Some(mut board) = Board::start("Button", &[]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/").await;
    board.hears("start").await;
    for (level, line) in [(0, "1"), (1, "0"), (0, "1")] {
        board.tell(&format!("pin 2 {level}"));
        assert_eq!(page.text().await, line);
    }
    let mut late = bridge.client("/?history=1").await;
    assert_eq!(late.text().await, "1");
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_turn_of_the_knob_reaches_the_page_within_50_ms() {
    const MAX_LATENCY: Duration = Duration::from_millis(50);
    let Some(mut board) = Board::start("OneNumber-115200", &[]).await else {
        return;
    };
    let bridge = board.bridge(&["--baud", "115200"]).await;
    let mut page = bridge.client("/").await;
    page.text().await;
    let mut took = Vec::new();
    for round in 0..21 {
        let (millivolts, reading) = [(5000, "1023"), (0, "0")][round % 2];
        let turned = Instant::now();
        board.tell(&format!("adc 0 {millivolts}"));
        while page.text().await != reading {}
        took.push(turned.elapsed());
    }
    took.sort();
    println!("median {:?}, slowest {:?}", took[10], took[20]);
    // A busy machine slows some, but a slow program slows all, so the fastest quarter counts.
    assert!(took[5] < MAX_LATENCY, "{took:?}");
}

// Data from pages.

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_page_switches_the_led_and_every_page_is_notified() {
    let Some(mut board) = Board::start("LedLetters", &[]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let (mut one, mut other) = (bridge.client("/").await, bridge.client("/").await);
    board.hears("start").await;
    for (letter, event, line) in [("H", "pin 13 1", "on"), ("L", "pin 13 0", "off")] {
        one.send(letter).await;
        board.hears(event).await;
        assert_eq!(one.text().await, line);
        assert_eq!(other.text().await, line);
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_byte_dims_the_led_exactly_as_a_number_does() {
    for (sketch, arguments) in [
        ("DimmerByte", vec![]),
        ("DimmerNumber", vec!["--append", "lf"]),
    ] {
        let Some(mut board) = Board::start(sketch, &[]).await else {
            return;
        };
        let bridge = board.bridge(&arguments).await;
        let mut page = bridge.client("/").await;
        board.hears("start").await;
        for (brightness, event) in [
            (1, "pwm 9 1"),
            (128, "pwm 9 128"),
            (254, "pwm 9 254"),
            (0, "pin 9 0"),
        ] {
            match sketch {
                "DimmerByte" => page.send_bytes([brightness]).await,
                _ => page.send(brightness.to_string()).await,
            }
            board.hears(event).await;
            assert_eq!(page.text().await, brightness.to_string(), "{sketch}");
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_number_counts_when_its_line_ends_with_cr_lf_or_both() {
    let Some(mut board) = Board::start("DimmerNumber", &[]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/").await;
    board.hears("start").await;
    // Two lines in one message take nothing from each other.
    for (message, numbers) in [
        ("1\n", vec!["1"]),
        ("20\r\n", vec!["20"]),
        ("3\r", vec!["3"]),
        ("\r\n40\r\n", vec!["40"]),
        ("50\r\n60\r\n", vec!["50", "60"]),
        ("70\r80\r", vec!["70", "80"]),
    ] {
        page.send(message).await;
        for number in numbers {
            assert_eq!(page.text().await, number, "{message:?}");
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn two_numbers_stay_together_whatever_ends_their_line() {
    for end in ["\n", "\r\n", "\r"] {
        let Some(mut board) = Board::start("Duplex", &[]).await else {
            return;
        };
        board.tell("adc 0 2500");
        let bridge = board.bridge(&[]).await;
        let mut page = bridge.client("/").await;
        assert_eq!(page.text().await, "0");
        for (message, event) in [
            (format!("1,0{end}"), "pin 2 1"),
            (format!("0,1{end}"), "pin 5 1"),
            // What is no pair of numbers is passed over, and takes no number from the next line.
            (format!("7{end}1,1{end}"), "pin 2 1"),
            (format!("{end}0,0{end}"), "pin 2 0"),
        ] {
            page.send(message).await;
            board.hears(event).await;
            while page.text().await != "511" {}
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn every_byte_goes_to_the_board_and_back_untouched() {
    let Some(mut board) = Board::start("Echo", &[]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/?view=raw").await;
    board.hears("start").await;
    let every: Vec<u8> = (0..=255).rev().collect();
    page.send_bytes(every.clone()).await;
    assert_eq!(page.bytes_of(every.len()).await, every);
    let mut text = bridge.client("/?append=lf").await;
    text.send("héllo").await;
    assert_eq!(text.text().await.trim_start_matches(|c| c != 'h'), "héllo");
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn several_pages_call_one_board_and_all_receive_every_response() {
    const CALLS: usize = 5;
    let Some(mut board) = Board::start("CallResponse", &[]).await else {
        return;
    };
    board.tell("adc 0 2500");
    let bridge = board.bridge(&[]).await;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let mut page = bridge.client("/").await;
        assert_eq!(page.text().await, "hello");
        pages.push(page);
    }
    for page in &mut pages {
        for _ in 0..CALLS {
            page.send("x").await;
        }
    }
    for page in &mut pages {
        let mut responses = 0;
        while responses < 3 * CALLS {
            let line = page.text().await;
            assert!(line == "511,0,0" || line == "hello", "{line}");
            responses += usize::from(line != "hello");
        }
    }
    assert_eq!(board.figure("received").await, 3 * CALLS as u64);
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_binary_response_is_two_bytes_for_each_call() {
    let Some(mut board) = Board::start("CallResponseBinary", &[]).await else {
        return;
    };
    board.tell("adc 0 5000");
    let bridge = board.bridge(&["--raw"]).await;
    let mut page = bridge.client("/").await;
    board.hears("start").await;
    for _ in 0..10 {
        page.send("x").await;
        assert_eq!(page.bytes_of(2).await, 1023_u16.to_be_bytes());
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_page_that_writes_in_every_frame_gets_a_reading_for_every_line() {
    const FRAMES: usize = 60;
    let Some(mut board) = Board::start("Duplex", &[]).await else {
        return;
    };
    board.tell("adc 0 2500");
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/").await;
    assert_eq!(page.text().await, "0");
    page.send("0,0\n").await;
    while page.text().await != "511" {}
    let mut frames = interval(Duration::from_secs(1) / FRAMES as u32);
    // Like a browser, does not make up for missed frames.
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for frame in 0..FRAMES {
        frames.tick().await;
        page.send(format!("{},{}\n", frame % 2, 1 - frame % 2))
            .await;
    }
    let mut readings = 0;
    while readings < FRAMES {
        readings += usize::from(page.text().await == "511");
    }
    board.hears("pin 2 1").await;
    board.hears("pin 5 0").await;
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn the_knob_of_one_board_dims_the_led_of_another() {
    let Some(mut left) = Board::start("TwoBoards", &[]).await else {
        return;
    };
    let Some(mut right) = Board::start("TwoBoards", &[]).await else {
        return;
    };
    let bridge = Bridge::start(&[
        "--port",
        &format!("left={}", left.path),
        "--port",
        &format!("right={}", right.path),
    ])
    .await;
    bridge.open("left").await;
    bridge.open("right").await;
    let mut from_left = bridge.client("/ports/left").await;
    let mut to_right = bridge.client("/ports/right?append=lf").await;
    left.settles().await;
    right.settles().await;
    for (millivolts, knob, end) in [(1000, "51", ""), (4000, "204", "\r\n")] {
        left.tell(&format!("adc 0 {millivolts}"));
        while from_left.text().await != knob {}
        to_right.send(format!("{knob}{end}")).await;
        right.hears(&format!("pwm 9 {knob}")).await;
    }
}

// Failures.

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn a_wrong_rate_is_reported_with_a_remedy() {
    for (sketch, rate) in [("OneNumber", "115200"), ("OneNumber-115200", "9600")] {
        let Some(mut board) = Board::start(sketch, &[]).await else {
            return;
        };
        board.tell("sine 0 1");
        let bridge = board.bridge(&["--baud", rate]).await;
        // The board may report a rate between the opening and the setting of the rate.
        board.hears(&format!("baud {rate} ")).await;
        bridge
            .program
            .said(&format!("is --baud {rate} right?"))
            .await;
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn an_unplugged_board_starts_anew_and_its_pages_continue() {
    let Some(mut board) = Board::start("Count", &["--auto-reset", "--boot-ms", "200"]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let mut page = bridge.client("/").await;
    for _ in 0..3 {
        while number::<u32>(&page.text().await) < 10 {}
        board.tell("unplug");
        board.hears("close").await;
        bridge.state("board", "lost").await;
        board.tell("plug");
        bridge.open("board").await;
        // No line is joined from before and after the restart.
        let mut last = number::<u32>(&page.text().await);
        while last != 0 {
            let next = number::<u32>(&page.text().await);
            assert!(next == last + 1 || next == 0, "{next} after {last}");
            last = next;
        }
    }
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn the_first_command_is_not_lost_in_the_bootloader_of_a_board_that_restarts() {
    const LIKE_AN_UNO: [&str; 3] = ["--auto-reset", "--boot-ms", "1600"];
    let Some(mut board) = Board::start("LedLetters", &LIKE_AN_UNO).await else {
        return;
    };
    // For a silent sketch, writes are held for as long as --settle says.
    let bridge = board.bridge(&["--settle", "2000"]).await;
    bridge.client("/").await.send("H").await;
    board.hears("reset").await;
    board.hears("pin 13 1").await;
    assert_eq!(board.figure("dropped").await, 0);
    drop(bridge);

    // A sketch that sends lines receives the write after the second one.
    let Some(mut board) = Board::start("CallResponse", &LIKE_AN_UNO).await else {
        return;
    };
    let bridge = board.bridge(&["--settle", "20000"]).await;
    let mut page = bridge.client("/").await;
    page.send("x").await;
    assert_eq!(page.text().await, "hello");
    while page.text().await == "hello" {}
    assert_eq!(board.figure("dropped").await, 0);
    drop(bridge);

    // Without settling the write is lost; otherwise these boards would prove nothing.
    let Some(mut board) = Board::start("LedLetters", &LIKE_AN_UNO).await else {
        return;
    };
    let bridge = board.bridge(&["--settle", "0"]).await;
    board.hears("reset").await;
    bridge.client("/").await.send("H").await;
    board.hears("start").await;
    assert_eq!(board.figure("dropped").await, 1);
}

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn connecting_and_leaving_pages_do_not_restart_the_board() {
    let Some(mut board) = Board::start("JsonLines", &["--auto-reset"]).await else {
        return;
    };
    let bridge = board.bridge(&[]).await;
    let mut last = 0;
    for _ in 0..4 {
        let mut page = bridge.client("/").await;
        let line: Value = serde_json::from_str(&page.text().await).expect("a line is an object");
        let count = line["count"].as_u64().expect("it counts");
        assert!(count >= last, "{count} after {last}");
        last = count;
        page.leave().await;
    }
    board.hears("reset").await;
    board.tell("stat");
    loop {
        let event = board.hears("").await;
        assert_ne!(event, "reset");
        if event.starts_with("stat") {
            break;
        }
    }
}

#[track_caller]
fn number<T: std::str::FromStr>(line: &str) -> T {
    let number = line.parse().ok();
    number.unwrap_or_else(|| panic!("{line:?} is not a number"))
}
