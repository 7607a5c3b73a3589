//! The code of a system call whose rules look at arguments: rule after rule, the first that matches decides.

use super::arch::{Order, Width};
use super::assembler::{Assembler, Jump, Label, code};
use super::condition::{Condition, Conditions, Word};
use super::vocabulary::Operator;

/// One rule of a list.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    pub conditions: &'a Conditions,
    pub then: Label,
}

/// How arguments are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub width: Width,
    pub order: Order,
}

/// Offset of the first argument in `struct seccomp_data`.
const ARGUMENTS_OFFSET: u32 = 16;

/// Writes the rules, `default` after the last. Returns where they begin.
pub fn write(assembler: &mut Assembler, rules: &[Choice], default: Label, reading: Reading) -> Jump {
    let mut next = Jump::Label(default);
    let mut rest = rules;
    while let Some(last) = rest.last() {
        let Some(equality) = last.lone_equality(reading.width) else {
            next = reading.write_rule(assembler, last, next);
            rest = &rest[..rest.len() - 1];
            continue;
        };
        let alike = |c: &&Choice| {
            c.lone_equality(reading.width).is_some_and(|other| is_alike(&other, &equality, reading))
        };
        let run = rest.iter().rev().take_while(alike).count();
        let (before, run) = rest.split_at(rest.len() - run);
        next = reading.write_equalities(assembler, &equality, run, next);
        rest = before;
    }
    next
}

impl Choice<'_> {
    /// The condition, if there is only one and it is a plain equality.
    fn lone_equality(&self, width: Width) -> Option<Condition> {
        let mut conditions = self.conditions.effective(width);
        let first = conditions.next().filter(|c| c.operator == Operator::Equal)?;
        conditions.next().is_none().then_some(*first)
    }
}

/// Whether two equalities can share the load and the test of the high word.
fn is_alike(one: &Condition, other: &Condition, reading: Reading) -> bool {
    one.argument == other.argument && (reading.width == Width::Bits32 || one.words().0 == other.words().0)
}

#[derive(Clone, Copy)]
enum Half {
    High,
    Low,
}

impl Reading {
    /// "The argument is one of these": the load and the high word, which `one` of them has, are shared.
    fn write_equalities(
        self,
        assembler: &mut Assembler,
        one: &Condition,
        run: &[Choice],
        next: Jump,
    ) -> Jump {
        let mut low = next;
        for choice in run.iter().rev() {
            let value =
                choice.lone_equality(self.width).expect("only equalities are put into a run").words().1.value;
            low = assembler.branch(code::EQUAL, value, Jump::Label(choice.then), low);
        }
        low = assembler.load(self.offset(one, Half::Low));
        match self.width {
            Width::Bits32 => low,
            Width::Bits64 => {
                let high = one.words().0;
                self.test(assembler, one, Half::High, code::EQUAL, high, (low, next))
            }
        }
    }

    fn write_rule(self, assembler: &mut Assembler, choice: &Choice, next: Jump) -> Jump {
        let then = Jump::Label(choice.then);
        choice
            .conditions
            .effective(self.width)
            .rev()
            .fold(then, |yes, c| self.write_condition(assembler, c, yes, next))
    }

    /// Writes the test of one argument, the low word first because it is asked last.
    fn write_condition(self, assembler: &mut Assembler, condition: &Condition, yes: Jump, no: Jump) -> Jump {
        let (high, low) = condition.words();
        // The test of the low word, and whether its truth is that of the condition.
        let (low_code, straight) = condition.operator.comparison();
        let (true_, false_) = if straight { (yes, no) } else { (no, yes) };
        let mut start = true_;
        if low.mask != 0 {
            start = self.test(assembler, condition, Half::Low, low_code, low, (true_, false_));
        }
        if self.width == Width::Bits32 || high.mask == 0 {
            return start;
        }
        if low_code == code::EQUAL {
            return self.test(assembler, condition, Half::High, code::EQUAL, high, (start, false_));
        }
        let equal = assembler.branch(code::EQUAL, high.value, start, false_);
        self.test(assembler, condition, Half::High, code::GREATER, high, (true_, equal))
    }

    /// Load, mask if needed, compare one word.
    fn test(
        self,
        assembler: &mut Assembler,
        condition: &Condition,
        half: Half,
        code: u16,
        word: Word,
        targets: (Jump, Jump),
    ) -> Jump {
        assembler.branch(code, word.value, targets.0, targets.1);
        if word.mask != u32::MAX {
            assembler.and(word.mask);
        }
        assembler.load(self.offset(condition, half))
    }

    fn offset(self, condition: &Condition, half: Half) -> u32 {
        let second = match (self.order, half) {
            (Order::LowFirst, Half::High) | (Order::HighFirst, Half::Low) => 4,
            (Order::LowFirst, Half::Low) | (Order::HighFirst, Half::High) => 0,
        };
        ARGUMENTS_OFFSET + 8 * u32::from(condition.argument) + second
    }
}
