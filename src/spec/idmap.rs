//! Mappings of ids, and crun's `idmap=uids=A-B-N#…;gids=…`: owners of a bind mount, in its options instead of `uidMappings`.
//!
//! A is the first id on the file system, B what it is on the host, N how many. With `@` before a triple B is an id
//! of the container's user namespace.

use super::fields::objects;
use crate::error::{Error, Kind, Result};

objects! {
    /// A range of ids of a user namespace.
    #[derive(Copy, PartialEq, Eq)]
    pub struct IdMapping {
        #[serde(rename = "containerID")]
        pub container_id: u32,
        #[serde(rename = "hostID")]
        pub host_id: u32,
        pub size: u32,
    }
}

/// The host's number of an id of the container.
pub fn outside(maps: &[IdMapping], id: u32) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.container_id).filter(|offset| *offset < map.size)?;
        map.host_id.checked_add(offset)
    })
}

/// The ranges that an option names; none at all is the container's own mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionMap {
    pub uids: Vec<OptionRange>,
    pub gids: Vec<OptionRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRange {
    range: IdMapping,
    /// `host_id` is the container's.
    relative: bool,
}

/// The text behind `idmap=` or `ridmap=`.
pub fn parse(text: &str) -> Result<OptionMap> {
    let mut map = OptionMap::default();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (list, ranges) = match part.split_once('=') {
            Some(("uids", ranges)) => (&mut map.uids, ranges),
            Some(("gids", ranges)) => (&mut map.gids, ranges),
            _ => return Err(wrong("names something other than uids and gids")),
        };
        for range in ranges.split('#') {
            list.push(parse_range(range)?);
        }
    }
    if map.uids.is_empty() != map.gids.is_empty() {
        return Err(wrong("must give both uids and gids"));
    }
    Ok(map)
}

fn wrong(reason: &'static str) -> Error {
    Error::new(reason)
        .kind(Kind::Config)
        .remedy("write idmap=uids=0-1000-10#10-2000-5;gids=0-1000-10: first id on disk, first id on the host, number of ids")
}

fn parse_range(text: &str) -> Result<OptionRange> {
    let plain = text.strip_prefix('@');
    let numbers: Vec<Option<u32>> =
        plain.unwrap_or(text).split('-').map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [Some(container_id), Some(host_id), Some(size)] => {
            Ok(OptionRange { range: IdMapping { container_id, host_id, size }, relative: plain.is_some() })
        }
        _ => Err(wrong("has a range that is not three numbers")),
    }
}

/// The ranges as the kernel takes them; `own` is the mapping of the container's user namespace.
pub fn resolve(ranges: &[OptionRange], own: &[IdMapping]) -> Result<Vec<IdMapping>> {
    ranges.iter().map(|range| absolute(range, own)).collect()
}

fn absolute(&OptionRange { range, relative }: &OptionRange, own: &[IdMapping]) -> Result<IdMapping> {
    if !relative {
        return Ok(range);
    }
    let first = range.host_id;
    let within = own.iter().find_map(|part| {
        let offset = first.checked_sub(part.container_id).filter(|offset| *offset < part.size)?;
        let fits = u64::from(offset) + u64::from(range.size) <= u64::from(part.size);
        part.host_id.checked_add(offset).filter(|_| fits)
    });
    let host_id = within.ok_or_else(|| {
        Error::new("has a range that no single mapping of the container's user namespace covers")
            .kind(Kind::Config)
            .remedy("split the range where linux.uidMappings and linux.gidMappings are split")
    })?;
    Ok(IdMapping { host_id, ..range })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn ranges_are_read_and_relative_ones_are_moved() {
        let own = [range(0, 5000, 100), range(100, 7000, 100)];
        let map = parse("uids=0-10-5#@5-20-5;gids=@0-150-50").unwrap();
        assert_eq!(resolve(&map.uids, &own).unwrap(), [range(0, 10, 5), range(5, 5020, 5)]);
        assert_eq!(resolve(&map.gids, &own).unwrap(), [range(0, 7050, 50)]);
        assert_eq!(parse("").unwrap(), OptionMap::default());
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for text in ["uids=0-1-2", "gids=0-1-2", "x=0-1-2;gids=0-1-2", "uids=0:1:2;gids=0-1-2"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in
            ["uids=0-1;gids=0-1-2", "uids=0-1-2-3;gids=0-1-2", "uids=a-1-2;gids=0-1-2", "uids=0-1--2;gids="]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_relative_range_may_not_leave_its_mapping() {
        let own = [range(0, 5000, 100), range(100, 7000, 100)];
        for text in ["uids=@0-95-10;gids=0-0-1", "uids=@0-200-1;gids=0-0-1"] {
            assert!(resolve(&parse(text).unwrap().uids, &own).is_err(), "{text}");
        }
        assert!(resolve(&parse("uids=@0-0-1;gids=0-0-1").unwrap().uids, &[]).is_err());
    }
}
