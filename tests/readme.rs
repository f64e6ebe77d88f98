//! What the README shows is what the program says.

use std::collections::BTreeSet;

use crate::support::{Bridge, Program};

#[tokio::test]
async fn the_help_in_the_readme_is_that_of_the_program() {
    let readme = readme();
    let shown = readme.split("$ serial-ws --help\n```text\n").nth(1);
    let shown = shown.and_then(|rest| rest.split("```").next());
    let shown = shown.expect("the README shows the help after `$ serial-ws --help`");
    let help = Program::run(&["--help"]).await;
    let said: String = help
        .stdout
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let difference = said
        .lines()
        .zip(shown.lines())
        .find(|(said, shown)| said != shown);
    assert_eq!(difference, None, "paste the new help into the README");
    assert_eq!(said.lines().count(), shown.lines().count());
}

#[tokio::test]
async fn the_metrics_in_the_readme_are_those_of_the_program() {
    let readme = readme();
    let rows = readme
        .lines()
        .filter(|line| line.starts_with("| `serial_ws_"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap_or(row).split('`'));
    let told: BTreeSet<_> = names
        .filter(|name| name.starts_with("serial_ws_"))
        .collect();
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let metrics = bridge.get("/metrics").await.body;
    let types = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let given = types.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(told, given);
}

fn readme() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    std::fs::read_to_string(path).expect("the README can be read")
}
