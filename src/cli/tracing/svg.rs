//! The waterfall as a picture.

use super::rows::{Chart, Kind, Row};

const WIDTH: usize = 1400;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 560;
const BARS: usize = WIDTH - LEFT - 20;
const LINE: usize = 16;
/// Of a letter.
const LETTER: usize = 7;

pub fn draw(charts: &[Chart]) -> String {
    let lines: usize = charts.iter().map(|chart| chart.rows.len() + 2).sum();
    let height = (lines + 1) * LINE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut y = LINE;
    for chart in charts {
        out.push_str(&text(10, y, "start", "#000", &chart.title));
        for row in &chart.rows {
            y += LINE;
            out.push_str(&line(chart, row, y));
        }
        y += LINE * 2;
    }
    out + "</svg>\n"
}

fn line(chart: &Chart, row: &Row, y: usize) -> String {
    let colour = match row.kind {
        Kind::Failed => "#c62828",
        Kind::Program => "#9e9e9e",
        Kind::Inside => "#2e7d32",
        Kind::Own => "#1565c0",
    };
    let (from, to) = chart.columns(row, BARS);
    let (x, width, top, left) = (LEFT + from, to - from, y - 10, 14 + 12 * row.depth);
    let (label, time) = (row.label(), row.time());
    // What there is no room for shows where the pointer rests.
    let all = [&*label, &time, &row.value(), &row.said().unwrap_or_default()].join("\n");
    let room = (LEFT - 90 - left) / LETTER;
    let short = label.char_indices().nth(room).map_or(&*label, |(cut, _)| &label[..cut]);
    format!(
        "<g><title>{}</title>{}{}<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"12\" fill=\"{colour}\"/></g>\n",
        quoted(all.trim_end()),
        text(left, y, "start", colour, short),
        text(LEFT - 10, y, "end", "#000", &time),
    )
}

fn text(x: usize, y: usize, anchor: &str, colour: &str, text: &str) -> String {
    let text = quoted(text);
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>")
}

/// As XML has it. What cannot be in a document at all is not escaped either.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let name = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\u{fffe}' | '\u{ffff}' => "?",
            c => {
                out.push(c);
                continue;
            }
        };
        out.push_str(name);
    }
    out
}
