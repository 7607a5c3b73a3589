//! A mount namespace that is a copy of a small one, in place of the host's (`host::small_table`).
//!
//! What a container's tree is made of is copied or made in the host's namespace by the engine, and init attaches it by its
//! descriptor, in whichever namespace. So the host's tree is of no use to init, which joins the small namespace and copies
//! that one; the host's mounts are at no time in the container's table, and none is kept busy. What comes of the two ways
//! is the same table: the root's parent is out of reach in both.
//!
//! That holds for a plan whose steps, up to the point where the old tree is gone, are known to look up nothing in it.
//! Hooks that run inside before that, a container with a user namespace (which copies the host's trees in a table of its
//! own, where the kernel locks their flags), file systems whose options are paths (overlay), `--no-pivot` and tmpcopyup are
//! not among them.

use super::KERNEL_FILESYSTEMS;
use crate::plan::script::Script;
use crate::wire::{Handle, Step};

/// Whether these steps build a tree, and leave the one that is there, without a look at that.
pub fn suffices(tree: &Script) -> bool {
    tree.steps().all(|(step, _)| is_apart(&step))
}

/// A new kind of step is not among them until it is looked at.
fn is_apart(step: &Step) -> bool {
    match step {
        Step::Root(root) => root.path.is_empty() && root.attach == c"/",
        Step::Filesystem(new) => {
            let kind = new.kind.to_str();
            !new.copy_up && kind.is_ok_and(|kind| KERNEL_FILESYSTEMS.contains(&kind))
        }
        // A detached tree as it is, or a path of the container.
        Step::Bind(bind) => bind.source.is_empty() || bind.tree == Handle::NONE,
        Step::HostPropagation { .. } | Step::RootAttributes { .. } | Step::Remount(_) | Step::Pivot {} => {
            true
        }
        Step::Device(_) | Step::Symlink { .. } | Step::Console { .. } | Step::OpenProc {} => true,
        Step::Mask { .. } | Step::Readonly { .. } | Step::OpenNull {} => true,
        _ => false,
    }
}
