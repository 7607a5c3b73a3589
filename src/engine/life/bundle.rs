//! A bundle as it is on the disk: config.json, read once, parsed and checked before anything changes.

use crate::engine::life::{host_namespaces, netdevices};
use crate::engine::{CgroupManager, CreateOptions, Engine};
use crate::error::{Context, Error, Kind, Result};
use crate::host::Facts;
use crate::spec::load::{self, unknown};
use crate::spec::{Process, RootChange, Spec, cpus, validate};
use crate::sys::{Errno, file};
use std::cell::OnceCell;
use std::path::{Component, Path};

/// A config.json is some ten kilobytes; this much is not written by intent.
const CONFIG_LIMIT: usize = 64 * 1024 * 1024;

/// The bytes of a config, and where its relative paths begin.
#[derive(Debug)]
pub struct Bundle {
    /// Text, as the config is: paths are put together from both.
    pub path: String,
    /// What the reader calls the config.
    name: String,
    bytes: Vec<u8>,
    /// The same text where it could not be read as it is.
    mended: OnceCell<Vec<u8>>,
}

impl Bundle {
    pub fn read(options: &CreateOptions) -> Result<Bundle> {
        let mut path = std::path::absolute(&options.bundle)
            .map_err(|e| Error::io("find the working directory", &e).field("--bundle"))?;
        let config = match &options.config {
            Some(config) => config.clone(),
            None => path.join("config.json"),
        };
        // Where no link is on the way, the kernel knows the bundle by this path; else it is asked, since links change.
        let straight =
            options.config.is_none() && !path.components().any(|part| part == Component::ParentDir);
        let first = match straight {
            true => file::read_path_by(&config, CONFIG_LIMIT, libc::RESOLVE_NO_SYMLINKS),
            false => Err(Errno(libc::ELOOP)),
        };
        let read = first.or_else(|errno| match errno {
            Errno(libc::ELOOP) => {
                path = path.canonicalize().unwrap_or_else(|_| path.clone());
                match options.config {
                    // The caller's own word: /dev/stdin is meant.
                    Some(_) => file::read_path(&config, CONFIG_LIMIT),
                    None => file::read_no_device(&config, CONFIG_LIMIT),
                }
            }
            other => Err(other),
        });
        let bytes = read.map_err(|e| {
            let error = e.because(format!("read {}", config.display())).kind(Kind::Argument);
            match &options.config {
                Some(given) => error.field("--config").value(given.display()),
                None => error.field("--bundle").value(options.bundle.display()).remedy(match e {
                    Errno(libc::ENOTDIR) => "it is a file: a bundle is the directory with config.json in it; `rruntime spec` writes one",
                    _ => "a bundle is a directory with config.json in it; `rruntime spec` writes one",
                }),
            }
        })?;
        // The config is UTF-8, and paths are put together from both.
        let path = path.into_os_string().into_string().map_err(|path| {
            Error::argument("--bundle", path.display(), "the path of the bundle is not UTF-8")
        })?;
        let name =
            options.config.as_deref().map_or("config.json".into(), |given| given.display().to_string());
        Ok(Bundle { path, name, bytes, mended: OnceCell::new() })
    }

    /// The config's text as it has been read.
    pub fn text(&self) -> &[u8] {
        self.mended.get().unwrap_or(&self.bytes)
    }

    pub fn spec(&self, warnings: &mut Vec<Error>) -> Result<Spec<'_>> {
        load::parse_mended(&self.name, &self.bytes, &self.mended, load::config, warnings)
    }

    /// An error about this config names the key that was probably meant for a field that is missing.
    pub fn misspelt(&self, error: Error) -> Error {
        unknown::misspelt(error, self.text(), &load::config)
    }
}

impl Engine {
    /// Everything that can be known to be wrong before the first side effect.
    pub(in crate::engine) fn check(&self, spec: &Spec, facts: &Facts, root_change: RootChange) -> Result<()> {
        let checked = validate::validate(spec, &self.circumstances(facts, root_change))?;
        self.warn_of(&checked.warnings);
        netdevices::check(spec)?;
        host_namespaces::check_sysctls(spec)?;
        check_hooks(spec)
    }

    /// The process of `exec`, by the same rules as the config's.
    pub(in crate::engine) fn check_process(&self, process: &Process, facts: &Facts) -> Result<()> {
        let checked = validate::process(process, &self.circumstances(facts, RootChange::PivotRoot))?;
        check_affinity(process)?;
        self.warn_of(&checked.warnings);
        Ok(())
    }

    pub(in crate::engine) fn circumstances(
        &self,
        facts: &Facts,
        root_change: RootChange,
    ) -> validate::Circumstances {
        validate::Circumstances {
            last_capability: u8::try_from(facts.last_capability).unwrap_or(u8::MAX),
            unprivileged: !facts.administrator,
            root_change,
            systemd_cgroup: self.cgroup_manager == CgroupManager::Systemd,
        }
    }
}

/// The kernel ignores a CPU that it does not have; the author of a config that lists one counts on it.
fn check_affinity(process: &Process) -> Result<()> {
    let Some(affinity) = &process.exec_cpu_affinity else { return Ok(()) };
    // Where the kernel does not say, it decides alone.
    let Ok(possible) = std::fs::read_to_string("/sys/devices/system/cpu/possible") else { return Ok(()) };
    let possible = possible.trim();
    let all = cpus::mask(possible).unwrap_or_default();
    for (name, list) in [("initial", &affinity.initial), ("final", &affinity.final_)] {
        let list = list.as_deref().unwrap_or_default();
        let missing = cpus::mask(list).ok().and_then(|mask| cpus::missing(&mask, &all));
        if let Some(cpu) = missing {
            return Err(Error::new(format!("this machine has no CPU {cpu}"))
                .kind(Kind::Config)
                .field(format!("/process/execCPUAffinity/{name}"))
                .value(list)
                .remedy(format!("it has {possible}")));
        }
    }
    Ok(())
}

/// Hooks that run on the host must be there. A poststop hook that is missing may be there when it is called; nothing
/// depends on it.
pub(super) fn check_hooks(spec: &Spec) -> Result<()> {
    let mut problems = Vec::new();
    for (kind, list) in
        spec.hooks().kinds().filter(|(kind, _)| !["startContainer", "poststop"].contains(kind))
    {
        for (i, hook) in list.iter().enumerate() {
            let found = check_executable(Path::new(&*hook.path)).at(|| format!("/hooks/{kind}/{i}/path"));
            if let Err(error) = found {
                problems.push(error.value(&hook.path));
            }
        }
    }
    Error::all(problems).map_or(Ok(()), Err)
}

fn check_executable(path: &Path) -> Result<()> {
    let refused = |errno: i32| {
        Error::os("the hook", errno)
            .kind(Kind::Config)
            .remedy("hooks are programs of the host, by absolute path, and executable")
    };
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).map_err(|e| refused(e as i32))?;
    // Directories are executable to access(2).
    if path.is_dir() { Err(refused(libc::EISDIR)) } else { Ok(()) }
}
