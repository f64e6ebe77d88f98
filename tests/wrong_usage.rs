//! The table of mistakes in `wrong_usage.txt`: each gets its exit code and exactly its sentence.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::network::home;
use crate::support::{is_for_windows, skip, words};

const TABLE: &str = include_str!("wrong_usage.txt");

#[test]
fn each_mistake_gets_the_sentence_of_the_table() {
    if is_for_windows() {
        return skip("the table has the paths of Linux and macOS");
    }
    let folder = home("wrong-usage");
    fs::create_dir_all(folder.join("web")).expect("a folder can be made");
    for name in ["a.toml", "index.html", "notes"] {
        fs::write(folder.join(name), "").expect("a file can be written");
    }
    fs::write(folder.join("notes.bin"), [0xff, 0xfe, 0]).expect("a file can be written");
    fs::write(folder.join("short"), "short").expect("a file can be written");
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<_> = rows
        .map(|line| line.splitn(3, " | ").collect::<Vec<_>>())
        .collect();
    assert!(rows.len() >= 150, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let [code, typed, expected] = row[..] else {
            panic!("{row:?} is no row");
        };
        let found = mistake(&folder, typed);
        if found != (code.parse().ok(), expected.to_owned()) {
            wrong.push(format!(
                "{typed}: expected {code} {expected}, found {found:?}"
            ));
        }
    }
    fs::remove_dir_all(&folder).expect("it is ours");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the program, and returns its exit code and its error.
fn mistake(folder: &Path, typed: &str) -> (Option<i32>, String) {
    let program = words();
    let typed = split(typed);
    let is_variable = |word: &String| word.starts_with("SERIAL_WS_");
    let variables = typed.iter().take_while(|word| is_variable(word)).count();
    let (variables, arguments) = typed.split_at(variables);
    let mut command = Command::new(&program[0]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SERIAL_WS_") {
            command.env_remove(name);
        }
    }
    let variables = variables
        .iter()
        .filter_map(|variable| variable.split_once('='));
    let nowhere = folder.join("nothing");
    let ended = command
        .args(&program[1..])
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", &nowhere)
        .env("HOME", &nowhere)
        .envs(variables)
        .stdin(Stdio::null())
        .output()
        .expect("the program can be started");
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    let error = stderr.lines().find_map(|line| line.strip_prefix("error: "));
    let error = error
        .unwrap_or(&stderr)
        .replace(&*folder.to_string_lossy(), "DIR");
    (ended.status.code(), error)
}

/// Splits what is typed into words; a blank between quotes belongs to a word.
fn split(typed: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    for character in typed.chars() {
        match character {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}
