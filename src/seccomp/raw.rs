//! A filter that the config brings as a finished program: `struct sock_filter` entries in base64.
//!
//! The kernel has the last word on a program. What it would refuse with a bare EINVAL at the last step is refused here
//! before anything is made, as far as form goes: length, jumps that leave the program, an end without a return.

use super::Filter;
use super::assembler::{Instruction, LONGEST, code};
use crate::error::{Error, Kind, Result};

/// Where the program is in config.json.
const FIELD: &str = "/annotations/run.oci.seccomp_bpf_data";
const ENTRY: usize = 8;
const CLASS: u16 = 0x07;
const JUMP_CLASS: u16 = 0x05;
const RETURN_CLASS: u16 = 0x06;

/// Errors: text that is not base64, a length that is no program's, a program that leaves itself, or that asks for an
/// agent.
pub fn filter(text: &str) -> Result<Filter> {
    let refused = |reason: String| {
        Error::new(reason).kind(Kind::Config).field(FIELD).remedy(
            "write the array of struct sock_filter that seccomp(2) accepts, in this machine's byte order, as base64",
        )
    };
    let bytes = decode(text).ok_or_else(|| refused("the value is not base64".to_owned()))?;
    let program = program(&bytes).ok_or_else(|| {
        refused(format!(
            "{} bytes are not a filter, which has 1 to {LONGEST} instructions of {ENTRY} bytes each",
            bytes.len()
        ))
    })?;
    if let Some(at) = (0..program.len()).find(|&at| !stays_inside(&program, at)) {
        return Err(refused(format!("instruction {at} leads out of the program")));
    }
    let notifies = |i: &Instruction| {
        i.code == code::RETURN && i.k & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_USER_NOTIF
    };
    if program.iter().any(notifies) {
        return Err(refused("SECCOMP_RET_USER_NOTIF in a finished filter has no agent to ask".to_owned()));
    }
    Ok(Filter { program, field: FIELD, flags: 0, notify: false, warnings: Vec::new() })
}

/// The instructions of an array of `struct sock_filter`.
pub fn program(bytes: &[u8]) -> Option<Vec<Instruction>> {
    let fits = !bytes.is_empty() && bytes.len().is_multiple_of(ENTRY) && bytes.len() / ENTRY <= LONGEST;
    fits.then(|| bytes.chunks_exact(ENTRY).map(instruction).collect())
}

fn instruction(entry: &[u8]) -> Instruction {
    Instruction {
        code: u16::from_ne_bytes([entry[0], entry[1]]),
        jt: entry[2],
        jf: entry[3],
        k: u32::from_ne_bytes([entry[4], entry[5], entry[6], entry[7]]),
    }
}

/// Whatever comes after instruction `at` is an instruction.
fn stays_inside(program: &[Instruction], at: usize) -> bool {
    let Instruction { code, jt, jf, k } = program[at];
    let left = program.len() - at - 1;
    match code & CLASS {
        RETURN_CLASS => true,
        JUMP_CLASS if code == code::JUMP => (k as usize) < left,
        JUMP_CLASS => usize::from(jt.max(jf)) < left,
        _ => left > 0,
    }
}

/// RFC 4648 with or without padding; white space between is passed over.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    let text = text.trim_end().trim_end_matches('=');
    for character in text.bytes().filter(|c| !c.is_ascii_whitespace()) {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // One character alone at the end is less than a byte.
    (count < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(decode("Zm9vYg==").unwrap(), b"foob");
        assert_eq!(decode("Zm9vYg").unwrap(), b"foob");
        assert_eq!(decode("Zm9v\nYmFy").unwrap(), b"foobar");
        assert_eq!(decode(""), Some(Vec::new()));
        for bad in ["Zm9vY", "Zm9_", "Zm=v"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_program_that_leaves_itself_is_refused() {
        let allow = Instruction { code: code::RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
        let jump = |jt, jf| Instruction { code: code::EQUAL, jt, jf, k: 1 };
        assert!(stays_inside(&[jump(0, 0), allow], 0));
        assert!(!stays_inside(&[jump(0, 1), allow], 0));
        assert!(!stays_inside(&[Instruction { code: code::LOAD, jt: 0, jf: 0, k: 0 }], 0));
        assert!(!stays_inside(&[Instruction { code: code::JUMP, jt: 0, jf: 0, k: 1 }, allow], 0));
    }
}
