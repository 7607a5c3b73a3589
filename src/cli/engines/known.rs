//! The engines: where each keeps what it is told, which runtime that names, and what makes it rruntime.

use super::json;
use super::place::Place;
use super::toml::{self, Document, unquoted};
use super::wish::Wish;
use crate::error::{Error, Result};

/// One engine.
pub struct Engine {
    pub name: &'static str,
    /// The program by which it is found.
    pub program: &'static str,
    pub config: Config,
    /// What makes a change count, or how else rruntime is chosen.
    pub then: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Config {
    /// containers.conf, with a directory of further files.
    Containers,
    Docker,
    Containerd,
    Crio,
    /// It has no file for this.
    None,
}

pub const ENGINES: [Engine; 7] = [
    Engine {
        name: "podman",
        program: "podman",
        config: Config::Containers,
        then: "Each podman command reads it. Existing containers keep the runtime that they were made with.",
    },
    Engine {
        name: "docker",
        program: "dockerd",
        config: Config::Docker,
        then: "systemctl restart docker. Existing containers keep their runtime. For one container: docker run \
            --runtime rruntime …",
    },
    Engine {
        name: "containerd",
        program: "containerd",
        config: Config::Containerd,
        then: "systemctl restart containerd. It is for pods (CRI); ctr and nerdctl name a runtime themselves: \
            --runtime io.containerd.rruntime.v1",
    },
    Engine {
        name: "cri-o",
        program: "crio",
        config: Config::Crio,
        then: "systemctl restart crio. With --keep-default a RuntimeClass with handler: rruntime chooses it.",
    },
    Engine {
        name: "buildah",
        program: "buildah",
        config: Config::None,
        then: "buildah reads podman's files: --write podman. For one build: buildah build --runtime rruntime …, \
            or BUILDAH_RUNTIME",
    },
    Engine {
        name: "nerdctl",
        program: "nerdctl",
        config: Config::None,
        then: "It has no default to set: nerdctl run --runtime io.containerd.rruntime.v1 …",
    },
    Engine {
        name: "kubernetes",
        program: "kubelet",
        config: Config::None,
        then: "Its nodes' containerd or cri-o has the runtime (--write, with --keep-default). Pods choose it by \
            runtimeClassName: rruntime, \
               with a RuntimeClass of that name and handler: rruntime.",
    },
];

/// The first line of a file that is ours alone.
const OURS: &str = "# Written by `rruntime engines --write`; `rruntime engines --undo` removes it.\n";
const CONTAINERD: &str = "/etc/containerd/config.toml";

impl Config {
    /// The file that is written.
    pub fn file(self, wish: &Wish) -> Option<String> {
        Some(match self {
            Config::Containers => format!("{}/containers/containers.conf.d/50-rruntime.conf", wish.base()),
            Config::Docker => format!("{}/docker/daemon.json", wish.base()),
            Config::Containerd => CONTAINERD.to_owned(),
            Config::Crio => "/etc/crio/crio.conf.d/50-rruntime.conf".to_owned(),
            Config::None => return None,
        })
    }

    /// Whether the whole file is ours.
    pub fn is_own(self, text: &str) -> bool {
        matches!(self, Config::Containers | Config::Crio) && text.starts_with(OURS)
    }

    /// What the file becomes.
    pub fn changed(self, place: &Place, wish: &Wish, old: Option<&str>) -> Result<String> {
        match self {
            Config::Containers => {
                let default = if wish.keep_default { "" } else { "runtime = \"rruntime\"\n" };
                let lists = [
                    ("json", "\"crun\", \"crun-vm\", \"runc\", \"kata\", \"runsc\", \"youki\", \"krun\""),
                    ("nocgroup", "\"crun\", \"crun-vm\", \"krun\""),
                ];
                let mut text = format!("{OURS}[engine]\n{default}");
                for (what, usual) in lists {
                    let key = format!("runtime_supports_{what}");
                    let set = last(place, &self.files(place, wish), &["engine", &key])?;
                    let names = set
                        .as_deref()
                        .and_then(|set| set.strip_prefix('[')?.strip_suffix(']'))
                        .unwrap_or(usual);
                    let names = names.trim().trim_end_matches(',');
                    text.push_str(&format!("{key} = [{names}, \"rruntime\"]\n"));
                }
                Ok(format!("{text}\n[engine.runtimes]\nrruntime = [\"{}\"]\n", wish.path))
            }
            Config::Crio => {
                let default =
                    if wish.keep_default { "" } else { "[crio.runtime]\ndefault_runtime = \"rruntime\"\n\n" };
                Ok(format!(
                    "{OURS}{default}[crio.runtime.runtimes.rruntime]\nruntime_path = \"{}\"\nruntime_type = \
                        \"oci\"\nruntime_root = \"/run/rruntime\"\n",
                    wish.path
                ))
            }
            Config::Docker => docker(old.unwrap_or_default(), wish),
            Config::Containerd => containerd(place, wish, old),
            Config::None => Ok(String::new()),
        }
    }

    /// Its files in the order in which they count, but for the one that is ours.
    fn files(self, place: &Place, wish: &Wish) -> Vec<String> {
        let (main, further): (Vec<String>, Vec<String>) = match self {
            Config::Containers => {
                let bases = ["/usr/share", "/etc"].into_iter().chain(wish.own.as_deref());
                let files: Vec<_> = bases.map(|base| format!("{base}/containers/containers.conf")).collect();
                let further = files.iter().map(|file| format!("{file}.d")).collect();
                (files, further)
            }
            Config::Crio => {
                (vec!["/etc/crio/crio.conf".to_owned()], vec!["/etc/crio/crio.conf.d".to_owned()])
            }
            _ => (Vec::new(), Vec::new()),
        };
        let mut all = Vec::new();
        for (file, directory) in main.into_iter().zip(further) {
            all.push(file);
            // cri-o reads every file there.
            all.extend(place.list(&directory, if self == Config::Crio { "" } else { ".conf" }));
        }
        let own = self.file(wish);
        all.retain(|file| Some(file) != own.as_ref());
        all.dedup();
        all
    }

    /// The runtime that the files name; `None`: the engine's own default.
    pub fn runtime(self, place: &Place, wish: &Wish) -> Result<Option<String>> {
        let file = self.file(wish);
        match self {
            Config::Containers | Config::Crio => {
                let path: &[&str] = if self == Config::Crio {
                    &["crio", "runtime", "default_runtime"]
                } else {
                    &["engine", "runtime"]
                };
                // Files count in the order of their names, so one behind ours has the last word.
                let mut files = self.files(place, wish);
                let of_directory = |other: &String| {
                    file.as_ref().is_some_and(|own| {
                        other.rsplit_once('/').map(|o| o.0) == own.rsplit_once('/').map(|o| o.0)
                            && other > own
                    })
                };
                let at = files.iter().position(of_directory).unwrap_or(files.len());
                files.splice(at..at, file);
                Ok(last(place, &files, path)?.map(|value| unquoted(&value).unwrap_or(&value).to_owned()))
            }
            Config::Docker => {
                let text = place.read(&file.unwrap_or_default())?.unwrap_or_default();
                let name = json::value(&text, &["default-runtime"]).and_then(unquoted);
                Ok(name.map(str::to_owned))
            }
            Config::Containerd => {
                let Some(text) = place.read(CONTAINERD)? else { return Ok(None) };
                let document = parsed(place, CONTAINERD, &text)?;
                let id = plugin(&document, &text).unwrap_or_default();
                let name = document.value(&text, &["plugins", id, "containerd", "default_runtime_name"]);
                Ok(name.and_then(unquoted).map(str::to_owned))
            }
            Config::None => Ok(None),
        }
    }
}

fn parsed(place: &Place, file: &str, text: &str) -> Result<Document> {
    toml::read(text).map_err(|line| {
        Error::new(format!("line {line} is not understood")).value(place.shown(file)).remedy(
            "nothing was changed: correct the line, or change the file by hand as docs/engines.md shows",
        )
    })
}

/// What the last of these files that says anything says.
fn last(place: &Place, files: &[String], path: &[&str]) -> Result<Option<String>> {
    let mut found = None;
    for file in files {
        if let Some(text) = place.read(file)? {
            let document = parsed(place, file, &text)?;
            found = document.value(&text, path).map(str::to_owned).or(found);
        }
    }
    Ok(found)
}

fn by_hand(place: &Place, file: &str, reason: impl Into<String>) -> Error {
    Error::new(reason.into())
        .value(place.shown(file))
        .remedy("nothing was changed: change the file by hand, as docs/engines.md shows")
}

fn docker(old: &str, wish: &Wish) -> Result<String> {
    let old = if old.trim().is_empty() { "{}\n" } else { old };
    let refused = |reason: &'static str| {
        Error::new(reason)
            .value("daemon.json")
            .remedy("nothing was changed: correct the file, dockerd --validate checks it")
    };
    if !json::is_valid(old) {
        return Err(refused("the file is not JSON"));
    }
    let path = format!("\"{}\"", wish.path);
    let member = ["runtimes", "rruntime", "path"];
    let new = json::set(old, &member, &path);
    let new = new.ok_or_else(|| refused("`runtimes` or a member of it is no object, or is there twice"))?;
    if wish.keep_default {
        return Ok(new);
    }
    json::set(&new, &["default-runtime"], "\"rruntime\"")
        .ok_or_else(|| refused("`default-runtime` is there twice"))
}

/// What the runtimes of pods are a part of, by the version of the file.
fn plugin(document: &Document, text: &str) -> Option<&'static str> {
    match document.value(text, &["version"])? {
        "2" => Some("io.containerd.grpc.v1.cri"),
        "3" | "4" => Some("io.containerd.cri.v1.runtime"),
        _ => None,
    }
}

/// containerd replaces the part of a plugin as a whole by that of an imported file, so a file of our own would
/// take away what this one says of pods: the part is completed where it is.
fn containerd(place: &Place, wish: &Wish, old: Option<&str>) -> Result<String> {
    let fresh = if wish.of_containerd_2 { "version = 3\n" } else { "version = 2\n" };
    let old = old.filter(|text| !text.trim().is_empty()).unwrap_or(fresh);
    let document = parsed(place, CONTAINERD, old)?;
    let refused = |reason: String| by_hand(place, CONTAINERD, reason);
    let id = plugin(&document, old).ok_or_else(|| {
        refused("`version` is neither 2 nor 3: `containerd config migrate` writes a newer file".to_owned())
    })?;
    for file in imported(place, &document, old) {
        let text = place.read(&file)?.unwrap_or_default();
        let other = parsed(place, &file, &text)?;
        let mut paths =
            other.tables.iter().map(|table| &table.path).chain(other.entries.iter().map(|entry| &entry.path));
        if paths.any(|path| path.iter().take(2).eq(["plugins", id])) {
            return Err(refused(format!(
                "the imported {file} has the part of pods, and replaces it in this file"
            )));
        }
    }
    let above = ["plugins", id, "containerd"];
    let ours = ["plugins", id, "containerd", "runtimes", "rruntime"];
    let within =
        |path: &[String]| path.len() > ours.len() && path.iter().zip(ours).all(|(name, our)| name == our);
    let table = |path: &[&str]| document.tables.iter().find(|table| table.path == path);
    // A value or a dotted key on the way can have no table of its own besides.
    let in_the_way = document.entries.iter().find(|entry| {
        let shared = entry.path.iter().zip(ours).take_while(|(name, our)| name == our).count();
        shared > entry.depth || shared == entry.path.len()
    });
    if let Some(entry) = in_the_way {
        return Err(refused(format!("`{}` has another form than a table", entry.path.join("."))));
    }
    let mut new = old.to_owned();
    let quoted = format!("[plugins.\"{id}\".containerd");
    let mut block = String::new();
    if table(&ours).is_none() && !document.entries.iter().any(|entry| within(&entry.path)) {
        let systemd = document.entries.iter().any(|entry| {
            entry.path.starts_with(&above.map(str::to_owned))
                && entry.path.last().is_some_and(|name| name == "SystemdCgroup")
                && &old[entry.value.clone()] == "true"
        });
        let kind = if wish.has_shim { "io.containerd.rruntime.v1" } else { "io.containerd.runc.v2" };
        block.push_str(&format!("\n{quoted}.runtimes.rruntime]\nruntime_type = \"{kind}\"\n"));
        block.push_str(&format!("\n{quoted}.runtimes.rruntime.options]\nSystemdCgroup = {systemd}\n"));
        if !wish.has_shim {
            block.push_str(&format!("BinaryName = \"{}\"\n", wish.path));
        }
    }
    if !wish.keep_default {
        let key = [above.as_slice(), &["default_runtime_name"]].concat();
        let line = "default_runtime_name = \"rruntime\"\n";
        match (document.entries.iter().find(|entry| entry.path == key), table(&above)) {
            (Some(entry), _) => new.replace_range(entry.value.clone(), "\"rruntime\""),
            (None, Some(table)) => {
                let before = if new[..table.body].ends_with('\n') { "" } else { "\n" };
                new.insert_str(table.body, &format!("{before}{line}"));
            }
            (None, None) => block.push_str(&format!("\n{quoted}]\n{line}")),
        }
    }
    if !block.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    Ok(new + &block)
}

/// The files that a file of containerd's imports: by name, or all of a directory with one ending.
fn imported(place: &Place, document: &Document, text: &str) -> Vec<String> {
    let list = document.value(text, &["imports"]).unwrap_or_default();
    let mut files = Vec::new();
    // Every second part stands between quotes.
    for pattern in list.split(['"', '\'']).skip(1).step_by(2) {
        let pattern =
            if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/containerd/{pattern}") };
        match pattern.split_once('*') {
            Some((directory, ending)) => files.extend(place.list(directory.trim_end_matches('/'), ending)),
            None => files.push(pattern),
        }
    }
    files
}
