//! Checks where recordings and saved lines go: whether the folder is there and can be written to, and
//! has room.

use std::path::Path;

use crate::config::Config;
use crate::config::units::show_size;
use crate::output::{recorder, saver};
use crate::platform::free_bytes;
use crate::port::Diagnostic;
use crate::terminal::shown;

/// Diagnoses the recordings and the saved lines of all ports. Where serial-ws is `running`, it may write
/// them itself.
pub(crate) fn diagnose(config: &Config, running: bool) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut folders: Vec<&Path> = Vec::new();
    for port in &config.ports {
        if let Some(recorder) = &port.recorder
            && !folders.contains(&&*recorder.folder)
        {
            folders.push(&recorder.folder);
            diagnostics.push(match recorder::check_folder(&recorder.folder) {
                Err(why) => Diagnostic::action(why),
                Ok(existing) => {
                    let folder = shown(&recorder.folder.to_string_lossy());
                    room(
                        &format!("{folder} takes recordings"),
                        existing,
                        recorder.reserve,
                    )
                }
            });
        }
        if let Some(saver) = &port.saver {
            let file = shown(&saver.path.to_string_lossy());
            diagnostics.push(match saver::check(saver) {
                Ok(()) => room(
                    &format!("{file} takes lines"),
                    saver.folder(),
                    saver.reserve,
                ),
                Err(why) if running => {
                    Diagnostic::note(format!("{why}; a serial-ws that runs may do so"))
                }
                Err(why) => Diagnostic::action(why),
            });
        }
    }
    diagnostics
}

/// Tells how much room there is on the disk of a folder, for something that `takes` it.
fn room(takes: &str, folder: &Path, reserve: u64) -> Diagnostic {
    match free_bytes(folder) {
        Err(_) => Diagnostic::ok(takes.to_owned()),
        Ok(free) if free < reserve => Diagnostic::action(format!(
            "{takes}, but only {} are free there, less than the {} of --record-reserve: make room, or \
             nothing is written",
            for_people(free),
            show_size(reserve),
        )),
        Ok(free) => Diagnostic::ok(format!("{takes}; {} are free there", for_people(free))),
    }
}

/// Writes a size with three digits at most.
fn for_people(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_round() {
        let check = |bytes, expected: &str| assert_eq!(for_people(bytes), expected);
        check(999, "0 kB");
        check(999_999, "999 kB");
        check(120_000_000, "120 MB");
        check(12_340_000_000, "12.3 GB");
    }
}
