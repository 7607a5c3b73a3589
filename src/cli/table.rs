//! `--format`, and tables: aligned columns as engines' scripts expect them.

use super::arguments::{Arguments, option};
use crate::error::{Error, Result};
use clap::Arg;

/// How a command shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
}

pub fn form_option() -> Arg {
    option("format", "FORMAT", "table (default) or json").short('f')
}

/// By `--format`, or by `--json` where the command has it too.
pub fn form_or_json(arguments: &Arguments) -> Result<Form> {
    if arguments.switch("json") { Ok(Form::Json) } else { form(arguments) }
}

pub fn form(arguments: &Arguments) -> Result<Form> {
    match arguments.given_text("format")? {
        None | Some("table") => Ok(Form::Table),
        Some("json") => Ok(Form::Json),
        Some(other) => {
            Err(Error::argument("--format", other, "invalid format option").remedy("use table or json"))
        }
    }
}

/// `width`: of a column, by its number and its widest cell.
pub fn render<const N: usize>(rows: &[[String; N]], width: impl Fn(usize, usize) -> usize) -> String {
    let length = |cell: &String| cell.chars().count();
    let widest = |column: usize| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(|column| width(column, widest(column)));
    let mut out = String::new();
    for row in rows {
        // Without format!, which a thousand rows notice.
        for (cell, width) in row.iter().zip(widths) {
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(length(cell))));
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}
