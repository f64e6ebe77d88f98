//! A suite that is killed takes the programs with it that its tests have started.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
};

use crate::support::{spawn, until};

/// Set for a suite that is to be killed.
const VICTIM: &str = "SERIAL_WS_TEST_VICTIM";

#[tokio::test]
async fn the_programs_of_a_killed_suite_end_with_it() {
    if std::env::var_os(VICTIM).is_some() {
        return wait_to_be_killed();
    }
    let mut suite = Command::new(std::env::current_exe().expect("the suite is a file"));
    let test = "killed::the_programs_of_a_killed_suite_end_with_it";
    suite
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, "1");
    suite.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut suite = spawn(suite).expect("the suite can be started");
    let mut printed = BufReader::new(suite.stdout.take().expect("stdout is a pipe")).lines();
    let waiting = printed.find(|line| line.as_ref().is_ok_and(|line| line.contains("waits")));
    assert!(waiting.is_some(), "the program never said that it waits");
    suite.kill().expect("the suite can be killed");
    suite.wait().expect("the suite ends");
    // The program has the other end of the pipe for as long as it lives.
    let rest = thread::spawn(move || printed.map_while(Result::ok).collect::<Vec<_>>());
    until("the end of the program", async || {
        rest.is_finished().then_some(())
    })
    .await;
}

/// Starts a program from a thread that ends, and waits for the end of the program, which never comes.
fn wait_to_be_killed() {
    let starts = || {
        let mut program = Command::new("sh");
        program.args(["-c", "read line; echo it waits; exec sleep 600"]);
        program.stdin(Stdio::piped());
        spawn(program).expect("there is a shell")
    };
    let mut program = thread::spawn(starts).join().expect("it does not panic");
    drop(program.stdin.take());
    program.wait().expect("it can be waited for");
}
