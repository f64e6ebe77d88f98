//! Reads the sources of the crate as tokens: the tree of modules, the paths that each of them names,
//! the types that it defines. It knows the grammar of Rust only as far as the rules need it.

use std::{fs, ops::RangeInclusive, path::Path};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// A file below `src` with everything that the rules look at.
pub struct Source {
    /// Relative to the root of the crate, with slashes.
    pub path: String,
    pub text: String,
    /// It is compiled for unit tests alone.
    pub is_test: bool,
    pub paths: Vec<Named>,
    pub types: Vec<Named>,
    pub identifiers: Vec<Named>,
    /// The modules that it declares and that are files of their own.
    pub children: Vec<Scope>,
    /// The lines of its modules of unit tests.
    tests: Vec<RangeInclusive<usize>>,
}

/// A name, or a path from the root of the crate such as `hub::Hub`, with its place.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub line: usize,
    /// It stands in unit tests.
    pub is_test: bool,
    /// It is there on some systems, or with some features, only.
    pub is_conditional: bool,
}

/// The surroundings of some tokens.
#[derive(Clone, Default)]
pub struct Scope {
    /// The names from the root of the crate to the module.
    module: Vec<String>,
    is_test: bool,
    is_conditional: bool,
    /// They are in an `impl` or a trait, where `type` defines no type of the crate.
    is_associated: bool,
    /// A definition has begun, whose generics may have commas.
    is_definition: bool,
    /// The line of the first attribute.
    first_line: Option<usize>,
}

/// Reads all files of the crate, from `lib.rs` and `main.rs` on.
pub fn crate_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for file in ["src/main.rs", "src/lib.rs"] {
        read(root, file, &Scope::default(), &mut sources);
    }
    sources
}

/// Reads the file at `path`, which is the module of `scope`, and those of the modules below it.
fn read(root: &Path, path: &str, scope: &Scope, sources: &mut Vec<Source>) {
    let text = fs::read_to_string(root.join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    let source = Source::parse(path, text, scope);
    let folder = match path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
        _ => path.strip_suffix(".rs").expect("a source has this ending"),
    };
    let children = source.children.clone();
    sources.push(source);
    for child in children {
        let name = child
            .module
            .last()
            .expect("a module below the root has a name");
        let files = [
            format!("{folder}/{name}.rs"),
            format!("{folder}/{name}/mod.rs"),
        ];
        let file = files.iter().find(|file| root.join(file).exists());
        let file = file.unwrap_or_else(|| panic!("{path} declares {name}, which is no file"));
        read(root, file, &child, sources);
    }
}

impl Source {
    fn parse(path: &str, text: String, scope: &Scope) -> Self {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{path} cannot be parsed: {error}"));
        let mut source = Self {
            path: path.to_owned(),
            text,
            is_test: scope.is_test,
            paths: Vec::new(),
            types: Vec::new(),
            identifiers: Vec::new(),
            children: Vec::new(),
            tests: Vec::new(),
        };
        source.walk(tokens, scope);
        source
    }

    /// The module of the crate's root that the file belongs to, `lib` for the root.
    pub fn top(&self) -> &str {
        let below = self
            .path
            .strip_prefix("src/")
            .expect("all sources are there");
        let top = below.split('/').next().unwrap_or(below);
        top.strip_suffix(".rs").unwrap_or(top)
    }

    /// How many lines of code the file has, without unit tests, comments and blank lines.
    pub fn lines(&self) -> usize {
        let is_test = |line| self.tests.iter().any(|tests| tests.contains(&line));
        let lines = self.text.lines().map(str::trim).zip(1..);
        let code = lines
            .filter(|(text, line)| !text.is_empty() && !text.starts_with("//") && !is_test(*line));
        code.count()
    }

    /// Notes everything that `tokens` name and define.
    fn walk(&mut self, tokens: TokenStream, outer: &Scope) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let outer = &Scope {
            is_definition: false,
            ..outer.clone()
        };
        // The item that begins here, with what its attributes say.
        let mut item = outer.clone();
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            let (length, has_ended) = match rest {
                [sign, TokenTree::Group(group), ..] if is_sign(sign, '#') => {
                    self.attribute(group, &mut item);
                    (2, false)
                }
                [TokenTree::Ident(word), ..] if word == "use" => {
                    let length = rest.iter().position(is_semicolon).unwrap_or(rest.len());
                    self.use_tree(&rest[1..length], &[], &item);
                    (length, true)
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), body, ..] if word == "mod" => {
                    self.module(name, body, &item);
                    (3, true)
                }
                [TokenTree::Ident(word), next @ ..] => {
                    self.word(word, next, &mut item);
                    if let Some(path) = path(rest).filter(|_| !are_path(&tokens[..at])) {
                        self.note(&path, word.span().start().line, &item);
                    }
                    (1, false)
                }
                [TokenTree::Group(group), ..] => {
                    self.walk(group.stream(), &item);
                    (1, group.delimiter() == Delimiter::Brace)
                }
                [token, ..] => {
                    let is_comma = is_comma(token) && !item.is_definition;
                    (1, is_comma || is_semicolon(token))
                }
                [] => break,
            };
            at += length;
            if has_ended {
                item = outer.clone();
            }
        }
    }

    /// Notes the paths of an attribute and, in `item`, the condition that it puts on it.
    fn attribute(&mut self, attribute: &Group, item: &mut Scope) {
        let line = attribute.span_open().start().line;
        item.first_line.get_or_insert(line);
        let words = words(attribute.stream());
        if words.first().is_some_and(|word| word == "cfg") {
            let has = |expected: &str| words.iter().any(|word| word == expected);
            item.is_test |= has("test") && !has("not") && !has("any");
            item.is_conditional |= !has("test");
        } else {
            self.walk(attribute.stream(), item);
        }
    }

    /// Notes a module, in this file or in one of its own.
    fn module(&mut self, name: &Ident, body: &TokenTree, item: &Scope) {
        self.identifier(name, item);
        let inner = item.below(&name.to_string());
        let TokenTree::Group(body) = body else {
            self.children.push(inner);
            return;
        };
        if item.is_test {
            let first = item.first_line.unwrap_or(name.span().start().line);
            self.tests.push(first..=body.span_close().end().line);
        }
        self.walk(body.stream(), &inner);
    }

    /// Notes a word, and the type that it defines with the `next` one.
    fn word(&mut self, word: &Ident, next: &[TokenTree], item: &mut Scope) {
        self.identifier(word, item);
        let text = word.to_string();
        let is_type = match text.as_str() {
            "struct" | "enum" | "union" | "trait" => true,
            "type" => !item.is_associated,
            _ => false,
        };
        if let ([TokenTree::Ident(name), ..], true) = (next, is_type) {
            let named = item.named(name.to_string(), name.span().start().line);
            self.types.push(named);
        }
        let has_types = text == "impl" || text == "trait";
        item.is_associated |= has_types;
        item.is_definition |= has_types || is_type || text == "fn";
    }

    fn identifier(&mut self, word: &Ident, scope: &Scope) {
        let named = scope.named(word.to_string(), word.span().start().line);
        self.identifiers.push(named);
    }

    /// Notes each leaf of a `use`, behind `prefix`.
    fn use_tree(&mut self, tokens: &[TokenTree], prefix: &[String], scope: &Scope) {
        let mut path = prefix.to_vec();
        let mut line = None;
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    for word in &tokens[at + 1..] {
                        if let TokenTree::Ident(word) = word {
                            self.identifier(word, scope);
                        }
                    }
                    break;
                }
                TokenTree::Ident(word) => {
                    line.get_or_insert(word.span().start().line);
                    self.identifier(word, scope);
                    path.push(word.to_string());
                }
                TokenTree::Punct(sign) if sign.as_char() == '*' => {
                    line.get_or_insert(sign.span().start().line);
                    path.push("*".to_owned());
                }
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    for branch in inner.split(is_comma).filter(|branch| !branch.is_empty()) {
                        self.use_tree(branch, &path, scope);
                    }
                    return;
                }
                _ => {}
            }
        }
        // `hub::{self}` is `hub`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        self.note(&path, line.unwrap_or(0), scope);
    }

    /// Notes a path of the crate, as it is written in the module of `scope`.
    fn note(&mut self, path: &[String], line: usize, scope: &Scope) {
        if let Some(absolute) = scope.absolute(path) {
            let named = scope.named(absolute.join("::"), line);
            self.paths.push(named);
        }
    }
}

impl Scope {
    /// Returns the scope of the module `name`, which is declared here.
    fn below(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.module.push(name.to_owned());
        inner.first_line = None;
        inner
    }

    fn named(&self, name: String, line: usize) -> Named {
        Named {
            name,
            line,
            is_test: self.is_test,
            is_conditional: self.is_conditional,
        }
    }

    /// Returns `path` from the root of the crate. None for a name of the same module, or of another
    /// crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" | "serial_ws" => Vec::new(),
            "self" => self.module.clone(),
            "super" => parent(&self.module),
            // Beside the modules of the root, and so are their names.
            _ if self.module.is_empty() => return Some(path.to_vec()),
            _ => return None,
        };
        while let [first, others @ ..] = rest
            && first == "super"
        {
            base = parent(&base);
            rest = others;
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

fn parent(module: &[String]) -> Vec<String> {
    module
        .split_last()
        .map_or_else(Vec::new, |(_, parent)| parent.to_vec())
}

/// The path that `tokens` begin with, if it has at least two segments.
fn path(tokens: &[TokenTree]) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(word), others @ ..] = rest {
        path.push(word.to_string());
        rest = match others {
            [first, second, others @ ..] if is_colon(first) && is_colon(second) => others,
            _ => break,
        };
    }
    (path.len() > 1).then_some(path)
}

/// Returns true for tokens that end with `::`.
fn are_path(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [.., first, second] if is_colon(first) && is_colon(second))
}

/// All words of `tokens`, at any depth.
fn words(tokens: TokenStream) -> Vec<Ident> {
    let words = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(word) => vec![word],
        TokenTree::Group(group) => words(group.stream()),
        _ => Vec::new(),
    });
    words.collect()
}

fn is_sign(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(sign) if sign.as_char() == expected)
}

fn is_semicolon(token: &TokenTree) -> bool {
    is_sign(token, ';')
}

fn is_comma(token: &TokenTree) -> bool {
    is_sign(token, ',')
}

fn is_colon(token: &TokenTree) -> bool {
    is_sign(token, ':')
}

#[test]
fn paths_are_found_wherever_they_are_written() {
    check_paths("use crate::hub::Hub;", &["hub::Hub"]);
    check_paths(
        "use crate::{hub::{self, Event as E, status::*}, port};",
        &["hub", "hub::Event", "hub::status::*", "port"],
    );
    check_paths(
        "use super::queue; use super::super::port::open;",
        &["a::queue", "port::open"],
    );
    check_paths("pub(crate) use self::c::D;", &["a::b::c::D"]);
    check_paths(
        "fn f(x: crate::view::View) -> bool { crate::port::open(x) }",
        &["view::View", "port::open"],
    );
    check_paths(
        "fn f() { info!(\"{}\", super::g(vec![crate::x::Y])); }",
        &["a::g", "x::Y"],
    );
    check_paths(
        "#[arg(value_parser = crate::duration::parse)] struct S;",
        &["duration::parse"],
    );
    check_paths(
        "mod c { use super::D; mod d { use super::super::E; } }",
        &["a::b::D", "a::b::E"],
    );
    check_paths(
        "use std::io; use tokio::{net, time::*}; fn f() { io::empty(); Self::g(); self.h() }",
        &[],
    );
    check_paths(
        "/// [`crate::port`]\n// crate::port\nconst S: &str = \"crate::port::x\";",
        &[],
    );
}

#[test]
fn the_root_of_the_crate_names_its_modules_directly() {
    let text = "use port::{self, Closed}; fn f() { hub::new() }".to_owned();
    let source = Source::parse("src/lib.rs", text, &Scope::default());
    let found: Vec<_> = source.paths.iter().map(|path| path.name.as_str()).collect();
    assert_eq!(found, ["port", "port::Closed", "hub::new"]);
}

#[test]
fn types_are_found_unless_they_belong_to_an_impl_or_a_trait() {
    check_types(
        "pub struct A; enum B { C } type D<T> = Vec<T>; trait E: Send { type F; }",
        "A B D E",
    );
    check_types(
        "impl<A: B<C, D>, E> F for G<A, E> { type H = I; } type J = K;",
        "J",
    );
    check_types(
        "#[cfg(test)] fn a<B, C>() { struct D; } enum E { F { g: fn(H), }, I }",
        "E",
    );
    check_types(
        "impl E for A { type Err = Error; fn f() { struct G; } } type H = u8;",
        "G H",
    );
    check_types(
        "#[cfg(unix)] struct I; #[cfg(test)] mod tests { struct J; } struct K;",
        "I K",
    );
}

#[test]
fn lines_are_counted_without_unit_tests_comments_and_blank_lines() {
    let text = "//! A.\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    let source = parsed(text);
    assert_eq!(source.lines(), 1);
}

/// Checks the paths that `text` names as the module `a::b`.
#[track_caller]
fn check_paths(text: &str, expected: &[&str]) {
    let source = parsed(text);
    let found: Vec<_> = source.paths.iter().map(|path| path.name.as_str()).collect();
    assert_eq!(found, expected, "{text}");
}

#[track_caller]
fn check_types(text: &str, expected: &str) {
    let source = parsed(text);
    let found = source.types.iter().filter(|found| !found.is_test);
    let found: Vec<_> = found.map(|found| found.name.as_str()).collect();
    assert_eq!(found.join(" "), expected, "{text}");
}

fn parsed(text: &str) -> Source {
    let module = ["a", "b"].map(str::to_owned).to_vec();
    let scope = Scope {
        module,
        ..Scope::default()
    };
    Source::parse("src/a/b.rs", text.to_owned(), &scope)
}
