//! `serial-ws export`: recordings in other forms.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serial_ws::hub::Timestamp;
use serial_ws::recording::RecordingEntry;

use crate::support::{Program, noise};

const HEADER: &str = r#"{"recording":"serial-ws","version":1,"run":"r","port":"uno","path":"/dev/ttyX","settings":{"baud":300},"offset":0,"t":100.000000}"#;

/// A folder of recordings, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("serial-ws-export-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        Self(folder)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file can be written");
        text(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("the path is text").to_owned()
}

/// Runs `export`, and returns what it prints and says.
async fn export(arguments: &[&str]) -> (String, String) {
    let arguments = [&["export"], arguments].concat();
    let ended = Program::run(&arguments).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    (ended.stdout, ended.stderr)
}

async fn fails(arguments: &[&str], code: i32, part: &str) {
    let arguments = [&["export"], arguments].concat();
    let ended = Program::run(&arguments).await;
    ended.with(code, part);
    assert_eq!(ended.stdout, "");
}

/// A recording with these entries.
fn recording(entries: &[&str]) -> String {
    format!("{HEADER}\n{}\n", entries.join("\n"))
}

#[tokio::test]
async fn a_table_has_a_column_for_each_name() {
    let folder = Folder::new("table");
    let file = folder.write(
        "a.jsonl",
        recording(&[
            r#"{"t":101,"rx":"light: 80, temp: 21.50\n"}"#,
            r#"{"t":101.5,"tx":"light: 1\n"}"#,
            r#"{"t":102,"rx":"hello\n"}"#,
            r#"{"t":103,"rx":"light: 8"}"#,
            r#"{"t":103.25,"rx":"1\r\n=cmd: nan, temp: 3\n"}"#,
            r#"{"t":104,"rx":"light: 9"}"#,
            r#"{"t":105,"status":"lost","detail":"gone"}"#,
            r#"{"t":106,"status":"open","detail":"back"}"#,
            r#"{"t":107,"rx":"x,y\n1,2\n"}"#,
        ]),
    );
    let (table, said) = export(&["--csv", &file]).await;
    assert_eq!(said, "");
    let rows: Vec<_> = table.split("\r\n").collect();
    let cells = |row: &str| row.split_once(',').map(|(_, cells)| cells.to_owned());
    let found: Vec<_> = rows.iter().filter_map(|row| cells(row)).collect();
    let expected = ["light,temp,x,y", "80,21.50,,", "81,,,", ",3,,", ",,1,2"];
    assert_eq!(found, expected, "{table}");
    assert!(
        rows[1].starts_with("1970-01-01T") || rows[1].starts_with("1969-12-31T"),
        "{table}"
    );
    assert!(rows[1].contains(":41.000000"), "{table}");
    let (table, _) = export(&["--csv", "--direction", "tx", &file]).await;
    assert_eq!(
        table.split("\r\n").filter_map(cells).collect::<Vec<_>>(),
        ["light", "1"]
    );
}

#[tokio::test]
async fn text_has_everything_with_its_time() {
    let folder = Folder::new("text");
    let file = folder.write(
        "a.jsonl",
        recording(&[
            r#"{"t":101,"rx":"one\r\ntw"}"#,
            r#"{"t":101.5,"tx":"H\n","client":3}"#,
            r#"{"t":102,"rx":"o\n"}"#,
            r#"{"t":103,"missed":{"bytes":7}}"#,
            r#"{"t":104,"note":"second trial"}"#,
            r#"{"t":105,"rx":"left"}"#,
        ]),
    );
    let (printed, _) = export(&[&file]).await;
    let rows = printed
        .lines()
        .map(|row| row.split_once(' ').map_or("", |(_, text)| text));
    let expected = [
        "# recording of uno (/dev/ttyX)",
        "one",
        "> H",
        "two",
        "# missed 7 bytes from the device and 0 for it",
        "# note: second trial",
        "left",
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected, "{printed}");
    let (sent, _) = export(&["--raw", "--direction", "tx", &file]).await;
    assert_eq!(sent, "H\n");
}

#[tokio::test]
async fn a_part_of_a_recording_is_a_recording() {
    let folder = Folder::new("part");
    let file = folder.write(
        "a.jsonl",
        recording(&[
            r#"{"t":100.000000,"status":"open","detail":"it is open"}"#,
            r#"{"t":101.000000,"rx":"one\n"}"#,
            r#"{"t":102.000000,"rx":"two\n"}"#,
            r#"{"t":103.000000,"rx":"three\n"}"#,
        ]),
    );
    let (part, _) = export(&["--jsonl", "--from", "1.5s", "--to", "3s", &file]).await;
    let header = HEADER.replace("\"offset\":0,\"t\":100.0", "\"offset\":4,\"t\":101.5");
    let expected = format!(
        "{header}\n{{\"t\":101.500000,\"status\":\"open\",\"detail\":\"it is open\"}}\n\
         {{\"t\":102.000000,\"rx\":\"two\\n\"}}\n"
    );
    assert_eq!(part, expected);
    let part = folder.write("part.jsonl", part);
    let (bytes, _) = export(&["--raw", &part]).await;
    assert_eq!(bytes, "two\n");
    let (whole, _) = export(&["--jsonl", &file]).await;
    assert_eq!(whole, std::fs::read_to_string(&file).expect("it is there"));
    let (by_clock, _) = export(&["--raw", "--from", "1970-01-01T00:01:43Z", &file]).await;
    assert_eq!(by_clock, "three\n");
}

#[tokio::test]
async fn the_bytes_of_64_mib_come_out_as_they_came_in() {
    const LENGTH: usize = 64 << 20;
    let folder = Folder::new("noise");
    let bytes = noise(LENGTH, 1);
    // In two files, which are given in the wrong order, with entries of many lengths.
    let (first, second) = bytes.split_at(LENGTH / 3);
    for (name, part, start) in [("1.jsonl", first, 100_u64), ("2.jsonl", second, 200)] {
        let offset = if start == 100 { 0 } else { first.len() };
        let header = HEADER.replace(
            "\"offset\":0,\"t\":100",
            &format!("\"offset\":{offset},\"t\":{start}"),
        );
        let mut file = std::io::BufWriter::new(
            std::fs::File::create(folder.0.join(name)).expect("a file can be made"),
        );
        writeln!(file, "{header}").expect("it can be written");
        let mut rest = bytes::Bytes::copy_from_slice(part);
        let mut line = Vec::new();
        for number in 0.. {
            if rest.is_empty() {
                break;
            }
            let length = (number * 37 % 4096 + 1).min(rest.len());
            let t = Timestamp(start * 1_000_000 + number as u64);
            let bytes = rest.split_to(length);
            line.clear();
            RecordingEntry::Received { t, d: 0, bytes }.write(&mut line);
            file.write_all(&line).expect("it can be written");
        }
        file.flush().expect("it can be written");
    }
    let files = ["2.jsonl", "1.jsonl"].map(|name| text(&folder.0.join(name)));
    let mut program = Program::start(&["export", "--raw", &files[0], &files[1]]);
    let mut out = program.take_stdout();
    let exported = std::thread::spawn(move || {
        let mut exported = Vec::new();
        out.read_to_end(&mut exported).map(|_| exported)
    });
    let exported = exported
        .join()
        .expect("it does not panic")
        .expect("it can be read");
    assert!(
        exported == bytes,
        "{} bytes of {}",
        exported.len(),
        bytes.len()
    );
    let ended = program.ended().await;
    ended.with(0, "");
}

#[tokio::test]
async fn what_is_damaged_is_skipped_with_a_warning() {
    let folder = Folder::new("damage");
    let file = folder.write(
        "a.jsonl",
        format!(
            "{}{}",
            recording(&[
                r#"{"t":103,"rx":"one\n","colour":[1]}"#,
                r#"{"t":102,"rx":"two\n"}"#,
                "rubbish \u{0}\u{1}",
                &"x".repeat((1 << 20) + 1),
                r#"{"t":104,"colour":"red"}"#,
                r#"{"t":105,"rx":"three\n"}"#,
            ]),
            r#"{"t":106,"rx":"tor"#
        ),
    );
    let (bytes, said) = export(&["--raw", &file]).await;
    assert_eq!(bytes, "one\ntwo\nthree\n");
    for part in [
        "a.jsonl, line 3: its time is before that of an earlier line",
        "a.jsonl, line 4: it is no JSON object; it was skipped",
        "a.jsonl, line 5: it has 1048577 bytes, more than 1048576; it was skipped",
        "a.jsonl, line 8: it is not whole",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[tokio::test]
async fn ports_of_one_folder_are_told_apart() {
    let folder = Folder::new("ports");
    let knob = HEADER.replace("\"uno\"", "\"knob\"");
    folder.write("a.jsonl", recording(&[r#"{"t":101,"rx":"uno\n"}"#]));
    folder.write(
        "b.jsonl",
        format!("{knob}\n{{\"t\":101,\"rx\":\"knob\\n\"}}\n"),
    );
    folder.write("notes.jsonl", "no recording\n");
    folder.write("notes.txt", "no recording\n");
    let path = text(&folder.0);
    let (bytes, said) = export(&["--raw", &path]).await;
    assert_eq!(bytes, "uno\n");
    assert!(
        said.contains("of the ports uno, knob; only uno is taken"),
        "{said}"
    );
    assert!(
        said.contains("notes.jsonl is left out: it is no recording"),
        "{said}"
    );
    let (bytes, _) = export(&["--raw", "--port", "knob", &path]).await;
    assert_eq!(bytes, "knob\n");
    let error = "no recording is of the port left (recorded: uno, knob)";
    fails(&["--raw", "--port", "left", &path], 1, error).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_name() {
    let folder = Folder::new("unreadable");
    let check = async |content: &[u8], part: &str| {
        let file = folder.write("a.jsonl", content);
        fails(&["--raw", &file], 1, part).await;
    };
    check(b"", "a.jsonl: it is empty").await;
    check(b"584,678,0\n", "a.jsonl: it is no recording of serial-ws").await;
    check(&noise(4096, 1), "a.jsonl: it is no recording of serial-ws").await;
    let later = br#"{"recording":"serial-ws","version":7,"t":1}"#;
    check(later, "a.jsonl: it is a recording of version 7").await;
    fails(&["--raw", "no-such-file"], 1, "cannot read no-such-file").await;
    let empty = Folder::new("empty");
    fails(
        &[&text(&empty.0)],
        1,
        "has no recordings, whose names end in",
    )
    .await;
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    let folder = Folder::new("head");
    let lines = (0..100_000).map(|n| format!("{{\"t\":{},\"rx\":\"{n}\\n\"}}", 101 + n));
    let lines: Vec<_> = lines.collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let file = folder.write("a.jsonl", recording(&lines));
    let mut program = Program::start(&["export", "--raw", &file]);
    let mut out = program.take_stdout();
    let mut start = [0; 4];
    out.read_exact(&mut start).expect("it prints");
    assert_eq!(&start, b"0\n1\n");
    drop(out);
    let ended = program.ended().await;
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
}
