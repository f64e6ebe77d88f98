//! `tests/run` counts what the runners printed, and takes no crash for a success.

use std::{
    io::Write,
    process::{Command, Stdio},
};

#[test]
fn each_runner_of_cargo_is_counted_by_its_own_summary() {
    check(
        "     Running unittests src/lib.rs (target/debug/deps/a)\n\
         test a::passes ... ok\n\
         test a::fails - should panic ... FAILED\n\
         test a::waits ... ignored, takes minutes\n\
         test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n   \
         Doc-tests serial_ws\n\
         test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        &[
            "ran a::passes",
            "ran a::fails",
            "failed a::fails",
            "skipped a::waits: takes minutes",
            "passed 1",
            "passed 2",
        ],
    );
}

#[test]
fn a_runner_that_ends_without_a_summary_has_failed() {
    check(
        "     Running tests/a.rs (target/a)\n\
         test passes ... ok\n     \
         Running tests/b.rs (target/b)\n\
         test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n     \
         Running tests/c.rs (target/c)\n",
        &[
            "ran passes",
            "failed tests/a.rs (target/a) (it ended without a summary)",
            "passed 1",
            "failed tests/c.rs (target/c) (it ended without a summary)",
        ],
    );
}

#[test]
fn a_failure_without_a_name_is_counted() {
    check(
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
         ℹ tests 1\nℹ pass 0\nℹ fail 1\nℹ cancelled 0\n",
        &["failed a test of cargo", "failed a test of node"],
    );
}

#[test]
fn node_is_counted_by_its_summary_and_names_its_failures_after_it() {
    check(
        "✔ passes (1.4ms)\n\
         ✖ fails (really) (0.3ms)\n\
         \x1b[90m﹣ waits (0.1ms) # takes minutes\x1b[39m\n\
         ℹ tests 3\nℹ pass 1\nℹ fail 1\nℹ cancelled 0\nℹ skipped 1\n\n\
         ✖ failing tests:\n\n\
         ✖ fails (really) (0.3ms)\n",
        &[
            "skipped waits: takes minutes",
            "passed 1",
            "failed fails (really)",
        ],
    );
}

#[test]
fn the_pages_of_the_sketches_are_counted() {
    check(
        "page OneNumber ... ok\npage TwoBoards ... FAILED: waited 20000 ms\n",
        &["passed 1", "failed page TwoBoards"],
    );
}

#[track_caller]
fn check(printed: &str, expected: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tally.awk");
    let mut awk = Command::new("awk")
        .args(["-f", script])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is an awk");
    let mut stdin = awk.stdin.take().expect("stdin is a pipe");
    stdin
        .write_all(printed.as_bytes())
        .expect("awk reads to the end");
    drop(stdin);
    let output = awk.wait_with_output().expect("awk ends");
    let lines = String::from_utf8(output.stdout).expect("awk prints text");
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}
