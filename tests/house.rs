//! The house as docs/architecture.md draws it, held by reading the sources: layers and their arrows, circles, the size of
//! rooms, what `plan` and the engine may not touch, where `unsafe` may be, and how a file looks.
//!
//! What does not fit yet stands in a list of known exceptions. A list may only shrink: who mends one strikes it off here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the top to the bottom: a folder, or a file of src itself, knows what is below it and nothing else.
const LAYERS: [&[&str]; 9] = [
    &["main", "lib"],
    &["cli"],
    &["shim"],
    &["engine"],
    &["plan", "state"],
    &["cgroup", "criu", "resctrl", "seccomp"],
    &["spec", "host", "report"],
    &["codes", "names", "regex", "sys"],
    &["error", "time", "wire"],
];
/// The same for the rooms of src/engine.
const ENGINE_ROOMS: [&[&str]; 4] = [&["checkpoint"], &["running"], &["life"], &["caller", "child"]];
/// (from, to) where an arrow goes up.
const ARROWS_UP: [(&str, &str); 0] = [];
/// Files that know each other, each group by any of its files.
const CIRCLES: &[&[&str]] = &[];
/// A room has at most this many files.
const ROOM: usize = 20;
const LARGE_ROOMS: [(&str, usize); 0] = [];
/// In characters. rustfmt keeps code to 110; what it leaves alone are comments and long texts in code.
const WIDTH: usize = 125;
/// Where `unsafe` is what the file is for.
const UNSAFE: [&str; 3] = ["src/sys/", "init/src/sys", "init/src/arch.rs"];
/// And where a single use stands: `main` without std's start, tests that call the kernel or the C library by hand.
const UNSAFE_BESIDE: [&str; 8] = [
    "src/main.rs",
    "tests/cli/log.rs",
    "tests/spec/regex.rs",
    "tests/config/seccomp/agent.rs",
    "tests/config/process/terminal.rs",
    "tests/config/ipc/receive.rs",
    "tests/spec/seccomp/kernel.rs",
    "tests/security/files/home.rs",
];
/// A plan is made of what it is given.
const NOT_IN_PLAN: [&str; 9] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::io",
    "std::net",
    "std::thread",
    "SystemTime",
    "Instant::",
    "nix::",
];
/// The engine is a library: it neither prints nor ends its caller. A cgroup it has from its driver.
const NOT_BELOW_CLI: [&str; 5] = ["println!", "print!(", "eprintln!", "eprint!(", "process::exit("];

struct Source {
    /// From the project's top, with `/`.
    name: String,
    text: String,
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn below(directory: &Path, kind: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, kind, found);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
}

/// Every file of Rust in these folders, in the order of their names.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| below(&project().join(folder), "rs", &mut paths));
    paths.sort();
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(project()).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Source {
    fn is_of_tests(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.starts_with("tests/")
    }

    /// Without comments, texts in quotation marks, and unit tests: what is left are names.
    fn code(&self) -> String {
        let opens_tests =
            |at: &usize| self.text[*at..].lines().nth(1).is_some_and(|line| line.ends_with(" {"));
        let tests = ["#[cfg(test)]\nmod ", "#[cfg(test)]\npub mod "]
            .iter()
            .filter_map(|head| self.text.match_indices(head).map(|(at, _)| at).find(opens_tests))
            .min();
        let product = &self.text[..tests.unwrap_or(self.text.len())];
        let mut code = String::new();
        let mut quoted = false;
        for line in product.lines() {
            let mut before = ' ';
            for (at, c) in line.char_indices() {
                let rest = &line[at..];
                match c {
                    '"' if before != '\\' && !rest.starts_with("\"'") => quoted = !quoted,
                    '/' if !quoted && rest.starts_with("//") => break,
                    c if !quoted => code.push(c),
                    _ => {}
                }
                before = if before == '\\' && c == '\\' { ' ' } else { c };
            }
            code.push('\n');
        }
        code
    }

    /// `src/plan/mod.rs` is `["plan"]`, `src/plan/process.rs` is `["plan", "process"]`.
    fn module(&self) -> Vec<String> {
        let path = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        let parts = path.split('/').map(str::to_owned);
        parts.filter(|part| !["mod", "lib"].contains(&part.as_str())).collect()
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path that a tree names, as in `a::{b, c::{self, D}}`. Returns what is behind the tree.
fn tree<'a>(text: &'a str, head: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = head.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                match inside.strip_prefix('}') {
                    Some(behind) => return behind,
                    None if inside.is_empty() => return inside,
                    None => {}
                }
                let behind = tree(inside, &path, found);
                // A pattern or a block, which is no tree of names.
                if behind.len() == inside.len() {
                    return inside;
                }
                inside = behind;
            }
        }
        let length = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
        if length == 0 {
            return rest;
        }
        path.push(rest[..length].to_owned());
        rest = &rest[length..];
        match rest.strip_prefix("::") {
            Some(behind) if behind.starts_with(|c| is_of_a_name(c) || c == '{') => rest = behind,
            _ => {
                found.push(path);
                return rest;
            }
        }
    }
}

/// What is named by a path that begins with one of these words.
fn paths(code: &str, words: &[&str]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for word in words {
        for (at, _) in code.match_indices(word) {
            // `pub(in crate::engine)` says who may see something, not what is used.
            if ![":", "(in "].iter().any(|before| code[..at].ends_with(before))
                && !code[..at].ends_with(is_of_a_name)
            {
                tree(&code[at..], &[], &mut found);
            }
        }
    }
    found
}

/// Which file each module is, and what the files name of each other.
struct Map {
    files: BTreeMap<Vec<String>, String>,
    /// What a `mod.rs` hands on under a name of its own: (module, name) → the path.
    handed_on: BTreeMap<(Vec<String>, String), Vec<String>>,
    named: BTreeMap<String, BTreeSet<Vec<String>>>,
}

impl Map {
    fn of(sources: &[Source]) -> Map {
        let mut map = Map { files: BTreeMap::new(), handed_on: BTreeMap::new(), named: BTreeMap::new() };
        for source in sources.iter().filter(|source| !source.is_of_tests()) {
            let (module, code) = (source.module(), source.code());
            for statement in code.split("use ").skip(1).map(|rest| rest.split(';').next().unwrap_or_default())
            {
                let mut found = Vec::new();
                tree(statement, &module, &mut found);
                for path in found.into_iter().filter(|path| path.len() > module.len()) {
                    let last = path.last().cloned().unwrap_or_default();
                    map.handed_on.insert((module.clone(), last), path);
                }
            }
            // What a door hands on is not what it uses.
            let used = without_doors(&code);
            let named =
                paths(&used, &["crate::", "super::"]).into_iter().map(|path| absolute(&module, &path));
            let mut named: BTreeSet<_> = named.collect();
            for child in children(&code) {
                let below = paths(&used, &[&format!("{child}::")]);
                named.extend(below.into_iter().map(|path| [module.as_slice(), &path].concat()));
            }
            map.named.insert(source.name.clone(), named);
            map.files.insert(module, source.name.clone());
        }
        map
    }

    /// The file that has what this path names.
    fn file(&self, path: &[String]) -> Option<&String> {
        let longest = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let module = path[..longest].to_vec();
        let name = path.get(longest).cloned().unwrap_or_default();
        match self.handed_on.get(&(module.clone(), name)) {
            Some(behind) if behind.as_slice() != path && self.files.contains_key(&behind[..longest + 1]) => {
                self.file(behind)
            }
            _ => self.files.get(&module),
        }
    }
}

/// The modules that a file declares.
fn children(code: &str) -> Vec<String> {
    let declared = code.lines().filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod "));
    declared.map(|(_, name)| name.to_owned()).collect()
}

/// A file without its `pub use` and `mod` lines.
fn without_doors(code: &str) -> String {
    let mut rest = String::new();
    let mut inside = false;
    for line in code.lines() {
        let text = line.trim_start();
        let hands_on = text.starts_with("pub") && text.split('{').next().unwrap().contains(" use ");
        if inside || hands_on {
            inside = !text.ends_with(';');
            continue;
        }
        rest.push_str(line);
        rest.push('\n');
    }
    rest
}

fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let from = if ups == 0 { &[][..] } else { &module[..module.len().saturating_sub(ups)] };
    from.iter().chain(path.iter().skip(ups.max(1))).cloned().collect()
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn arrows_point_one_way() {
    let sources = sources(&["src"]);
    let map = Map::of(&sources);
    let top = |name: &str| {
        name.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap().to_owned()
    };
    let layer = |part: &str| LAYERS.iter().position(|layer| layer.contains(&part));
    let mut wrong = BTreeSet::new();
    let mut up = BTreeSet::new();
    for (file, named) in &map.named {
        let from = top(file);
        let Some(own) = layer(&from) else {
            wrong.insert(format!("{file}: \"{from}\" is in no layer of LAYERS (tests/house.rs)"));
            continue;
        };
        for path in named {
            let Some(to) =
                path.first().filter(|to| **to != from && map.files.keys().any(|m| m.first() == Some(to)))
            else {
                continue;
            };
            if layer(to).is_some_and(|other| other <= own) {
                up.insert((from.clone(), to.clone()));
                if !ARROWS_UP.contains(&(&from, to)) {
                    wrong.insert(format!("{file} names {}: {from} may not know {to}", path.join("::")));
                }
            }
        }
    }
    let mended = ARROWS_UP.iter().filter(|(from, to)| !up.contains(&((*from).to_owned(), (*to).to_owned())));
    wrong.extend(mended.map(|(from, to)| format!("{from} → {to} is mended: strike it off ARROWS_UP")));
    none("arrows that go up", &wrong.into_iter().collect::<Vec<_>>());
}

#[test]
fn rooms_of_the_engine_know_what_is_below_them() {
    let map = Map::of(&sources(&["src"]));
    let room = |file: &str| {
        let name = file.strip_prefix("src/engine/")?.split_once('/')?.0.to_owned();
        ENGINE_ROOMS.iter().position(|rooms| rooms.contains(&&*name)).map(|level| (level, name))
    };
    let mut wrong = Vec::new();
    for (file, named) in &map.named {
        for other in named.iter().filter_map(|path| map.file(path)) {
            if let (Some(from), Some(to)) = (room(file), room(other))
                && to.1 != from.1
                && to.0 <= from.0
            {
                wrong.push(format!("{file} names {other}: {} may not know {}", from.1, to.1));
            }
        }
    }
    none("arrows that go up", &wrong);
}

#[test]
fn files_do_not_know_each_other_in_circles() {
    let sources = sources(&["src"]);
    let map = Map::of(&sources);
    let edges: BTreeMap<&String, BTreeSet<&String>> = map
        .named
        .iter()
        .map(|(file, named)| {
            let to = named.iter().filter_map(|path| map.file(path));
            (file, to.filter(|other| *other != file).collect())
        })
        .collect();
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = edges[from].iter().copied().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(edges.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|file| (*file, reach(file))).collect();
    let circles: BTreeSet<Vec<&String>> = reached
        .iter()
        .filter(|(file, seen)| seen.contains(**file))
        .map(|(file, seen)| seen.iter().copied().filter(|other| reached[*other].contains(*file)).collect())
        .collect();
    let mut wrong: Vec<String> = Vec::new();
    for circle in &circles {
        if !CIRCLES.iter().any(|known| circle.iter().all(|file| known.contains(&file.as_str()))) {
            let inside = |file: &&String| {
                edges[*file]
                    .iter()
                    .copied()
                    .filter(|to| circle.contains(to))
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            wrong.push(
                circle
                    .iter()
                    .map(|file| format!("  {file} → {}", inside(file)))
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
    }
    for known in CIRCLES {
        if !circles.iter().any(|circle| circle.iter().all(|file| known.contains(&file.as_str()))) {
            wrong.push(format!("  {known:?} is mended: strike it off CIRCLES"));
        }
    }
    none("circles", &wrong);
}

/// The tests above would pass if no name were found.
#[test]
fn arrows_and_circles_are_seen() {
    let map = Map::of(&sources(&["src"]));
    let knows = |from: &str, to: &str| {
        map.named[from].iter().filter_map(|path| map.file(path)).any(|file| file.as_str() == to)
    };
    for (from, to) in [
        ("src/engine/carry.rs", "src/plan/deeds.rs"),
        ("src/engine/life/making.rs", "src/engine/child/birth.rs"),
        ("src/cli/mod.rs", "src/cli/commands/command.rs"),
        ("src/engine/running/exec.rs", "src/engine/life/prepare.rs"),
    ] {
        assert!(knows(from, to), "{from} → {to}");
    }
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let planted = [
        source("src/a/mod.rs", "mod b;\npub use b::B;\nuse crate::c::C;\nfn f() { b::g() }\n"),
        source("src/a/b.rs", "use super::A;\n#[cfg(test)]\nmod tests {\nuse crate::d::D;\n}\n"),
        source("src/c.rs", "// crate::d\nconst TEXT: &str = \"crate::d\";\n"),
        source("src/d.rs", "pub(in crate::c) fn h() {}\n"),
    ];
    let map = Map::of(&planted);
    let named = |file: &str| map.named[file].iter().filter_map(|path| map.file(path)).collect::<Vec<_>>();
    assert_eq!(named("src/a/mod.rs"), ["src/a/b.rs", "src/c.rs"]);
    assert_eq!(named("src/a/b.rs"), ["src/a/mod.rs"]);
    assert!(named("src/c.rs").is_empty() && named("src/d.rs").is_empty());
}

#[test]
fn no_room_is_too_large() {
    let mut rooms: BTreeMap<String, usize> = BTreeMap::new();
    let mut files = Vec::new();
    ["src", "init/src", "tests"].iter().for_each(|folder| below(&project().join(folder), "rs", &mut files));
    below(&project().join("tests"), "py", &mut files);
    for file in files {
        let room = file.parent().unwrap().strip_prefix(project()).unwrap();
        *rooms.entry(room.to_str().unwrap().to_owned()).or_default() += 1;
    }
    let known = |room: &str| LARGE_ROOMS.iter().find(|(name, _)| *name == room).map(|(_, files)| *files);
    let mut wrong = Vec::new();
    for (room, files) in &rooms {
        if *files > known(room).unwrap_or(ROOM) {
            wrong.push(format!("{room} has {files} files, of at most {}", known(room).unwrap_or(ROOM)));
        }
    }
    for (room, _) in LARGE_ROOMS {
        if rooms.get(room).is_none_or(|files| *files <= ROOM) {
            wrong.push(format!("{room} is small enough by now: strike it off LARGE_ROOMS"));
        }
    }
    none("rooms", &wrong);
}

#[test]
fn a_plan_is_made_without_the_machine_and_below_the_command_line_nothing_prints() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_of_tests()) {
        let code = source.code();
        let forbidden: &[&str] = match source.name.split('/').nth(1) {
            Some("plan") => &[NOT_IN_PLAN.as_slice(), NOT_BELOW_CLI.as_slice()].concat(),
            Some("engine") => &[NOT_BELOW_CLI.as_slice(), &["Cgroup::open"]].concat(),
            Some("cli" | "report" | "main.rs") => &[],
            _ => &NOT_BELOW_CLI,
        };
        let found = forbidden.iter().filter(|word| code.contains(**word));
        wrong.extend(found.map(|word| format!("{}: {word}", source.name)));
    }
    none("what a file may not touch", &wrong);
}

#[test]
fn unsafe_is_where_it_may_be() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "init/src", "tests"]) {
        if UNSAFE.iter().any(|place| source.name.starts_with(place)) || source.name == "tests/house.rs" {
            continue;
        }
        let code = source.code();
        let words = code.split(|c| !is_of_a_name(c));
        let has = words.into_iter().any(|word| word == "unsafe");
        match (has, UNSAFE_BESIDE.contains(&source.name.as_str())) {
            (true, false) => {
                wrong.push(format!("{} has unsafe code; src/sys is the place for it", source.name))
            }
            (false, true) => {
                wrong.push(format!("{} has none any more: strike it off UNSAFE_BESIDE", source.name))
            }
            _ => {}
        }
    }
    none("unsafe", &wrong);
}

/// `let _ =` and, in the product, a result that `.ok()` throws away, without a word in the line or right above it.
#[test]
fn a_dropped_result_has_its_reason_beside_it() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "init/src", "tests"]) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let text = line.trim();
            let drops = text.starts_with("let _ =")
                || (!source.is_of_tests() && text.ends_with(".ok();") && !text.contains('='));
            let above =
                lines[index.saturating_sub(2)..index].iter().any(|line| line.trim().starts_with("//"));
            if drops && !above && !text.contains("//") {
                wrong.push(format!("{}:{}: {text}", source.name, index + 1));
            }
        }
    }
    none("dropped without a reason", &wrong);
}

#[test]
fn a_file_says_what_it_is_for_in_lines_that_can_be_read() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "init/src", "tests"]) {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with what it is for", source.name));
        }
        for (index, line) in source.text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if is_comment && line.chars().count() > WIDTH {
                wrong.push(format!("{}:{}: {} characters", source.name, index + 1, line.chars().count()));
            }
        }
    }
    none("how a file looks", &wrong);
}

/// init is on the other side: of src it knows nothing, and src of it the wire alone.
#[test]
fn init_and_rruntime_share_the_wire_alone() {
    let mut wrong = Vec::new();
    for source in sources(&["init/src"]) {
        if source.code().contains("rruntime::") || source.text.contains("#[path") {
            wrong.push(source.name);
        }
    }
    for source in sources(&["src"]) {
        let reaches =
            source.text.lines().filter(|line| line.contains("#[path") && !line.ends_with("tests.rs\"]"));
        if source.name != "src/wire.rs" && reaches.count() > 0 {
            wrong.push(source.name);
        }
    }
    none("files that reach over", &wrong);
}

/// The words in backquotes of this text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|word| !word.contains(' '))
}

/// Every folder of src and every file of the engine and of init is on the map of docs/architecture.md, and every file and
/// folder that the map or CONTRIBUTING.md names is there.
#[test]
fn the_map_is_of_this_house() {
    let read = |name: &str| fs::read_to_string(project().join(name)).unwrap();
    let map = read("docs/architecture.md");
    let names: BTreeSet<String> =
        sources(&["src", "init/src", "tests"]).into_iter().map(|source| source.name).collect();
    let ends = |name: &str, word: &str| name == word || name.ends_with(&format!("/{word}"));
    let mut wrong = Vec::new();
    for (page, text) in [("the map", &map), ("CONTRIBUTING.md", &read("CONTRIBUTING.md"))] {
        for word in quoted(text) {
            let is_there = project().join(word).exists()
                || names.iter().any(|name| match word.ends_with('/') {
                    true => format!("/{name}").contains(&format!("/{word}")),
                    false => ends(name, word),
                });
            if (word.ends_with(".rs") || word.ends_with('/')) && !word.starts_with('/') && !is_there {
                wrong.push(format!("{page} names `{word}`, which is not there"));
            }
        }
    }
    for folder in fs::read_dir(project().join("src")).unwrap().map(|entry| entry.unwrap()) {
        let row = format!("| `src/{}/`", folder.file_name().to_string_lossy());
        if folder.path().is_dir() && !map.contains(&row) {
            wrong.push(format!("the map has no row that begins with {row}"));
        }
    }
    for (room, heading) in
        [("src/engine/", "## The rooms of `src/engine/`\n"), ("init/src/", "## The files of `init/src/`\n")]
    {
        let chapter = map.split_once(heading).map_or("", |(_, rest)| rest.split("\n## ").next().unwrap());
        let missing = names.iter().filter(|name| name.starts_with(room) && !name.ends_with("/mod.rs"));
        let missing = missing.filter(|name| !quoted(chapter).any(|word| ends(name, word)));
        wrong.extend(missing.map(|name| format!("the map's chapter about {room} lacks {name}")));
    }
    none("docs/architecture.md and CONTRIBUTING.md", &wrong);
}
