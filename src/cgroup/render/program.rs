//! The BPF program that decides device access on cgroup v2.
//!
//! The kernel runs it for every open and mknod of a device node with {access and type, major, minor} and lets the
//! access happen if it returns 1. The rules are tested last to first; each one decides the access bits that no
//! later rule has decided: an allow rule takes its bits out of what is still asked for and ends with 1 when
//! nothing is left, a deny rule that meets a bit still asked for ends with 0. At the end: 0.
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

/// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;

/// Operation codes, from the classes of linux/bpf_common.h: 32-bit arithmetic, jumps on 32-bit immediates.
const LOAD_WORD: u8 = 0x61; // LDX | MEM | W
const MOVE: u8 = 0xbc; // ALU | MOV | X
const SET: u8 = 0xb4; // ALU | MOV | K
const AND: u8 = 0x54; // ALU | AND | K
const SHIFT_RIGHT: u8 = 0x74; // ALU | RSH | K
const JUMP: u8 = 0x05; // JMP | JA
const JUMP_IF_NOT: u8 = 0x56; // JMP32 | JNE | K
const JUMP_IF_ANY: u8 = 0x46; // JMP32 | JSET | K
const EXIT: u8 = 0x95; // JMP | EXIT

/// Offsets in `struct bpf_cgroup_dev_ctx`.
const ACCESS_TYPE_AT: i16 = 0;
const MAJOR_AT: i16 = 4;
const MINOR_AT: i16 = 8;

const fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, immediate }
}

/// Assembles the program of a list of rules.
pub fn assemble(rules: &Rules) -> Vec<Instruction> {
    let mut program = vec![
        op(LOAD_WORD, TYPE, CONTEXT, ACCESS_TYPE_AT, 0),
        op(MOVE, ACCESS, TYPE, 0, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(AND, TYPE, 0, 0, 0xffff),
        op(LOAD_WORD, MAJOR, CONTEXT, MAJOR_AT, 0),
        op(LOAD_WORD, MINOR, CONTEXT, MINOR_AT, 0),
    ];
    for rule in rules.as_slice().iter().rev() {
        if rule.range.class == Class::Any {
            program.extend(verdict(rule.allow));
            return program;
        }
        emit(rule, &mut program);
    }
    program.extend(verdict(false));
    program
}

fn verdict(allow: bool) -> [Instruction; 2] {
    [op(SET, R0, 0, 0, i32::from(allow)), op(EXIT, 0, 0, 0, 0)]
}

/// One rule: tests that jump behind it, then its decision.
fn emit(rule: &Rule, program: &mut Vec<Instruction>) {
    let kind = if rule.range.class == Class::Block { BLOCK } else { CHAR };
    let mut tests = vec![(TYPE, kind)];
    // Numbers are compared as 32 bits; the cast keeps them.
    tests.extend(rule.range.major.map(|n| (MAJOR, n as i32)));
    tests.extend(rule.range.minor.map(|n| (MINOR, n as i32)));

    let mut decision = Vec::with_capacity(6);
    if rule.access != devices::ALL {
        // The tests go on behind it. A number that the verifier knew there would be one more case to follow to the end.
        decision.extend(rule.range.major.map(|_| op(LOAD_WORD, MAJOR, CONTEXT, MAJOR_AT, 0)));
        decision.extend(rule.range.minor.map(|_| op(LOAD_WORD, MINOR, CONTEXT, MINOR_AT, 0)));
        if rule.allow {
            decision.push(op(AND, ACCESS, 0, 0, i32::from(devices::ALL & !rule.access)));
            decision.push(op(JUMP_IF_NOT, ACCESS, 0, 2, 0));
        } else {
            decision.push(op(JUMP_IF_ANY, ACCESS, 0, 1, i32::from(rule.access)));
            decision.push(op(JUMP, 0, 0, 2, 0));
        }
    }
    decision.extend(verdict(rule.allow));

    let length = tests.len() + decision.len();
    for (i, (register, value)) in tests.into_iter().enumerate() {
        program.push(op(JUMP_IF_NOT, register, 0, (length - i - 1) as i16, value));
    }
    program.extend(decision);
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
                0x05 => at += i64::from(i.offset),
                0x56 => at += if r[to] == k { 0 } else { i64::from(i.offset) },
                0x46 => at += if r[to] & k == 0 { 0 } else { i64::from(i.offset) },
                0x95 => return r[0] == 1,
                other => panic!("instruction {other:#x}"),
            }
        }
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
