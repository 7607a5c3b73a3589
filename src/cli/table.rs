//! `--format`, and tables: aligned columns as engines' scripts expect them, at least 12 wide, three spaces between, the
//! last column as it is.

use super::arguments::{Arguments, option};
use crate::error::{Error, Result};
use clap::Arg;

const NARROWEST: usize = 12;
const GAP: usize = 3;

/// How a command shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
}

pub fn form_option() -> Arg {
    option("format", "FORMAT", "table (default) or json").short('f')
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

pub fn render<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [NARROWEST; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count() + GAP);
        }
    }
    let mut out = String::new();
    for row in rows {
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            if index + 1 == N {
                out.push_str(cell);
            } else {
                pad(&mut out, cell, width);
            }
        }
        out.push('\n');
    }
    out
}

/// Without format!, which a thousand rows notice.
fn pad(out: &mut String, cell: &str, width: usize) {
    out.push_str(cell);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
}

/// crun's: each width is given, the first column is as wide as its widest cell and one space.
pub fn render_fixed<const N: usize>(rows: &[[String; N]], widths: [usize; N]) -> String {
    let first = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0) + 1;
    let mut out = String::new();
    for row in rows {
        pad(&mut out, &row[0], first);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            pad(&mut out, cell, width);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_widest_cell_and_its_gap() {
        let rows = [["ID", "PID", "OWNER"], ["a-rather-long-id", "1", "root"]];
        assert_eq!(
            render(&rows.map(|row| row.map(str::to_owned))),
            "ID                 PID         OWNER\na-rather-long-id   1           root\n"
        );
    }
}
