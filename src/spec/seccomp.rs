//! `linux.seccomp` of `config.json` (config-linux.md, Seccomp).

use super::text::{Text, null_default};
use serde::{Deserialize, Serialize};

/// A seccomp profile.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Seccomp<'a> {
    #[serde(rename = "defaultAction", borrow, default, deserialize_with = "null_default")]
    pub default_action: Text<'a>,
    #[serde(rename = "defaultErrnoRet", default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Text<'a>>,
    /// Absent differs from empty: absent asks for the runtime's default flags.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Text<'a>>>,
    #[serde(rename = "listenerPath", borrow, default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<Text<'a>>,
    #[serde(rename = "listenerMetadata", borrow, default, skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<SyscallRule<'a>>,
}

/// An action for some system calls, if all `args` match.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SyscallRule<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub names: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub action: Text<'a>,
    #[serde(rename = "errnoRet", default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<SyscallArg<'a>>,
}

/// A condition on one argument.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SyscallArg<'a> {
    #[serde(default, deserialize_with = "null_default")]
    pub index: u32,
    #[serde(default, deserialize_with = "null_default")]
    pub value: u64,
    #[serde(rename = "valueTwo", default, deserialize_with = "null_default")]
    pub value_two: u64,
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub op: Text<'a>,
}
