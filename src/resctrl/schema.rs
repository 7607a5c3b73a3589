//! Lines of a `schemata` file: what is written and in which order, and whether a group has what a config says. Pure.

use crate::error::{Error, Kind, Result};
use crate::spec::IntelRdt;

/// One write to `schemata`, and the field that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub field: &'static str,
    /// Lines, each with its newline: the kernel wants one at the end.
    pub text: String,
}

/// The cache first, then the bandwidth, and the whole schemata last, which so count where they name the same resource.
/// The kernel refuses a resource that is given twice in one write, hence one write a field.
pub fn writes(rdt: &IntelRdt) -> Vec<Write> {
    let lines = |text: &str| {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .fold(String::new(), |text, line| text + line + "\n")
    };
    let schemata: String = rdt.schemata.iter().flatten().map(|line| lines(line)).collect();
    [
        ("/linux/intelRdt/l3CacheSchema", lines(rdt.l3_cache_schema.as_deref().unwrap_or_default())),
        ("/linux/intelRdt/memBwSchema", lines(rdt.mem_bw_schema.as_deref().unwrap_or_default())),
        ("/linux/intelRdt/schemata", schemata),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(field, text)| Write { field, text })
    .collect()
}

/// `L3:0=7f0;1=1f` as resource and shares; a share is a domain and what it gets.
fn parse(line: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let (resource, shares) = line.split_once(':')?;
    let shares = shares.split(';').map(|share| share.split_once('='));
    let trimmed = shares.map(|share| share.map(|(domain, share)| (domain.trim(), share.trim())));
    Some((resource.trim(), trimmed.collect::<Option<_>>()?))
}

/// Each line is for a resource that this machine allocates: one that the default group's `schemata` has.
pub fn check_resources(writes: &[Write], default: &str) -> Result<()> {
    let known: Vec<&str> = default.lines().filter_map(parse).map(|(resource, _)| resource).collect();
    for write in writes {
        for line in write.text.lines() {
            let resource = line.split(':').next().unwrap_or_default().trim();
            if !known.contains(&resource) {
                let has = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(Error::new(format!("this machine does not allocate {resource:?}"))
                    .kind(Kind::Unsupported)
                    .field(write.field)
                    .value(line)
                    .remedy(format!(
                        "it allocates {has}; mount options of resctrl such as cdp change that"
                    )));
            }
        }
    }
    Ok(())
}

/// An existing group must match the config (config-linux.md), because others use it too.
pub fn check_match(writes: &[Write], group: &str, found: &str) -> Result<()> {
    for write in writes {
        for line in write.text.lines() {
            let (resource, shares) = parse(line).unwrap_or_default();
            let theirs = found.lines().filter_map(parse).find(|(known, _)| *known == resource);
            let theirs = theirs.map(|(_, shares)| shares).unwrap_or_default();
            let same = |(domain, share): &(&str, &str)| {
                theirs.iter().any(|(d, s)| plain(d) == plain(domain) && plain(s) == plain(share))
            };
            if shares.is_empty() || !shares.iter().all(same) {
                let found =
                    found.lines().map(str::trim).find(|line| line.starts_with(&format!("{resource}:")));
                let has = found.unwrap_or("no such line");
                return Err(Error::new(format!("the group {group:?} exists and has {has}"))
                    .kind(Kind::Config)
                    .field(write.field)
                    .value(line)
                    .remedy("use another closID, or the schema that the group has"));
            }
        }
    }
    Ok(())
}

/// A number as the kernel compares it: bit masks are printed with leading zeros.
fn plain(number: &str) -> String {
    let digits = number.trim_start_matches("0x").trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdt(l3: &'static str, mb: &'static str, schemata: &[&'static str]) -> IntelRdt<'static> {
        IntelRdt {
            l3_cache_schema: Some(l3.into()),
            mem_bw_schema: Some(mb.into()),
            schemata: Some(schemata.iter().map(|&line| line.into()).collect()),
            ..IntelRdt::default()
        }
    }

    fn texts(rdt: &IntelRdt) -> Vec<String> {
        writes(rdt).into_iter().map(|write| write.text).collect()
    }

    #[test]
    fn the_cache_is_written_first_the_bandwidth_then_and_the_schemata_last() {
        let all = rdt("L3:0=f", "MB:0=20", &["L3:0=ff", "MB:0=30"]);
        assert_eq!(texts(&all), ["L3:0=f\n", "MB:0=20\n", "L3:0=ff\nMB:0=30\n"]);
        assert_eq!(texts(&rdt("", "MB:0=20", &[])), ["MB:0=20\n"]);
        assert_eq!(texts(&rdt("", "", &[])), [""; 0]);
        assert_eq!(texts(&rdt("L3:0=f\nMB:0=10\n", "", &[""])), ["L3:0=f\nMB:0=10\n"]);
    }

    const DEFAULT: &str = "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n";

    #[test]
    fn a_resource_that_the_machine_lacks_is_refused_by_its_field() {
        let has = |rdt: &IntelRdt| check_resources(&writes(rdt), DEFAULT);
        assert!(has(&rdt("L3:0=f", "MB:0=20", &["L3:1=1"])).is_ok());
        let error = has(&rdt("", "", &["L3:0=f", "L2:0=f"])).unwrap_err().to_string();
        assert!(error.contains("/linux/intelRdt/schemata") && error.contains("\"L2\""), "{error}");
        assert!(error.contains("MB, L3"), "{error}");
        assert!(check_resources(&writes(&rdt("L3:0=f", "", &[])), "").is_err());
        assert!(has(&rdt("nonsense", "", &[])).is_err());
    }

    #[test]
    fn a_group_matches_by_the_meaning_of_its_numbers() {
        let matches =
            |rdt: &IntelRdt| check_match(&writes(rdt), "gold", "    MB:0= 20;1= 70\n    L3:0=0f0;1=01F\n");
        assert!(matches(&rdt("L3:0=f0;1=1f", "MB:1=70", &["L3:0=0xf0"])).is_ok());
        for other in [
            rdt("L3:0=f1", "", &[]),
            rdt("L3:2=f0", "", &[]),
            rdt("", "MB:0=200", &[]),
            rdt("", "", &["L2:0=1"]),
        ] {
            let error = matches(&other).unwrap_err().to_string();
            assert!(error.contains("/linux/intelRdt/") && error.contains("gold"), "{error}");
        }
        assert!(matches(&rdt("L3:", "", &[])).is_err());
        assert!(matches(&rdt("L3", "", &[])).is_err());
    }
}
