//! Whether a filter program lets through nothing that another one stops: for files of a checkpoint, whose filters another
//! compiler may have written.
//!
//! Each path through the given program is followed with what it says of the call, as far as that can be told from the
//! comparisons on it, and the wanted program is asked what it answers to such calls. What cannot be told counts as possible,
//! so that a program may be refused without need, and never passed without right.

use super::Arch;
use super::assembler::{Instruction, code};
use super::tables::{Syscall, X32_BIT};
use std::rc::Rc;

/// The words of `struct seccomp_data`.
const WORDS: usize = 16;
/// A program of an attacker's may have more paths than can be followed. Docker's profile takes a hundredth of it.
const MOST_STEPS: u32 = 8_000_000;

/// What is known of a word.
#[derive(Clone, Debug)]
struct Known {
    low: u32,
    high: u32,
    ones: u32,
    zeros: u32,
    /// (mask, value): these bits are not this.
    never: Rc<Vec<(u32, u32)>>,
}

/// A point on a path: the accumulator is a word under a mask.
#[derive(Clone)]
struct Point {
    at: usize,
    word: usize,
    mask: u32,
    words: [Known; WORDS],
}

/// Of the actions that filters return, the kernel takes the smallest, as signed numbers.
pub fn is_as_strict(given: &[Instruction], wanted: &[Instruction]) -> bool {
    if given == wanted {
        return true;
    }
    let any = Known { low: 0, high: u32::MAX, ones: 0, zeros: 0, never: Rc::default() };
    let mut left = MOST_STEPS;
    let rank = |returned: u32| (returned & libc::SECCOMP_RET_ACTION_FULL) as i32;
    follow(given, std::array::from_fn(|_| any.clone()), &mut left, &mut |words, has, left| {
        follow(wanted, words, left, &mut |words, wants, _| rank(has) <= rank(wants) || is_no_call(&words))
    })
}

/// libseccomp 2.6 knows uretprobe as a call of x32, where no kernel has this number. New calls have numbers from 424 on.
fn is_no_call([number, arch, ..]: &[Known; WORDS]) -> bool {
    const X32: std::ops::Range<u32> = X32_BIT..X32_BIT + 424;
    let exactly = |word: &Known, value: u32| word.low == value && word.high == value;
    exactly(arch, Arch::X86_64.audit())
        && exactly(number, number.low)
        && X32.contains(&number.low)
        && Syscall::by_number(Arch::X32, number.low).is_none()
}

type Ends<'a> = &'a mut dyn FnMut([Known; WORDS], u32, &mut u32) -> bool;

/// Whether `ends` says yes to each end that calls with these words can come to.
fn follow(program: &[Instruction], words: [Known; WORDS], left: &mut u32, ends: Ends) -> bool {
    let mut points = vec![Point { at: 0, word: 0, mask: 0, words }];
    while let Some(mut point) = points.pop() {
        loop {
            let Some(&Instruction { code, jt, jf, k }) = program.get(point.at) else { return false };
            let Some(fewer) = left.checked_sub(1) else { return false };
            *left = fewer;
            point.at += 1;
            match code {
                code::LOAD if k.is_multiple_of(4) && (k as usize) < 4 * WORDS => {
                    (point.word, point.mask) = (k as usize / 4, u32::MAX);
                }
                code::AND => point.mask &= k,
                code::JUMP => point.at += k as usize,
                code::RETURN => {
                    if !ends(point.words, k, left) {
                        return false;
                    }
                    break;
                }
                code::EQUAL | code::GREATER | code::GREATER_OR_EQUAL | code::ANY_BIT => {
                    let other = point.taking(code, k, false, jf);
                    match (point.taking(code, k, true, jt), other) {
                        (Some(yes), no) => {
                            points.extend(no);
                            point = yes;
                        }
                        (None, Some(no)) => point = no,
                        (None, None) => break,
                    }
                }
                _ => return false,
            }
        }
    }
    true
}

impl Point {
    /// Behind a comparison that has come out like this; `None`: it cannot.
    fn taking(&self, code: u16, k: u32, holds: bool, jump: u8) -> Option<Point> {
        let mut next = self.clone();
        next.at += usize::from(jump);
        let (word, mask) = (&mut next.words[self.word], self.mask);
        let whole = mask == u32::MAX;
        match (code, holds) {
            (code::EQUAL, true) if k & !mask != 0 => return None,
            (code::EQUAL, true) => {
                word.ones |= k & mask;
                word.zeros |= !k & mask;
                if whole {
                    (word.low, word.high) = (word.low.max(k), word.high.min(k));
                }
            }
            (code::EQUAL, false) if k & !mask == 0 => Rc::make_mut(&mut word.never).push((mask, k)),
            (code::ANY_BIT, true) => Rc::make_mut(&mut word.never).push((mask & k, 0)),
            (code::ANY_BIT, false) => word.zeros |= mask & k,
            (code::GREATER, true) if whole => word.low = word.low.max(k.checked_add(1)?),
            (code::GREATER, false) if whole => word.high = word.high.min(k),
            (code::GREATER_OR_EQUAL, true) if whole => word.low = word.low.max(k),
            (code::GREATER_OR_EQUAL, false) if whole => word.high = word.high.min(k.checked_sub(1)?),
            _ => {}
        }
        word.is_possible().then_some(next)
    }
}

impl Known {
    fn is_possible(&self) -> bool {
        let Known { low, high, ones, zeros, ref never } = *self;
        if low > high || ones & zeros != 0 {
            return false;
        }
        let fits = |value: u32| {
            let excluded = never.iter().any(|(mask, bits)| value & mask == *bits);
            value & ones == ones && value & zeros == 0 && !excluded
        };
        if ones | zeros == u32::MAX {
            return (low..=high).contains(&ones) && fits(ones);
        }
        // As many values as are excluded may be all of a short range.
        if (high - low) as usize <= never.len() {
            return (low..=high).any(fits);
        }
        !never.iter().any(|(mask, bits)| (ones | zeros) & mask == *mask && ones & mask == *bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::{Arch, compile};
    use crate::spec::Seccomp;

    fn program(text: &str) -> Vec<Instruction> {
        let seccomp: Seccomp = serde_json::from_str(text).unwrap();
        compile(&seccomp, Arch::native().unwrap(), 0).unwrap().unwrap().program
    }

    fn profile(default: &str, rules: &str) -> Vec<Instruction> {
        program(&format!("{{\"defaultAction\": \"SCMP_ACT_{default}\", \"syscalls\": [{rules}]}}"))
    }

    fn rule(names: &str, action: &str, arguments: &str) -> String {
        format!("{{\"names\": {names}, \"action\": \"SCMP_ACT_{action}\", \"args\": [{arguments}]}}")
    }

    const READ: &str = "[\"read\", \"write\", \"exit_group\"]";

    #[test]
    fn what_stops_less_is_found() {
        let few = profile("ERRNO", &rule(READ, "ALLOW", ""));
        let more = profile("ERRNO", &rule("[\"read\", \"write\", \"exit_group\", \"mount\"]", "ALLOW", ""));
        assert!(is_as_strict(&few, &few) && is_as_strict(&few, &more) && !is_as_strict(&more, &few));
        let killing = profile("KILL", &rule(READ, "ALLOW", ""));
        assert!(is_as_strict(&killing, &few) && !is_as_strict(&few, &killing));
        let all = profile("ALLOW", &rule("[\"mount\"]", "ERRNO", ""));
        assert!(is_as_strict(&few, &all) && !is_as_strict(&all, &few));
        let return_allow = [Instruction { code: code::RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW }];
        assert!(!is_as_strict(&return_allow, &few) && is_as_strict(&few, &return_allow));
    }

    #[test]
    fn conditions_are_held_against_each_other() {
        let personality = |arguments: &str| profile("ERRNO", &rule("[\"personality\"]", "ALLOW", arguments));
        let is = |value: u64| format!("{{\"index\": 0, \"value\": {value}, \"op\": \"SCMP_CMP_EQ\"}}");
        let (zero, eight, free) = (personality(&is(0)), personality(&is(8)), personality(""));
        assert!(is_as_strict(&zero, &free) && !is_as_strict(&free, &zero) && !is_as_strict(&zero, &eight));
        let below = personality("{\"index\": 0, \"value\": 9, \"op\": \"SCMP_CMP_LT\"}");
        assert!(is_as_strict(&eight, &below) && !is_as_strict(&below, &eight));
        let masked = |value: u64| {
            personality(&format!(
                "{{\"index\": 0, \"value\": {}, \"valueTwo\": {value}, \"op\": \"SCMP_CMP_MASKED_EQ\"}}",
                0x7e02_0000u64
            ))
        };
        assert!(is_as_strict(&eight, &masked(0)) && !is_as_strict(&masked(0), &eight));
        assert!(!is_as_strict(&eight, &masked(0x2_0000)));
    }

    #[test]
    fn another_program_with_the_same_meaning_passes() {
        let docker = include_str!("../../tests/spec/seccomp/profiles/docker.json");
        let ours = program(docker);
        // Behind a comparison that changes nothing.
        let mut same = vec![
            Instruction { code: code::LOAD, jt: 0, jf: 0, k: 60 },
            Instruction { code: code::ANY_BIT, jt: 0, jf: 0, k: 1 },
        ];
        same.extend_from_slice(&ours);
        assert!(is_as_strict(&same, &ours) && is_as_strict(&ours, &same));
        // A hole for one number behind one magic argument.
        let hole =
            [(code::LOAD, 0, 0, 56), (code::EQUAL, 0, 1, 77), (code::RETURN, 0, 0, libc::SECCOMP_RET_ALLOW)];
        let hole = hole.map(|(code, jt, jf, k)| Instruction { code, jt, jf, k });
        assert!(!is_as_strict(&[&hole[..], &ours].concat(), &ours));
        // An instruction that seccomp has and no compiler of ours writes is refused.
        let odd = [Instruction { code: 0x87, jt: 0, jf: 0, k: 0 }];
        assert!(!is_as_strict(&[&odd[..], &ours].concat(), &ours));
    }
}
