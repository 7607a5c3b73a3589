//! Writes a filter program from its end to its beginning.
//!
//! Classic BPF jumps only forward, and a conditional jump only 255 instructions far. Written backward, every
//! target is already there when a jump to it is written; if it is too far, a stepping stone is put in just here: a
//! copy of the return instruction, or an unconditional jump, which later jumps use too.
//!
//! A stepping stone must never stand where the instruction before it would fall into it. That holds because both
//! targets of a conditional jump are always explicit and because `load` and `and` are written right after
//! (= in the program right before) the instruction they feed.

/// `struct sock_filter` of `linux/filter.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// Codes of `linux/bpf_common.h`, as far as the kernel lets filters use them and we or libseccomp write them.
pub mod code {
    pub const LOAD: u16 = 0x20;
    pub const AND: u16 = 0x54;
    pub const JUMP: u16 = 0x05;
    pub const EQUAL: u16 = 0x15;
    pub const GREATER: u16 = 0x25;
    pub const GREATER_OR_EQUAL: u16 = 0x35;
    pub const ANY_BIT: u16 = 0x45;
    pub const RETURN: u16 = 0x06;
}

/// Longest conditional jump.
const FAR: usize = u8::MAX as usize;

/// BPF_MAXINSNS: the kernel takes no longer program.
pub const LONGEST: usize = 4096;

/// Something to jump to that several instructions want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(u32);

/// Where a jump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// A position, counted from the end of the program.
    At(usize),
    Label(Label),
}

#[derive(Debug)]
struct Labelled {
    /// The nearest copy or stepping stone, counted from the end of the program.
    at: Option<usize>,
    /// What is returned there; `None`: some longer code.
    returned: Option<u32>,
}

/// A program in the making.
#[derive(Debug, Default)]
pub struct Assembler {
    backward: Vec<Instruction>,
    labels: Vec<Labelled>,
}

impl Assembler {
    pub fn with_capacity(instructions: usize) -> Assembler {
        Assembler { backward: Vec::with_capacity(instructions), labels: Vec::with_capacity(16) }
    }

    /// The label of "return this value".
    pub fn returning(&mut self, value: u32) -> Label {
        let known = self.labels.iter().position(|label| label.returned == Some(value));
        known.map_or_else(|| self.new_label(Some(value)), |index| Label(index as u32))
    }

    /// A label for code that is written later, but before the first jump to it.
    pub fn label(&mut self) -> Label {
        self.new_label(None)
    }

    fn new_label(&mut self, returned: Option<u32>) -> Label {
        self.labels.push(Labelled { at: None, returned });
        Label((self.labels.len() - 1) as u32)
    }

    /// Puts `label` at a position that is already written.
    pub fn bind(&mut self, label: Label, target: Jump) {
        let at = self.within(target, FAR);
        self.labels[label.0 as usize].at = Some(at);
    }

    /// A conditional jump on the accumulator.
    pub fn branch(&mut self, code: u16, k: u32, yes: Jump, no: Jump) -> Jump {
        // The stepping stone for `no` may move `yes` away by one.
        let yes = self.within(yes, FAR - 1);
        let no = self.within(no, FAR);
        let distance = |at| (self.backward.len() - 1 - at) as u8;
        let (jt, jf) = (distance(yes), distance(no));
        self.push(Instruction { code, jt, jf, k })
    }

    /// Loads a word of the data (by its offset) for the instruction that was written last.
    pub fn load(&mut self, offset: u32) -> Jump {
        self.push(Instruction { code: code::LOAD, jt: 0, jf: 0, k: offset })
    }

    /// Masks the accumulator for the instruction that was written last.
    pub fn and(&mut self, mask: u32) -> Jump {
        self.push(Instruction { code: code::AND, jt: 0, jf: 0, k: mask })
    }

    /// Makes `target` the instruction that was written last, so that the next one falls into it.
    pub fn fall_into(&mut self, target: Jump) {
        self.within(target, 0);
    }

    /// The program, in the order in which it runs.
    pub fn finish(mut self) -> Vec<Instruction> {
        self.backward.reverse();
        self.backward
    }

    fn push(&mut self, instruction: Instruction) -> Jump {
        self.backward.push(instruction);
        Jump::At(self.backward.len() - 1)
    }

    /// The position of `target`, or of a stepping stone to it, at most `distance` away from the next instruction.
    fn within(&mut self, target: Jump, distance: usize) -> usize {
        let len = self.backward.len();
        let near = |at: usize| len - 1 - at <= distance;
        let (label, found) = match target {
            Jump::At(at) => (None, Some(at)),
            Jump::Label(label) => (Some(label), self.labels[label.0 as usize].at),
        };
        if let Some(at) = found.filter(|at| near(*at)) {
            return at;
        }
        let returned = label.and_then(|label| self.labels[label.0 as usize].returned);
        let stone = match (returned, found) {
            (Some(value), _) => Instruction { code: code::RETURN, jt: 0, jf: 0, k: value },
            (None, Some(at)) => Instruction { code: code::JUMP, jt: 0, jf: 0, k: (len - 1 - at) as u32 },
            (None, None) => unreachable!("code is written before the jumps to it"),
        };
        self.push(stone);
        if let Some(label) = label {
            self.labels[label.0 as usize].at = Some(len);
        }
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_code_is_reached_by_a_stepping_stone_that_is_used_again() {
        let mut assembler = Assembler::default();
        let (allow, kill) = (assembler.returning(1), assembler.returning(0));
        let block = assembler.label();
        let start = assembler.branch(code::EQUAL, 7, Jump::Label(allow), Jump::Label(kill));
        assembler.bind(block, start);
        for _ in 0..FAR {
            assembler.load(0);
        }
        assembler.branch(code::EQUAL, 1, Jump::Label(block), Jump::Label(kill));
        assembler.branch(code::EQUAL, 2, Jump::Label(block), Jump::Label(kill));
        let program = assembler.finish();
        assert_eq!(program[0], Instruction { code: code::EQUAL, jt: 2, jf: 1, k: 2 });
        assert_eq!(program[1], Instruction { code: code::EQUAL, jt: 1, jf: 0, k: 1 });
        assert_eq!(program[2].code, code::RETURN);
        assert_eq!(program[3], Instruction { code: code::JUMP, jt: 0, jf: 0, k: FAR as u32 });
        assert_eq!(program[4 + FAR].k, 7);
    }
}
