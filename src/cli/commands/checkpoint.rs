//! `checkpoint`, and the options that `restore` shares with it.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{integer, option, options as several, switch};
use crate::cli::{Arguments, Session};
use crate::engine::{AfterDump, CgroupMode, CheckpointOptions, CriuOptions, Dump};
use crate::error::{Error, Result};
use crate::state::NoRoot;
use crate::sys::file;
use clap::Arg;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

pub const COMMAND: Command = Command {
    name: "checkpoint",
    about: "write a running container to files, by CRIU",
    detail: "CRIU (criu.org), which has to be in PATH, writes the container's processes to files. The container is\n\
             deleted then, unless --leave-running or --pre-dump is given. `restore` makes it again from the files.",
    examples: "checkpoint --image-path /var/tmp/web web  # save it and end it\n\
               checkpoint --image-path /var/tmp/web --leave-running web  # save it while it goes on",
    options,
    action: Action::Call(|session, arguments| {
        run(session, arguments).map_err(|e| e.doing(format!("{} checkpoint failed", session.face.name)))
    }),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let mut options = shared_options();
    options.extend([
        option("parent-path", "DIR", "an earlier pre-dump, as a path from the image directory"),
        switch("leave-running", "let the container go on"),
        switch("tcp-skip-in-flight", "skip TCP connections that are not established yet"),
        option(
            "status-fd",
            "FD",
            "write a zero byte to this descriptor when --lazy-pages is ready (default: -1)",
        ),
        option("page-server", "ADDRESS:PORT", "send the memory to the page server there"),
        switch("pre-dump", "write only the memory, for a later dump, and let the container go on"),
    ]);
    options
}

pub fn shared_options() -> Vec<Arg> {
    vec![
        option("image-path", "DIR", "directory of the image files (default: ./checkpoint)"),
        option("work-path", "DIR", "directory of CRIU's log (default: that of the images)"),
        switch("tcp-established", "keep established TCP connections"),
        switch("tcp-close", "close established TCP connections"),
        switch("ext-unix-sk", "allow unix sockets that are connected to a process outside"),
        switch("shell-job", "allow a terminal that belongs to a process outside"),
        switch("file-locks", "keep file locks"),
        switch("link-remap", "make files that have lost their name available by a temporary link"),
        switch("lazy-pages", "load memory only when it is used, by userfaultfd"),
        option("manage-cgroups-mode", "MODE", "what happens to cgroups: soft, full, strict or ignore"),
        several("empty-ns", "NAMESPACE", "keep nothing of a namespace of this type: network (always so)"),
        switch("auto-dedup", "free what a later dump has written anew"),
        option("criu-config", "FILE", "configuration of CRIU, which can make it run programs"),
    ]
}

pub fn shared(arguments: &Arguments) -> Result<CriuOptions> {
    if let Some(other) = arguments.texts("empty-ns")?.into_iter().find(|kind| *kind != "network") {
        return Err(Error::argument("--empty-ns", other, format!("namespace {other:?} is not supported"))
            .remedy("use network"));
    }
    Ok(CriuOptions {
        image_path: arguments.path("image-path").unwrap_or_else(|| PathBuf::from("checkpoint")),
        work_path: arguments.path("work-path"),
        tcp_established: arguments.switch("tcp-established"),
        tcp_close: arguments.switch("tcp-close"),
        ext_unix_sk: arguments.switch("ext-unix-sk"),
        shell_job: arguments.switch("shell-job"),
        file_locks: arguments.switch("file-locks"),
        link_remap: arguments.switch("link-remap"),
        lazy_pages: arguments.switch("lazy-pages"),
        auto_dedup: arguments.switch("auto-dedup"),
        cgroups: arguments.text("manage-cgroups-mode")?.map(cgroup_mode).transpose()?,
        config: arguments.text("criu-config")?.map(str::to_owned),
    })
}

fn cgroup_mode(word: &str) -> Result<CgroupMode> {
    Ok(match word {
        "soft" => CgroupMode::Soft,
        "full" => CgroupMode::Full,
        "strict" => CgroupMode::Strict,
        "ignore" => CgroupMode::Ignore,
        _ => {
            return Err(Error::argument("--manage-cgroups-mode", word, "Invalid manage-cgroups-mode value")
                .remedy("use soft, full, strict or ignore"));
        }
    })
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let options = CheckpointOptions {
        dump: if arguments.switch("pre-dump") { Dump::Memory } else { Dump::Whole },
        after: if arguments.switch("leave-running") { AfterDump::Run } else { AfterDump::Delete },
        parent_path: parent_path(arguments)?,
        tcp_skip_in_flight: arguments.switch("tcp-skip-in-flight"),
        page_server: arguments.text("page-server")?.map(page_server).transpose()?,
        status_fd: status_fd(arguments)?,
        criu: shared(arguments)?,
    };
    session.engine_for_change(NoRoot::Empty)?.checkpoint(&arguments.id(), &options)?;
    Ok(0)
}

fn page_server(text: &str) -> Result<(String, u16)> {
    let refused = |reason: &'static str| Error::argument("--page-server", text, reason);
    let whole = || refused("Use --page-server ADDRESS:PORT to specify page server");
    let (address, port) = text.rsplit_once(':').ok_or_else(whole)?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if address.is_empty() || port.is_empty() {
        return Err(whole());
    }
    let port = port.parse().map_err(|_| refused("Invalid port number"))?;
    Ok((address.to_owned(), port))
}

fn status_fd(arguments: &Arguments) -> Result<Option<BorrowedFd<'static>>> {
    let Some(text) = arguments.text("status-fd")? else { return Ok(None) };
    let refused = |reason: &'static str| Error::argument("--status-fd", text, reason);
    let number = integer(text).ok_or_else(|| refused("must be a number"))?;
    if number < 0 {
        return Ok(None);
    }
    let open = i32::try_from(number).ok().and_then(file::inherited);
    open.map(Some).ok_or_else(|| refused("the caller has not opened this descriptor"))
}

/// Before the container is looked for: it is the line that is wrong.
fn parent_path(arguments: &Arguments) -> Result<Option<String>> {
    match arguments.text("parent-path")? {
        Some(path) if path.starts_with('/') => {
            Err(Error::argument("--parent-path", path, "--parent-path must be relative"))
        }
        path => Ok(path.map(str::to_owned)),
    }
}
