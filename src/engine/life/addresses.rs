//! The addresses of a network device that moves: which are kept, and what of each.

use crate::sys::Errno;
use crate::sys::netlink::{Address, NetResult, Netlink, Refused};

/// Attributes of an address (linux/if_addr.h).
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

/// The flags that were asked for; the others are the kernel's own, and it sets them again.
const ASKED: u32 = libc::IFA_F_NODAD
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

fn flags(value: &[u8]) -> u32 {
    value.try_into().map_or(0, u32::from_ne_bytes)
}

/// Permanent, and valid everywhere: what the specification wants preserved.
pub fn stays(address: &Address) -> bool {
    let flags = address.attributes.iter().find(|(kind, _)| *kind == IFA_FLAGS).map_or(0, |(_, v)| flags(v));
    flags & libc::IFA_F_PERMANENT != 0 && address.scope == libc::RT_SCOPE_UNIVERSE
}

/// Gives a device, which has the number `index` by now, its addresses again; `old` and `new` are its names.
pub fn settle(
    netlink: &mut Netlink,
    index: i32,
    addresses: &[Address],
    (old, new): (&str, &str),
) -> NetResult<()> {
    for address in addresses {
        let attributes = address.attributes.iter();
        let attributes = attributes.filter_map(|(kind, value)| carried(*kind, value, old, new));
        let address = Address { attributes: attributes.collect(), ..address.clone() };
        match netlink.add_address(index, &address) {
            // On the host the kernel, or a daemon, may have been faster.
            Ok(()) | Err(Refused { errno: Errno(libc::EEXIST), .. }) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(())
}

/// An attribute as it goes to the renamed device; a label names the device that it is on (`eth0:1`).
fn carried(kind: u16, value: &[u8], old: &str, new: &str) -> Option<(u16, Vec<u8>)> {
    const LONGEST: usize = libc::IFNAMSIZ - 1;
    match kind {
        IFA_ADDRESS | IFA_LOCAL | IFA_BROADCAST | IFA_CACHEINFO | IFA_RT_PRIORITY | IFA_PROTO => {
            Some((kind, value.to_vec()))
        }
        IFA_FLAGS => Some((kind, (flags(value) & ASKED).to_ne_bytes().to_vec())),
        IFA_LABEL => {
            let label = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
            let suffix = label.strip_prefix(old).filter(|suffix| suffix.starts_with(':'))?;
            let label = format!("{new}{suffix}");
            let fits = label.len() <= LONGEST && !new.contains('%');
            fits.then(|| (kind, label.bytes().chain([0]).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8], new: &str) -> Option<Vec<u8>> {
        carried(kind, value, "eth0", new).map(|(_, value)| value)
    }

    #[test]
    fn a_label_follows_the_name_of_its_device() {
        assert_eq!(attribute(IFA_LABEL, b"eth0:1\0", "c0"), Some(b"c0:1\0".to_vec()));
        // The kernel makes the plain label itself.
        assert_eq!(attribute(IFA_LABEL, b"eth0\0", "c0"), None);
        assert_eq!(attribute(IFA_LABEL, b"eth0:1\0", "c%d"), None);
        assert_eq!(attribute(IFA_LABEL, b"eth0:1234567\0", "fourteen-chars"), None);
    }

    #[test]
    fn flags_that_are_the_kernels_own_stay_behind() {
        let all = u32::MAX.to_ne_bytes();
        assert_eq!(attribute(IFA_FLAGS, &all, "c0"), Some(ASKED.to_ne_bytes().to_vec()));
        assert_eq!(attribute(77, &all, "c0"), None);
    }

    #[test]
    fn only_permanent_addresses_of_global_scope_are_kept() {
        let address = |flags: u32, scope: u8| Address {
            index: 1,
            family: 2,
            prefix: 24,
            scope,
            attributes: vec![(IFA_FLAGS, flags.to_ne_bytes().to_vec())],
        };
        assert!(stays(&address(libc::IFA_F_PERMANENT, 0)));
        assert!(!stays(&address(0, 0)));
        assert!(!stays(&address(libc::IFA_F_PERMANENT, libc::RT_SCOPE_LINK)));
    }
}
