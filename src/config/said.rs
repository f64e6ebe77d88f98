//! What a configuration file says, in the words of the command line.

use std::ffi::OsString;
use std::path::Path;

/// What the file says under one key.
#[derive(Clone, Debug)]
pub struct Said {
    /// The long name of a flag.
    pub name: String,
    /// Where it says so, from 1 on.
    pub line: usize,
    /// As after the flag; nothing where the flag is not to be given.
    pub values: Vec<Value>,
}

/// What follows a flag.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it stands, from 1 on.
    pub line: usize,
    /// None for a flag that takes no value.
    pub text: Option<String>,
    /// The settings of a port.
    pub settings: Vec<Setting>,
}

/// A setting of one port.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The long name of a flag.
    pub name: String,
    /// Where it stands, from 1 on.
    pub line: usize,
    /// As after a comma.
    pub text: String,
}

/// What is wrong in the file, and what would be right.
#[derive(Debug)]
pub struct Mistake {
    /// From 1 on; None where nothing is there.
    pub line: Option<usize>,
    /// Without the line.
    pub text: String,
}

impl Said {
    /// The same as it is typed.
    pub fn words(&self) -> impl Iterator<Item = OsString> {
        let words = self.values.iter().map(|value| value.word(&self.name));
        words.map(OsString::from)
    }
}

impl Value {
    /// Names what is in `folder` from the root.
    pub fn make_whole(&mut self, folder: &Path) {
        if let Some(text) = &mut self.text {
            *text = folder.join(&text).display().to_string();
        }
    }

    /// As it is typed after a flag, if it is.
    pub fn typed(&self) -> Option<String> {
        let settings = self.settings.iter().map(|setting| &*setting.text);
        let parts = std::iter::once(self.text.as_deref()?).chain(settings);
        Some(parts.collect::<Vec<_>>().join(","))
    }

    /// The flag `name` with this value, in one word.
    pub fn word(&self, name: &str) -> String {
        match self.typed() {
            Some(text) => format!("--{name}={text}"),
            None => format!("--{name}"),
        }
    }
}
