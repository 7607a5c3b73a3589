//! What every process of a container has from `linux`, the first and those of `exec` alike: memory policy, personality.

use super::known;
use super::script::{Field, Script};
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::spec::{Linux, MemoryPolicy, Personality, cpus};
use crate::wire::{Bytes, Step};

pub fn push(linux: &Linux, script: &mut Script) -> Result<()> {
    if let Some(policy) = &linux.memory_policy {
        let (mode, nodes) = memory_policy(policy)?;
        script.push(Field::Fixed("/linux/memoryPolicy"), Step::MemoryPolicy { mode, nodes: Bytes(&nodes) });
    }
    if let Some(personality) = &linux.personality {
        let value = personality_value(personality)?;
        script.push(Field::Fixed("/linux/personality"), Step::Personality { value });
    }
    Ok(())
}

/// The mode with its flags, and the nodes as a bit mask.
fn memory_policy(policy: &MemoryPolicy) -> Result<(u32, Vec<u8>)> {
    let mut mode = known(&names::MEMORY_POLICY_MODES, &policy.mode, || "/linux/memoryPolicy/mode".into())?;
    for (i, flag) in policy.flags.iter().enumerate() {
        mode |= known(&names::MEMORY_POLICY_FLAGS, flag, || format!("/linux/memoryPolicy/flags/{i}"))?;
    }
    let list = policy.nodes.as_deref().unwrap_or_default();
    let mut nodes = cpus::mask(list).map_err(|reason| {
        Error::new(reason).kind(Kind::Config).field("/linux/memoryPolicy/nodes").value(list)
    })?;
    // The kernel reads whole words.
    nodes.resize(nodes.len().next_multiple_of(8), 0);
    Ok((mode, nodes))
}

/// Unknown flags are left out: the specification defines none, and `validate` has warned about them.
fn personality_value(personality: &Personality) -> Result<u64> {
    let domain =
        known(&names::PERSONALITY_DOMAINS, &personality.domain, || "/linux/personality/domain".into())?;
    let flags = personality.flags.iter().filter_map(|flag| names::find(&names::PERSONALITY_FLAGS, flag));
    Ok(u64::from(flags.fold(domain, |value, flag| value | flag)))
}
