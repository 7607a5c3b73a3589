//! Aligned columns as engines' scripts expect them: at least 12 wide, three spaces between, the last column as
//! it is.

const NARROWEST: usize = 12;
const GAP: usize = 3;

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
                out.push_str(&format!("{cell:width$}"));
            }
        }
        out.push('\n');
    }
    out
}

/// crun's: each width is given, the first column is as wide as its widest cell and one space.
pub fn render_fixed<const N: usize>(rows: &[[String; N]], widths: [usize; N]) -> String {
    let first = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0) + 1;
    let mut out = String::new();
    for row in rows {
        let mut line = format!("{:first$}", row[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            line.push_str(&format!("{cell:width$}"));
        }
        out.push_str(line.trim_end());
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
