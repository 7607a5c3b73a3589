//! The texts of the kernel's counters, to numbers. Pure. A line or key that is not understood is passed over: newer
//! kernels add some, and an unknown number must not cost the known ones.

use super::counters::{BlkioEntry, Pressure, Stall};
use crate::spec::cpus;

/// One number. "max" is the largest; a negative one, which races in the kernel's sums have produced, is 0.
pub fn number(text: &str) -> Option<u64> {
    match text.trim() {
        "max" => Some(u64::MAX),
        text if text.starts_with('-') => text.parse::<i64>().ok().map(|_| 0),
        text => text.parse().ok(),
    }
}

/// Whether a limit of memory is one: v1 writes the largest number of whole pages for none, v2 "max".
pub fn is_limit(bytes: u64) -> bool {
    bytes < i64::MAX as u64 - 0xffff
}

/// Lines of a name and a number.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        Some((name, number(value)?))
    })
}

/// The number beside `name`.
pub fn value(text: &str, name: &str) -> Option<u64> {
    pairs(text).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Numbers between white space.
pub fn row(text: &str) -> Vec<u64> {
    text.split_ascii_whitespace().filter_map(number).collect()
}

/// cpuset(7), list format: "0-3,8". Processors beyond the largest kernel's are no list.
pub fn list(text: &str) -> Vec<u16> {
    let mask = cpus::mask(text).unwrap_or_default();
    cpus::members(&mask).filter_map(|cpu| u16::try_from(cpu).ok()).collect()
}

/// cpuacct.usage_all: a heading, then "number user system" for each processor. (system, user), nanoseconds.
pub fn usage_all(text: &str) -> (Vec<u64>, Vec<u64>) {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let (Some(user), Some(system)) = (column("user"), column("system")) else { return Default::default() };
    let of = |line: &str, at: usize| line.split(' ').nth(at).and_then(number);
    lines.filter_map(|line| Some((of(line, system)?, of(line, user)?))).unzip()
}

/// Pressure stall information: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", the same for "full".
pub fn pressure(text: &str) -> Pressure {
    let mut found = Pressure::default();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("some", rest)) => found.some = stall(rest),
            Some(("full", rest)) => found.full = stall(rest),
            _ => {}
        }
    }
    found
}

fn stall(text: &str) -> Stall {
    let mut found = Stall::default();
    let average =
        |text: &str| text.parse().ok().filter(|share: &f64| (0.0..=100.0).contains(share)).unwrap_or(0.0);
    for (name, value) in text.split_ascii_whitespace().filter_map(|item| item.split_once('=')) {
        match name {
            "avg10" => found.avg10 = average(value),
            "avg60" => found.avg60 = average(value),
            "avg300" => found.avg300 = average(value),
            "total" => found.total = number(value).unwrap_or(0),
            _ => {}
        }
    }
    found
}

/// A file of the v1 blkio controller: "8:0 Read 4096", or "8:0 6792" where kinds are not told apart. The sum in the
/// last line ("Total 4096") is of no device.
pub fn blkio(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let (device, rest) = line.split_once(' ')?;
        let (op, value) = rest.rsplit_once(' ').unwrap_or(("", rest));
        let (major, minor) = numbers_of(device)?;
        Some(BlkioEntry { major, minor, op: op.to_owned(), value: number(value)? })
    };
    text.lines().filter_map(entry).collect()
}

/// Bytes and operations of io.stat: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". Discards have no place in
/// v1's shape.
pub fn io_stat(text: &str) -> (Vec<BlkioEntry>, Vec<BlkioEntry>) {
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut items = line.split_ascii_whitespace();
        let Some((major, minor)) = items.next().and_then(numbers_of) else { continue };
        for (name, value) in items.filter_map(|item| item.split_once('=')) {
            let (table, op) = match name {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                _ => continue,
            };
            if let Some(value) = number(value) {
                table.push(BlkioEntry { major, minor, op: op.to_owned(), value });
            }
        }
    }
    (bytes, operations)
}

/// "8:0"
fn numbers_of(device: &str) -> Option<(u64, u64)> {
    let (major, minor) = device.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// "hugepages-2048kB" in sysfs is "2MB" in the names of the hugetlb controller's files.
pub fn page_size(directory: &str) -> Option<String> {
    let kilobytes: u64 = directory.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kilobytes {
        size if size >= 1 << 20 => format!("{}GB", size >> 20),
        size if size >= 1 << 10 => format!("{}MB", size >> 10),
        size => format!("{size}KB"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lists_and_page_sizes() {
        assert_eq!(number(" 12\n"), Some(12));
        assert_eq!(number("max\n"), Some(u64::MAX));
        assert_eq!(number("-5\n"), Some(0));
        for odd in ["", "x", "1 2", "-", "-x", "18446744073709551616"] {
            assert_eq!(number(odd), None, "{odd}");
        }
        assert_eq!(list("0-1,4,6-7\n"), [0, 1, 4, 6, 7]);
        for odd in ["", "\n", "a", "3-1", "-", "70000"] {
            assert!(list(odd).is_empty(), "{odd}");
        }
        assert!(list("0-65535,0-65535").len() <= 8192);
        assert_eq!(usage_all(""), (vec![], vec![]));
        assert_eq!(usage_all("cpu system user\n0 1 2\n"), (vec![1], vec![2]), "the heading counts");
        assert_eq!(pressure(""), Pressure::default());
        assert_eq!(page_size("hugepages-2048kB").as_deref(), Some("2MB"));
        assert_eq!(page_size("hugepages-1048576kB").as_deref(), Some("1GB"));
        assert_eq!(page_size("hugepages-64kB").as_deref(), Some("64KB"));
        assert_eq!(page_size("hugepages-kB"), None);
        assert_eq!(page_size("else"), None);
    }
}
