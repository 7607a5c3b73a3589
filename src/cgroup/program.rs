//! The BPF program that decides device access on cgroup v2.
//!
//! The kernel runs it for every open and mknod of a device node with {access and type, major, minor} and lets the
//! access happen if it returns 1. The rules are tested last to first; each one decides the access bits that no
//! later rule has decided: an allow rule takes its bits out of what is still asked for and ends with 1 when
//! nothing is left, a deny rule that meets a bit still asked for ends with 0. At the end: 0.
//!
//! Nothing is emitted after a rule that decides everything, because verifiers refuse unreachable instructions.

use super::devices::{self, Class, Rule, Rules};
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

    let mut decision = Vec::with_capacity(4);
    if rule.access != devices::ALL {
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
