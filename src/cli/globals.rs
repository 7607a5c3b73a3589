//! The options before the command.

use super::arguments::{Arguments, operand_position, option, options as several, switch, taken, yes_or_no};
use super::face::{Face, Manner};
use super::session::Session;
use crate::engine::{CgroupManager, Rootless};
use crate::error::{Error, Kind, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::detached::{About, enter};
use crate::spec::annotations;
use clap::Arg;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What the words before the command ask for.
pub enum Invoked<'a> {
    Help,
    Version,
    /// No command at all.
    Nothing,
    /// A command with its arguments.
    Command(&'a OsStr, &'a [OsString]),
}

pub fn options() -> Vec<Arg> {
    vec![
        switch("debug", "log what the command does, on the host and in the container"),
        option(
            "log",
            "TARGET",
            "where the log goes: [file:]PATH, journald:ID or syslog:ID (default: stderr)",
        )
        .short('l'),
        option("log-format", "FORMAT", "format of the log: text (default) or json"),
        option("log-level", "LEVEL", "lowest level to log: error, warning (default) or debug"),
        switch("systemd-log", "log to the systemd journal, as --log journald:NAME does"),
        option(
            "root",
            "DIR",
            "state directory (default: /run/rruntime, or $XDG_RUNTIME_DIR/rruntime for an ordinary user)",
        )
        .short('r'),
        switch("systemd-cgroup", "let systemd create cgroups, as --cgroup-manager systemd does").short('s'),
        option("cgroup-manager", "MANAGER", "what creates cgroups: cgroupfs (default), systemd or disabled"),
        option("rootless", "WHEN", "ignore cgroup permission errors: true, false or auto (default)"),
        several(
            "allow-annotation",
            "NAME",
            "allow this annotation, which affects the host and may come from an image; may be repeated",
        ),
        option(
            "trace",
            "FILE",
            "write what create, delete, exec, restore, run, start or update does, and how long each part takes, to this \
             file: for ui.perfetto.dev and `trace`; more than one command may write to one file",
        ),
        switch("version", "show the version").short('v').short_alias('V'),
        // runc's users may still give it; CRIU is found by PATH.
        option("criu", "PATH", "").hide(true),
        // Of a command line that `run` gives its shim: `Session::shim`.
        option("shim-proper", "SETTINGS", "").hide(true),
    ]
}

/// The global options, and what stands behind them.
pub fn parse<'a>(face: &Face, words: &'a [OsString]) -> Result<(Arguments, &'a [OsString])> {
    let at = operand_position(&options(), 1, words);
    let arguments = Arguments::parse(face.name, options(), usize::MAX, &words[..at])?;
    Ok((arguments, &words[at..]))
}

/// A remedy for a line of which an option has taken the command for its value.
pub fn taken_command(words: &[OsString], is_command: impl Fn(&str) -> bool) -> Option<String> {
    let ours = &words[..operand_position(&options(), 1, words)];
    let taken = taken(&options(), ours);
    let (option, word) = taken.iter().find(|(_, value)| value.to_str().is_some_and(&is_command))?;
    let (option, word) = (option.to_string_lossy(), word.to_string_lossy());
    Some(format!("{option} has taken {word:?} as its value: write the value, then the command"))
}

pub fn invoked<'a>(face: &Face, arguments: &Arguments, rest: &'a [OsString]) -> Invoked<'a> {
    match rest.split_first() {
        _ if arguments.switch("help") => Invoked::Help,
        _ if arguments.switch("version") => Invoked::Version,
        // It ends the options; the command is behind it.
        Some((end, [command, rest @ ..])) if end == "--" => Invoked::Command(command, rest),
        Some((end, [])) if end == "--" => Invoked::Nothing,
        Some((command, _)) if command.is_empty() && face.manner == Manner::Runc => Invoked::Nothing,
        Some((command, rest)) => Invoked::Command(command, rest),
        None => Invoked::Nothing,
    }
}

pub fn session(face: &'static Face, arguments: &Arguments) -> Result<Session> {
    let shim =
        arguments.text("shim-proper")?.map(|settings| About::parse(settings.as_bytes())).transpose()?;
    if let Some(about) = &shim {
        // Whoever opens something below a directory that has gone misses it.
        let _ = enter(about.directory.as_ref());
    }
    let format = match arguments.text("log-format")? {
        None | Some("text") => usual_format(face),
        Some("json") => Format::Json,
        Some(other) => {
            return Err(Error::new(format!("invalid log-format: {other}"))
                .kind(Kind::Argument)
                .field("--log-format")
                .remedy("use text or json"));
        }
    };
    let detail = detail(arguments)?;
    let journal = || arguments.switch("systemd-log").then(|| format!("journald:{}", face.name).into());
    let log = match arguments.path("log").or_else(journal) {
        Some(place) => Log::open(&place, format, detail)?,
        None => Log::stderr(format, detail),
    };
    if arguments.path("criu").is_some() {
        log.warn(&Error::new("is ignored: rruntime looks for criu in PATH").field("--criu"));
    }
    Ok(Session {
        face,
        root: arguments.given("root").map(absolute_root).transpose()?,
        cgroup_manager: cgroup_manager(arguments)?,
        rootless: rootless(arguments.text("rootless")?)?,
        allowed_annotations: allowed_annotations(arguments.texts("allow-annotation")?)?,
        log: Arc::new(log),
        shim,
        trace_file: arguments.path("trace"),
        trace: None,
    })
}

/// The log format without `--log-format json`.
pub fn usual_format(face: &Face) -> Format {
    match face.manner {
        Manner::Runc => Format::Text,
        Manner::Crun => Format::Plain,
    }
}

/// The format of an error in the global options themselves: JSON where they ask for that, whatever else is wrong with them.
pub fn early_format(face: &Face, words: &[OsString]) -> Format {
    let options =
        words.iter().take_while(|word| *word != "--").zip(words.iter().skip(1).map(Some).chain([None]));
    let asks = |(word, next): (&OsString, Option<&OsString>)| {
        word == "--log-format=json" || word == "--log-format" && next.is_some_and(|next| next == "json")
    };
    if options.into_iter().any(asks) { Format::Json } else { usual_format(face) }
}

/// `--log-level` has the last word over `--debug`. The further words are youki's.
fn detail(arguments: &Arguments) -> Result<Verbosity> {
    match arguments.text("log-level")? {
        None if arguments.switch("debug") => Ok(Verbosity::Debug),
        None => Ok(Verbosity::Usual),
        Some("error" | "off") => Ok(Verbosity::Errors),
        Some("warning" | "warn" | "info") => Ok(Verbosity::Usual),
        Some("debug" | "trace") => Ok(Verbosity::Debug),
        Some(other) => {
            Err(Error::argument("--log-level", other, "unknown log level")
                .remedy("use error, warning or debug"))
        }
    }
}

/// Absolute and without "." and "..". The file system's own root is refused: it is what an empty value and a
/// few ".." too many come to.
fn absolute_root(given: &OsStr) -> Result<PathBuf> {
    let refused = |reason: &'static str| {
        Error::argument("--root", given.to_string_lossy(), reason)
            .remedy("name a directory that only rruntime uses")
    };
    if given.is_empty() {
        return Err(refused("an empty path cannot be the state directory"));
    }
    let absolute =
        std::path::absolute(Path::new(given)).map_err(|e| Error::io("read the working directory", &e))?;
    let mut clean = PathBuf::from("/");
    for component in absolute.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    if clean == Path::new("/") {
        Err(refused("the root of the file system cannot be the state directory"))
    } else {
        Ok(clean)
    }
}

/// `--systemd-cgroup` is runc's word for one of crun's three.
fn cgroup_manager(arguments: &Arguments) -> Result<CgroupManager> {
    let systemd = arguments.given_switch("systemd-cgroup");
    let refused = |reason: &'static str, word: &str| Err(Error::argument("--cgroup-manager", word, reason));
    match (arguments.text("cgroup-manager")?, systemd) {
        (None, Some(true)) | (Some("systemd"), None | Some(true)) => Ok(CgroupManager::Systemd),
        (None | Some("cgroupfs"), None | Some(false)) => Ok(CgroupManager::Cgroupfs),
        (Some("disabled"), None | Some(false)) => Ok(CgroupManager::Disabled),
        (Some(word @ ("cgroupfs" | "systemd" | "disabled")), Some(_)) => {
            refused("conflicts with --systemd-cgroup", word)
        }
        (Some(word), _) => refused("must be cgroupfs, systemd or disabled", word),
    }
}

fn allowed_annotations(names: Vec<&str>) -> Result<Vec<String>> {
    let known: Vec<&str> = annotations::reaching().collect();
    let means = |name: &&&str| known.contains(name) || name.starts_with(annotations::UNIT_PROPERTY);
    match names.iter().find(|name| !means(name)) {
        Some(name) => {
            let reason = "no annotation of this name affects the host";
            Err(Error::argument("--allow-annotation", name, reason)
                .remedy(format!("use one of {}", known.join(", "))))
        }
        None => Ok(names.into_iter().map(str::to_owned).collect()),
    }
}

fn rootless(word: Option<&str>) -> Result<Rootless> {
    let word = word.unwrap_or("auto");
    match yes_or_no(word) {
        Some(true) => Ok(Rootless::Yes),
        Some(false) => Ok(Rootless::No),
        None if word.eq_ignore_ascii_case("auto") => Ok(Rootless::Auto),
        None => Err(Error::argument("--rootless", word, "must be true, false or auto")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(line: &str) -> (Session, Option<String>) {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let face = Face::called(None);
        let (arguments, rest) = parse(face, &words).unwrap_or_else(|e| panic!("{e}"));
        let session = session(face, &arguments).unwrap_or_else(|e| panic!("{e}"));
        let command = match invoked(face, &arguments, rest) {
            Invoked::Command(command, rest) => Some(format!("{} +{}", command.to_str().unwrap(), rest.len())),
            _ => None,
        };
        (session, command)
    }

    #[test]
    fn the_line_that_containerd_writes_is_understood() {
        let (session, command) =
            understood("--root /r/x --log-format json --systemd-cgroup create --bundle /b id");
        assert_eq!(session.root.as_deref(), Some(Path::new("/r/x")));
        assert_eq!(session.cgroup_manager, CgroupManager::Systemd);
        assert_eq!(command.as_deref(), Some("create +3"));
        let (session, command) = understood("--rootless=true --root=/r list");
        assert_eq!(session.rootless, Rootless::Yes);
        assert_eq!(command.as_deref(), Some("list +0"));
    }

    #[test]
    fn a_value_that_is_a_commands_name_stays_a_value() {
        let (session, command) = understood("--root list");
        assert!(session.root.unwrap().ends_with("list"));
        assert_eq!(command, None);
    }

    #[test]
    fn the_whole_file_system_is_no_state_directory() {
        for given in ["", "/", "/..", "/a/..", "../../../../../../../../../../../.."] {
            assert!(absolute_root(OsStr::new(given)).is_err(), "{given:?}");
        }
        assert_eq!(absolute_root(OsStr::new("/a/./b/../c")).unwrap(), Path::new("/a/c"));
    }
}
