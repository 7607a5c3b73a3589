//! `--version`.

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Known to builds from a checkout only.
pub const COMMIT: &str = match option_env!("RRUNTIME_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// The specification that this program follows.
pub use crate::spec::template::OCI_VERSION as SPECIFICATION;

/// Engines read the first line and the `commit:` and `spec:` lines.
pub fn text(name: &str) -> String {
    format!("{name} version {VERSION}\ncommit: {COMMIT}\nspec: {SPECIFICATION}\n")
}
