//! `--version`.

use super::face::Manner;
use super::session::Session;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Known to builds from a checkout only.
pub const COMMIT: &str = match option_env!("RRUNTIME_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What crun's users look for in its last line, as far as rruntime has it.
const CRUN_FEATURES: &str = "+SELINUX +APPARMOR +CAP +SECCOMP +EBPF";

/// The specification that this program follows.
pub use crate::spec::template::OCI_VERSION as SPECIFICATION;

/// Engines read the first line and the `commit:` and `spec:` lines. Under a borrowed name one line says who it
/// really is.
pub fn text(session: &Session) -> String {
    let face = session.face;
    let mut text = lines(face.name);
    if !face.is_own() {
        text.push_str(&format!("rruntime: {VERSION}\n"));
    }
    if face.manner == Manner::Crun {
        text.push_str(&format!("rundir: {}\n{CRUN_FEATURES}\n", session.root_path().display()));
    }
    text
}

pub fn lines(name: &str) -> String {
    format!("{name} version {VERSION}\ncommit: {COMMIT}\nspec: {SPECIFICATION}\n")
}
