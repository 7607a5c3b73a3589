//! The first bytes of a program that the kernel did not execute: what they say about the reason.

/// What `#!` or the ELF header name as the program's interpreter.
pub fn interpreter(head: &[u8]) -> Option<String> {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|&b| b == b'\n').next()?;
        let carriage = line.ends_with(b"\r");
        let line = String::from_utf8_lossy(line);
        let name = line.split_whitespace().next()?.to_owned();
        return Some(if carriage { format!("{name}\\r (the script has DOS line ends)") } else { name });
    }
    elf_interpreter(head)
}

fn elf_interpreter(head: &[u8]) -> Option<String> {
    const PT_INTERP: u32 = 3;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = head.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |n, &b| n << 8 | usize::from(b)))
    };
    let (table, entry, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for i in 0..count {
        let at = table.checked_add(i * entry)?;
        if number(at, 4)? == PT_INTERP as usize {
            let (offset, size) = (number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?);
            let name = head.get(offset..offset.checked_add(size)?)?;
            return Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned());
        }
    }
    None
}

/// Why the kernel does not know the format.
pub fn foreign(head: &[u8]) -> String {
    if !head.starts_with(b"\x7fELF") {
        return "it is no program that the kernel knows; a script needs #! in its first line".into();
    }
    let machine = head.get(18..20).map_or(0, |m| u16::from_le_bytes([m[0], m[1]]));
    let name = match machine {
        3 => "i386",
        8 => "MIPS",
        20 | 21 => "PowerPC",
        22 => "s390x",
        40 => "arm",
        62 => "x86-64",
        183 => "aarch64",
        243 => "RISC-V",
        258 => "LoongArch",
        _ => return format!("it is a program for another processor (ELF machine {machine})"),
    };
    format!("it is a program for {name}, this machine is {}", std::env::consts::ARCH)
}
