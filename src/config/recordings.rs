//! The settings of recordings and of saved lines: where they are, and how much of them is kept.

use std::fmt::Display;
use std::path::{Path, PathBuf, absolute};

use clap::Error;
use serde_json::Value as Json;

use super::SharedPort;
use super::layers::Layer;
use super::names::{PORT_DEFAULTS, Values};
use super::port::PortArg;
use super::units;
use super::value::SettingValue;
use crate::cli::PortArgs;
use crate::output::recorder::RecorderConfig;
use crate::output::saver::SaverConfig;

/// The key of the file that lines are saved to.
const SAVE: &str = "save";

/// The settings of the file that lines are saved to.
const OF_SAVE: [&str; 3] = ["timestamps", "save-size", "save-count"];

/// The value that keeps all recordings.
const ALL: &str = "all";

/// Returns the recordings that a port has by its settings.
pub(super) fn recorder(args: &PortArgs) -> Option<RecorderConfig> {
    Some(RecorderConfig {
        folder: args.record.value.clone()?,
        segment: args.record_segment.0,
        keep: *args.record_keep,
        reserve: args.record_reserve.0,
        line_end: args.frame.line_end().unwrap_or(b'\n'),
    })
}

/// Returns the file that the lines of a port are saved to by its settings.
pub(super) fn saver(args: &PortArgs) -> Option<SaverConfig> {
    Some(SaverConfig {
        path: args.save.value.clone()?,
        timestamps: *args.timestamps,
        size: *args.save_size,
        count: args.save_count.0,
        reserve: args.record_reserve.0,
    })
}

/// Checks the keys that a port has of its own.
///
/// # Errors
/// If one is for a file that its lines are not saved to.
pub(super) fn check_keys(own: &Values, saves: bool) -> Result<(), String> {
    let unused = OF_SAVE.iter().find(|key| own.contains_key(**key));
    match unused.filter(|_| !saves) {
        Some(key) => Err(format!(
            "`{key}` is about the file of saved lines: add save=FILE"
        )),
        None => Ok(()),
    }
}

/// Refuses settings of files where no port saves its lines.
pub(super) fn check_save(ports: &[SharedPort], layer: &Layer) -> Result<(), Error> {
    let saves = ports.iter().any(|shared| shared.saver.is_some());
    let is_given = |key: &&&str| layer.values.get(**key) != PORT_DEFAULTS.get(**key);
    match OF_SAVE.iter().find(is_given).filter(|_| !saves) {
        Some(key) => Err(layer.error(
            key,
            0,
            "it is about the file of saved lines: add --save FILE",
        )),
        None => Ok(()),
    }
}

/// Checks that each of `ports`, which are those that were `typed`, has a file of its own.
///
/// # Errors
/// If two of them have the same.
pub(super) fn check_saved(
    ports: &[SharedPort],
    (typed, layer): (&[PortArg], &Layer),
) -> Result<(), Error> {
    let mut before: Vec<(&str, &Path, PathBuf)> = Vec::new();
    for (index, (shared, typed)) in ports.iter().zip(typed).enumerate() {
        let Some(saver) = &shared.saver else {
            continue;
        };
        let path = absolute(&saver.path).unwrap_or_else(|_| saver.path.clone());
        let mut others = before.iter();
        if let Some((name, other, _)) = others.find(|(.., other)| is_same(other, &path)) {
            let other = other.display();
            let why = format!("port {name} has {SAVE}={other} already: choose another file");
            let setting: (_, &dyn Display) = (SAVE, &saver.path.display());
            return Err(typed.error((layer, index), setting, &why));
        }
        before.push((&shared.port.name, &saver.path, path));
    }
    Ok(())
}

/// Returns true if two paths certainly mean the same file. Links are found when it is opened.
fn is_same(a: &Path, b: &Path) -> bool {
    if cfg!(windows) {
        return a.as_os_str().eq_ignore_ascii_case(b.as_os_str());
    }
    a == b
}

/// A size, or no limit.
impl SettingValue for Option<u64> {
    fn parse(text: &str) -> Result<Self, String> {
        if text == ALL {
            return Ok(None);
        }
        let size = units::size(text).filter(|size| *size > 0).map(Some);
        size.ok_or_else(|| format!("expected {ALL} or {}", units::SIZE))
    }

    fn show(&self) -> Json {
        self.map_or_else(|| ALL.to_owned(), units::show_size).into()
    }
}
