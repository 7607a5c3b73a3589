//! `manual`: the manual pages, from the same definitions as the help pages.

use super::arguments::option;
use super::commands::command::{Action, Command, ON_THE_HOST, find};
use super::help::{self, description, shown, spelling, usage};
use super::{Arguments, Session, globals, streams, version};
use crate::error::{Error, Result};
use clap::Arg;
use std::path::Path;

pub const COMMAND: Command = Command {
    name: "manual",
    about: "print a manual page in the format that man -l reads",
    operands: "[command]",
    count: 0..=1,
    detail: "Without a command, prints the page of the program itself. Try: rruntime manual exec | man -l -",
    examples: "manual exec | man -l -\n\
               manual --directory /usr/local/share/man/man8",
    options: || vec![option("directory", "DIR", "write every page into this directory instead").short('d')],
    action: Action::Describe(run),
    ..ON_THE_HOST
};

const SECTION: &str = "8";

const EXIT_STATUS: &str = ".SH EXIT STATUS\n\
    0 on success; 1 after an error, which is printed on standard error.\n.BR run ,\n.BR restore ,\n.B exec\n\
    and\n.B attach\n\
    in the foreground, and\n.BR wait ,\n\
    exit with the code of the process, or 128 plus the number of the signal that ended it.\n\
    .B exec\nexits with 255 if it could not start the process.\n\
    .BR doctor ,\n.BR explain ,\n.B validate\nand\n.B seccomp check\n\
    exit with 2 if they have found what keeps a container from running, each as its page says.\n";

const ENVIRONMENT: &str = "PATH: where criu, ps and newuidmap are looked for\n\
    XDG_RUNTIME_DIR: where an ordinary user's state is, and the bus of the user's systemd\n\
    DBUS_SYSTEM_BUS_ADDRESS: the bus of the machine's systemd, for --systemd-cgroup\n\
    DBUS_SESSION_BUS_ADDRESS: the same for an ordinary user (default: $XDG_RUNTIME_DIR/bus)\n\
    LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES: sockets for the container's first process, as of sd_listen_fds(3)\n\
    NOTIFY_SOCKET: where create, start and run report that the program is ready, as of sd_notify(3)\n\
    NO_COLOR: if set, errors on a terminal have no colours";

const FILES: &str = "config.json: a container's configuration, in its bundle: see the OCI runtime specification\n\
    /run/rruntime: the state of containers\n\
    $XDG_RUNTIME_DIR/rruntime: the same for an ordinary user\n\
    /etc/rruntime/annotations.allow: annotations that may affect the host, a name a line\n\
    /etc/rruntime/loggers.allow: programs that may read a container's output for containerd, a path a line\n\
    /etc/criu/rruntime.conf: configuration of CRIU, for checkpoint and restore\n\
    /etc/subuid, /etc/subgid: the ids that an ordinary user may give to a container";

/// Of the program's own page: a life in commands.
const EXAMPLES: &str = "spec --bundle /srv/web  # writes config.json; /srv/web/rootfs is the root\n\
    run --bundle /srv/web web  # until it ends\n\
    create --bundle /srv/web web\n\
    start web\n\
    exec -t web sh\n\
    kill web KILL\n\
    delete web\n\
    --log-format json --log web.log run -b /srv/web web  # messages as JSON, into a file";

fn run(session: &Session, arguments: &Arguments, commands: &[Command]) -> Result<i32> {
    if let Some(directory) = arguments.path("directory") {
        return write_all(&directory, commands).map(|()| 0);
    }
    let page = match arguments.operands.first().map(|word| word.to_string_lossy()) {
        None => program(commands),
        Some(word) => command(
            find(commands, &word).ok_or_else(|| help::unknown_command(session.face, &word, commands))?,
        ),
    };
    streams::print(&page).map(|()| 0)
}

fn write_all(directory: &Path, commands: &[Command]) -> Result<()> {
    let write = |name: String, page: String| {
        let file = directory.join(format!("{name}.{SECTION}"));
        std::fs::write(&file, page).map_err(|e| {
            let error = Error::io(format!("write {}", file.display()), &e).field("--directory");
            error.remedy("the directory must exist and be writable")
        })
    };
    write("rruntime".to_owned(), program(commands))?;
    commands.iter().try_for_each(|each| write(format!("rruntime-{}", each.name), command(each)))
}

fn program(commands: &[Command]) -> String {
    let mut page = head("rruntime", help::ABOUT);
    page.push_str(".SH SYNOPSIS\n.B rruntime\n[global options] command [options] [arguments...]\n");
    page.push_str(
        ".SH DESCRIPTION\n\
         Creates containers from bundles: directories with a\n.I config.json\n\
         and a root file system. Engines (podman, containerd, Docker) call it instead of runc or crun. Called by one\n\
         of these names, it has the exit codes and output formats of that program.\n.SH COMMANDS\n",
    );
    for each in commands {
        page.push_str(&format!(
            ".TP\n.BR rruntime\\-{} ({SECTION})\n{}\n",
            roff(each.name),
            roff(each.about)
        ));
    }
    options(&mut page, "GLOBAL OPTIONS", globals::options());
    page.push_str(EXIT_STATUS);
    entries(&mut page, "ENVIRONMENT", ENVIRONMENT);
    entries(&mut page, "FILES", FILES);
    examples(&mut page, EXAMPLES);
    page.push_str(".SH SEE ALSO\n");
    let pages: Vec<String> =
        commands.iter().map(|each| format!(".BR rruntime\\-{} ({SECTION})", roff(each.name))).collect();
    page.push_str(&pages.join(",\n"));
    page.push('\n');
    page
}

fn command(command: &Command) -> String {
    let mut page = head(&format!("rruntime-{}", command.name), command.about);
    page.push_str(&format!(".SH SYNOPSIS\n{}\n", roff(&usage("rruntime", command))));
    if !command.detail.is_empty() {
        page.push_str(".SH DESCRIPTION\n");
        for line in command.detail.lines() {
            page.push_str(&format!("{}\n", roff(line)));
        }
    }
    options(&mut page, "OPTIONS", (command.options)());
    examples(&mut page, command.examples);
    page.push_str(&format!(".SH SEE ALSO\n.BR rruntime ({SECTION})\n"));
    page
}

fn head(name: &str, about: &str) -> String {
    format!(
        ".TH {} {SECTION} \"\" \"rruntime {}\" \"rruntime\"\n.SH NAME\n{} \\- {}\n",
        roff(&name.to_uppercase()),
        version::VERSION,
        roff(name),
        roff(about)
    )
}

fn options(page: &mut String, title: &str, options: Vec<Arg>) {
    section(page, title);
    for arg in shown(options) {
        entry(page, &spelling(&arg), &description(&arg));
    }
}

/// Of lines with a name, a colon and what it is.
fn entries(page: &mut String, title: &str, lines: &str) {
    section(page, title);
    for (name, text) in lines.lines().filter_map(|line| line.split_once(": ")) {
        entry(page, name, text);
    }
}

fn entry(page: &mut String, name: &str, text: &str) {
    for part in [".TP\n.B ", &roff(name), "\n", &roff(text), "\n"] {
        page.push_str(part);
    }
}

fn section(page: &mut String, title: &str) {
    for part in [".SH ", title, "\n"] {
        page.push_str(part);
    }
}

/// One line each, as it is typed: nothing is filled or hyphenated.
fn examples(page: &mut String, lines: &str) {
    page.push_str(".SH EXAMPLES\n.EX\n");
    help::examples(page, "rruntime ", &roff(lines));
    page.push_str(".EE\n");
}

/// Text that roff takes for text: hyphens that can be copied, and no line that begins like a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::COMMANDS;

    #[test]
    fn every_command_and_option_has_its_entry() {
        let page = program(COMMANDS);
        for each in COMMANDS {
            assert!(page.contains(&format!("rruntime\\-{} (8)\n{}\n", roff(each.name), roff(each.about))));
            let page = command(each);
            for arg in (each.options)().iter().filter(|arg| !arg.is_hide_set()) {
                let long = format!("\\-\\-{}", roff(arg.get_long().unwrap()));
                assert!(page.contains(&long), "{}: {long}", each.name);
                assert!(!description(arg).is_empty(), "{}: {long}", each.name);
            }
        }
    }

    #[test]
    fn every_page_has_examples_that_the_command_line_takes() {
        use crate::cli::Face;
        let words = |line: &str| -> Vec<_> {
            let line = line.split(['#', '>', '|']).next().unwrap();
            // What is quoted is one word.
            let parts = line.split('\'').enumerate().flat_map(|(i, part)| match i % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            parts.skip(1).map(Into::into).collect()
        };
        for each in COMMANDS {
            assert!(!each.examples.is_empty(), "{} has no examples", each.name);
            let page = command(each);
            assert!(page.contains("\n.SH EXAMPLES\n.EX\nrruntime "), "{}", each.name);
            for line in each.examples.lines() {
                assert!(line.starts_with(&format!("{} ", each.name)) || line == each.name, "{line}");
                if let Action::Words(_) = each.action {
                    continue;
                }
                let given = Arguments::parse(each.name, (each.options)(), each.options_end, &words(line));
                let given = given.unwrap_or_else(|error| panic!("{line}: {error}"));
                assert!(each.count.contains(&given.operands.len()), "{line}");
            }
        }
        let page = program(COMMANDS);
        for title in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
            assert!(page.contains(&format!("\n.SH {title}\n")), "{title}");
        }
        for line in EXAMPLES.lines() {
            let line = words(&format!("rruntime {line}"));
            let (_, rest) = globals::parse(Face::called(None), &line).unwrap();
            let each = find(COMMANDS, &rest[0].to_string_lossy()).unwrap();
            let given = Arguments::parse(each.name, (each.options)(), each.options_end, &rest[1..]).unwrap();
            assert!(each.count.contains(&given.operands.len()), "{line:?}");
        }
    }

    #[test]
    fn text_is_never_a_request() {
        assert_eq!(roff(".so x"), "\\&.so x");
        assert_eq!(roff("--a \\b"), "\\-\\-a \\eb");
    }
}
