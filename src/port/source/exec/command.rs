//! The command of `exec:` and `exec-pty:`, cut into words as a shell would cut it. No shell runs it:
//! variables, wildcards and redirections mean nothing. Pure.

use std::fmt;

use crate::port::source::shell_words::{self, HAS_ESCAPES, ShellToken};
use crate::terminal::shown;

/// The kind of device that is a program with pipes.
pub(crate) const PIPED: &str = "exec";

/// The kind of device that is a program at a terminal.
pub(crate) const AT_TERMINAL: &str = "exec-pty";

/// The characters by which a shell joins and redirects programs.
const OPERATORS: [char; 5] = ['|', '&', ';', '<', '>'];

/// A program to run as a device, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramCommand {
    /// The command as it was typed.
    text: String,
    /// The program.
    pub(crate) program: String,
    /// Its arguments. Clients do not see them.
    pub(crate) arguments: Vec<String>,
    /// True if it gets a terminal instead of pipes.
    pub(crate) has_terminal: bool,
}

impl ProgramCommand {
    /// Reads what stands behind the colon of a kind of device.
    ///
    /// # Errors
    /// Says what is wrong, and what is right.
    pub(crate) fn parse(has_terminal: bool, text: Option<&str>) -> Result<Self, String> {
        let kind = kind(has_terminal);
        if has_terminal && cfg!(windows) {
            return Err(format!(
                "`{kind}` needs a terminal of Linux or macOS; on Windows, use `{PIPED}`"
            ));
        }
        let text = text.unwrap_or_default().trim();
        let mut words = words(text, HAS_ESCAPES, kind)?.into_iter();
        let program = words.next().ok_or_else(|| {
            format!("`{kind}:` needs a command, such as {kind}:\"python3 -u sensor.py\"")
        })?;
        if program.is_empty() {
            return Err(format!("the program of `{kind}:` has no name"));
        }
        Ok(Self {
            text: text.to_owned(),
            program,
            arguments: words.collect(),
            has_terminal,
        })
    }

    /// Returns the name of the program without its folder.
    pub(crate) fn name(&self) -> &str {
        let name = self.program.trim_end_matches(['/', '\\']);
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        name.strip_suffix(".exe").unwrap_or(name)
    }

    /// Returns the kind and the program, which is all that clients see.
    pub(crate) fn without_arguments(&self) -> String {
        format!("{}:{}", kind(self.has_terminal), self.program)
    }
}

impl fmt::Display for ProgramCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", kind(self.has_terminal), self.text)
    }
}

fn kind(has_terminal: bool) -> &'static str {
    if has_terminal { AT_TERMINAL } else { PIPED }
}

/// Cuts a command into its words.
fn words(text: &str, has_escapes: bool, kind: &str) -> Result<Vec<String>, String> {
    shell_words::words(text, has_escapes, |character| match character {
        ShellToken::Literal('\0') | ShellToken::Bare('\0') => {
            Err("a command cannot have NUL characters".to_owned())
        }
        ShellToken::Bare(operator) if OPERATORS.contains(&operator) => Err(format!(
            "`{operator}` is for a shell, and {kind}: runs none: put it between quotes, or start a \
             shell, as {kind}:sh -c '{}'",
            shown(text)
        )),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, has_escapes: bool, expected: &[&str]) {
        let words = words(text, has_escapes, PIPED).unwrap();
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn words_are_those_of_a_shell() {
        check("ls", true, &["ls"]);
        check("  ls \t -l  ", true, &["ls", "-l"]);
        check("a 'b c' \"d e\"", true, &["a", "b c", "d e"]);
        check("a'b c'd", true, &["ab cd"]);
        check("a '' \"\"", true, &["a", "", ""]);
        check(r#"a "b\"c" 'd\e'"#, true, &["a", "b\"c", r"d\e"]);
        check(r#"a "b\c" d\ e \'"#, true, &["a", r"b\c", "d e", "'"]);
        check(r"a \\ \|", true, &["a", r"\", "|"]);
        check("a '|' \"&&\"", true, &["a", "|", "&&"]);
        check("a $HOME *.txt ~", true, &["a", "$HOME", "*.txt", "~"]);
        check("a\\", true, &["a\\"]);
        check("", true, &[]);
    }

    #[test]
    fn backslashes_of_windows_belong_to_paths() {
        let program = r#""C:\Program Files\x y.exe" "C:\dir\" \\server\a"#;
        check(
            program,
            false,
            &[r"C:\Program Files\x y.exe", r"C:\dir\", r"\\server\a"],
        );
    }

    #[test]
    fn a_name_has_no_folder() {
        let name = |text| {
            let command = ProgramCommand::parse(false, Some(text)).unwrap();
            command.name().to_owned()
        };
        assert_eq!(name("/opt/sensors/read.sh -v"), "read.sh");
        assert_eq!(name("python3 -u a/b.py"), "python3");
        assert_eq!(name(r"'C:\tools\read.exe' /x"), "read");
    }

    #[track_caller]
    fn check_wrong(text: Option<&str>, expected: &str) {
        let error = ProgramCommand::parse(false, text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        check_wrong(None, "`exec:` needs a command, such as");
        check_wrong(Some("  "), "`exec:` needs a command, such as");
        check_wrong(Some("'' a"), "the program of `exec:` has no name");
        check_wrong(Some("it's"), "a quote ' is opened and not closed");
        check_wrong(Some("a\0b"), "a command cannot have NUL characters");
        check_wrong(Some("a | b"), "as exec:sh -c 'a | b'");
    }

    #[test]
    fn windows_has_no_terminal_for_it() {
        let command = ProgramCommand::parse(true, Some("a"));
        assert_eq!(command.is_ok(), !cfg!(windows));
    }
}
