//! The waterfall in a terminal.

use super::rows::{Chart, Kind, Row};
use crate::report::Colours;

/// How it is drawn.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: usize,
    pub colours: Colours,
    /// What a bar is made of.
    pub bar: &'static str,
}

/// The columns of a time and the spaces around it.
const TIME: usize = 14;
const NARROWEST: usize = 40;

pub fn draw(charts: &[Chart], look: Look) -> String {
    let mut out = String::new();
    for chart in charts {
        if !out.is_empty() {
            out.push('\n');
        }
        paint(&mut out, look, "\x1b[1m", &chart.title);
        out.push('\n');
        chart.rows.iter().for_each(|row| line(&mut out, look, chart, row));
    }
    out
}

fn line(out: &mut String, look: Look, chart: &Chart, row: &Row) {
    let width = look.width.max(NARROWEST);
    let room = width * 9 / 20;
    let (bars, before) = (width - room - TIME, "  ".repeat(row.depth));
    let mark = if row.is_inside() { "| " } else { "" };
    let mut label = [&*before, mark, &row.label()].concat();
    if let Some((cut, _)) = label.char_indices().nth(room - 1)
        && label[cut..].chars().nth(1).is_some()
    {
        label.truncate(cut);
        label.push('~');
    }
    let (from, to) = chart.columns(row, bars);
    let (colour, bar) = match row.kind {
        Kind::Failed => (RED, "!"),
        Kind::Program => ("\x1b[1m", ":"),
        Kind::Inside => ("\x1b[32m", look.bar),
        Kind::Own => ("\x1b[36m", look.bar),
    };
    out.push_str(&format!("{label:room$}{:>13} {:from$}", row.time(), ""));
    paint(out, look, colour, &bar.repeat(to - from));
    out.push('\n');
    if let Some(said) = row.said() {
        paint(out, look, RED, &[&*before, mark, "! ", &said].concat());
        out.push('\n');
    }
}

const RED: &str = "\x1b[31m";

fn paint(out: &mut String, look: Look, colour: &str, text: &str) {
    let coloured = look.colours == Colours::On;
    out.push_str(if coloured { colour } else { "" });
    out.push_str(text);
    out.push_str(if coloured { "\x1b[0m" } else { "" });
}
