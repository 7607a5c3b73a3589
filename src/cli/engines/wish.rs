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
    /// Where the configuration is: the machine's, unless there is the user's or what stands for it.
    pub fn base(&self, of_machine: &str) -> String {
        let machine = if of_machine.is_empty() { "/etc" } else { of_machine };
        self.own.clone().unwrap_or_else(|| machine.to_owned())
    }
}
