//! `linux.seccomp` of `config.json` (config-linux.md, Seccomp).

use super::fields::objects;
use super::text::Text;

objects! {
    /// A seccomp profile.
    pub struct Seccomp<'a> {
        #[serde(borrow)]
        pub default_action: Text<'a>,
        pub default_errno_ret: Option<u32>,
        pub architectures: Vec<Text<'a>>,
        /// Absent differs from empty: absent asks for the runtime's default flags.
        pub flags: Option<Vec<Text<'a>>>,
        pub listener_path: Option<Text<'a>>,
        pub listener_metadata: Option<Text<'a>>,
        pub syscalls: Vec<SyscallRule<'a>>,
    }

    /// An action for some system calls, if all `args` match.
    pub struct SyscallRule<'a> {
        #[serde(borrow)]
        pub names: Vec<Text<'a>>,
        pub action: Text<'a>,
        pub errno_ret: Option<u32>,
        pub args: Vec<SyscallArg<'a>>,
    }

    /// A condition on one argument.
    pub struct SyscallArg<'a> {
        pub index: u32,
        pub value: u64,
        pub value_two: u64,
        #[serde(borrow)]
        pub op: Text<'a>,
    }
}
