//! The files of `play:`, cut into words as a shell would cut them, and how they are played. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::hub::PlaybackSpeed;
use crate::port::source::shell_words::{HAS_ESCAPES, ShellToken, words};

/// The kind of device that is a recording.
pub(crate) const PLAY: &str = "play";

/// The ends of the names of recordings, which are no part of the name of a port.
const SUFFIXES: [&str; 3] = [".gz", ".jsonl", ".json"];

/// The files or folders of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlayFiles {
    /// The list as it was typed.
    text: String,
    /// At least one.
    pub(crate) paths: Vec<PathBuf>,
}

/// The way to play a recording, unless clients change it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlayOptions {
    /// Its speed at first.
    pub(crate) speed: PlaybackSpeed,
    /// The place at which it begins.
    pub(crate) from: Duration,
    /// True if it begins again at its end.
    pub(crate) repeats: bool,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            speed: PlaybackSpeed::Times(1.0),
            from: Duration::ZERO,
            repeats: false,
        }
    }
}

impl PlayFiles {
    /// Reads what stands behind the colon.
    ///
    /// # Errors
    /// Says what is wrong, and what is right.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, String> {
        let text = text.unwrap_or_default().trim();
        let check = |character| match character {
            ShellToken::Literal('\0') | ShellToken::Bare('\0') => {
                Err("a file cannot have NUL characters in its name".to_owned())
            }
            _ => Ok(()),
        };
        let words = words(text, HAS_ESCAPES, check)?;
        let paths: Vec<_> = words.into_iter().map(PathBuf::from).collect();
        if paths.is_empty() {
            return Err(format!(
                "`{PLAY}:` needs a recording, such as {PLAY}:lesson.jsonl"
            ));
        }
        if paths.iter().any(|path| path.as_os_str().is_empty()) {
            return Err(format!("a file of `{PLAY}:` has no name"));
        }
        let text = text.to_owned();
        Ok(Self { text, paths })
    }

    /// Returns the name of the first file without its folder and what shows that it is a recording.
    pub(crate) fn name(&self) -> &str {
        let name = self.paths[0].file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or(PLAY);
        let stem = SUFFIXES.iter().fold(name, |name, suffix| {
            name.strip_suffix(suffix).unwrap_or(name)
        });
        if stem.is_empty() { name } else { stem }
    }
}

impl fmt::Display for PlayFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PLAY}:{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, paths: &[&str], name: &str) {
        let files = PlayFiles::parse(Some(text)).unwrap();
        let expected: Vec<_> = paths.iter().map(PathBuf::from).collect();
        assert_eq!(files.paths, expected);
        assert_eq!(files.name(), name);
    }

    #[test]
    fn files_are_parted_by_blanks_outside_quotes() {
        check("a.jsonl", &["a.jsonl"], "a");
        check(" a.jsonl  b.jsonl.gz ", &["a.jsonl", "b.jsonl.gz"], "a");
        check(
            "'my lesson.jsonl' b",
            &["my lesson.jsonl", "b"],
            "my lesson",
        );
        check("/x/\"a,b\"", &["/x/a,b"], "a,b");
        check("/rec/uno-1.jsonl.gz", &["/rec/uno-1.jsonl.gz"], "uno-1");
        check("rec/", &["rec/"], "rec");
        check(".jsonl", &[".jsonl"], ".jsonl");
        check("..", &[".."], "play");
    }

    #[test]
    fn a_recording_needs_a_name() {
        let error = |text| PlayFiles::parse(text).unwrap_err();
        assert!(error(None).contains("needs a recording, such as play:"));
        assert!(error(Some(" ")).contains("needs a recording"));
        assert!(error(Some("''")).contains("has no name"));
        assert!(error(Some("it's")).contains("a quote ' is opened"));
        assert!(error(Some("a\0b")).contains("NUL"));
    }
}
