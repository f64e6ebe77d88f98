//! What the README shows is what the program says.

use crate::support::Program;

#[tokio::test]
async fn the_help_in_the_readme_is_that_of_the_program() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("the README can be read");
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
