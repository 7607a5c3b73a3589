//! Records for systemd's journal, by its native protocol: a datagram each, with the fields that podman looks for.

use crate::shim::conmon::logs::{About, Output};
use crate::sys::{SysResult, socket};
use std::os::fd::OwnedFd;
use std::path::Path;

const SOCKET: &str = "/run/systemd/journal/socket";
/// The short form of an id, as engines show it.
const SHORT: usize = 12;

pub fn connect() -> SysResult<OwnedFd> {
    socket::connect_datagram(Path::new(SOCKET), 0)
}

pub fn record(about: &About, output: Output, line: &[u8], ended: bool) -> Vec<u8> {
    let short = about.id.get(..SHORT).unwrap_or(&about.id);
    let priority = if output == Output::Out { "6" } else { "3" };
    let identifier = if about.tag.is_empty() { short } else { &about.tag };
    let mut fields: Vec<(&str, &str)> = vec![
        ("PRIORITY", priority),
        ("CONTAINER_ID_FULL", &about.id),
        ("CONTAINER_ID", short),
        ("SYSLOG_IDENTIFIER", identifier),
    ];
    fields.extend((!about.name.is_empty()).then_some(("CONTAINER_NAME", &*about.name)));
    fields.extend((!about.tag.is_empty()).then_some(("CONTAINER_TAG", &*about.tag)));
    fields.extend((!ended).then_some(("CONTAINER_PARTIAL_MESSAGE", "true")));
    let mut record = Vec::with_capacity(line.len() + 256);
    let all = fields.into_iter().map(|(name, value)| (name, value.as_bytes()));
    for (name, value) in all.chain([("MESSAGE", line)]) {
        record.extend_from_slice(name.as_bytes());
        // With its length, because a value may have any byte in it.
        record.push(b'\n');
        record.extend_from_slice(&(value.len() as u64).to_le_bytes());
        record.extend_from_slice(value);
        record.push(b'\n');
    }
    record
}
