//! One section of the filter for each value of `seccomp_data.arch`: which number gets which answer there.
//!
//! Besides the rules, a section answers
//! * numbers above the highest that the profile knows: ENOSYS, so that a C library falls back to an older call
//!   instead of taking EPERM for an answer (runc does the same; not if the default action lets calls through),
//! * on x86_64 without x32: numbers with bit 30: kill, as for a wrong architecture. −1 is what a tracer leaves to
//!   skip a call; it gets the default.
//!
//! Where we differ from runc and libseccomp on purpose: a rule on a number above the highest known one (i386's direct
//! socket calls do not count as known) is not hidden by ENOSYS; without x32, numbers from 2^31 on that belong to no
//! convention are killed as libseccomp does it, not ENOSYS as runc does it; rules that contradict each other are
//! not refused, the one asked first wins.

use super::arch::{Arch, Width};
use super::assembler::{Assembler, Instruction, Jump, LONGEST, Label, code};
use super::blocks::{self, Choice, Reading};
use super::condition::{self, Condition, Conditions};
use super::multiplex::multiplexed;
use super::profile::{ALWAYS, Profile};
use super::ranges::{self, Range};
use super::tables::X32_BIT;
use super::vocabulary::Operator;
use std::collections::BTreeMap;

/// Offsets in `struct seccomp_data`.
const NUMBER_OFFSET: u32 = 0;
const ARCH_OFFSET: u32 = 4;

const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const WRONG_ARCH: u32 = libc::SECCOMP_RET_KILL_THREAD;

/// Numbers of one convention are closer together than this, but for arm's private calls.
const FAR_APART: usize = 1 << 13;

/// One rule of one number.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberRule {
    pub number: u32,
    /// Position in the profile.
    pub turn: u32,
    pub returned: u32,
    /// Index into the conditions of the profile, or behind them.
    pub conditions: u32,
    pub width: Width,
}

/// A list of rules that one or several numbers have: (conditions, label of the value returned).
#[derive(Debug, PartialEq, Eq)]
struct List {
    rules: Vec<(u32, Label)>,
    width: Width,
}

#[derive(Debug)]
struct Writer<'a> {
    profile: &'a Profile,
    assembler: Assembler,
    /// Those of the profile, then those that multiplexed calls need.
    conditions: Vec<Conditions>,
    lists: Vec<(List, Label)>,
    /// What the rules of a number ask and return, in the profile's order → its answer. A rule that names 300 calls
    /// is put in its place once.
    answered: BTreeMap<(Vec<(u32, u32)>, Width), Label>,
    /// Rules were left out: there are too many.
    cut: bool,
}

/// Writes the whole program. `None`: it would have more than [`LONGEST`] instructions.
pub fn write(profile: &Profile) -> Option<Vec<Instruction>> {
    let mut writer = Writer {
        profile,
        assembler: Assembler::with_capacity(1024),
        conditions: profile.conditions.clone(),
        lists: Vec::new(),
        answered: BTreeMap::new(),
        cut: false,
    };
    // The first architecture is the native one: its section is closest to the beginning.
    let mut sections: Vec<(u32, Vec<Arch>)> = Vec::new();
    for arch in &profile.arches {
        match sections.iter_mut().find(|(audit, _)| *audit == arch.audit()) {
            Some((_, arches)) => arches.push(*arch),
            None => sections.push((arch.audit(), vec![*arch])),
        }
    }
    let answers: Vec<(u32, Vec<Range>)> =
        sections.iter().map(|(audit, arches)| (*audit, writer.answers(arches))).collect();
    writer.write_lists();
    writer.write_sections(&answers);
    let program = writer.assembler.finish();
    (!writer.cut && program.len() <= LONGEST).then_some(program)
}

impl Writer<'_> {
    /// The answers of the conventions that share one `seccomp_data.arch`.
    fn answers(&mut self, arches: &[Arch]) -> Vec<Range> {
        let mut entries = Vec::with_capacity(arches.len() * self.profile.rules.len() + 64);
        let mut known = Vec::with_capacity(arches.len());
        for arch in arches {
            let newest = add_entries(self.profile, *arch, &mut self.conditions, &mut entries);
            known.push((*arch, self.profile.newest(*arch, newest)));
        }
        if !entries.is_sorted_by_key(|entry| entry.number) {
            sort(&mut entries);
        }
        let mut points = Vec::with_capacity(entries.len() + 1);
        for of_one_number in entries.chunk_by(|one, other| one.number == other.number) {
            points.push((of_one_number[0].number, self.answer(of_one_number)));
        }
        let hides_setup = known.iter().any(|(arch, newest)| *arch == Arch::S390x && newest.is_some());
        if hides_setup {
            // s390x leaves 0 (setup, long gone) behind where the kernel does not know a number above 255.
            points.retain(|(number, _)| *number != 0);
            points.insert(0, (0, self.assembler.returning(ENOSYS)));
        }
        let background = self.background(&known);
        ranges::overlay(&background, &points)
    }

    /// The answer of one number: of the first rule without conditions, wherever it stands; else of all its rules.
    fn answer(&mut self, entries: &[NumberRule]) -> Label {
        let width = entries[0].width;
        if let Some(entry) = unconditional(entries, &self.conditions) {
            return self.assembler.returning(entry.returned);
        }
        let asked = (entries.iter().map(|e| (e.conditions, e.returned)).collect(), width);
        if let Some(label) = self.answered.get(&asked) {
            return *label;
        }
        let label = self.ordered(entries, width);
        self.answered.insert(asked, label);
        label
    }

    /// The answer of rules that all have conditions: a list of them, in the order in which they are asked.
    fn ordered(&mut self, entries: &[NumberRule], width: Width) -> Label {
        let listed: usize = self.lists.iter().map(|(list, _)| list.rules.len()).sum();
        let (assembler, room) = (&mut self.assembler, LONGEST.saturating_sub(listed));
        let returning = |entry: &NumberRule| assembler.returning(entry.returned);
        let (rules, cut) = in_order(entries, &self.conditions, room, returning);
        self.cut |= cut;
        let list = List { rules, width };
        if let Some((_, label)) = self.lists.iter().find(|(known, _)| *known == list) {
            return *label;
        }
        let label = self.assembler.label();
        self.lists.push((list, label));
        label
    }

    /// The answers where there is no rule.
    fn background(&mut self, known: &[(Arch, Option<u32>)]) -> Vec<Range> {
        let default = self.assembler.returning(self.profile.default);
        let wrong = self.assembler.returning(WRONG_ARCH);
        let mut ranges = vec![Range { start: 0, answer: default }];
        let mut newer_than = |newest: Option<u32>, ranges: &mut Vec<Range>| {
            if let Some(newest) = newest {
                ranges.push(Range { start: newest + 1, answer: self.assembler.returning(ENOSYS) });
            }
        };
        match *known {
            [(Arch::X86_64, newest)] => {
                newer_than(newest, &mut ranges);
                ranges.push(Range { start: X32_BIT, answer: wrong });
                ranges.push(Range { start: u32::MAX, answer: default });
            }
            [(Arch::X32, newest)] => {
                ranges[0].answer = wrong;
                ranges.push(Range { start: X32_BIT, answer: default });
                newer_than(newest, &mut ranges);
            }
            [(Arch::X86_64, newest), (Arch::X32, newest_of_x32)]
            | [(Arch::X32, newest_of_x32), (Arch::X86_64, newest)] => {
                newer_than(newest, &mut ranges);
                ranges.push(Range { start: X32_BIT, answer: default });
                newer_than(newest_of_x32, &mut ranges);
            }
            _ => newer_than(known.first().and_then(|(_, newest)| *newest), &mut ranges),
        }
        ranges
    }

    fn write_lists(&mut self) {
        let default = self.assembler.returning(self.profile.default);
        // All architectures of one filter have the same order of words.
        let order = self.profile.arches[0].order();
        for (list, label) in &self.lists {
            let choice =
                |&(index, then): &(u32, Label)| Choice { conditions: &self.conditions[index as usize], then };
            let choices: Vec<Choice> = list.rules.iter().map(choice).collect();
            let start =
                blocks::write(&mut self.assembler, &choices, default, Reading { width: list.width, order });
            self.assembler.bind(*label, start);
        }
    }

    /// The trees, and in front of them the choice between them.
    fn write_sections(&mut self, answers: &[(u32, Vec<Range>)]) {
        let assembler = &mut self.assembler;
        let mut starts = Vec::with_capacity(answers.len());
        for (audit, ranges) in answers.iter().rev() {
            let mut start = ranges::write(assembler, ranges);
            if ranges.len() > 1 {
                assembler.fall_into(start);
                start = assembler.load(NUMBER_OFFSET);
            }
            starts.push((*audit, start));
        }
        let mut otherwise = Jump::Label(assembler.returning(WRONG_ARCH));
        for (audit, start) in starts {
            otherwise = assembler.branch(code::EQUAL, audit, start, otherwise);
        }
        assembler.fall_into(otherwise);
        assembler.load(ARCH_OFFSET);
    }
}

/// The rules of one architecture, each under every number by which its call is reached; conditions that multiplexed calls
/// need are added to those of the profile. By numbers, then as in the profile. Returns the highest number of a call that no
/// multiplexer does.
pub(super) fn add_entries(
    profile: &Profile,
    arch: Arch,
    conditions: &mut Vec<Conditions>,
    entries: &mut Vec<NumberRule>,
) -> Option<u32> {
    let (width, from, mut newest) = (arch.width(), entries.len(), None);
    for (turn, rule) in profile.rules.iter().enumerate() {
        let entry = |number, conditions| NumberRule {
            number,
            turn: turn as u32,
            returned: rule.returned,
            conditions,
            width,
        };
        let number = rule.call.number(arch);
        if let Some(through) = multiplexed(arch, rule.call) {
            // The rule's own condition on the first argument cannot be asked here: it is in user memory.
            let code = Condition {
                argument: 0,
                operator: Operator::Equal,
                value: u64::from(through.code),
                mask: u64::MAX,
            };
            conditions.push(conditions[rule.conditions as usize].with(code));
            entries.push(entry(through.number, (conditions.len() - 1) as u32));
        } else {
            newest = newest.max(number);
        }
        entries.extend(number.map(|number| entry(number, rule.conditions)));
    }
    sort(&mut entries[from..]);
    newest
}

/// By numbers, then as in the profile, in whose order they come.
fn sort(entries: &mut [NumberRule]) {
    let numbers = || entries.iter().map(|entry| entry.number);
    let (Some(lowest), Some(highest)) = (numbers().min(), numbers().max()) else { return };
    let span = (highest - lowest) as usize;
    if span > FAR_APART {
        return entries.sort_unstable_by_key(|entry| (entry.number, entry.turn));
    }
    // Counted rather than compared: a profile has a rule for nearly every number, and comparing took a third of its time.
    let at = |entry: &NumberRule| (entry.number - lowest) as usize;
    let mut places = vec![0_u32; span + 1];
    entries.iter().for_each(|entry| places[at(entry)] += 1);
    let mut before = 0;
    for place in &mut places {
        before += std::mem::replace(place, before);
    }
    let unsorted = entries.to_vec();
    for entry in &unsorted {
        let place = &mut places[at(entry)];
        entries[*place as usize] = *entry;
        *place += 1;
    }
}

/// The first rule of a number that holds whatever the arguments are: it decides alone, wherever it stands.
pub(super) fn unconditional<'e>(
    entries: &'e [NumberRule],
    conditions: &[Conditions],
) -> Option<&'e NumberRule> {
    entries.iter().find(|e| e.conditions == ALWAYS || conditions[e.conditions as usize].always_hold(e.width))
}

/// The rules of a number that all have conditions, in the order in which they are asked, without those that are never
/// reached: for each its conditions and what `with` makes of it. `true`: there are more than `most`, and some are left out.
pub(super) fn in_order<'e, T>(
    entries: &'e [NumberRule],
    conditions: &[Conditions],
    most: usize,
    mut with: impl FnMut(&'e NumberRule) -> T,
) -> (Vec<(u32, T)>, bool) {
    let mut rules: Vec<(u32, T)> = Vec::new();
    for entry in entries {
        if rules.len() > most {
            // Each rule takes at least one instruction.
            return (rules, true);
        }
        let new = &conditions[entry.conditions as usize];
        let asked = rules.iter().map(|(index, _)| &conditions[*index as usize]);
        if let Some(at) = condition::place(asked, new, entry.width) {
            rules.insert(at, (entry.conditions, with(entry)));
        }
    }
    (rules, false)
}

impl Profile {
    /// The highest number that the profile knows on `arch`, where its rules know `ruled`; `None` where newer calls need no
    /// answer of their own.
    fn newest(&self, arch: Arch, ruled: Option<u32>) -> Option<u32> {
        // A tracer is expected to know calls that the profile does not.
        let lets_through = [libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_LOG, libc::SECCOMP_RET_TRACE];
        if lets_through.contains(&(self.default & libc::SECCOMP_RET_ACTION_FULL)) {
            return None;
        }
        let direct = self.also_known.iter().filter(|call| multiplexed(arch, **call).is_none());
        let named = direct.filter_map(|call| call.number(arch)).max();
        named.max(ruled).filter(|newest| *newest != 0)
    }
}
