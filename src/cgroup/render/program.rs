//! The BPF program that decides device access on cgroup v2.
//!
//! The kernel runs it for every open and mknod of a device node with {access and type, major, minor} and lets the
//! access happen if it returns 1. The rules are tested last to first; each one decides the access bits that no
//! later rule has decided: an allow rule takes its bits out of what is still asked for and ends with 1 when
//! nothing is left, a deny rule that meets a bit still asked for ends with 0. At the end: 0. Block and character devices
//! have a list each.
//!
//! Nothing is emitted after a rule that decides everything, because verifiers refuse unreachable instructions.

use crate::cgroup::devices::{self, Class, Rule, Rules};
use crate::sys::bpf::Instruction;

/// Registers: the context comes in r1, the result goes out in r0.
const R0: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
/// Both numbers in one, which makes one test of two: the verifier follows every way through all tests.
const NUMBERS: u8 = 6;

/// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;

/// Of a minor number, in the kernel (`MINORBITS`).
const MINOR_BITS: i32 = 20;

/// Operation codes, from the classes of linux/bpf_common.h: 32-bit arithmetic, jumps on 32-bit immediates.
const LOAD_WORD: u8 = 0x61; // LDX | MEM | W
const MOVE: u8 = 0xbc; // ALU | MOV | X
const SET: u8 = 0xb4; // ALU | MOV | K
const AND: u8 = 0x54; // ALU | AND | K
const OR: u8 = 0x4c; // ALU | OR | X
const SHIFT_LEFT: u8 = 0x64; // ALU | LSH | K
const SHIFT_RIGHT: u8 = 0x74; // ALU | RSH | K
const JUMP: u8 = 0x05; // JMP | JA
const JUMP_IF_NOT: u8 = 0x56; // JMP32 | JNE | K
const JUMP_IF_ANY: u8 = 0x46; // JMP32 | JSET | K
const EXIT: u8 = 0x95; // JMP | EXIT

/// Of `struct bpf_cgroup_dev_ctx`: access and type, the two numbers.
const LOAD_TYPE: Instruction = op(LOAD_WORD, TYPE, CONTEXT, 0, 0);
const LOAD_MAJOR: Instruction = op(LOAD_WORD, MAJOR, CONTEXT, 4, 0);
const LOAD_MINOR: Instruction = op(LOAD_WORD, MINOR, CONTEXT, 8, 0);

const JOIN_NUMBERS: [Instruction; 3] =
    [op(MOVE, NUMBERS, MAJOR, 0, 0), op(SHIFT_LEFT, NUMBERS, 0, 0, MINOR_BITS), op(OR, NUMBERS, MINOR, 0, 0)];

const fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, immediate }
}

/// Assembles the program of a list of rules.
pub fn assemble(rules: &Rules) -> Vec<Instruction> {
    let rules = rules.as_slice();
    // One for every device decides what those behind it leave.
    let any = rules.iter().rposition(|rule| rule.range.class == Class::Any);
    let (rest, allow) = any.map_or((rules, false), |at| (&rules[at + 1..], rules[at].allow));
    let part = |class| {
        let (mut part, mut decided) = (Vec::new(), false);
        for rule in rest.iter().rev().filter(|rule| rule.range.class == class) {
            emit(rule, &mut part);
            decided = rule.access == devices::ALL && (rule.range.major, rule.range.minor) == (None, None);
        }
        if !decided {
            part.extend(verdict(allow));
        }
        part
    };
    let mut parts = [(BLOCK, part(Class::Block)), (CHAR, part(Class::Char))];
    if parts[1].1.len() < parts[0].1.len() {
        parts.swap(0, 1);
    }
    let [(kind, short), (_, long)] = parts;
    let mut program = vec![
        LOAD_TYPE,
        op(MOVE, ACCESS, TYPE, 0, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(AND, TYPE, 0, 0, 0xffff),
        LOAD_MAJOR,
        LOAD_MINOR,
    ];
    program.extend(JOIN_NUMBERS);
    program.push(op(JUMP_IF_NOT, TYPE, 0, short.len() as i16, kind));
    program.extend(short);
    program.extend(long);
    program
}

fn verdict(allow: bool) -> [Instruction; 2] {
    [op(SET, R0, 0, 0, i32::from(allow)), op(EXIT, 0, 0, 0, 0)]
}

/// The most instructions of a rule. A jump spans at most 32 767 instructions; it skips the shorter part.
const LONGEST: usize = 8;
const _: () = assert!((devices::MOST_RULES + devices::DEFAULTS.len()) / 2 * LONGEST + 2 <= i16::MAX as usize);

/// One rule: a test that jumps behind it, then its decision.
fn emit(rule: &Rule, part: &mut Vec<Instruction>) {
    // The test, and what lets the verifier forget the number behind it, which would be one more case to follow to the end.
    // Numbers are compared as 32 bits; the cast keeps them.
    let (test, forget) = match (rule.range.major, rule.range.minor) {
        (Some(major), Some(minor)) => (Some((NUMBERS, major << MINOR_BITS | minor)), &JOIN_NUMBERS[..]),
        (Some(major), None) => (Some((MAJOR, major)), &[LOAD_MAJOR][..]),
        (None, Some(minor)) => (Some((MINOR, minor)), &[LOAD_MINOR][..]),
        (None, None) => (None, &[][..]),
    };
    let mut decision = Vec::with_capacity(7);
    if rule.access != devices::ALL {
        // The tests go on behind it.
        decision.extend_from_slice(forget);
        if rule.allow {
            decision.push(op(AND, ACCESS, 0, 0, i32::from(devices::ALL & !rule.access)));
            decision.push(op(JUMP_IF_NOT, ACCESS, 0, 2, 0));
        } else {
            decision.push(op(JUMP_IF_ANY, ACCESS, 0, 1, i32::from(rule.access)));
            decision.push(op(JUMP, 0, 0, 2, 0));
        }
    }
    decision.extend(verdict(rule.allow));
    part.extend(
        test.map(|(register, value)| op(JUMP_IF_NOT, register, 0, decision.len() as i16, value as i32)),
    );
    part.extend(decision);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::devices::tests::{decide, literal_and_pruned};
    use crate::cgroup::devices::{ALL, Range};
    use crate::cgroup::render::exceptions::Exceptions;

    /// A BPF machine small enough to be obviously right, for the instructions that `program` uses.
    fn run(program: &[Instruction], class: Class, major: u32, minor: u32, access: u8) -> bool {
        let kind = if class == Class::Block { 1 } else { 2 };
        let context = [u32::from(access) << 16 | kind, major, minor];
        let mut r = [0_u32; 16];
        let mut at = 0_i64;
        loop {
            let i = program[at as usize];
            at += 1;
            let (to, from) = (usize::from(i.registers & 15), usize::from(i.registers >> 4));
            let k = i.immediate as u32;
            match i.code {
                0x61 => r[to] = context[i.offset as usize / 4],
                0xbc => r[to] = r[from],
                0xb4 => r[to] = k,
                0x54 => r[to] &= k,
                0x74 => r[to] >>= k,
                0x64 => r[to] <<= k,
                0x4c => r[to] |= r[from],
                0x05 => at += i64::from(i.offset),
                0x56 => at += if r[to] == k { 0 } else { i64::from(i.offset) },
                0x46 => at += if r[to] & k == 0 { 0 } else { i64::from(i.offset) },
                0x95 => return r[0] == 1,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    /// Whether something leads to each instruction.
    fn is_reachable(program: &[Instruction]) -> bool {
        let mut reached = vec![false; program.len()];
        let mut next = vec![0];
        while let Some(at) = next.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                let Instruction { code, offset, .. } = program[at];
                next.extend((code != EXIT && code != JUMP).then_some(at + 1));
                next.extend(
                    [JUMP, JUMP_IF_NOT, JUMP_IF_ANY].contains(&code).then_some(at + 1 + offset as usize),
                );
            }
        }
        reached.iter().all(|reached| *reached)
    }

    proptest::proptest! {
        /// The pruned list, the program and the list as written decide alike; v1's exceptions too, where they exist.
        #[test]
        fn the_program_decides_as_the_rules_say(
            list in proptest::collection::vec(
                (proptest::bool::ANY, 0..4_u8, proptest::option::of(0..3_u32), proptest::option::of(0..3_u32), 1..8_u8),
                0..8,
            ),
        ) {
            let mut plain = Vec::new();
            for (allow, class, major, minor, access) in list {
                let (class, major, minor, access) = match class {
                    0 => (Class::Any, None, None, ALL),
                    1 => (Class::Block, major, minor, access),
                    _ => (Class::Char, major, minor, access),
                };
                plain.push(Rule { allow, range: Range { class, major, minor }, access });
            }
            let (literal, pruned) = literal_and_pruned(plain);
            let program = assemble(&pruned);
            proptest::prop_assert!(is_reachable(&program));
            let v1 = Exceptions::of(&pruned).ok();
            for class in [Class::Block, Class::Char] {
                for (major, minor) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
                    for access in 1..8 {
                        let expected = decide(&literal, class, major, minor, access);
                        proptest::prop_assert_eq!(run(&program, class, major, minor, access), expected);
                        if let (Some(v1), true) = (&v1, access.is_power_of_two()) {
                            let device = Range { class, major: Some(major), minor: Some(minor) };
                            let excepted = v1.except.iter().any(|(r, bits)| r.covers(&device) && bits & access != 0);
                            proptest::prop_assert_eq!(excepted != v1.allow_by_default, expected);
                        }
                    }
                }
            }
        }
    }
}
