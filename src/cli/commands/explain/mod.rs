//! `explain` and `validate`: what would be done for a config, in words, without doing it.
//!
//! The plan is the one that `create` carries out (`engine/life/explain.rs`); nothing here reads the config a second time but
//! for the names of fields.

mod capabilities;
mod cgroups;
mod diff;
mod host;
mod mounts;
mod page;
mod risks;
mod seccomp;
mod sections;
pub mod text;

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{option, options as several, switch};
use crate::cli::facts::Fact;
use crate::cli::{Arguments, Session, streams};
use crate::engine::{CreateOptions, Engine, Explained, Keyring, RootChange, Subject};
use crate::error::Result;
use crate::spec::load::{self, unknown};
use crate::state::NoRoot;
use clap::Arg;
use page::{Page, Weight};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub const EXPLAIN: Command = Command {
    name: "explain",
    about: "show what would be done for a bundle, or was done for a container",
    operands: "[<bundle>|<container-id>]",
    count: 0..=1,
    detail: "Shows the plan of `create` by subject, what is risky in it, what has no effect on this host, and keys that mean\n\
             nothing. It needs no root and changes nothing. The default is the working directory; a word without a slash is\n\
             a container if one has that id, else a bundle or its config.json. The global option --systemd-cgroup counts.\n\
             The exit code is 0 if nothing is wrong, 1 if the config is not valid, and 2 if it is valid but this host\n\
             or this caller cannot run it. docs/explain.schema.json describes the JSON.",
    examples: "explain /srv/web  # what would be done, and what is risky in it\n\
               explain --syscall 'clone(0x10000000)' /srv/web\n\
               explain --diff /srv/other /srv/web",
    options,
    action: Action::Call(explain),
    ..ON_A_CONTAINER
};

pub const VALIDATE: Command = Command {
    name: "validate",
    about: "check a bundle: problems and warnings alone",
    operands: "[<bundle>|<container-id>]",
    count: 0..=1,
    detail: "Prints what `explain` finds wrong, risky or without effect, one line each.\n\
             The exit code is 0 if nothing is wrong, 1 if the config is not valid, and 2 if it is valid but this host\n\
             or this caller cannot run it.",
    examples: "validate /srv/web",
    options: shared_options,
    action: Action::Call(validate),
    ..ON_A_CONTAINER
};

fn shared_options() -> Vec<Arg> {
    vec![
        option("config", "FILE", "use this file instead of the bundle's config.json").short('f'),
        option("id", "ID", "the id that the container would have (default: container-id)"),
        switch("no-pivot", "as for create"),
        switch("json", "print JSON"),
    ]
}

fn options() -> Vec<Arg> {
    let own = vec![
        switch("steps", "show every step that is done inside too"),
        several(
            "syscall",
            "CALL",
            "show only the verdict of the seccomp filter on this system call, and the rule that decides: NAME or \
             its number on this machine, with arguments NAME(ARG,ARG); may be repeated",
        ),
        option("diff", "OTHER", "show what this bundle or container does differently from OTHER"),
    ];
    [shared_options(), own].concat()
}

fn explain(session: &Session, arguments: &Arguments) -> Result<i32> {
    let asked = arguments.texts("syscall")?.into_iter().map(seccomp::asked).collect::<Result<Vec<_>>>()?;
    let work = Work { session, arguments, asked: &asked };
    let page = work.page(arguments.operands.first().map_or(OsStr::new("."), |word| word))?;
    let json = arguments.switch("json");
    if let Some(other) = arguments.value("diff") {
        let other = work.page(other).map_err(|error| error.doing("--diff"))?;
        let differences = diff::between(&page, &other);
        match json {
            true => streams::print_pretty_json(&joined(page.fact(true), diff::fact(&other, &differences)))?,
            false => streams::print(&diff::text(&differences))?,
        }
    } else if json {
        streams::print_pretty_json(&page.fact(true))?;
    } else if !asked.is_empty() && !page.sections.is_empty() {
        streams::print(&text::sections(&page, seccomp::SECTION))?;
    } else {
        streams::print(&text::page(&page, arguments.switch("steps")))?;
    }
    Ok(page.code())
}

fn validate(session: &Session, arguments: &Arguments) -> Result<i32> {
    let work = Work { session, arguments, asked: &[] };
    let page = work.page(arguments.operands.first().map_or(OsStr::new("."), |word| word))?;
    if arguments.switch("json") {
        streams::print_pretty_json(&page.fact(false))?;
    } else {
        let mut out = String::new();
        text::findings(&mut out, &page.findings);
        streams::print(&out)?;
    }
    Ok(page.code())
}

/// The members of both.
fn joined(one: Fact, other: Fact) -> Fact {
    match (one, other) {
        (Fact::Object(mut one), Fact::Object(other)) => {
            one.extend(other);
            Fact::Object(one)
        }
        (one, _) => one,
    }
}

struct Work<'w> {
    session: &'w Session,
    arguments: &'w Arguments,
    asked: &'w [seccomp::Asked],
}

impl Work<'_> {
    /// The explanation of a bundle or a container.
    fn page(&self, word: &OsStr) -> Result<Page> {
        let engine = self.session.engine_for_look(NoRoot::Empty)?;
        let name = word.to_string_lossy();
        let is_path =
            name.contains('/') || matches!(&*name, "." | "..") || self.arguments.path("config").is_some();
        let mut page = Page::default();
        let mut tell = |explained: &Explained| page = self.told(explained);
        if !is_path && self.is_container(&engine, &name)? {
            engine.explain(Subject::Container(&name), &mut tell)?;
        } else {
            let options = self.options(word)?;
            engine.explain(Subject::Bundle(&options), &mut tell)?;
        }
        Ok(page)
    }

    /// A word that is neither a container nor a directory is taken for a container: that error helps more.
    fn is_container(&self, engine: &Engine, name: &str) -> Result<bool> {
        let known = engine.store.peek(name).map(drop);
        Ok(known.is_ok() || !Path::new(name).exists())
    }

    fn options(&self, bundle: &OsStr) -> Result<CreateOptions<'static>> {
        let arguments = self.arguments;
        let (mut bundle, mut config) = (PathBuf::from(bundle), arguments.path("config"));
        // The config itself, in place of the directory that it is in.
        if config.is_none() && bundle.is_file() {
            let directory = bundle.parent().unwrap_or(Path::new("")).join(".");
            config = Some(std::mem::replace(&mut bundle, directory));
        }
        Ok(CreateOptions {
            id: arguments.text("id")?.unwrap_or("container-id").to_owned(),
            bundle,
            config,
            root_change: match arguments.switch("no-pivot") {
                true => RootChange::MoveMount,
                false => RootChange::PivotRoot,
            },
            keyring: Keyring::New,
            ..CreateOptions::default()
        })
    }

    fn told(&self, explained: &Explained) -> Page {
        let mut page = Page {
            id: explained.id.to_owned(),
            bundle: explained.bundle.to_owned(),
            exists: explained.exists,
            ..Page::default()
        };
        let found = &explained.found;
        page.add(Weight::Problem, &found.problems);
        page.add(Weight::Obstacle, &found.obstacles);
        if let (Some(spec), Some(whole)) = (explained.spec, &explained.whole) {
            page.as_root = whole.as_root;
            host::all(spec, whole, &mut page);
            risks::all(spec, whole, &mut page);
            page.sections = sections::all(spec, whole);
            page.sections.extend(self.asked.iter().map(|asked| seccomp::section(asked, spec, whole)));
        }
        page.add(Weight::UnknownKey, &unknown::keys(explained.text, &load::config));
        page.add(Weight::Warning, &found.warnings);
        page
    }
}
