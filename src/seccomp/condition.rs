//! The conditions of a rule: what they mean, and which of several rules of one call is asked first.
//!
//! config.json does not say which rule wins where several match with different actions. Engines' profiles are
//! written against libseccomp, so its order is ours: rules on a higher argument first; on the same argument
//! equality before "less" before "greater"; of those the larger value first ("less": the smaller); a rule that is
//! the beginning of another wins over it; else the order of the profile.

use super::arch::Width;
use super::vocabulary::Operator;

/// What is asked of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// 0–5.
    pub argument: u8,
    pub operator: Operator,
    /// Already masked.
    pub value: u64,
    /// All ones but for `MaskedEqual`.
    pub mask: u64,
}

/// A system call has this many arguments.
pub const ARGUMENTS: usize = 6;

/// Conditions that must all hold: at most one an argument, in the order of the arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    by_argument: [Option<Condition>; ARGUMENTS],
}

/// One 32-bit comparison of a condition; the order of rules is decided comparison by comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Argument and word: the higher is asked first.
    place: u8,
    test: Test,
    value: u32,
    mask: u32,
    /// Equality 3, less 2, greater 1; decides the order only.
    class: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Masked,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Both words of the value and of the mask: (high, low).
    pub fn words(&self) -> (Word, Word) {
        let word =
            |shift: u32| Word { value: (self.value >> shift) as u32, mask: (self.mask >> shift) as u32 };
        (word(32), word(0))
    }

    /// True whatever the argument is.
    fn always_holds(&self, width: Width) -> bool {
        self.operator == Operator::MaskedEqual
            && match width {
                Width::Bits64 => self.mask == 0,
                Width::Bits32 => self.mask as u32 == 0,
            }
    }

    fn parts(&self, width: Width) -> impl Iterator<Item = Part> + use<> {
        use Operator as O;
        let class = match self.operator {
            O::Equal | O::NotEqual | O::MaskedEqual => 3,
            O::Less | O::LessOrEqual => 2,
            O::Greater | O::GreaterOrEqual => 1,
        };
        let low_test = match self.operator {
            O::Equal | O::NotEqual => Test::Equal,
            O::MaskedEqual => Test::Masked,
            O::Greater | O::LessOrEqual => Test::Greater,
            O::GreaterOrEqual | O::Less => Test::GreaterOrEqual,
        };
        let high_test = match low_test {
            Test::GreaterOrEqual => Test::Greater,
            other => other,
        };
        let (high, low) = self.words();
        let part =
            |place: u8, test, word: Word| Part { place, test, value: word.value, mask: word.mask, class };
        let high = (width == Width::Bits64).then(|| part(self.argument * 2 + 1, high_test, high));
        high.into_iter().chain([part(self.argument * 2, low_test, low)])
    }
}

/// One word of a condition's value and mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub value: u32,
    pub mask: u32,
}

impl Part {
    fn is_asked_before(&self, other: &Part) -> bool {
        if (self.place, self.class) != (other.place, other.class) {
            return (self.place, self.class) > (other.place, other.class);
        }
        match self.class {
            2 => self.value < other.value,
            _ => self.value > other.value,
        }
    }

    /// The same comparison, whichever outcome the rule wants.
    fn is_same_test(&self, other: &Part) -> bool {
        Part { class: 0, ..*self } == Part { class: 0, ..*other }
    }
}

impl Conditions {
    /// Adds a condition on an argument that has none yet.
    pub fn add(&mut self, condition: Condition) {
        self.by_argument[usize::from(condition.argument)] = Some(condition);
    }

    /// With the condition on this argument replaced.
    pub fn with(&self, condition: Condition) -> Conditions {
        let mut changed = self.clone();
        changed.add(condition);
        changed
    }

    pub fn has(&self, argument: u8) -> bool {
        self.by_argument[usize::from(argument)].is_some()
    }

    /// Those that can fail.
    pub fn effective(&self, width: Width) -> impl DoubleEndedIterator<Item = &Condition> {
        self.by_argument.iter().flatten().filter(move |c| !c.always_holds(width))
    }

    pub fn always_hold(&self, width: Width) -> bool {
        self.effective(width).next().is_none()
    }

    /// Whether every call that matches `other` matches these, as far as their form shows it.
    fn cover(&self, other: &Conditions, width: Width) -> bool {
        let mut theirs = other.effective(width);
        self.effective(width).all(|mine| theirs.next() == Some(mine))
    }

    fn parts(&self, width: Width) -> impl Iterator<Item = Part> {
        self.effective(width).flat_map(move |c| c.parts(width))
    }
}

/// Where a rule with the conditions `new` belongs among `rules` (each given by its conditions, in the order in
/// which they are asked). `None`: an earlier rule covers it, it could never be reached.
pub fn place<'a>(
    rules: impl Iterator<Item = &'a Conditions>,
    new: &Conditions,
    width: Width,
) -> Option<usize> {
    // The rules form a tree whose levels are comparisons; `depth` is how far we have come down on the path that
    // the new rule shares. Having left the subtree of that path, the place is found.
    let (mut depth, mut count) = (0, 0);
    for (position, old) in rules.enumerate() {
        count = position + 1;
        if old.cover(new, width) {
            return None;
        }
        if new.cover(old, width) {
            return Some(position);
        }
        let (mut theirs, mut mine) = (old.parts(width), new.parts(width));
        let mut shared = 0;
        loop {
            match (theirs.next(), mine.next()) {
                (Some(their), Some(my)) if their.is_same_test(&my) => shared += 1,
                (their, my) => {
                    if shared < depth {
                        return Some(position);
                    }
                    depth = shared;
                    match (their, my) {
                        (Some(their), Some(my)) if my.is_asked_before(&their) => return Some(position),
                        _ => break,
                    }
                }
            }
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(argument: u8, operator: Operator, value: u64) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.add(Condition { argument, operator, value, mask: u64::MAX });
        conditions
    }

    fn order(rules: &[Conditions]) -> Vec<usize> {
        let mut ordered: Vec<usize> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            if let Some(at) = place(ordered.iter().map(|i| &rules[*i]), rule, Width::Bits64) {
                ordered.insert(at, index);
            }
        }
        ordered
    }

    #[test]
    fn higher_arguments_are_asked_first() {
        assert_eq!(order(&[on(0, Operator::Equal, 1), on(3, Operator::Equal, 1)]), [1, 0]);
    }

    #[test]
    fn equality_comes_before_less_before_greater() {
        let rules = [on(0, Operator::Greater, 1), on(0, Operator::Less, 9), on(0, Operator::Equal, 5)];
        assert_eq!(order(&rules), [2, 1, 0]);
    }

    #[test]
    fn the_narrower_of_two_ranges_is_asked_first() {
        assert_eq!(order(&[on(0, Operator::Greater, 5), on(0, Operator::Greater, 10)]), [1, 0]);
        assert_eq!(order(&[on(0, Operator::Less, 10), on(0, Operator::Less, 5)]), [1, 0]);
    }

    #[test]
    fn a_rule_that_is_the_beginning_of_another_wins() {
        let short = on(0, Operator::Equal, 1);
        let long = short.with(Condition { argument: 2, operator: Operator::Equal, value: 7, mask: u64::MAX });
        assert_eq!(order(&[short.clone(), long.clone()]), [0]);
        assert_eq!(order(&[long, short]), [1, 0]);
    }

    #[test]
    fn opposite_rules_are_both_kept() {
        assert_eq!(order(&[on(0, Operator::Greater, 5), on(0, Operator::LessOrEqual, 5)]).len(), 2);
        assert_eq!(order(&[on(0, Operator::Equal, 5), on(0, Operator::NotEqual, 5)]).len(), 2);
    }
}
