//! What carries out a task's calls: the engine in this process, or another runtime that is executed for it.

use crate::engine::{
    CreateOptions, Engine, ExecOptions, ExecProcess, Force, Recipients, Started, Status, Streams, Terminal,
    UpdateOptions,
};
use crate::error::{Error, Kind, Result};
use crate::host::survey;
use crate::shim::containerd::info::SOCKETS;
use crate::shim::containerd::model::{Container, Process};
use crate::shim::containerd::protocol::messages::Options;
use crate::shim::foreign::{self, Create, Foreign};
use crate::shim::launch::is_this_program;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub enum Runtime {
    Ours(Box<Engine>),
    Other(Foreign),
}

/// The path of the runtime that `BinaryName` names; `None` where that is this very file, or nothing is named.
pub fn named(name: &str) -> Result<Option<String>> {
    if name.is_empty() {
        return Ok(None);
    }
    let missing = || {
        Error::argument("BinaryName", name, "there is no such program").remedy("name it by its whole path")
    };
    let path = if name.contains('/') { Some(PathBuf::from(name)) } else { survey::program(name) };
    let path = path.ok_or_else(missing)?;
    if !path.exists() {
        return Err(missing());
    }
    let is_own = is_this_program(&path);
    Ok((!is_own).then(|| path.to_string_lossy().into_owned()))
}

/// The program that a container's `BinaryName` names.
pub fn other(container: &Container, root: &Path) -> Foreign {
    let mut options: Vec<OsString> = vec!["--root".into(), root.into()];
    options.extend(container.systemd.then(|| "--systemd-cgroup".into()));
    Foreign {
        program: PathBuf::from(&container.runtime),
        options,
        log: Path::new(&container.bundle).join("log.json"),
        sockets: PathBuf::from(SOCKETS),
    }
}

/// What the engine is asked for, whether it makes the processes or CRIU does.
pub fn create_options<'a>(container: &Container, streams: Streams<'a>) -> CreateOptions<'a> {
    let options = Options::of_container(container);
    CreateOptions {
        id: container.id.clone(),
        bundle: PathBuf::from(&container.bundle),
        terminal: Terminal::Caller { like: None, output: None },
        streams,
        root_change: options.no_pivot_root.into(),
        keyring: options.no_new_keyring.into(),
        ..CreateOptions::default()
    }
}

impl Runtime {
    pub fn create(&self, container: &Container, terminal: bool, streams: Streams) -> Result<Started> {
        match self {
            Runtime::Ours(engine) => engine.create(&create_options(container, streams)),
            Runtime::Other(program) => {
                let options = Options::of_container(container);
                let create = Create {
                    id: &container.id,
                    bundle: Path::new(&container.bundle),
                    no_pivot: options.no_pivot_root,
                    no_new_keyring: options.no_new_keyring,
                };
                program.create(&create, terminal, streams)
            }
        }
    }

    pub fn start(&self, id: &str) -> Result<()> {
        match self {
            Runtime::Ours(engine) => engine.start(id, None).map(drop),
            Runtime::Other(program) => program.start(id),
        }
    }

    /// Whether it is there, and does not wait for start any more.
    pub fn is_started(&self, id: &str) -> bool {
        match self {
            Runtime::Ours(engine) => engine.state(id).is_ok_and(|state| state.status != Status::Created),
            Runtime::Other(program) => !program.is_created(id),
        }
    }

    pub fn exec(&self, container: &Container, process: &Process, streams: Streams) -> Result<Started> {
        match self {
            Runtime::Ours(engine) => {
                let options = ExecOptions {
                    held: true,
                    tty: Some(process.terminal),
                    terminal: Terminal::Caller { like: None, output: None },
                    streams,
                    ..ExecOptions::of(ExecProcess::Object(process.spec.clone()))
                };
                engine.exec(&container.id, &options)
            }
            Runtime::Other(program) => {
                let what = (&*process.name.exec, &*process.spec);
                program.exec(&container.id, Path::new(&container.bundle), what, process.terminal, streams)
            }
        }
    }

    /// What another runtime may have started for a shim that was killed meanwhile, and no shim knows of.
    pub fn end_unknown(&self, container: &Container, exec: &str) -> Result<()> {
        match self {
            Runtime::Ours(_) => Ok(()),
            Runtime::Other(_) => foreign::end_unknown(&foreign::pid_file(Path::new(&container.bundle), exec)),
        }
    }

    pub fn kill(&self, id: &str, signal: i32, recipients: Recipients) -> Result<()> {
        match self {
            Runtime::Ours(engine) => engine.kill(id, signal, recipients),
            Runtime::Other(program) => program.kill(id, signal, recipients == Recipients::All),
        }
    }

    /// Its processes are killed first; one that is not there is no error.
    pub fn delete(&self, id: &str) -> Result<()> {
        match self {
            Runtime::Ours(engine) => engine.delete(id, Force::Kill),
            Runtime::Other(program) => program.delete(id),
        }
    }

    pub fn pause(&self, id: &str) -> Result<()> {
        match self {
            Runtime::Ours(engine) => engine.pause(id),
            Runtime::Other(program) => program.pause(id),
        }
    }

    pub fn resume(&self, id: &str) -> Result<()> {
        match self {
            Runtime::Ours(engine) => engine.resume(id),
            Runtime::Other(program) => program.resume(id),
        }
    }

    pub fn update(&self, container: &Container, resources: Vec<u8>) -> Result<()> {
        match self {
            Runtime::Ours(engine) => {
                let options = UpdateOptions {
                    resources,
                    from: "the request".to_owned(),
                    device_rules: Vec::new(),
                    typed: Vec::new(),
                    l3_cache_schema: None,
                    mem_bw_schema: None,
                };
                engine.update(&container.id, &options)
            }
            Runtime::Other(program) => {
                program.update(&container.id, Path::new(&container.bundle), &resources)
            }
        }
    }

    /// For what only the engine does.
    pub fn engine(&self) -> Result<&Engine> {
        match self {
            Runtime::Ours(engine) => Ok(engine),
            Runtime::Other(program) => Err(Error::new("this shim does that with its own engine alone")
                .kind(Kind::Unsupported)
                .field("BinaryName")
                .value(program.program.display())),
        }
    }
}
