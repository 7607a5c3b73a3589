//! POSIX extended regular expressions, as glibc's regcomp(3) reads them in the C locale, and whether one is found in a text.
//!
//! An expression becomes a program whose threads are all followed at once, byte by byte. So the time is bounded by the
//! program's length for each byte of the text, whatever the expression; and where a match begins and ends is not known.
//! A back-reference would need that, and is refused.

use crate::error::{Error, Kind, Result};
use std::mem::{replace, swap, take};

/// The most instructions of a program, and groups inside each other.
const LONGEST: usize = 1 << 14;
const DEEPEST: usize = 100;
/// The most that an interval may ask for: RE_DUP_MAX.
const MOST: usize = 0x7fff;

/// The bytes that match.
type Set = [u64; 4];

#[derive(Clone, Copy)]
enum Instruction {
    /// A byte of the set with this number.
    Byte(usize),
    /// A place whose two sides are in `Sides`.
    Place(Sides),
    /// Goes on behind it and, in a second thread, this far from it.
    Fork(isize),
    Jump(isize),
}

/// Nine bits for what may be before a place and after it: the text's edge, a byte of a word, or another one.
type Sides = u16;

const EDGE_BEFORE: Sides = 0b000_000_111;
const EDGE_AFTER: Sides = 0b001_001_001;
const WORD_BEGINS: Sides = 0b000_100_100;
const WORD_ENDS: Sides = 0b011_000_000;
const WORD_GOES_ON: Sides = 0b111_111_111 & !(WORD_BEGINS | WORD_ENDS);

fn side(byte: Option<&u8>) -> Sides {
    byte.map_or(0, |byte| if is_of_word(byte) { 2 } else { 1 })
}

fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Vertical tab is none for Rust.
fn is_space(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0x0b
}

fn is_printed(byte: &u8) -> bool {
    byte.is_ascii_graphic() || *byte == b' '
}

type Class = (&'static str, fn(&u8) -> bool);

/// The classes of the C locale by their names in brackets.
const CLASSES: &[Class] = &[
    ("alnum", u8::is_ascii_alphanumeric),
    ("alpha", u8::is_ascii_alphabetic),
    ("blank", |byte| matches!(byte, b' ' | b'\t')),
    ("cntrl", u8::is_ascii_control),
    ("digit", u8::is_ascii_digit),
    ("graph", u8::is_ascii_graphic),
    ("lower", u8::is_ascii_lowercase),
    ("print", is_printed),
    ("punct", u8::is_ascii_punctuation),
    ("space", is_space),
    ("upper", u8::is_ascii_uppercase),
    ("xdigit", u8::is_ascii_hexdigit),
];

fn add(set: &mut Set, bytes: impl IntoIterator<Item = u8>) {
    for byte in bytes {
        set[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
}

fn add_class(set: &mut Set, class: fn(&u8) -> bool) {
    add(set, (0..=u8::MAX).filter(class));
}

pub struct Regex {
    program: Vec<Instruction>,
    sets: Vec<Set>,
}

impl Regex {
    pub fn new(expression: &str) -> Result<Regex> {
        let regex = Regex { program: Vec::new(), sets: Vec::new() };
        let mut reading = Reading { regex, rest: expression.as_bytes(), depth: 0 };
        match reading.alternatives() {
            Ok(()) => Ok(reading.regex),
            Err(reason) => Err(Error::new(reason)
                .kind(Kind::Argument)
                .field("--regex")
                .value(expression)
                .remedy("write a POSIX extended regular expression: see regex(7)")),
        }
    }

    /// Whether the expression is found anywhere in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        let text = text.as_bytes();
        // The place for which an instruction was reached last, counted from 1.
        let mut reached = vec![0; self.program.len() + 1];
        let (mut threads, mut further) = (vec![0], Vec::new());
        for place in 0..=text.len() {
            let before = place.checked_sub(1).and_then(|before| text.get(before));
            let sides = 1 << (side(before) * 3 + side(text.get(place)));
            while let Some(at) = threads.pop() {
                if replace(&mut reached[at], place + 1) == place + 1 {
                    continue;
                }
                match self.program.get(at) {
                    None => return true,
                    Some(Instruction::Byte(set)) => {
                        let set = &self.sets[*set];
                        if text.get(place).is_some_and(|b| set[usize::from(b >> 6)] >> (b & 63) & 1 == 1) {
                            further.push(at + 1);
                        }
                    }
                    Some(Instruction::Place(wanted)) => {
                        if wanted & sides != 0 {
                            threads.push(at + 1);
                        }
                    }
                    Some(Instruction::Fork(far)) => threads.extend([at + 1, at.wrapping_add_signed(*far)]),
                    Some(Instruction::Jump(far)) => threads.push(at.wrapping_add_signed(*far)),
                }
            }
            // A match may begin at every place.
            further.push(0);
            swap(&mut threads, &mut further);
        }
        false
    }
}

struct Reading<'a> {
    regex: Regex,
    rest: &'a [u8],
    /// How many groups are open.
    depth: usize,
}

type Read<T> = std::result::Result<T, &'static str>;

impl Reading<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn next_is(&mut self, text: &[u8]) -> bool {
        self.rest.strip_prefix(text).map(|rest| self.rest = rest).is_some()
    }

    fn push(&mut self, instruction: Instruction) -> Read<()> {
        self.regex.program.push(instruction);
        if self.regex.program.len() > LONGEST { Err("it is too large") } else { Ok(()) }
    }

    fn alternatives(&mut self) -> Read<()> {
        let start = self.regex.program.len();
        self.branch()?;
        while self.next_is(b"|") {
            let jump = self.regex.program.len() + 1;
            self.regex.program.insert(start, Instruction::Fork((jump + 1 - start) as isize));
            self.push(Instruction::Jump(0))?;
            self.branch()?;
            self.regex.program[jump] = Instruction::Jump((self.regex.program.len() - jump) as isize);
        }
        Ok(())
    }

    fn branch(&mut self) -> Read<()> {
        while let Some(byte) = self.rest.first() {
            if *byte == b'|' || *byte == b')' && self.depth > 0 {
                break;
            }
            self.piece()?;
        }
        Ok(())
    }

    /// What can be repeated, with what repeats it; or a place, which cannot.
    fn piece(&mut self) -> Read<()> {
        let start = self.regex.program.len();
        let mut set = [0; 4];
        match self.next().unwrap_or_default() {
            b'(' => return self.group().and_then(|()| self.repetitions(start)),
            b'[' => self.bracket(&mut set)?,
            b'.' => set = [u64::MAX; 4],
            b'^' => return self.push(Instruction::Place(EDGE_BEFORE)),
            b'$' => return self.push(Instruction::Place(EDGE_AFTER)),
            b'*' | b'+' | b'?' | b'{' => return Err("there is nothing to repeat before *, +, ? or {"),
            b'\\' => match self.next().ok_or("a backslash is its last character")? {
                b'1'..=b'9' => return Err("back-references are not supported"),
                b'`' => return self.push(Instruction::Place(EDGE_BEFORE)),
                b'\'' => return self.push(Instruction::Place(EDGE_AFTER)),
                b'<' => return self.push(Instruction::Place(WORD_BEGINS)),
                b'>' => return self.push(Instruction::Place(WORD_ENDS)),
                b'b' => return self.push(Instruction::Place(WORD_BEGINS | WORD_ENDS)),
                b'B' => return self.push(Instruction::Place(WORD_GOES_ON)),
                b'w' => add_class(&mut set, is_of_word),
                b'W' => add_class(&mut set, |byte| !is_of_word(byte)),
                b's' => add_class(&mut set, is_space),
                b'S' => add_class(&mut set, |byte| !is_space(byte)),
                byte => add(&mut set, [byte]),
            },
            byte => add(&mut set, [byte]),
        }
        self.regex.sets.push(set);
        self.push(Instruction::Byte(self.regex.sets.len() - 1))?;
        self.repetitions(start)
    }

    fn group(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("its groups are nested too deeply");
        }
        self.alternatives()?;
        self.depth -= 1;
        if self.next_is(b")") { Ok(()) } else { Err("unmatched (") }
    }

    fn repetitions(&mut self, start: usize) -> Read<()> {
        loop {
            let (least, most) = match self.rest.first() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    self.next();
                    let interval = self.interval()?;
                    self.repeat(start, interval)?;
                    continue;
                }
                _ => return Ok(()),
            };
            self.next();
            self.repeat(start, (least, most))?;
        }
    }

    /// From behind its brace.
    fn interval(&mut self) -> Read<(usize, Option<usize>)> {
        let least = self.number();
        let (least, most) = match (least, self.next_is(b",")) {
            (None, false) => return Err("{ needs a number"),
            (least, false) => (least, least),
            (least, true) => (least, self.number()),
        };
        let least = least.unwrap_or(0);
        if !self.next_is(b"}") {
            return Err("unmatched {");
        }
        match most.unwrap_or(least) {
            most if most < least => Err("an interval ends before it begins"),
            most if most > MOST => Err("it is too large"),
            _ => Ok((least, most)),
        }
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            number = Some((number.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(MOST + 1));
            self.next();
        }
        number
    }

    /// Repeats what was read since `start`. All ways are relative, so a copy needs no change.
    fn repeat(&mut self, start: usize, (least, most): (usize, Option<usize>)) -> Read<()> {
        let piece = self.regex.program.split_off(start);
        let length = piece.len();
        if start + (length + 1) * (most.unwrap_or(least) + 1) > LONGEST {
            return Err("it is too large");
        }
        if length == 0 {
            return Ok(());
        }
        let (far, program) = (length as isize, &mut self.regex.program);
        for _ in 0..least {
            program.extend_from_slice(&piece);
        }
        match most {
            None if least > 0 => program.push(Instruction::Fork(-far)),
            None => {
                program.push(Instruction::Fork(far + 2));
                program.extend_from_slice(&piece);
                program.push(Instruction::Jump(-far - 1));
            }
            Some(most) => {
                for _ in least..most {
                    program.push(Instruction::Fork(far + 1));
                    program.extend_from_slice(&piece);
                }
            }
        }
        Ok(())
    }

    /// From behind its `[`. A `]` that is its first stands for itself, and so does a hyphen that is its first or its last.
    fn bracket(&mut self, set: &mut Set) -> Read<()> {
        let is_negated = self.next_is(b"^");
        let mut is_first = true;
        while is_first || !self.next_is(b"]") {
            let from = self.element(set, take(&mut is_first))?;
            let is_range = self.rest.starts_with(b"-") && !self.rest.starts_with(b"-]");
            match from {
                Some(from) if is_range => {
                    self.next();
                    let to = self.element(set, true)?.filter(|to| from <= *to);
                    add(set, from..=to.ok_or("a range in brackets ends before it begins, or is none")?);
                }
                Some(byte) => add(set, [byte]),
                None => {}
            }
        }
        if is_negated {
            *set = set.map(|bits| !bits);
        }
        Ok(())
    }

    /// A byte in brackets, which may begin a range; or a class, which is added.
    fn element(&mut self, set: &mut Set, may_be_hyphen: bool) -> Read<Option<u8>> {
        const OPEN: &str = "unmatched [";
        let kind = match (self.next().ok_or(OPEN)?, self.rest.first()) {
            (b'[', Some(kind @ (b'.' | b'=' | b':'))) => *kind,
            (b'-', next) if !may_be_hyphen && next != Some(&b']') => {
                return Err("a hyphen in brackets is neither first nor last, nor does it make a range");
            }
            (byte, _) => return Ok(Some(byte)),
        };
        self.next();
        let length = self.rest.windows(2).position(|end| end == [kind, b']']).ok_or(OPEN)?;
        let (name, rest) = self.rest.split_at(length);
        self.rest = &rest[2..];
        match (kind, name) {
            (b':', name) => {
                let class = CLASSES.iter().find(|(known, _)| known.as_bytes() == name);
                add_class(set, class.ok_or("a class that is none, as [:alpha:] is one")?.1);
                Ok(None)
            }
            (b'=', [byte]) => {
                add(set, [*byte]);
                Ok(None)
            }
            (_, [byte]) => Ok(Some(*byte)),
            _ => Err("[. .] and [= =] are for one character"),
        }
    }
}
