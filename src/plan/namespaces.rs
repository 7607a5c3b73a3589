//! Which namespaces are new, which are joined, and the order in which that works.
//!
//! Usually the child is cloned straight into its new namespaces. Two cases need a first process that joins and
//! then spawns the real one: a pid namespace to join (it is entered by children only), and namespaces to join
//! together with a new user namespace (joining needs the rights that the new one takes away).

use super::opens::{Open, Opens};
use super::script::{Field, Script};
use crate::names::namespace;
use crate::names::namespaces::{CGROUP, MOUNT, PID, TIME, USER};
use crate::spec::Spec;
use crate::spec::text::given;
use crate::wire::{Handle, Step};
use std::borrow::Cow;

/// A namespace to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    pub handle: Handle,
    pub flag: u64,
    pub field: Field,
}

impl Join {
    /// For an ordinary user the user namespace gives the rights to join the others; from who has them already it takes them,
    /// for namespaces that do not belong to it. The mount namespace takes the host's paths away.
    const fn turn(&self, privileged: bool) -> u32 {
        match self.flag {
            USER if privileged => 2,
            USER => 0,
            MOUNT => 3,
            _ => 1,
        }
    }
}

#[derive(Debug, Default)]
pub struct Namespaces {
    /// `CLONE_NEW…` of those without a path.
    pub new: u64,
    /// Those with a path, in the order of joining.
    pub join: Vec<Join>,
    /// The real process is born in a scope, into which systemd moves the one that makes it.
    pub born_into_scope: bool,
    /// The mount namespace is made by `Unshare`, of another one than the caller's.
    pub from_small_table: bool,
}

impl Namespaces {
    pub fn of<'a>(spec: &'a Spec<'a>, privileged: bool, opens: &mut Opens<'a>) -> Namespaces {
        let mut found = Namespaces::default();
        for (i, wanted) in spec.linux().namespaces.iter().enumerate() {
            // Validation has refused unknown kinds.
            let Some(known) = namespace(&wanted.kind) else { continue };
            match given(&wanted.path) {
                None => found.new |= known.flag,
                Some(path) => {
                    let field = Field::Namespace(i);
                    let open = Open::Namespace { path: Cow::Borrowed(path), flag: known.flag, field };
                    let join = Join { handle: opens.add(open), flag: known.flag, field };
                    let turn = join.turn(privileged);
                    let place = found.join.partition_point(|other| other.turn(privileged) <= turn);
                    found.join.insert(place, join);
                }
            }
        }
        found
    }

    pub fn joined(&self) -> u64 {
        self.join.iter().fold(0, |flags, join| flags | join.flag)
    }

    /// The handle of the namespace of this kind that is joined.
    pub fn joined_handle(&self, flag: u64) -> Handle {
        self.join.iter().find(|join| join.flag == flag).map_or(Handle::NONE, |join| join.handle)
    }

    /// New or joined.
    pub fn has(&self, flag: u64) -> bool {
        (self.new | self.joined()) & flag != 0
    }

    /// A first process has to join, or to be moved, before the real one can be made.
    pub fn staged(&self) -> bool {
        self.born_into_scope
            || self.joined() & (USER | PID) != 0
            || (self.new & USER != 0 && !self.join.is_empty())
    }

    /// What the real process is cloned with. A cgroup namespace is made later: it shows the cgroup that its
    /// maker is in, and at the clone that is still the parent's. So is a time namespace: its offsets can be
    /// set only while no process is in it.
    pub fn at_clone(&self) -> u64 {
        self.new & !(CGROUP | TIME | if self.from_small_table { MOUNT } else { 0 })
    }

    pub fn push_joins(&self, script: &mut Script) {
        for join in &self.join {
            script.push(join.field, Step::Join { namespace: join.handle, flags: join.flag });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::namespaces::NETWORK;
    use crate::spec::{Linux, Namespace};

    fn of(namespaces: &[(&'static str, &'static str)]) -> Namespaces {
        as_user(namespaces, false)
    }

    fn as_user(namespaces: &[(&'static str, &'static str)], privileged: bool) -> Namespaces {
        let namespaces = namespaces
            .iter()
            .map(|(kind, path)| Namespace { kind: (*kind).into(), path: Some((*path).into()) })
            .collect();
        let spec = Spec { linux: Some(Linux { namespaces, ..Linux::default() }), ..Spec::default() };
        Namespaces::of(&spec, privileged, &mut Opens::default())
    }

    #[test]
    fn a_namespace_without_a_path_is_new_and_one_with_a_path_is_joined() {
        let found = of(&[("pid", ""), ("network", "/run/netns/a")]);
        assert_eq!((found.new, found.joined()), (PID, NETWORK));
        assert!(!found.staged());
    }

    #[test]
    fn joining_a_pid_or_user_namespace_takes_a_first_process() {
        assert!(of(&[("pid", "/proc/1/ns/pid")]).staged());
        assert!(of(&[("user", "/proc/1/ns/user")]).staged());
        assert!(of(&[("user", ""), ("network", "/run/netns/a")]).staged());
        assert!(!of(&[("user", ""), ("network", "")]).staged());
    }

    #[test]
    fn the_user_namespace_is_joined_when_it_gives_rights_and_not_before_it_takes_them() {
        for (privileged, expected) in [(false, [USER, NETWORK, MOUNT]), (true, [NETWORK, USER, MOUNT])] {
            let found = as_user(&[("mount", "/a"), ("user", "/c"), ("network", "/b")], privileged);
            assert_eq!(found.join.iter().map(|join| join.flag).collect::<Vec<_>>(), expected);
        }
    }
}
