//! `checkpoint`: CRIU writes the container's processes to files; unless they are to go on, nothing is left of it then.

use crate::criu::messages::{Features, Kind, MountMap, Options, PageServer, Request};
use crate::engine::checkpoint::images::Images;
use crate::engine::checkpoint::{externals, service, streams};
use crate::engine::life::prepare::{self, Prepared};
use crate::engine::{AfterDump, Call, CheckpointOptions, CriuOptions, Dump, Status};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::host::{Facts, mountinfo};
use crate::names::namespaces::{NETWORK, PID};
use crate::plan::{self, Plan};
use crate::spec::Spec;
use crate::spec::annotations;
use crate::spec::landlock;
use crate::spec::text::given;
use crate::state::Record;
use crate::sys::file;
use nix::sys::stat::stat;
use std::os::fd::AsRawFd;

const LOG: &str = "dump.log";
/// Networks are the engine's to make and to remove, so CRIU keeps none of a network namespace.
pub const EMPTY: u32 = NETWORK as u32;
/// CRIU's debug messages, as under runc: an error is understood by what came before it.
pub const LOG_LEVEL: i32 = 4;
/// The configuration file that runc gives CRIU is its own; this is ours.
const CONFIG: &str = "/etc/criu/rruntime.conf";

impl Call<'_> {
    pub fn checkpoint(&self, id: &str, options: &CheckpointOptions) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        let status = Status::of(&entry, &record);
        if !matches!(status, Status::Running | Status::Paused) {
            return Err(Error::new(format!("container cannot be checkpointed in {status} state"))
                .kind(ErrorKind::WrongState)
                .value(id)
                .remedy("only the processes of a started container can be written to files"));
        }
        let config = entry.config()?;
        let spec = self.spec_again(&config, &entry, &record)?;
        self.dump(&spec, &record, options)?;
        match (options.dump, options.after) {
            (Dump::Memory, _) | (_, AfterDump::Run) => Ok(()),
            (Dump::Whole, AfterDump::Delete) => self.destroy(entry, &record),
        }
    }

    fn dump(&self, spec: &Spec, record: &Record, options: &CheckpointOptions) -> Result<()> {
        let prepared = self.prepare(spec, record)?;
        needs_root(&prepared.facts)?;
        has_no_landlock(&prepared)?;
        check_namespaces(spec)?;
        let plan = prepare::plan(&prepared, spec, &record.bundle, &plan::Options::default())?;
        has_nothing_added(record)?;
        let first = record.process.ok_or_else(|| Error::new("the container has ended"))?;
        service::check_version(&self.waits)?;
        self.check_features(options)?;
        let criu = &options.criu;
        let config_file = config_file(criu, spec)?;
        let images = Images::make(&criu.image_path, criu.work_path.as_deref(), LOG)?;
        let table = mountinfo::table(first.pid)?;
        let mut request = Options {
            pid: Some(first.pid),
            leave_running: Some(options.after == AfterDump::Run),
            tcp_skip_in_flight: Some(options.tcp_skip_in_flight),
            external: namespaces(spec)?,
            config_file,
            ..common(criu, &images)
        };
        // Where it has none CRIU stops the processes one by one.
        let freezer = record.cgroup.as_ref().map(|location| location.freezer());
        request.freeze_cgroup = freezer.and_then(|freezer| Some(freezer.legs.first()?.directory()));
        request.page_server = options.page_server.as_ref().map(|(address, port)| PageServer {
            address: Some(address.clone()),
            port: Some(i32::from(*port)),
        });
        if let Some(parent) = &options.parent_path {
            request.parent_img = Some(images.parent(parent)?);
            request.track_mem = Some(true);
        }
        if options.dump == Dump::Whole {
            let streams = streams::of(first.pid, &table);
            streams.keep(&images)?;
            request.external.extend(streams.external);
            request.ext_mnt = self.mounts_of_host(first.pid, &table, &plan)?;
        } else {
            request.track_mem = Some(true);
        }
        self.run_dump(request, options, &images)
    }

    fn mounts_of_host(&self, pid: i32, table: &str, plan: &Plan) -> Result<Vec<MountMap>> {
        let externals = externals::of(pid, table, &plan.script)?;
        let same =
            |external: externals::External| MountMap { key: external.point.clone(), value: external.point };
        Ok(externals.into_iter().map(same).collect())
    }

    fn run_dump(&self, request: Options, options: &CheckpointOptions, images: &Images) -> Result<()> {
        let kind = if options.dump == Dump::Memory { Kind::PreDump } else { Kind::Dump };
        let request = Request { options: Some(request), ..Request::of(kind) };
        let asked = service::talk(&request, &self.waits, &|warning| self.warn(warning), &mut |notify, _| {
            if let (Some("status-ready"), Some(fd)) = (notify.script.as_deref(), options.status_fd) {
                file::write(fd, &[0]).map_err(|e| e.because("write").field("--status-fd"))?;
            }
            Ok(())
        });
        let doing = match kind {
            Kind::PreDump => "write the container's memory to files",
            _ => "write the container's processes to files",
        };
        match asked.map_err(|error| error.doing(doing))? {
            Some(response) if response.success == Some(true) => Ok(()),
            response => Err(service::failed(self, images, response.as_ref()).doing(doing)),
        }
    }

    /// What this machine's kernel has to be able to do for these options.
    fn check_features(&self, options: &CheckpointOptions) -> Result<()> {
        let tracked = options.dump == Dump::Memory || options.parent_path.is_some();
        if !tracked && !options.criu.lazy_pages {
            return Ok(());
        }
        let features = Features { mem_track: Some(true), lazy_pages: Some(true) };
        let request = Request { features: Some(features), ..Request::of(Kind::FeatureCheck) };
        let has = service::question(&request, &self.waits)?.features.unwrap_or_default();
        let needed = [
            (tracked, has.mem_track, "--pre-dump", "memory tracking (CONFIG_MEM_SOFT_DIRTY)"),
            (options.criu.lazy_pages, has.lazy_pages, "--lazy-pages", "userfaultfd (CONFIG_USERFAULTFD)"),
        ];
        match needed.into_iter().find(|(wanted, has, ..)| *wanted && *has != Some(true)) {
            None => Ok(()),
            Some((.., option, what)) => Err(Error::new(format!("the kernel, or criu, lacks {what}"))
                .kind(ErrorKind::Unsupported)
                .field(option)),
        }
    }
}

pub fn needs_root(facts: &Facts) -> Result<()> {
    if facts.administrator && !facts.in_user_namespace {
        return Ok(());
    }
    Err(Error::new("criu needs the rights of the host's root").kind(ErrorKind::Unsupported))
}

fn has_nothing_added(record: &Record) -> Result<()> {
    let mount = record.mounts.first().map(|added| (&added.destination, "mounts", "mounts remove"));
    let device = record.devices.first().map(|added| (&added.path, "devices", "mounts remove --device"));
    let Some((added, what, remover)) = mount.or(device) else { return Ok(()) };
    let reason = format!("a container with {what} of `mounts add` cannot be made again from its config");
    let remedy = format!("remove them first, by `{remover}`, or write them into config.json");
    Err(Error::new(reason).kind(ErrorKind::Unsupported).value(added).remedy(remedy))
}

/// CRIU keeps no Landlock domain, and could mount nothing within one: what it restored would be free of the rules.
pub fn has_no_landlock(prepared: &Prepared) -> Result<()> {
    if prepared.host.landlock.is_none() {
        return Ok(());
    }
    Err(Error::new("criu cannot restrict what it restores by Landlock rules")
        .kind(ErrorKind::Unsupported)
        .field(landlock::FIELD)
        .remedy("leave the annotation out of containers that are to be checkpointed"))
}

/// What CRIU cannot restore into.
pub fn check_namespaces(spec: &Spec) -> Result<()> {
    let joined = |namespace: &&crate::spec::Namespace| given(&namespace.path).is_some();
    let namespaces = &spec.linux().namespaces;
    for (i, namespace) in namespaces.iter().enumerate().filter(|(_, namespace)| joined(namespace)) {
        if ["mount", "cgroup"].contains(&&*namespace.kind) {
            let reason =
                format!("criu restores no container into a {} namespace that exists", namespace.kind);
            return Err(Error::new(reason)
                .kind(ErrorKind::Unsupported)
                .field(format!("/linux/namespaces/{i}/path")));
        }
    }
    if namespaces.iter().any(|namespace| &*namespace.kind == "mount") {
        return Ok(());
    }
    Err(Error::new("a container without a mount namespace cannot be restored: its files would be the host's")
        .kind(ErrorKind::Unsupported)
        .field("/linux/namespaces"))
}

/// What dump and restore have in common.
pub fn common(criu: &CriuOptions, images: &Images) -> Options {
    Options {
        images_dir_fd: Some(images.directory.as_raw_fd()),
        work_dir_fd: images.work.as_ref().map(AsRawFd::as_raw_fd),
        log_level: Some(LOG_LEVEL),
        log_file: images.log_name(),
        notify_scripts: Some(true),
        orphan_pts_master: Some(true),
        empty_ns: Some(EMPTY),
        ext_unix_sk: Some(criu.ext_unix_sk),
        tcp_established: Some(criu.tcp_established),
        tcp_close: Some(criu.tcp_close),
        shell_job: Some(criu.shell_job),
        file_locks: Some(criu.file_locks),
        link_remap: Some(criu.link_remap),
        auto_dedup: Some(criu.auto_dedup),
        lazy_pages: Some(criu.lazy_pages),
        manage_cgroups: Some(true),
        manage_cgroups_mode: criu.cgroups.map(|mode| mode as i32),
        ..Options::default()
    }
}

/// A configuration file can make CRIU run programs, so an image may not name one: by option, or by the annotation where the
/// administrator allows that. An empty annotation means none. CRIU passes over one that it does not find.
pub fn config_file(criu: &CriuOptions, spec: &Spec) -> Result<Option<String>> {
    let (path, field) = match (&criu.config, annotations::allowed(spec, annotations::CRIU_CONFIG)) {
        (Some(given), _) => (&**given, "--criu-config"),
        (None, Some("")) => return Ok(None),
        (None, Some(path)) => (path, "/annotations/org.criu.config"),
        (None, None) => return Ok(Some(CONFIG.to_owned())),
    };
    let found = std::fs::metadata(path).map_err(|e| Error::io("open criu's configuration", &e));
    let found = found.map_err(|e| e.kind(ErrorKind::Argument).field(field).value(path))?;
    match found.is_file() {
        true => Ok(std::path::absolute(path).ok().and_then(|path| path.into_os_string().into_string().ok())),
        false => Err(Error::argument(field, path, "criu's configuration is a plain file")),
    }
}

/// Namespaces that the config joins by path are not the container's: CRIU's words for them.
pub fn external_key(flag: u64) -> Option<(&'static str, &'static str)> {
    match flag {
        NETWORK => Some(("net", "extRootNetNS")),
        PID => Some(("pid", "extRootPidNS")),
        _ => None,
    }
}

fn namespaces(spec: &Spec) -> Result<Vec<String>> {
    let mut external = Vec::new();
    for namespace in &spec.linux().namespaces {
        let flag = crate::names::namespace(&namespace.kind).map_or(0, |known| known.flag);
        let (Some(path), Some((kind, key))) =
            (namespace.path.as_deref().filter(|path| !path.is_empty()), external_key(flag))
        else {
            continue;
        };
        let found = stat(path).map_err(|e| crate::sys::Errno::from(e).because("look at the namespace"));
        external.push(format!("{kind}[{}]:{key}", found.map_err(|e| e.value(path))?.st_ino));
    }
    Ok(external)
}
