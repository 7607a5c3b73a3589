//! Lists of CPUs, or memory nodes, as a config writes them (`0-3,7`), as the bit mask that sched_setaffinity(2) and
//! set_mempolicy(2) take.

/// The most CPUs that a Linux kernel can be built for (x86-64, MAXSMP).
pub const MOST: usize = 8192;

/// The CPUs of `list`, CPU 0 in the lowest bit of the first byte; no bytes for an empty list. Spaces and empty parts
/// between commas are nothing. Errors: what is wrong with it, for a message.
pub fn mask(list: &str) -> Result<Vec<u8>, &'static str> {
    let mut mask = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err("is not a list of numbers and ranges: a range ends before it begins");
        }
        for cpu in first..=last {
            if cpu / 8 >= mask.len() {
                mask.resize(cpu / 8 + 1, 0);
            }
            mask[cpu / 8] |= 1 << (cpu % 8);
        }
    }
    Ok(mask)
}

fn number(text: &str) -> Result<usize, &'static str> {
    let text = text.trim();
    // A sign is not a digit, and parse would take it.
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("is not a list of numbers and ranges");
    }
    match text.parse() {
        Ok(cpu) if cpu < MOST => Ok(cpu),
        _ => Err("is not a list of numbers and ranges: no kernel has a number that high"),
    }
}

/// The first CPU of `mask` that `all` lacks.
pub fn missing(mask: &[u8], all: &[u8]) -> Option<usize> {
    members(mask).find(|cpu| !has(all, *cpu))
}

/// The CPUs of `mask`, from the lowest.
pub fn members(mask: &[u8]) -> impl Iterator<Item = usize> {
    (0..mask.len() * 8).filter(|cpu| has(mask, *cpu))
}

/// The other way round.
pub fn list(mask: &[u8]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for cpu in members(mask) {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let part = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    parts.into_iter().map(part).collect::<Vec<_>>().join(",")
}

fn has(mask: &[u8], cpu: usize) -> bool {
    mask.get(cpu / 8).is_some_and(|byte| byte & 1 << (cpu % 8) != 0)
}
