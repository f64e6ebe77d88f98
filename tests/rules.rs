//! Rules that the sources keep, each with the reason for it: what may import what, one meaning for
//! each name, the words of the field, and files of a size that can be read.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use source::{Named, Source, crate_sources};

/// Longer files are hard to keep in mind. Comments and blank lines do not count, so that nobody saves
/// on them, and neither do unit tests.
const MAX_LINES: usize = 300;

/// The map of the crate can be taken in at a glance.
const MAX_MODULES: usize = 18;

/// All sources of the crate.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(crate_sources);

/// Words that nobody would search for, with the word of the field. They are in no identifier and in
/// no file name.
const PRIVATE_WORDS: &[(&str, &str)] = &[
    ("abuse", "LimitExceeded"),
    ("bell", "wake flag"),
    ("crowd", "connections per address"),
    ("door", "access"),
    ("farewell", "close reason"),
    ("forecast", "check"),
    ("ghost", "placeholder"),
    ("guesses", "failures"),
    ("lane", "request sender"),
    ("meter", "frame limits"),
    ("neighbours", "interference"),
    ("outbox", "send queue"),
    ("patience", "read pause"),
    ("pulse", "keepalive"),
    ("recipe", "instructions"),
    ("rope", "wake flag"),
    ("seat", "slot"),
    ("starter", "service manager"),
    ("undecided", "select error"),
    ("verdict", "decision"),
    ("wishes", "stream params"),
];

/// The same, for names that are made of words that mean something elsewhere.
const PRIVATE_NAMES: &[(&str, &str)] = &[
    ("Act", "LineChange"),
    ("Admission", "Accepted"),
    ("Admitted", "Accepted"),
    ("Book", "Consent"),
    ("CROWDED", "HIGH_WATER_MARK"),
    ("Conversation", "session"),
    ("Ending", "LineEnding"),
    ("FAIR_TIME", "MIN_GRACE"),
    ("Held", "Claims"),
    ("Link", "Connection"),
    ("OPEN_TO", "the header's own name"),
    ("Opened", "OpenedDevice"),
    ("Places", "PendingConnections"),
    ("Purpose", "RequestClass"),
    ("Said", "FileEntry"),
    ("Script", "Sequence"),
    ("Split", "IncompleteUtf8"),
    ("Talk", "BridgeClient"),
    ("Told", "layers"),
    ("Wanted", "DeviceSelector"),
    ("are_over", "is_limited"),
    ("borrows", "holds_lease"),
    ("given_up", "read_pause"),
    ("is_passing", "is_transient"),
    ("keep_token", "set_token_cookie"),
    ("let_go", "release"),
    ("make_whole", "make_absolute"),
    ("never_back", "monotonic"),
    ("note_dropped", "throttled warning"),
    ("room_for", "reserve"),
    ("say_slowly", "close"),
    ("turn_away", "reject"),
];

#[test]
fn ports_and_the_server_know_nothing_of_each_other() {
    // What clients ask for reaches a port through the hub alone, so each can be tested and changed
    // without the other.
    check_imports("port", &["server"]);
    check_imports("server", &["port"]);
    check_imports("output", &["port", "server"]);
}

#[test]
fn the_hub_and_the_views_know_no_port_no_server_and_no_system() {
    // They are pure: what they do depends on their arguments alone.
    check_imports("hub", &["port", "server", "platform"]);
    check_imports("view", &["port", "server", "platform"]);
    check_imports("recording", &["view", "port", "server", "platform"]);
    check_imports("rfc2217", &["view", "port", "server", "platform"]);
    check_imports("values", &["hub", "view", "port", "server", "platform"]);
}

#[test]
fn commands_are_known_to_the_command_line_alone() {
    // A command can be removed with its folder and its line of the list.
    let others = modules().into_iter();
    for module in others.filter(|module| !matches!(*module, "commands" | "cli" | "main")) {
        check_imports(module, &["commands"]);
    }
}

#[test]
fn unsafe_code_is_only_where_the_system_is_called() {
    // Whoever audits it knows where to look.
    const FOLDERS: [&str; 2] = ["src/platform/", "src/port/source/serial/os/"];
    let places = SOURCES.iter().flat_map(|source| {
        let found = source.identifiers.iter().filter(|it| it.name == "unsafe");
        found.map(|named| place(source, named))
    });
    let is_expected = |place: &String| FOLDERS.iter().any(|folder| place.starts_with(folder));
    let (expected, others): (Vec<_>, Vec<_>) = places.partition(is_expected);
    assert!(!expected.is_empty(), "the rule sees no unsafe code");
    check_none(others.into_iter());
}

#[test]
fn the_map_of_the_crate_is_short() {
    let map = SOURCES.iter().find(|source| source.path == "src/lib.rs");
    let count = map.expect("the crate is a library").children.len();
    assert!(count <= MAX_MODULES, "lib.rs has {count} modules");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    check_none(SOURCES.iter().filter_map(|source| {
        let begins = source.text.starts_with("//! ");
        (!begins).then(|| source.path.clone())
    }));
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    check_none(SOURCES.iter().filter_map(|source| {
        let is_long = !source.is_test && source.lines() > MAX_LINES;
        is_long.then(|| format!("{} has {} lines", source.path, source.lines()))
    }));
}

#[test]
fn the_architecture_names_files_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")) else {
        return crate::support::skip("the package has no docs");
    };
    let quoted = text.split('`').skip(1).step_by(2);
    let paths: Vec<_> = quoted.filter(|path| path.starts_with("src/")).collect();
    assert!(paths.len() > 30, "it names {} files", paths.len());
    check_none(paths.into_iter().filter(|path| !root.join(path).exists()));
}

#[test]
fn no_type_name_is_used_twice() {
    // Whoever searches for a name finds one thing. Systems have one definition each.
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in SOURCES.iter() {
        for found in source
            .types
            .iter()
            .filter(|found| !found.is_test && !found.is_conditional)
        {
            places
                .entry(&found.name)
                .or_default()
                .push(place(source, found));
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    check_none(twice.map(|(name, places)| format!("{name}: {}", places.join(", "))));
}

#[test]
fn names_are_the_words_of_the_field() {
    check_names(better_name);
}

#[test]
fn limits_and_times_are_named_alike() {
    check_names(|name| {
        let is_limit = ["MOST_", "LONGEST_", "FASTEST_", "SOONEST_", "LATEST_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let is_time = ["_WITHIN", "_EVERY", "_AGAIN"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
        let limit = is_limit.then_some("MAX_ or MIN_");
        limit.or(is_time.then_some("_TIMEOUT, _INTERVAL or _DELAY"))
    });
}

/// Checks that there is no better name for any identifier.
#[track_caller]
fn check_names(better: fn(&str) -> Option<&'static str>) {
    let found = SOURCES.iter().flat_map(|source| {
        let found = source.identifiers.iter();
        found.filter_map(move |found| Some((source, found, better(&found.name)?)))
    });
    check_none(found.map(|(source, found, better)| {
        format!("{}: {}: {better}", place(source, found), found.name)
    }));
}

/// The name of the field for a private one.
fn better_name(name: &str) -> Option<&'static str> {
    let is_private = |&&(private, _): &&(&str, &str)| words(name).any(|word| word == private);
    let name = PRIVATE_NAMES.iter().find(|(private, _)| *private == name);
    let word = PRIVATE_WORDS.iter().find(is_private);
    name.or(word).map(|(_, better)| *better)
}

/// The words of an identifier, in lower case: of `LaneKey` and `lane_key`, `lane` and `key`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut text = String::new();
    let mut was_lower = false;
    for character in name.chars() {
        if character.is_uppercase() && was_lower {
            text.push('_');
        }
        was_lower = character.is_lowercase();
        text.extend(character.to_lowercase());
    }
    let words: Vec<_> = text.split('_').map(str::to_owned).collect();
    words.into_iter()
}

/// The modules of the crate's root, and the root itself.
fn modules() -> BTreeSet<&'static str> {
    SOURCES.iter().map(Source::top).collect()
}

/// Checks that nothing in `module` names one of the `forbidden` modules. Unit tests are no exception,
/// except that they may cut bytes into frames as a port does: framing is pure too.
#[track_caller]
fn check_imports(module: &str, forbidden: &[&str]) {
    let own = SOURCES.iter().filter(|source| source.top() == module);
    check_none(own.flat_map(|source| {
        let paths = source.paths.iter().filter(|path| {
            let top = path.name.split("::").next().unwrap_or_default();
            let is_framing = path.is_test && path.name.starts_with("port::framing::");
            (top == "*" || forbidden.contains(&top)) && !is_framing
        });
        paths.map(|path| format!("{}: {}", place(source, path), path.name))
    }));
}

fn place(source: &Source, named: &Named) -> String {
    format!("{}:{}", source.path, named.line)
}

#[track_caller]
fn check_none<T: std::fmt::Debug>(found: impl Iterator<Item = T>) {
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{found:#?}");
}
