//! The conditions of a rule: what they mean, and which of several rules of one call is asked first.
//!
//! config.json does not say which rule wins where several match with different actions. Engines' profiles are
//! written against libseccomp, so its order is ours: rules on a higher argument first; on the same argument
//! equality before "less" before "greater"; of those the larger value first ("less": the smaller); a rule that is
//! the beginning of another wins over it; else the order of the profile.

use super::arch::Width;
use super::assembler::code;
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
    /// A jump's code, and whether the word is masked before.
    test: (u16, bool),
    value: u32,
    mask: u32,
    /// Equality 3, less 2, greater 1; decides the order only.
    class: u8,
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

    /// False whatever the argument is.
    fn never_holds(&self, width: Width) -> bool {
        let cut = width.mask();
        match self.operator {
            Operator::Less => self.value & cut == 0,
            Operator::Greater => self.value & cut == cut,
            _ => false,
        }
    }

    fn parts(&self, width: Width) -> impl Iterator<Item = Part> + use<> {
        let (low_test, straight) = self.operator.comparison();
        let (high_test, class) = match (low_test, straight) {
            (code::EQUAL, _) => (code::EQUAL, 3),
            (_, straight) => (code::GREATER, if straight { 1 } else { 2 }),
        };
        let masked = self.operator == Operator::MaskedEqual;
        let (high, low) = self.words();
        let part =
            |place, test, Word { value, mask }| Part { place, test: (test, masked), value, mask, class };
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

    /// Whether a call with these arguments matches.
    pub fn hold(&self, arguments: &[u64; ARGUMENTS], width: Width) -> bool {
        let cut = width.mask();
        self.effective(width).all(|c| {
            let (found, wanted) = (arguments[usize::from(c.argument)] & c.mask & cut, c.value & cut);
            match c.operator {
                Operator::NotEqual => found != wanted,
                Operator::Less => found < wanted,
                Operator::LessOrEqual => found <= wanted,
                Operator::Equal | Operator::MaskedEqual => found == wanted,
                Operator::GreaterOrEqual => found >= wanted,
                Operator::Greater => found > wanted,
            }
        })
    }

    /// Arguments that match, unless none do.
    pub fn example(&self, width: Width) -> [u64; ARGUMENTS] {
        let mut arguments = [0; ARGUMENTS];
        for condition in self.effective(width) {
            let value = match condition.operator {
                Operator::NotEqual | Operator::Greater => condition.value.wrapping_add(1),
                Operator::Less => condition.value.wrapping_sub(1),
                _ => condition.value,
            };
            arguments[usize::from(condition.argument)] = value & width.mask();
        }
        arguments
    }

    /// Whether they can hold for a multiplexer whose first argument is this code.
    pub fn allow_code(&self, code: u32) -> bool {
        let of_code = self.by_argument[0].filter(|condition| condition.operator == Operator::Equal);
        of_code.is_none_or(|condition| condition.value == u64::from(code))
    }

    pub fn never_hold(&self, width: Width) -> bool {
        self.by_argument.iter().flatten().any(|condition| condition.never_holds(width))
    }

    /// Whether every call that matches `other` matches these, as far as their form shows it.
    pub fn cover(&self, other: &Conditions, width: Width) -> bool {
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
