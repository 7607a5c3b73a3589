//! `--version`.

/// The specification that this program follows.
pub const SPECIFICATION: &str = "1.3.0";

/// Engines read the first line and the `commit:` and `spec:` lines.
pub fn text(name: &str) -> String {
    format!(
        "{name} version {}\ncommit: {}\nspec: {SPECIFICATION}\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("RRUNTIME_COMMIT").unwrap_or("unknown")
    )
}
