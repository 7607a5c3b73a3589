//! From "which number gets which answer" to a search tree over ranges of numbers.
//!
//! A kernel runs the filter at every system call, so its depth is what a container pays: a balanced tree over
//! some 100 ranges asks 8 questions where a list of 400 numbers asks 200.

use super::assembler::{Assembler, Jump, Label, code};

/// Numbers from `start` up to the next range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: u32,
    pub answer: Label,
}

/// The answers for all numbers: `background` (which begins at 0) with single numbers (`points`, ascending) laid
/// over it. Neighbours with the same answer become one.
pub fn overlay(background: &[Range], points: &[(u32, Label)]) -> Vec<Range> {
    let mut ranges = Vec::with_capacity(background.len() + points.len());
    let mut ahead = background.iter().peekable();
    let mut beneath = None;
    // Where the background goes on unless a point is there.
    let mut behind = None;
    for &(number, answer) in points {
        if behind != Some(number) {
            resume(&mut ranges, behind, beneath);
        }
        while let Some(range) = ahead.next_if(|range| range.start <= number) {
            add(&mut ranges, *range);
            beneath = Some(range.answer);
        }
        add(&mut ranges, Range { start: number, answer });
        behind = number.checked_add(1);
    }
    resume(&mut ranges, behind, beneath);
    ahead.for_each(|range| add(&mut ranges, *range));
    ranges
}

fn resume(ranges: &mut Vec<Range>, start: Option<u32>, answer: Option<Label>) {
    if let (Some(start), Some(answer)) = (start, answer) {
        add(ranges, Range { start, answer });
    }
}

fn add(ranges: &mut Vec<Range>, range: Range) {
    if ranges.last().is_some_and(|last| last.start == range.start) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|last| last.answer != range.answer) {
        ranges.push(range);
    }
}

/// What the tree ends in: a range, and one number in it that may have another answer.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    range: Range,
    exception: Option<(u32, Label)>,
}

/// Writes the search for the number in the accumulator. Returns where it begins.
pub fn write(assembler: &mut Assembler, ranges: &[Range]) -> Jump {
    write_tree(assembler, &leaves(ranges))
}

/// A lone number between two ranges with the same answer needs one question (is it this number?), not two.
fn leaves(ranges: &[Range]) -> Vec<Leaf> {
    let mut leaves = Vec::with_capacity(ranges.len());
    let mut rest = ranges;
    loop {
        rest = match rest {
            [before, lone, after, rest @ ..]
                if before.answer == after.answer && after.start - lone.start == 1 =>
            {
                leaves.push(Leaf { range: *before, exception: Some((lone.start, lone.answer)) });
                rest
            }
            [range, rest @ ..] => {
                leaves.push(Leaf { range: *range, exception: None });
                rest
            }
            [] => return leaves,
        }
    }
}

fn write_tree(assembler: &mut Assembler, leaves: &[Leaf]) -> Jump {
    match leaves {
        [Leaf { range, exception: None }] => Jump::Label(range.answer),
        [Leaf { range, exception: Some((number, answer)) }] => {
            assembler.branch(code::EQUAL, *number, Jump::Label(*answer), Jump::Label(range.answer))
        }
        _ => {
            let (low, high) = leaves.split_at(leaves.len() / 2);
            let border = high.first().expect("there is more than one leaf").range.start;
            let high = write_tree(assembler, high);
            let low = write_tree(assembler, low);
            assembler.branch(code::GREATER_OR_EQUAL, border, high, low)
        }
    }
}
