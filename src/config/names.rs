//! The names of flags, and which of them was meant by one that is not there.

use clap::{Arg, ArgGroup, Command, CommandFactory};

use crate::cli::Cli;

/// Names are this much alike, from 0 to 1, when one is taken for a slip of the other: clap's own
/// measure for flags.
const ALIKE: f64 = 0.7;

/// Flags that are no settings: two that find the file, and two that end the program.
pub(crate) const ONLY_FLAGS: [&str; 4] = ["config", "profile", "help", "version"];

/// The definitions of all flags, of which none looks for its variable.
pub(crate) fn without_variables() -> Command {
    Cli::command().mut_args(|flag| flag.env(None::<&str>))
}

/// The flags that can be in the file.
pub(crate) fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let flags = command.get_arguments();
    flags.filter(|flag| {
        flag.get_long()
            .is_some_and(|name| !ONLY_FLAGS.contains(&name))
    })
}

/// Their long names.
pub(crate) fn of_settings(command: &Command) -> Vec<&str> {
    settings(command)
        .filter_map(|flag| flag.get_long())
        .collect()
}

/// The end of a sentence that says that there is no such name: which one was meant, or which there
/// are.
pub(crate) fn meant(name: &str, names: &[&str]) -> String {
    let rated = names.iter().map(|other| (strsim::jaro(name, other), other));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    match best {
        Some((alike, best)) if alike > ALIKE => format!(". Is {best} meant?"),
        Some(_) => format!(". There are {}", names.join(", ")),
        None => String::new(),
    }
}

/// Whether two flags cannot be given together.
pub(crate) fn exclude(command: &Command, a: &str, b: &str) -> bool {
    let find = |name: &str| {
        let mut flags = settings(command);
        flags.find(|flag| flag.get_long() == Some(name))
    };
    let (Some(a), Some(b)) = (find(a), find(b)) else {
        return false;
    };
    let conflict = |a: &Arg, b: &Arg| {
        let conflicts = command.get_arg_conflicts_with(a);
        conflicts.iter().any(|other| other.get_id() == b.get_id())
    };
    let share = |group: &ArgGroup| {
        let has = |flag: &Arg| group.get_args().any(|id| id == flag.get_id());
        !group.clone().is_multiple() && has(a) && has(b)
    };
    a.get_id() != b.get_id()
        && (conflict(a, b) || conflict(b, a) || command.get_groups().any(share))
}
