//! What differs between two texts, line by line.

/// The lines that go, with `-`, and come, with `+`, each with up to two lines around.
pub fn lines(old: &str, new: &str) -> Vec<String> {
    const AROUND: usize = 2;
    /// Of more pairs of lines the table would take too much memory: such texts are shown one after the other.
    const MOST_PAIRS: usize = 1 << 24;
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let mut all: Vec<(char, &str)> = old[..same].iter().map(|line| (' ', *line)).collect();
    let (old, new) = (&old[same..], &new[same..]);
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        let marked = |mark: char, line: &&str| format!("{mark}{line}");
        let gone = old.iter().map(|line| marked('-', line));
        return gone.chain(new.iter().map(|line| marked('+', line))).collect();
    }
    // How many lines are common from here on.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            all.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            all.push(('-', old[i]));
            i += 1;
        } else {
            all.push(('+', new[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(all.len());
        all[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let shown = all.iter().enumerate().filter(|(at, _)| near(*at));
    shown.map(|(_, (mark, line))| format!("{mark}{line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn what_goes_and_what_comes_is_shown_with_what_is_around() {
        assert_eq!(lines("a\nb\nc\nd\ne\n", "a\nb\nc\nx\ne\n"), [" b", " c", "-d", "+x", " e"]);
        assert_eq!(lines("", "a\nb\n"), ["+a", "+b"]);
        assert!(lines("a\n", "a\n").is_empty());
        assert_eq!(lines("}\n", "{\n}\n}\n"), ["+{", " }", "+}"]);
    }

    #[test]
    fn texts_of_a_million_lines_do_not_take_the_memory_of_a_million_times_a_million() {
        let (old, new) = ("a\n".repeat(1_000_000), format!("x\n{}", "b\n".repeat(1_000_000)));
        let shown = lines(&old, &new);
        assert_eq!((shown.len(), &*shown[0], &*shown[1_000_000]), (2_000_001, "-a", "+x"));
        let longer = format!("{old}b\n");
        assert_eq!(lines(&old, &longer), [" a", " a", "+b"]);
    }
}
