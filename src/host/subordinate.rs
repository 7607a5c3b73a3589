//! /etc/subuid and /etc/subgid: the ids that an ordinary user may map (subuid(5)).

/// A file of ranges, and the ranges of one user in it.
pub const UIDS: &str = "/etc/subuid";
pub const GIDS: &str = "/etc/subgid";

/// (first, count) of each line for this user, by name or by number. A file that cannot be read gives nothing; what is not
/// UTF-8 in it spoils its own line.
pub fn ranges(file: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    let text = std::fs::read(file).unwrap_or_default();
    let range = |line: &str| {
        let mut parts = line.trim().split(':');
        let who = parts.next()?;
        let whose = who == name || who.parse() == Ok(uid);
        let (first, count) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (whose && count > 0).then_some((first, count))
    };
    String::from_utf8_lossy(&text).lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_user_are_found_by_name_and_by_number_whatever_the_other_lines_are() {
        let text = b"other:1:2\ncaf\xe9:1:2\nme:100000:65536\n\nbroken\n1000:200000:10\nme:5:0\n";
        let file = std::env::temp_dir().join(format!("rruntime-subordinate-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let ranges_of = |name, uid| ranges(file.to_str().unwrap(), name, uid);
        assert_eq!(ranges_of("me", 1000), [(100_000, 65536), (200_000, 10)]);
        assert!(ranges_of("you", 7).is_empty());
        assert!(ranges("/nonexistent", "me", 1000).is_empty());
        std::fs::remove_file(file).unwrap();
    }
}
