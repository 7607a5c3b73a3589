//! `trace`: draws what `--trace` has written.

use super::waterfall::Look;
use super::{rows, svg, waterfall};
use crate::cli::arguments::option;
use crate::cli::commands::command::{Action, Command, ON_THE_HOST};
use crate::cli::{Arguments, Session, streams};
use crate::error::{Error, Kind, Result};
use crate::report::Colours;
use crate::shim::files;
use crate::sys::{file, terminal};
use serde_json::Value;
use std::io::{IsTerminal, stdout};
use std::os::fd::AsFd;
use std::path::PathBuf;

pub const COMMAND: Command = Command {
    name: "trace",
    about: "draw a trace that another command has written",
    operands: "<file>",
    count: 1..=1,
    detail: "Draws each command in a file that `--trace FILE` has written: one row for each thing that was done, with its\n\
             field of config.json, its time, and a bar from its beginning to its end. Rows with \"|\" are what init has\n\
             done in the container, \":\" is the time of the container's program, which the chart leaves out, and \"!\"\n\
             is what has failed. ui.perfetto.dev and chrome://tracing read the file too.",
    examples: "trace web.json  # what `--trace web.json run web` has written\n\
               trace web.json --svg web.svg",
    options: || vec![option("svg", "OUT", "write the chart as SVG to this file; - is standard output")],
    action: Action::Call(run),
    ..ON_THE_HOST
};

/// A trace of a command has some fifty kilobytes.
const MOST: usize = 64 << 20;
/// Of a chart that is not for a terminal.
const USUAL_WIDTH: usize = 120;

fn run(_: &Session, arguments: &Arguments) -> Result<i32> {
    let file = arguments.operands.first().map(PathBuf::from).unwrap_or_default();
    let refused = |error: Error| {
        let error = error.kind(Kind::Argument).field("<file>").value(file.display());
        error.remedy("name a file that --trace has written")
    };
    let bytes = file::read_path(&file, MOST).map_err(|e| refused(e.because("read the trace")))?;
    let parsed: serde_json::Result<Value> = serde_json::from_slice(&bytes);
    let trace = parsed.map_err(|e| refused(Error::new(format!("is not JSON: {e}"))))?;
    let charts = rows::charts(&trace).map_err(refused)?;
    let Some(out) = arguments.path("svg") else {
        return streams::print(&waterfall::draw(&charts, look())).map(|()| 0);
    };
    let picture = svg::draw(&charts);
    if out.as_os_str() == "-" {
        return streams::print(&picture).map(|()| 0);
    }
    let written = files::check_name(&out).and_then(|()| files::write(&out, picture.as_bytes()));
    written.map(|()| 0).map_err(|error| {
        let error = error.field("--svg").value(out.display());
        error.remedy("its directory must exist and be writable")
    })
}

fn look() -> Look {
    let output = stdout();
    if !output.is_terminal() {
        return Look { width: USUAL_WIDTH, colours: Colours::Off, bar: "#" };
    }
    let width = terminal::size(output.as_fd()).map_or(0, |(_, columns)| usize::from(columns));
    Look { width: if width == 0 { 80 } else { width }, colours: Colours::wanted(), bar: "━" }
}
