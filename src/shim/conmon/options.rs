//! The command line, as conmon has it: long options with one or two words, and letters.

use crate::engine::Terminal;
use crate::error::{Error, Result};
use crate::shim::conmon::logs::{About, Driver};
use std::path::PathBuf;

/// Numbers of the caller's pipes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pipes {
    /// By which the caller hears of the process.
    pub sync: Option<i32>,
    /// By which it lets us begin.
    pub start: Option<i32>,
    /// By which it hears that it can attach.
    pub attach: Option<i32>,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub pipes: Pipes,
    pub api_version: i64,
    pub bundle: PathBuf,
    pub id: String,
    pub uuid: String,
    pub name: String,
    pub conmon_pid_file: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub exec: bool,
    pub exec_attach: bool,
    pub exec_process: Option<PathBuf>,
    pub exit_command: Option<PathBuf>,
    pub exit_arguments: Vec<String>,
    pub exit_delay: u64,
    pub exit_dir: Option<PathBuf>,
    pub persist_dir: Option<PathBuf>,
    pub full_attach: bool,
    pub leave_stdin_open: bool,
    /// `run --detach`: each container has its logs for itself, and a client that goes away does not end its input.
    pub by_hand: bool,
    pub debug: bool,
    pub drivers: Vec<Driver>,
    /// The option that names them.
    pub log_option: &'static str,
    pub log_size_max: u64,
    pub log_total_max: u64,
    pub log_tag: String,
    pub no_sync_log: bool,
    pub keep_keyring: bool,
    pub no_pivot: bool,
    pub replace_listen_pid: bool,
    pub restore: Option<PathBuf>,
    pub runtime: PathBuf,
    pub runtime_arguments: Vec<String>,
    pub runtime_options: Vec<String>,
    pub notify_socket: Option<PathBuf>,
    pub socket_dir: PathBuf,
    pub stdin: bool,
    pub sync: bool,
    pub syslog: bool,
    pub systemd: bool,
    pub terminal: bool,
    pub timeout: u64,
    pub help: bool,
    pub version: bool,
}

/// Those with a value, and their letters; a dash where there is none.
const VALUES: [(&str, char); 30] = [
    ("api-version", '-'),
    ("bundle", 'b'),
    ("cid", 'c'),
    ("conmon-pidfile", 'P'),
    ("container-pidfile", 'p'),
    ("cuuid", 'u'),
    ("exec-process-spec", '-'),
    ("exit-command", '-'),
    ("exit-command-arg", '-'),
    ("exit-delay", '-'),
    ("exit-dir", '-'),
    ("log-level", '-'),
    ("log-path", 'l'),
    ("log-size-max", '-'),
    ("log-global-size-max", '-'),
    ("log-tag", '-'),
    ("log-label", '-'),
    ("name", 'n'),
    ("persist-dir", '0'),
    ("restore", '-'),
    ("runtime", 'r'),
    ("runtime-arg", '-'),
    ("runtime-opt", '-'),
    ("sdnotify-socket", '-'),
    ("socket-dir-path", '-'),
    ("timeout", 'T'),
    ("seccomp-notify-socket", '-'),
    ("seccomp-notify-plugins", '-'),
    ("log-max-files", '-'),
    ("log-allowlist-dir", '-'),
];

const SWITCHES: [(&str, char); 16] = [
    ("exec", 'e'),
    ("exec-attach", '-'),
    ("full-attach", '-'),
    ("leave-stdin-open", '-'),
    ("no-new-keyring", '-'),
    ("no-pivot", '-'),
    ("no-sync-log", '-'),
    ("replace-listen-pid", '-'),
    ("stdin", 'i'),
    ("sync", '-'),
    ("syslog", '-'),
    ("systemd-cgroup", 's'),
    ("terminal", 't'),
    ("version", '-'),
    ("help", 'h'),
    ("no-container-partial-message", '-'),
];

impl Pipes {
    /// As podman and CRI-O name them.
    pub fn of_environment() -> Pipes {
        let number = |variable| std::env::var(variable).ok()?.parse().ok().filter(|number| *number > 2);
        Pipes {
            sync: number("_OCI_SYNCPIPE"),
            start: number("_OCI_STARTPIPE"),
            attach: number("_OCI_ATTACHPIPE"),
        }
    }

    fn all(self) -> [Option<i32>; 3] {
        [self.sync, self.start, self.attach]
    }

    /// Whether a number is one of theirs.
    pub fn have(self, number: i32) -> bool {
        self.all().contains(&Some(number))
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let row = |(name, letter): &(&str, char), value: &str| {
        let letter = if *letter == '-' { "    ".to_owned() } else { format!("-{letter}, ") };
        format!("  {letter}--{name}{value}\n")
    };
    let values = VALUES.iter().map(|option| row(option, " VALUE"));
    let switches = SWITCHES.iter().map(|option| row(option, ""));
    let rows: String = values.chain(switches).collect();
    format!("Usage:\n  conmon [OPTION…]\n\nrruntime as conmon; docs/shim.md says what differs.\n\n{rows}")
}

impl Options {
    pub fn parse(words: &[String]) -> Result<Options> {
        let socket_dir = PathBuf::from("/var/run/crio");
        let mut options = Options {
            pipes: Pipes::of_environment(),
            log_option: "--log-path",
            socket_dir,
            ..Options::default()
        };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let unknown = || Error::argument("option", word, "there is no such option");
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                if SWITCHES.iter().any(|switch| switch.0 == name) {
                    options.switch(name);
                } else {
                    let known = VALUES.iter().find(|option| option.0 == name).ok_or_else(unknown)?;
                    let missing = || Error::argument(format!("--{name}"), "", "it needs a value");
                    let value = value.or_else(|| rest.next().cloned()).ok_or_else(missing)?;
                    options.value(known.0, value)?;
                }
                continue;
            }
            let mut letters =
                word.strip_prefix('-').filter(|rest| !rest.is_empty()).ok_or_else(unknown)?.chars();
            while let Some(letter) = letters.next() {
                if let Some(switch) = SWITCHES.iter().find(|switch| switch.1 == letter) {
                    options.switch(switch.0);
                    continue;
                }
                let known = VALUES.iter().find(|option| option.1 == letter).ok_or_else(unknown)?;
                let missing = || Error::argument(format!("-{letter}"), "", "it needs a value");
                let value = match letters.as_str() {
                    "" => rest.next().cloned().ok_or_else(missing)?,
                    value => value.to_owned(),
                };
                options.value(known.0, value)?;
                break;
            }
        }
        Ok(options)
    }

    fn switch(&mut self, name: &str) {
        let which = match name {
            "exec" => &mut self.exec,
            "exec-attach" => &mut self.exec_attach,
            "full-attach" => &mut self.full_attach,
            "leave-stdin-open" => &mut self.leave_stdin_open,
            "no-new-keyring" => &mut self.keep_keyring,
            "no-pivot" => &mut self.no_pivot,
            "no-sync-log" => &mut self.no_sync_log,
            "replace-listen-pid" => &mut self.replace_listen_pid,
            "stdin" => &mut self.stdin,
            "sync" => &mut self.sync,
            "syslog" => &mut self.syslog,
            "systemd-cgroup" => &mut self.systemd,
            "terminal" => &mut self.terminal,
            "version" => &mut self.version,
            "help" => &mut self.help,
            // A part of a line says that it is one, in every log.
            _ => return,
        };
        *which = true;
    }

    fn value(&mut self, name: &'static str, value: String) -> Result<()> {
        let number = || -> Result<u64> {
            // conmon has -1 for none.
            let number: i64 = value
                .parse()
                .map_err(|_| Error::argument(format!("--{name}"), &value, "must be a number"))?;
            Ok(number.max(0).unsigned_abs())
        };
        let path = || Some(PathBuf::from(&value)).filter(|path| !path.as_os_str().is_empty());
        match name {
            "api-version" => self.api_version = number()? as i64,
            "bundle" => self.bundle = PathBuf::from(value),
            "cid" => self.id = value,
            "cuuid" => self.uuid = value,
            "name" => self.name = value,
            "conmon-pidfile" => self.conmon_pid_file = path(),
            "container-pidfile" => self.pid_file = path(),
            "exec-process-spec" => self.exec_process = path(),
            "exit-command" => self.exit_command = path(),
            "exit-command-arg" => self.exit_arguments.push(value),
            "exit-delay" => self.exit_delay = number()?,
            "exit-dir" => self.exit_dir = path(),
            "persist-dir" => self.persist_dir = path(),
            "log-level" => self.debug = value == "debug" || value == "trace",
            "log-path" => self.drivers.push(Driver::of(&value)?),
            "log-size-max" => self.log_size_max = number()?,
            "log-global-size-max" => self.log_total_max = number()?,
            "log-tag" => self.log_tag = value,
            "restore" => self.restore = path(),
            "runtime" => self.runtime = PathBuf::from(value),
            "runtime-arg" => self.runtime_arguments.push(value),
            "runtime-opt" => self.runtime_options.push(value),
            "sdnotify-socket" => self.notify_socket = path(),
            "socket-dir-path" => self.socket_dir = PathBuf::from(value),
            "timeout" => self.timeout = number()?,
            "seccomp-notify-socket" | "seccomp-notify-plugins" if !value.is_empty() => {
                return Err(Error::argument(format!("--{name}"), value, "this conmon loads no plugins")
                    .remedy("name an agent's socket in the profile (listenerPath)"));
            }
            "log-label" | "log-max-files" | "log-allowlist-dir" if !value.is_empty() => {
                return Err(Error::argument(
                    format!("--{name}"),
                    value,
                    "this conmon has no such log option",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// What conmon demands, too.
    pub fn check(&mut self) -> Result<()> {
        let needed = |option: &str| Error::argument(option, "", "it is needed");
        if self.id.is_empty() {
            return Err(needed("--cid"));
        }
        if self.runtime.as_os_str().is_empty() {
            return Err(needed("--runtime"));
        }
        if self.drivers.is_empty() {
            return Err(needed("--log-path"));
        }
        if self.exec && self.exec_process.is_none() {
            return Err(needed("--exec-process-spec"));
        }
        if self.restore.is_some() && self.exec {
            return Err(Error::argument("--restore", "", "it contradicts --exec"));
        }
        if self.uuid.is_empty() {
            self.uuid.clone_from(&self.id);
        }
        if self.bundle.as_os_str().is_empty() && !self.exec {
            self.bundle = std::env::current_dir().map_err(|e| Error::io("find the working directory", &e))?;
        }
        Ok(())
    }

    /// What the engine gives the process for a terminal: the shim gets the other side.
    pub fn terminal(&self) -> Terminal<'static> {
        if self.terminal { Terminal::Caller { like: None, output: None } } else { Terminal::None }
    }

    pub fn has_passthrough(&self) -> bool {
        self.drivers.contains(&Driver::Passthrough)
    }

    pub fn about(&self) -> About {
        About {
            id: self.id.clone(),
            name: self.name.clone(),
            tag: self.log_tag.clone(),
            alone: self.by_hand,
            size_max: self.log_size_max,
            total_max: self.log_total_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_written_as_glib_reads_them() {
        let options = parse(
            "-c id --cuuid=u -r/bin/crun -ti -l k8s-file:/x --log-path none --exit-command-arg --root --exit-command-arg  \
             --log-size-max -1",
        );
        let options = options.unwrap();
        assert_eq!((&*options.id, &*options.uuid, options.runtime.to_str()), ("id", "u", Some("/bin/crun")));
        assert!(options.terminal && options.stdin && options.drivers.len() == 2);
        assert_eq!(options.exit_arguments, ["--root", ""]);
        assert_eq!(options.log_size_max, 0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["--no-such", "-x", "word", "--cid", "-T soon", "--seccomp-notify-plugins a", "-l x:y"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
