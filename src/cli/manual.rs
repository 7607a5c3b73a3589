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
    options: || vec![option("directory", "DIR", "write every page into this directory instead").short('d')],
    action: Action::Describe(run),
    ..ON_THE_HOST
};

const SECTION: &str = "8";

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
        std::fs::write(&file, page)
            .map_err(|e| Error::io(format!("write {}", file.display()), &e).field("--directory"))
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
    page.push_str(
        ".SH FILES\n.TP\n.I /run/rruntime\nThe state of containers; for an ordinary user:\n.I $XDG_RUNTIME_DIR/rruntime\n\
         .TP\n.I config.json\nThe configuration of a container, in its bundle: see the OCI runtime specification.\n\
         .SH ENVIRONMENT\n.TP\n.B DBUS_SYSTEM_BUS_ADDRESS\nThe bus of the machine's systemd, for\n.BR \\-\\-systemd\\-cgroup .\n\
         .TP\n.B DBUS_SESSION_BUS_ADDRESS\nThe same for an ordinary user; without it\n.IR $XDG_RUNTIME_DIR/bus .\n\
         .SH EXIT STATUS\n\
         0 on success; 1 after an error, which is printed on standard error.\n.B run\nand\n.B exec\n\
         in the foreground exit with the code of the process, or 128 plus the number of the signal that ended it;\n\
         .B exec\nexits with 255 if it could not start the process.\n.SH SEE ALSO\n",
    );
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
    page.push_str(&format!(".SH {title}\n"));
    for arg in shown(options) {
        page.push_str(&format!(".TP\n.B {}\n{}\n", roff(&spelling(&arg)), roff(&description(&arg))));
    }
}

/// Text that roff takes for text: hyphens that can be copied, and no line that begins like a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
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
    fn text_is_never_a_request() {
        assert_eq!(roff(".so x"), "\\&.so x");
        assert_eq!(roff("--a \\b"), "\\-\\-a \\eb");
    }
}
