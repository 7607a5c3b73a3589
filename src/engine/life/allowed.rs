//! Annotations that reach the host: whether they may.
//!
//! Engines copy an image's annotations into the config, so the image's author wrote them: a path to append to or a
//! socket to connect to, as root. Each is done only if the caller names it (`--allow-annotation`), or the administrator's
//! list, one name a line (`host::lists`). The others are ignored, with a warning. What was allowed at create is in the
//! record, and holds for start, exec and delete.

use crate::engine::{CgroupManager, Engine};
use crate::error::{Error, Result};
use crate::host::{self, Facts, lists};
use crate::spec::annotations::{self, KEEP_GROUPS, LIST};
use crate::spec::{Spec, load};
use crate::state::{Entry, Record};

impl Engine {
    /// Of the config's annotations that reach the host, those that may. Without any the list is not read.
    pub(in crate::engine) fn allowed_annotations(&self, spec: &Spec) -> Result<Vec<String>> {
        let mut there: Vec<&str> = present(spec).collect();
        if self.cgroup_manager == CgroupManager::Systemd {
            there.extend(annotations::unit_properties(&spec.annotations).map(|(name, ..)| name));
        }
        if there.is_empty() {
            return Ok(Vec::new());
        }
        let list = lists::read(LIST)?.unwrap_or_default();
        let may = |name: &&str| self.allowed_annotations.iter().chain(&list).any(|allowed| allowed == name);
        Ok(there.into_iter().filter(may).map(str::to_owned).collect())
    }

    /// Amends the config that a container was made from as it was then.
    pub(in crate::engine) fn amend_again(
        &self,
        spec: &mut Spec,
        entry: &Entry,
        record: &Record,
    ) -> Result<()> {
        let mut amendments = record.amendments.clone();
        if amendments.allowed_annotations.is_none() {
            amendments.allowed_annotations = Some(self.allowed_annotations(spec)?);
        }
        spec.amend(amendments, entry.path())
    }

    /// The config that a container was made from, with what the caller of `create` has added.
    pub(in crate::engine) fn spec_again<'c>(
        &self,
        config: &'c [u8],
        entry: &Entry,
        record: &Record,
    ) -> Result<Spec<'c>> {
        let mut spec: Spec = load::parse("config.json", config)?;
        self.amend_again(&mut spec, entry, record)?;
        Ok(spec)
    }

    pub(in crate::engine) fn tell_ignored(&self, spec: &Spec) -> Result<()> {
        for name in present(spec).filter(|name| annotations::allowed(spec, name).is_none()) {
            if name == KEEP_GROUPS && keeps_groups(spec, &host::probe()?) {
                continue;
            }
            let warning = Error::new("is ignored: it reaches the host, and an image may have brought it");
            self.warn(warning.field(annotations::pointer(name)).remedy(annotations::how_to_allow(name)));
        }
        Ok(())
    }
}

fn present<'s>(spec: &'s Spec) -> impl Iterator<Item = &'static str> + use<'s> {
    annotations::reaching().filter(|name| annotations::find(&spec.annotations, name).is_some())
}

/// The caller's groups stay. They are no more than an ordinary user's own, and in a user namespace no more than its
/// owner's (podman's `--group-add keep-groups` is this annotation); those of the host's root are another matter.
pub fn keeps_groups(spec: &Spec, facts: &Facts) -> bool {
    let hosts_root = facts.administrator && !facts.in_user_namespace;
    match annotations::find(&spec.annotations, KEEP_GROUPS) {
        Some(_) => !hosts_root || annotations::allowed(spec, KEEP_GROUPS).is_some(),
        None => false,
    }
}
