//! What is asked for, and what decides how a file has to say it.

pub struct Wish {
    pub path: String,
    pub keep_default: bool,
    /// The directory of an ordinary user's own configuration.
    pub own: Option<String>,
    /// containerd finds our shim beside rruntime.
    pub has_shim: bool,
    pub of_containerd_2: bool,
}

impl Wish {
    /// Where the configuration is: the user's, or the machine's.
    pub fn base(&self) -> &str {
        self.own.as_deref().unwrap_or("/etc")
    }
}
