//! `engines`: which engines are here, which runtime each uses, and what switches it to rruntime. With
//! `--write` that is done, as a whole or not at all; a file that is not understood is left alone.

mod difference;
mod json;
mod known;
mod place;
mod toml;
mod wish;

use super::commands::command::{Action, Command, ON_THE_HOST};
use super::facts::Fact;
use super::table::{Form, form_option, form_or_json};
use super::{Arguments, Session, arguments::option, arguments::switch, streams};
use crate::error::{Error, Kind, Result};
use crate::host::survey;
use crate::names::nearest;
use crate::report::escape::{Notation, escaped};
use crate::sys::{identity, spawn};
use clap::Arg;
use known::{Config, ENGINES, Engine};
use place::Place;
use std::path::Path;
use std::process::Stdio;
use wish::Wish;

pub const COMMAND: Command = Command {
    name: "engines",
    about: "show the engines of this host and what switches each to rruntime; --write does it",
    operands: "[podman|docker|containerd|cri-o|buildah|nerdctl|kubernetes]",
    count: 0..=1,
    detail: "Shows which engines are here, which runtime the files of each name, and the change that makes \
        rruntime its default,\n\
             as a difference. An ordinary user sees and changes the files of that user's own engines. --write makes the \
             change: what\n\
             the file was stays beside it as FILE.before-rruntime, and comments, order and all else in the file \
             stay as they\n\
             are. A file that is not understood is not changed. podman and cri-o get a file of their own in the \
             directory\n\
             for it. Restart the engine yourself.",
    examples: "engines\n\
               engines docker  # the change, before it is made\n\
               engines --write docker\n\
               engines --write containerd --keep-default  # pods choose it by a RuntimeClass\n\
               engines --undo docker",
    options,
    action: Action::Call(run),
    ..ON_THE_HOST
};

fn options() -> Vec<Arg> {
    vec![
        option("write", "ENGINE", "make the change for this engine"),
        option("undo", "ENGINE", "take back what --write did, if the file has not been changed since"),
        switch("keep-default", "add rruntime as a further runtime; the engine's default stays"),
        option("path", "PATH", "where rruntime is, for the engine (default: where this rruntime is)"),
        option(
            "prefix",
            "DIR",
            "files below DIR, the root of a system that is not running; no engine is executed",
        ),
        form_option(),
        switch("json", "as --format json"),
    ]
}

fn run(_: &Session, arguments: &Arguments) -> Result<i32> {
    let form = form_or_json(arguments)?;
    let prefix = arguments.path("prefix");
    let running = prefix.is_none();
    let place = Place::open(prefix)?;
    let path = match arguments.text("path")? {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()
            .map_err(|e| Error::io("find this program's own file", &e).remedy("name it with --path"))?
            .to_string_lossy()
            .into_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !path.starts_with('/') || !path.chars().all(plain) || !place.exists(&path) {
        return Err(Error::argument(
            "--path",
            path,
            "must be the absolute path of a file that is there, of letters, digits and / . _ - + @",
        ));
    }
    let own = if running && identity::euid() != 0 { own_configuration() } else { None };
    let shim = format!(
        "{}/containerd-shim-rruntime-v1",
        Path::new(&path).parent().unwrap_or(Path::new("/")).display()
    );
    let mut wish = Wish {
        keep_default: arguments.switch("keep-default"),
        own,
        has_shim: place.exists(&shim),
        of_containerd_2: false,
        path,
    };
    let (write, undo) = (arguments.text("write")?, arguments.text("undo")?);
    let named = arguments.operands.first().map(|word| word.to_string_lossy());
    if usize::from(write.is_some()) + usize::from(undo.is_some()) + usize::from(named.is_some()) > 1 {
        return Err(Error::new("name one engine: after --write, after --undo, or alone").kind(Kind::Argument));
    }
    // A file of containerd's is made by its version, which is asked of its program.
    let mut found = |engine: &Engine| {
        let found = look(&place, engine, running);
        if engine.config == Config::Containerd {
            wish.of_containerd_2 = found.as_ref().is_some_and(|found| found.version.starts_with('2'));
        }
        found
    };
    let (name, option) = if undo.is_some() { (undo, "--undo") } else { (write, "--write") };
    match name.map(|name| engine(name, option)).transpose()? {
        Some(engine) => {
            if engine.config == Config::Containerd {
                found(engine);
            }
            if undo.is_some() { take_back(&place, engine, wish) } else { change(&place, engine, &wish) }
        }
        None => {
            let one = named.map(|name| engine(&name, "engine")).transpose()?;
            let mut absent = Vec::new();
            let mut shown = Vec::new();
            for engine in ENGINES.iter().filter(|each| one.is_none_or(|one| one.name == each.name)) {
                match found(engine) {
                    None if one.is_none() => absent.push(engine.name),
                    found => shown.push((engine, found)),
                }
            }
            match form {
                Form::Json => {
                    let facts =
                        shown.into_iter().map(|(engine, found)| described(&place, engine, found, &wish));
                    streams::print_pretty_json(&Fact::Array(facts.collect()))
                }
                Form::Table => {
                    let mut page = String::new();
                    for (engine, found) in shown {
                        tell(&mut page, &described(&place, engine, found, &wish));
                    }
                    if !absent.is_empty() {
                        page.push_str(&format!("not here: {}\n", absent.join(", ")));
                    }
                    streams::print(&page)
                }
            }
            .map(|()| 0)
        }
    }
}

fn engine(name: &str, field: &str) -> Result<&'static Engine> {
    let names = || ENGINES.iter().map(|engine| engine.name);
    ENGINES.iter().find(|engine| engine.name == name).ok_or_else(|| {
        let error = Error::argument(field, name, "no engine of this name is known");
        match nearest(name, names()) {
            Some(meant) => error.remedy(format!("did you mean {meant}?")),
            None => error.remedy(format!("use one of {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
}

/// $XDG_CONFIG_HOME, or ~/.config.
fn own_configuration() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| value.starts_with('/'));
    variable("XDG_CONFIG_HOME").or_else(|| Some(format!("{}/.config", variable("HOME")?)))
}

/// An engine that is here.
struct Found {
    program: String,
    /// Empty where it is not asked.
    version: String,
}

fn look(place: &Place, engine: &Engine, running: bool) -> Option<Found> {
    if !running {
        let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        let mut files = places.iter().map(|directory| format!("{directory}/{}", engine.program));
        return files
            .find(|file| place.exists(file))
            .map(|program| Found { program, version: String::new() });
    }
    let program = survey::program(engine.program)?;
    let said = spawn::program(&program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let words = text.split_whitespace().map(|word| word.trim_start_matches('v').trim_end_matches(','));
    let version = words.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    Some(Found { program: program.display().to_string(), version: version.unwrap_or_default().to_owned() })
}

/// What is known of an engine; of a file that cannot be changed, why.
fn described(place: &Place, engine: &Engine, found: Option<Found>, wish: &Wish) -> Fact {
    let found = found.unwrap_or(Found { program: String::new(), version: String::new() });
    let mut members = vec![
        ("name".into(), Fact::text(engine.name)),
        ("program".into(), Fact::Text(found.program)),
        ("version".into(), Fact::Text(found.version)),
    ];
    if let Some(file) = engine.config.file(wish) {
        let runtime = engine.config.runtime(place, wish).ok().flatten();
        members.push(("runtime".into(), runtime.map_or(Fact::Missing, Fact::Text)));
        members.push(("file".into(), Fact::Text(place.shown(&file))));
        let change = place.read(&file).and_then(|old| {
            let new = engine.config.changed(place, wish, old.as_deref())?;
            Ok(difference::lines(&old.unwrap_or_default(), &new))
        });
        members.push(match change {
            Ok(lines) => ("change".into(), Fact::List(lines)),
            Err(error) => ("problem".into(), Fact::text(error)),
        });
    }
    members.push(("then".into(), Fact::text(engine.then)));
    Fact::Object(members)
}

fn tell(page: &mut String, described: &Fact) {
    let Fact::Object(members) = described else { return };
    for (name, fact) in members {
        match (&**name, fact) {
            ("name", Fact::Text(name)) => line(page, "", name),
            (_, Fact::Text(text)) if text.is_empty() => {}
            ("change", Fact::List(lines)) if lines.is_empty() => {
                line(page, "  change   ", "none: this is done")
            }
            ("change", Fact::List(lines)) => {
                line(page, "  change", "");
                changes(page, lines);
            }
            (name, Fact::Text(text)) => line(page, &format!("  {name:8} "), text),
            ("runtime", _) => line(page, "  runtime  ", "the engine's own default"),
            _ => {}
        }
    }
}

/// What a file says moves no cursor, and is not a line of ours.
fn line(page: &mut String, before: &str, text: &str) {
    page.push_str(before);
    page.push_str(&escaped(text, Notation::Plain, &['\t']));
    page.push('\n');
}

fn changes(page: &mut String, lines: &[String]) {
    lines.iter().for_each(|text| line(page, "    ", text));
}

fn file_of(engine: &Engine, wish: &Wish) -> Result<String> {
    let none =
        || Error::argument("engine", engine.name, "has no file that names its runtime").remedy(engine.then);
    engine.config.file(wish).ok_or_else(none)
}

fn change(place: &Place, engine: &Engine, wish: &Wish) -> Result<i32> {
    let file = file_of(engine, wish)?;
    let old = place.read(&file)?;
    if let Some(text) = old.as_deref()
        && matches!(engine.config, Config::Containers | Config::Crio)
        && !engine.config.is_own(text)
    {
        return Err(Error::new("the file was not written by rruntime")
            .value(place.shown(&file))
            .remedy("nothing was changed: rename it, or change it by hand"));
    }
    let new = engine.config.changed(place, wish, old.as_deref())?;
    if old.as_deref() == Some(&new) {
        return streams::print(&format!("{}: nothing to change\n", place.shown(&file))).map(|()| 0);
    }
    let kept = place.replace(&file, old.as_deref(), &new)?;
    let mut page = format!("{}: written\n", place.shown(&file));
    changes(&mut page, &difference::lines(&old.unwrap_or_default(), &new));
    if let Some(kept) = kept {
        page.push_str(&format!("{}: what it was\n", place.shown(&kept)));
    }
    let runtime = engine.config.runtime(place, wish)?;
    if !wish.keep_default && runtime.as_deref() != Some("rruntime") {
        line(&mut page, "another file still names ", &runtime.unwrap_or_default());
    }
    streams::print(&(page + engine.then + "\n")).map(|()| 0)
}

/// Only where the file is what `--write` would make of what it was: no later change is lost.
fn take_back(place: &Place, engine: &Engine, mut wish: Wish) -> Result<i32> {
    let file = file_of(engine, &wish)?;
    let now = place.read(&file)?;
    let Some(now) = now else {
        return streams::print(&format!("{}: nothing to take back\n", place.shown(&file))).map(|()| 0);
    };
    let kept = place.before(&file)?;
    let mut is_ours = engine.config.is_own(&now);
    for keep_default in [false, true] {
        wish.keep_default = keep_default;
        let made = engine.config.changed(place, &wish, kept.as_ref().map(|(_, text)| text.as_str()));
        is_ours = is_ours || made.is_ok_and(|made| made == now);
    }
    if !is_ours {
        let remedy = match &kept {
            Some((kept, _)) => format!("compare it with {}", place.shown(kept)),
            None => "remove what is of rruntime by hand".to_owned(),
        };
        return Err(Error::new("the file is not what --write made of it")
            .value(place.shown(&file))
            .remedy(remedy));
    }
    let back = kept.filter(|_| !engine.config.is_own(&now)).map(|(kept, _)| kept);
    place.restore(&file, back.as_deref())?;
    let word = if back.is_some() { "is what it was" } else { "removed" };
    streams::print(&format!("{}: {word}\n", place.shown(&file))).map(|()| 0)
}
