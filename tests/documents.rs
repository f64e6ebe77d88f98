//! The documents paste what the program prints and what the files hold, and link to what exists.
//!
//! `UPDATE_DOCS=1 cargo test --test suite documents::` rewrites the pasted blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::support::{Bridge, Program, skip};

const HOW_TO_UPDATE: &str =
    "to rewrite what is pasted: UPDATE_DOCS=1 cargo test --test suite documents::";

/// A document of the repository.
struct Document {
    path: PathBuf,
    text: String,
}

/// A fenced block of a document.
struct Block {
    language: String,
    /// The line above the fence.
    above: String,
    /// The place of the lines between the fences.
    body: Range<usize>,
}

#[tokio::test]
async fn pasted_blocks_are_what_the_program_prints_and_the_files_hold() {
    let is_updating = std::env::var_os("UPDATE_DOCS").is_some();
    for mut document in documents() {
        // From the end, so that the places of the blocks before stay right.
        for block in document.blocks().into_iter().rev() {
            let pasted = &document.text[block.body.clone()];
            let Some(real) = original(pasted, &block.above).await else {
                continue;
            };
            if is_updating {
                document.text.replace_range(block.body, &real);
                continue;
            }
            let mut lines = pasted.lines().zip(real.lines());
            let difference = lines.find(|(pasted, real)| pasted != real);
            let name = document.path.display();
            assert_eq!(difference, None, "{name}: {HOW_TO_UPDATE}");
            assert_eq!(pasted, real, "{name}: {HOW_TO_UPDATE}");
        }
        if is_updating {
            document.write();
        }
    }
}

#[tokio::test]
async fn documents_name_only_flags_that_exist() {
    let helps = helps().await;
    let all: BTreeSet<_> = helps.values().flatten().map(String::as_str).collect();
    for document in documents() {
        let name = document.path.display().to_string();
        for line in document.typed() {
            let Some(arguments) = line.strip_prefix("serial-ws ") else {
                let flag = line.split([' ', '=', ',']).next().unwrap_or(&line);
                let is_known = all.contains(flag) || !line.starts_with("--");
                assert!(is_known, "{name}: there is no flag {flag}");
                continue;
            };
            check(&name, arguments, &helps);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let Some(root) = repository() else { return };
    for document in documents() {
        let folder = document.path.parent().expect("a document is in a folder");
        for link in document.links() {
            let name = document.path.strip_prefix(&root).unwrap_or(&root);
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => document.path.clone(),
                path => folder.join(path),
            };
            assert!(target.exists(), "{}: there is no {link}", name.display());
            if !anchor.is_empty() {
                let anchors = Document::read(target).anchors();
                let is_there = anchors.iter().any(|there| there == anchor);
                assert!(is_there, "{}: {link} is not in {anchors:?}", name.display());
            }
        }
    }
}

#[tokio::test]
async fn the_metrics_in_the_documents_are_those_of_the_program() {
    let document = Document::read(root().join("docs/metrics.md"));
    let rows = document.text.lines();
    let rows = rows.filter(|line| line.starts_with("| `serial_ws_"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap_or(row).split('`'));
    let told: BTreeSet<_> = names
        .filter(|name| name.starts_with("serial_ws_"))
        .collect();
    // No broker and no receiver needs to be there.
    let outputs = ["--mqtt", "mqtt://127.0.0.1:9", "--osc", "127.0.0.1:9"];
    let bridge = Bridge::start(&[&["--port", "sim"], &outputs[..]].concat()).await;
    let metrics = bridge.get("/metrics").await.body;
    let types = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let given = types.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(told, given);
}

#[test]
fn the_readme_is_short_and_names_the_rust_that_it_takes() {
    let readme = Document::read(root().join("README.md")).text;
    assert!(readme.lines().count() <= 250);
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(readme.contains(&format!("[Rust](https://rustup.rs) {version} or newer")));
}

/// Returns the text that a block copies, as it is now; None for a block that copies nothing.
async fn original(pasted: &str, above: &str) -> Option<String> {
    if let Some(path) = above.strip_prefix("<!-- excerpt of ") {
        let path = path.trim_end_matches(" -->");
        let file = fs::read_to_string(repository()?.join(path));
        return Some(excerpt(
            &file.unwrap_or_else(|error| panic!("{path}: {error}")),
            pasted,
        ));
    }
    let command = pasted.lines().next()?.strip_prefix("$ serial-ws ")?;
    let words: Vec<_> = command.split(' ').collect();
    let printed = match words[..] {
        ["--port", "sim"] => started(&words).await,
        ["doctor", ..] => diagnosed(&words).await,
        [.., "--help"] => Program::run(&words).await.stdout,
        _ => return None,
    };
    let lines = printed.lines().map(|line| format!("{}\n", line.trim_end()));
    Some(format!(
        "$ serial-ws {command}\n{}",
        lines.collect::<String>()
    ))
}

/// Returns the lines of `file` from the first line of `pasted` to its last one.
fn excerpt(file: &str, pasted: &str) -> String {
    let first = pasted.lines().next().unwrap_or_default();
    let last = pasted.lines().last().unwrap_or_default();
    let lines: Vec<_> = file.lines().collect();
    let start = lines.iter().position(|line| *line == first);
    let start = start.unwrap_or_else(|| panic!("the excerpt begins with {first:?}"));
    let end = start + pasted.lines().count().max(1) - 1;
    let end = match lines.get(end) {
        Some(line) if *line == last => end,
        _ => lines
            .iter()
            .rposition(|line| *line == last)
            .unwrap_or(lines.len() - 1),
    };
    lines[start..=end]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Starts the program as if TCP port 8080 were free. It listens on both loopback addresses; here on
/// one, and the line of the other differs in the address.
async fn started(arguments: &[&str]) -> String {
    let bridge = Bridge::start(arguments).await;
    bridge.program.said("is open").await;
    let port = format!(":{}", bridge.address().port());
    let lines = bridge.program.log().into_iter().flat_map(|line| {
        let line = line.replace(&port, ":8080");
        let other = line.replace("ws://127.0.0.1", "ws://[::1]");
        let other = (other != line).then_some(other);
        std::iter::once(line).chain(other)
    });
    lines.map(|line| line + "\n").collect()
}

/// Diagnoses with `arguments` as if TCP port 8080 were free.
async fn diagnosed(arguments: &[&str]) -> String {
    let arguments = [arguments, &["--listen", "127.0.0.1:0"]].concat();
    let printed = Program::run(&arguments).await.stdout;
    printed.replace("TCP port 0 ", "TCP port 8080 ")
}

/// Asserts that the flags among `arguments` are those of the command that they begin with.
#[track_caller]
fn check(name: &str, arguments: &str, helps: &BTreeMap<String, BTreeSet<String>>) {
    let commands = helps.keys().filter(|command| !command.is_empty());
    let command = commands
        .filter(|command| format!("{arguments} ").starts_with(&format!("{command} ")))
        .max_by_key(|command| command.len());
    let command = command.map_or("", String::as_str);
    let mut known = &helps[command];
    for word in arguments.split([' ', '=']) {
        match word {
            // What follows belongs to the uploader, or to the service.
            "--" if command == "upload" => break,
            "--" => known = &helps[""],
            word if word.starts_with("--") => {
                assert!(
                    known.contains(word),
                    "{name}: serial-ws {arguments}: {word}"
                );
            }
            _ => {}
        }
    }
}

/// Returns the long flags of each command by its name, which is empty for the program itself.
async fn helps() -> BTreeMap<String, BTreeSet<String>> {
    let mut helps = BTreeMap::new();
    let mut names = vec![String::new()];
    while let Some(name) = names.pop() {
        let words: Vec<_> = name.split_whitespace().chain(["--help"]).collect();
        let help = Program::run(&words).await.stdout;
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let commands = commands.take_while(|line| !line.is_empty());
        let commands = commands.filter(|line| !line.starts_with("   "));
        let commands = commands.filter_map(|line| line.split_whitespace().next());
        let commands = commands.filter(|command| *command != "help");
        names.extend(commands.map(|command| format!("{name} {command}").trim().to_owned()));
        let flags = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let flags = flags.filter(|word| word.starts_with("--"));
        helps.insert(name, flags.map(str::to_owned).collect());
    }
    helps
}

impl Document {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Replaces the file in one step, since other tests read it meanwhile.
    fn write(&self) {
        let new = self.path.with_extension("new");
        fs::write(&new, &self.text).expect("a document can be written");
        fs::rename(new, &self.path).expect("a document can be replaced");
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let (mut at, mut above) = (0, "");
        for line in self.text.split_inclusive('\n') {
            let next = at + line.len();
            match (line.strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        above: above.trim().to_owned(),
                        body: next..next,
                    });
                }
                (Some(_), Some(mut block)) => {
                    block.body.end = at;
                    blocks.push(block);
                }
                (None, block) => open = block,
            }
            (at, above) = (next, line);
        }
        assert!(
            open.is_none(),
            "{}: a block has no end",
            self.path.display()
        );
        blocks
    }

    /// Returns the document without its blocks.
    fn prose(&self) -> String {
        let mut prose = self.text.clone();
        for block in self.blocks().into_iter().rev() {
            prose.replace_range(block.body, "");
        }
        prose
    }

    /// Returns the code within the prose and the lines of blocks with commands, without a prompt.
    fn typed(&self) -> Vec<String> {
        let prose = self.prose().replace("```", "");
        let spans = prose.split('`').skip(1).step_by(2);
        let spans = spans.map(|span| span.replace('\n', " "));
        let blocks = self.blocks().into_iter();
        let blocks = blocks.filter(|block| matches!(&block.language[..], "" | "console" | "sh"));
        let blocks = blocks.flat_map(|block| {
            let lines = self.text[block.body].lines();
            let lines = lines.map(|line| line.trim_start_matches("$ "));
            let lines = lines.map(|line| line.replace("cargo run --release -- ", "serial-ws "));
            lines.collect::<Vec<_>>()
        });
        spans.chain(blocks).collect()
    }

    /// Returns the links to files.
    fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1);
        let links = links.filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://"));
        links.map(str::to_owned).collect()
    }

    /// Returns the anchors that GitHub gives the headings.
    fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        let slug = |heading: &str| -> String {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        headings.map(slug).collect()
    }
}

/// Reads all documents of the repository.
fn documents() -> Vec<Document> {
    let folders = [
        ".",
        "docs",
        "web",
        "firmware",
        "benches",
        "packaging",
        "tests",
    ];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(root().join(folder)).ok());
    let paths = entries
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.map(Document::read).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Returns the root of the repository; None in a package, which lacks some files that the documents name.
fn repository() -> Option<PathBuf> {
    let whole = root().join("firmware").exists().then(root);
    if whole.is_none() {
        skip("a package lacks some files that its documents name");
    }
    whole
}
