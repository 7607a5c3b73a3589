//! `ps`: the host's own `ps`, cut down to the container's processes.

use super::command::{Action, Command};
use crate::cli::table::{Form, form, form_option};
use crate::cli::{Arguments, Manner, Session, streams};
use crate::error::{Error, Kind, Result};
use crate::report::escape::{self, escaped};
use crate::state::NoRoot;
use crate::sys::spawn;
use std::ffi::OsString;
use std::process;

pub const COMMAND: Command = Command {
    name: "ps",
    about: "show the processes of a container",
    operands: "<container-id> [ps options]",
    count: 1..=usize::MAX,
    options_end: 1,
    detail: "Passes what follows the id to the host's ps (default: -ef).",
    examples: "ps web\n\
               ps web -o pid,rss,args  # the columns are those of ps(1)\n\
               ps --format json web  # the process ids alone",
    options: || vec![form_option()],
    action: Action::Call(run),
    failure: |face| face.ps,
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let form = form(arguments)?;
    let pids = session.engine_for_look(NoRoot::Empty)?.pids(&arguments.id())?;
    let options = &arguments.operands[1..];
    match (form, session.face.manner) {
        (Form::Json, _) => streams::print_list(session.face, &pids)?,
        (Form::Table, Manner::Crun) if options.is_empty() => {
            let lines: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
            streams::print(&format!("PID\n{lines}"))?;
        }
        (Form::Table, _) => streams::print(&rows(&host_ps(options)?, &pids)?)?,
    }
    Ok(0)
}

/// What ps prints. Its own complaint is the reason if it fails.
fn host_ps(options: &[OsString]) -> Result<String> {
    let mut command = spawn::program("ps");
    if options.is_empty() {
        command.arg("-ef")
    } else {
        command.args(options)
    };
    let output = command
        .stdin(process::Stdio::null())
        .output()
        .map_err(|e| Error::io("run ps", &e).remedy("install ps, or use --format json"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim();
    Err(Error::new(format!("ps failed ({}): {complaint}", output.status)))
}

/// The heading, and the lines whose PID column has one of `pids`.
fn rows(output: &str, pids: &[i32]) -> Result<String> {
    let mut lines = output.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_whitespace().position(|title| title == "PID").ok_or_else(|| {
        Error::new("couldn't find PID field in ps output")
            .kind(Kind::Argument)
            .value(heading)
            .remedy("choose ps options that show the PID column")
    })?;
    let mut out = format!("{heading}\n");
    for line in lines {
        let pid = line.split_whitespace().nth(column).and_then(|field| field.parse().ok());
        if pid.is_some_and(|pid: i32| pids.contains(&pid)) {
            // A process names itself as it likes.
            out.push_str(&escaped(line, escape::Notation::Plain, &['\t']));
            out.push('\n');
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_containers_processes_are_shown_and_none_turns_text_around() {
        let output = "PID CMD\n7 x\u{202e}\u{9b}y\n77 z\n";
        assert_eq!(rows(output, &[7]).unwrap(), "PID CMD\n7 x\\u{202e}\\u{9b}y\n");
    }

    #[test]
    fn a_table_without_pids_cannot_be_cut() {
        assert!(rows("USER CMD\nroot init\n", &[1]).is_err());
        assert!(rows("", &[1]).is_err());
    }
}
