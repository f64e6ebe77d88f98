//! Output for other programs: manual pages, and completion scripts for shells.

use std::collections::BTreeSet;
use std::fs;
#[cfg(unix)]
use std::process::{Command, Output};

#[cfg(unix)]
use crate::support::skip;
use crate::support::{Program, network::home};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// Returns what the program prints, and asserts that it has nothing to say on stderr.
async fn printed(arguments: &[&str]) -> String {
    let ended = Program::run(arguments).await;
    ended.with(0, "");
    ended.stdout
}

/// Returns the long flags in the help.
async fn flags() -> BTreeSet<String> {
    let help = printed(&["--help"]).await;
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags = words.filter(|word| word.len() > 2 && word.starts_with("--"));
    flags.map(str::to_owned).collect()
}

/// Returns the commands in the help.
async fn commands() -> Vec<String> {
    let help = printed(&["--help"]).await;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_manual_page_names_every_flag() {
    let page = printed(&["man"]).await.replace(r"\-", "-");
    for flag in flags().await {
        assert!(
            page.contains(&format!("{flag}\\fR")),
            "the page lacks {flag}"
        );
    }
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let commands = commands().await;
    assert!(commands.contains(&"upload".to_owned()), "{commands:?}");
    let folder = home("man");
    printed(&["man", "--dir", folder.to_str().expect("the folder is text")]).await;
    for command in &commands {
        let page = fs::read_to_string(folder.join(format!("serial-ws-{command}.1")));
        let page = page.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(page, printed(&["man", command]).await, "{command}");
    }
    let page = fs::read_to_string(folder.join("serial-ws.1")).expect("it is written");
    assert_eq!(page, printed(&["man"]).await);
    let unknown = Program::run(&["man", "uplaod"]).await;
    unknown.with(2, "upload");
    fs::remove_dir_all(folder).expect("it is ours");
}

#[cfg(unix)]
#[tokio::test]
async fn mandoc_finds_no_mistake_in_the_manual_pages() {
    let folder = home("lint");
    printed(&["man", "--dir", folder.to_str().expect("the folder is text")]).await;
    for page in fs::read_dir(&folder).expect("it was written") {
        let page = page.expect("it can be listed").path();
        // Errors only: it also warns about long lines, and about a date, which would say nothing.
        let mut lint = Command::new("mandoc");
        let lint = lint.args(["-Tlint", "-Werror"]).arg(&page);
        let Some(lint) = run_if_there("mandoc", lint.output()) else {
            break;
        };
        assert!(lint.stdout.is_empty(), "{lint:?}");
    }
    fs::remove_dir_all(folder).expect("it is ours");
}

#[tokio::test]
async fn every_completion_script_has_every_flag() {
    for shell in SHELLS {
        let script = printed(&["completions", shell]).await;
        for flag in flags().await {
            let flag = flag.trim_start_matches('-');
            assert!(
                script.contains(flag),
                "the script for {shell} lacks --{flag}"
            );
        }
    }
}

/// Loads the completion script `$1`, and completes `$2`.
#[cfg(unix)]
const COMPLETE_IN_BASH: &str = r#"
set -e
source "$1"
compopt() { :; } # exists only in an interactive shell
complete=$(complete -p serial-ws)
COMP_WORDS=(serial-ws "$2") COMP_CWORD=1
$(sed 's/.*-F \([^ ]*\) .*/\1/' <<<"$complete") serial-ws "$2" serial-ws
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[cfg(unix)]
#[tokio::test]
async fn bash_completes_flags_and_commands() {
    let folder = home("bash");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let script = folder.join("serial-ws");
    fs::write(&script, printed(&["completions", "bash"]).await).expect("it can be written");
    for (typed, completed) in [
        ("--por", "--port\n"),
        ("--max-b", "--max-behind\n"),
        ("upl", "upload\n"),
    ] {
        let mut bash = Command::new("bash");
        let bash = bash
            .args(["-c", COMPLETE_IN_BASH, "bash"])
            .arg(&script)
            .arg(typed);
        let Some(bash) = run_if_there("bash", bash.output()) else {
            break;
        };
        assert_eq!(String::from_utf8_lossy(&bash.stdout), completed, "{bash:?}");
    }
    fs::remove_dir_all(folder).expect("it is ours");
}

#[cfg(unix)]
#[tokio::test]
async fn zsh_and_fish_accept_their_completion_scripts() {
    let folder = home("shells");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for shell in ["zsh", "fish"] {
        let script = folder.join(shell);
        fs::write(&script, printed(&["completions", shell]).await).expect("it can be written");
        let checked = Command::new(shell).arg("-n").arg(&script).output();
        let Some(checked) = run_if_there(shell, checked) else {
            continue;
        };
        assert!(
            checked.status.success() && checked.stderr.is_empty(),
            "{checked:?}"
        );
    }
    fs::remove_dir_all(folder).expect("it is ours");
}

/// Returns the output of a program of the system; None, with a word, where it is not installed.
#[cfg(unix)]
fn run_if_there(program: &str, output: std::io::Result<Output>) -> Option<Output> {
    match output {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skip(&format!("{program} is not installed"));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}
