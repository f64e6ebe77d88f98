//! What a configuration file says, in the words of the command line.

use std::ffi::OsString;
use std::path::Path;

/// What the file says under one key.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The long name of a flag.
    pub(crate) name: String,
    /// Where it says so, from 1 on.
    pub(crate) line: usize,
    /// As after the flag; nothing where the flag is not to be given.
    pub(crate) values: Vec<Value>,
}

/// What follows a flag.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Where it stands, from 1 on.
    pub(crate) line: usize,
    /// None for a flag that takes no value.
    pub(crate) text: Option<String>,
    /// The settings of a port.
    pub(crate) settings: Vec<Setting>,
}

/// A setting of one port.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The long name of a flag.
    pub(crate) name: String,
    /// Where it stands, from 1 on.
    pub(crate) line: usize,
    /// As after a comma.
    pub(crate) text: String,
}

/// What is wrong in the file, and what would be right.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// From 1 on; None where nothing is there.
    pub(crate) line: Option<usize>,
    /// Without the line.
    pub(crate) text: String,
}

impl Said {
    /// The same as it is typed.
    pub(crate) fn words(&self) -> impl Iterator<Item = OsString> {
        let words = self.values.iter().map(|value| value.word(&self.name));
        words.map(OsString::from)
    }
}

impl Value {
    /// Names what is in `folder` from the root.
    pub(crate) fn make_whole(&mut self, folder: &Path) {
        if let Some(text) = &mut self.text {
            *text = folder.join(&text).display().to_string();
        }
    }

    /// As it is typed after a flag, if it is.
    pub(crate) fn typed(&self) -> Option<String> {
        let settings = self.settings.iter().map(|setting| &*setting.text);
        let parts = std::iter::once(self.text.as_deref()?).chain(settings);
        Some(parts.collect::<Vec<_>>().join(","))
    }

    /// The flag `name` with this value, in one word.
    pub(crate) fn word(&self, name: &str) -> String {
        match self.typed() {
            Some(text) => format!("--{name}={text}"),
            None => format!("--{name}"),
        }
    }
}
