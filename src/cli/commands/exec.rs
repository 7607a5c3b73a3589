//! `exec`: another process in a running container.

use super::command::{Action, Command};
use crate::cli::arguments::{number_option, option, options as several, parsed, switch, word_switch};
use crate::cli::foreground::{self, Orphans};
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session, caller, user};
use crate::engine::{Below, ExecOptions, ExecProcess, Paused, Terminal, denied};
use crate::error::{Error, Kind, Result};
use crate::names;
use clap::Arg;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::time::SystemTime;

pub const COMMAND: Command = Command {
    name: "exec",
    about: "execute a process in a running container",
    operands: "<container-id> <command> [arguments...]",
    count: 1..=usize::MAX,
    options_end: 1,
    detail: "Everything after the container id is the command and its arguments; --process replaces both.\n\
             The exit code is that of the process, or 128 plus the number of the signal that ended it;\n\
             255 if the process could not be started.",
    examples: "exec -t web sh  # a shell, on your terminal\n\
               exec --user 33:33 --env LANG=C --cwd /srv web ls -l\n\
               exec --detach --pid-file job.pid web job --all  # in the background",
    options,
    action: Action::Call(run),
    failure: |face| face.exec,
};

fn options() -> Vec<Arg> {
    vec![
        option("console-socket", "SOCKET", "unix socket that receives the master of the terminal"),
        option("cwd", "DIR", "working directory in the container"),
        several("env", "NAME=VALUE", "set an environment variable").short('e'),
        word_switch("tty", "give the process a terminal; --tty=no overrides a terminal in --process")
            .short('t'),
        option("user", "UID[:GID]", "numeric user and group").short('u'),
        several("additional-gids", "GID", "add a numeric group").short('g').value_parser(parsed(user::gids)),
        option("process", "FILE", "read the whole process from this JSON file").short('p'),
        switch("detach", "do not wait for the process").short('d'),
        option("pid-file", "FILE", "write the process id to this file"),
        option("pidfd-socket", "SOCKET", "unix socket that receives a pidfd of the process"),
        option("process-label", "LABEL", "SELinux label of the process"),
        option("apparmor", "PROFILE", "AppArmor profile of the process"),
        switch("no-new-privs", "set no_new_privs"),
        several("cap", "CAPABILITY", "add a capability").short('c'),
        number_option("preserve-fds", "N", "pass on the N descriptors after 2"),
        switch("ignore-paused", "wait until a paused container is resumed instead of failing"),
        several(
            "cgroup",
            "[CONTROLLERS:]PATH",
            "run in this group below the container's cgroup; on cgroup v1, for these controllers only",
        ),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let exec = || {
        let mut options = parse(arguments)?;
        options.capabilities.retain(|name| is_capability(session, name));
        let Attended { engine, signals } = session.engine_for_process()?;
        let detached = arguments.switch("detach");
        let (input, output) = (std::io::stdin(), std::io::stdout());
        let terminal = match options.terminal {
            Terminal::None if !detached => {
                Terminal::Caller { like: Some(input.as_fd()), output: Some(output.as_fd()) }
            }
            terminal => terminal,
        };
        let options = ExecOptions { terminal, ..options };
        let since = SystemTime::now();
        let started = engine.exec(&arguments.id(), &options);
        let mut started = started.map_err(|e| e.rename_field(|pointer| typed(pointer, &options)))?;
        if detached {
            return Ok(0);
        }
        // A process that no command waits for must not go on running.
        let ended = session.program(|| foreground::wait(&mut started, &signals, Orphans::Leave, None));
        let pid = started.pid;
        let ended = ended.inspect_err(|_| engine.end(started))?;
        denied::explain(ended, pid, since).iter().for_each(|word| session.log.warn(word));
        Ok(ended.code())
    };
    exec().map_err(|e: Error| e.doing("exec failed"))
}

/// An unknown capability is left out with a warning: the command line may be written for a newer kernel.
fn is_capability(session: &Session, name: &str) -> bool {
    let known = names::capability(name).is_some();
    if !known {
        let meant = names::meant_capability(name).map(|meant| format!("did you mean {meant:?}?"));
        let warning = Error::new("not a known capability: ignored").remedy_if(meant);
        session.log.warn(&warning.field("--cap").value(name));
    }
    known
}

/// A field of a process, the option that sets it, and whether that was given.
type Setting = (&'static str, &'static str, fn(&ExecOptions) -> bool);

const TYPED: [Setting; 9] = [
    ("/args", "<command>", |o| matches!(o.process, ExecProcess::Command(_))),
    ("/apparmorProfile", "--apparmor", |o| o.apparmor.is_some()),
    ("/capabilities", "--cap", |o| !o.capabilities.is_empty()),
    ("/cwd", "--cwd", |o| o.cwd.is_some()),
    ("/env", "--env", |o| !o.env.is_empty()),
    ("/selinuxLabel", "--process-label", |o| o.process_label.is_some()),
    ("/terminal", "--tty", |o| o.tty.is_some()),
    ("/user/additionalGids", "--additional-gids", |o| !o.additional_gids.is_empty()),
    ("/user", "--user", |o| o.user.is_some()),
];

/// What the reader typed, for a JSON pointer into the process.
fn typed(pointer: &str, options: &ExecOptions) -> Option<String> {
    let within = pointer.strip_prefix("/process").unwrap_or(pointer);
    if !within.starts_with('/') || within.starts_with("/linux") {
        return None;
    }
    let option = TYPED.iter().find(|(prefix, _, given)| within.starts_with(prefix) && given(options));
    Some(match (option, &options.process) {
        (Some((_, name, _)), _) => (*name).to_owned(),
        (None, ExecProcess::File(_)) => format!("--process {within}"),
        (None, ExecProcess::Command(_) | ExecProcess::Object(_)) => format!("/process{within}"),
    })
}

fn parse(arguments: &Arguments) -> Result<ExecOptions<'static>> {
    Ok(ExecOptions {
        process: process(arguments)?,
        cwd: arguments.value("cwd").map(OsString::from),
        env: arguments.values("env").map(environment).collect::<Result<_>>()?,
        tty: arguments.given_switch("tty"),
        user: arguments.text("user")?.map(user::parse).transpose()?,
        additional_gids: arguments.values::<Vec<u32>>("additional-gids").flatten().copied().collect(),
        process_label: arguments.text("process-label")?.map(str::to_owned),
        apparmor: arguments.text("apparmor")?.map(str::to_owned),
        no_new_privileges: arguments.given_switch("no-new-privs"),
        capabilities: arguments.texts("cap")?.into_iter().map(str::to_owned).collect(),
        terminal: arguments.path("console-socket").map(Terminal::Socket).unwrap_or_default(),
        streams: [None; 3],
        pid_file: arguments.path("pid-file"),
        pidfd_socket: arguments.path("pidfd-socket"),
        preserve_fds: caller::descriptors(0, arguments.number("preserve-fds"))?.1,
        paused: if arguments.switch("ignore-paused") { Paused::Ignore } else { Paused::Refuse },
        held: false,
        cgroups: arguments.texts("cgroup")?.into_iter().map(below).collect::<Result<_>>()?,
    })
}

fn process(arguments: &Arguments) -> Result<ExecProcess> {
    let command = &arguments.operands[1..];
    match arguments.path("process") {
        // A command beside it says nothing, as with the peers.
        Some(file) => Ok(ExecProcess::File(file)),
        None if command.is_empty() => {
            let remedy =
                format!("name a program after the id {:?}, or a file with --process", arguments.id());
            Err(Error::new("process args cannot be empty").kind(Kind::Argument).remedy(remedy))
        }
        None => Ok(ExecProcess::Command(command.to_vec())),
    }
}

fn environment(variable: &OsString) -> Result<OsString> {
    // A name is not empty, so a leading "=" is not the separator.
    if variable.as_encoded_bytes().iter().skip(1).any(|&b| b == b'=') {
        return Ok(variable.clone());
    }
    let error =
        Error::argument("--env", variable.to_string_lossy(), "an environment variable must be NAME=VALUE");
    Err(error.remedy("give the value too: no variable is taken from the caller's environment"))
}

/// "PATH", or "CONTROLLER[,CONTROLLER]:PATH" for hierarchies of cgroup v1.
fn below(text: &str) -> Result<Below> {
    let (controllers, path) = match text.split_once(':') {
        Some((names, path)) => (names.split(',').map(str::to_owned).collect(), path),
        None => (Vec::new(), text),
    };
    if controllers.iter().any(String::is_empty) {
        return Err(Error::argument("--cgroup", text, "a controller's name is missing before the colon"));
    }
    Ok(Below { controllers, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parsed(line: &str) -> Result<ExecOptions<'static>> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse(&Arguments::parse("rruntime exec", options(), COMMAND.options_end, &words).unwrap())
    }

    #[test]
    fn the_line_that_containerd_writes_is_understood() {
        let got = parsed("--process /tmp/p --console-socket /tmp/s --tty --detach --pid-file /tmp/pid web")
            .unwrap();
        assert_eq!(got.process, ExecProcess::File("/tmp/p".into()));
        assert_eq!(got.tty, Some(true));
        assert!(matches!(got.terminal, Terminal::Socket(path) if path == Path::new("/tmp/s")));
        assert_eq!(got.pid_file, Some("/tmp/pid".into()));
    }

    #[test]
    fn every_option_arrives() {
        let got = parsed(
            "-e A=1 -e B= --cwd /w -u 5:6 -g 7 -g 8,9 -c CAP_KILL --cap NET_RAW --no-new-privs --preserve-fds 3 \
             --ignore-paused --cgroup cpu,cpuacct:/a --cgroup b --process-label l --apparmor a web sh -c x",
        )
        .unwrap();
        assert_eq!(got.process, ExecProcess::Command(vec!["sh".into(), "-c".into(), "x".into()]));
        assert_eq!(got.env, ["A=1", "B="]);
        assert_eq!(got.cwd, Some("/w".into()));
        assert_eq!(got.user.map(|u| (u.uid, u.gid)), Some((5, Some(6))));
        assert_eq!(got.additional_gids, [7, 8, 9]);
        assert_eq!(got.capabilities, ["CAP_KILL", "NET_RAW"]);
        assert_eq!(got.no_new_privileges, Some(true));
        assert_eq!((got.paused, got.tty), (Paused::Ignore, None));
        assert_eq!(got.cgroups[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!((got.cgroups[0].path.as_str(), got.cgroups[1].path.as_str()), ("/a", "b"));
        assert_eq!((got.process_label.as_deref(), got.apparmor.as_deref()), (Some("l"), Some("a")));
    }

    #[test]
    fn wrong_values_are_refused_by_option() {
        for (line, wanted) in [
            ("web", "process args cannot be empty"),
            ("-e A web ls", "--env = \"A\""),
            ("-e =A web ls", "--env = \"=A\""),
            ("-u root web ls", "--user = \"root\""),
            ("-u -1 web ls", "--user = \"-1\""),
            ("--cgroup :x web ls", "--cgroup = \":x\""),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(wanted), "{line}: {error}");
        }
        let groups = ["-g x web ls", "-g 1, web ls", "-g -1 web ls", "-g 4294967295 web ls"];
        for line in groups.into_iter().chain(["--preserve-fds x web ls"]) {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let refused = Arguments::parse("rruntime exec", options(), COMMAND.options_end, &words);
            assert!(refused.unwrap_err().to_string().contains("invalid value"), "{line}");
        }
        // The file says it all.
        assert!(matches!(parsed("-p /x web ls").unwrap().process, ExecProcess::File(_)));
    }
}
