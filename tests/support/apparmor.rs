//! AppArmor profiles that exist as long as a test does.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// All that a runtime needs.
pub const RUNTIME: &str = "file,\ncapability,\nnetwork,\nmount,\numount,\nremount,\npivot_root,\nsignal,\nptrace,\nunix,\n\
    userns,\nchange_profile,\n";
/// Everything but reading /etc/group; with no word of signals, which forbids all that come from outside.
pub const CONTAINER: &str = "file,\ncapability,\nnetwork,\nmount,\ndeny /etc/group r,\n";

pub struct Profile {
    pub name: String,
    rules: String,
}

impl Profile {
    /// Why there can be none here.
    pub fn impossible() -> Option<&'static str> {
        let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
        if !enabled.is_ok_and(|on| on.trim() == "Y") {
            return Some("this kernel has no AppArmor");
        }
        let parser = Command::new("apparmor_parser").arg("--version").output();
        parser.is_err().then_some("there is no apparmor_parser")
    }

    pub fn load(name: &str, rules: &str) -> Profile {
        let profile = Profile { name: name.to_owned(), rules: rules.to_owned() };
        assert!(profile.tell("--replace"), "apparmor_parser takes the profile");
        profile
    }

    fn tell(&self, option: &str) -> bool {
        let mut command = Command::new("apparmor_parser");
        let Ok(mut parser) = command.arg(option).stdin(Stdio::piped()).spawn() else { return false };
        let text = format!(
            "abi <kernel>,\nprofile {} flags=(attach_disconnected,mediate_deleted) {{\n{}}}\n",
            self.name, self.rules
        );
        let written = parser.stdin.take().is_some_and(|mut to| to.write_all(text.as_bytes()).is_ok());
        written && parser.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.tell("--remove");
    }
}
