//! Runs a filter program as the kernel does: whether a profile lets through what init itself needs, and for tests.
//!
//! It knows the instructions that seccomp accepts and that we or libseccomp write; any other is an error.

use super::arch::{Arch, Order};
use super::assembler::{Instruction, code};
use super::tables::Syscall;

/// `struct seccomp_data`: what a filter sees of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub number: u32,
    /// AUDIT_ARCH_*.
    pub arch: u32,
    pub arguments: [u64; 6],
}

/// A program that the kernel would not have accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The instruction at this position has an unknown code or reads outside of the data.
    Instruction(usize),
    /// Control leaves the program.
    End(usize),
}

/// A finished run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// SECCOMP_RET_*.
    pub returned: u32,
    /// How many instructions ran.
    pub steps: u32,
}

/// Runs `program` on `call`. `order`: that of the words of an argument on the machine that the program is for.
pub fn evaluate(program: &[Instruction], call: &Call, order: Order) -> Result<Outcome, Invalid> {
    let (mut accumulator, mut at, mut steps) = (0u32, 0usize, 0);
    loop {
        let Some(&Instruction { code, jt, jf, k }) = program.get(at) else { return Err(Invalid::End(at)) };
        steps += 1;
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        let skip = match code {
            code::LOAD => {
                accumulator = word(call, k, order).ok_or(Invalid::Instruction(at))?;
                0
            }
            code::AND => {
                accumulator &= k;
                0
            }
            code::JUMP => k as usize,
            code::EQUAL => jump(accumulator == k),
            code::GREATER => jump(accumulator > k),
            code::GREATER_OR_EQUAL => jump(accumulator >= k),
            code::ANY_BIT => jump(accumulator & k != 0),
            code::RETURN => return Ok(Outcome { returned: k, steps }),
            _ => return Err(Invalid::Instruction(at)),
        };
        at += 1 + skip;
    }
}

/// What `program` returns for a call by its name; `None` for a call that `arch` does not have.
pub fn answer(program: &[Instruction], arch: Arch, name: &str, arguments: [u64; 6]) -> Option<u32> {
    let call = Call { number: Syscall::by_name(name)?.number(arch)?, arch: arch.audit(), arguments };
    Some(evaluate(program, &call, arch.order()).ok()?.returned)
}

/// The 32-bit word at an offset of `struct seccomp_data`.
fn word(call: &Call, offset: u32, order: Order) -> Option<u32> {
    match offset {
        0 => Some(call.number),
        4 => Some(call.arch),
        // The instruction pointer; no profile can name it.
        8 | 12 => Some(0),
        16..64 if offset.is_multiple_of(4) => {
            let argument = call.arguments[(offset as usize - 16) / 8];
            let first = offset.is_multiple_of(8);
            let high = first == (order == Order::HighFirst);
            Some(if high { (argument >> 32) as u32 } else { argument as u32 })
        }
        _ => None,
    }
}
