//! From the words of `linux.seccomp` to rules: every name looked up, every value checked, nothing of any
//! architecture's numbers yet.
//!
//! A mistake in the profile must become an error here. A rule that was dropped silently would allow or forbid what
//! its author did not write; what is dropped (names that no kernel of our tables has) causes a warning.

use super::arch::Arch;
use super::condition::{ARGUMENTS, Condition, Conditions};
use super::tables::Syscall;
use super::vocabulary::{ACTIONS, ARCHES, Action, FLAGS, OPERATORS, Operator, need, wrong};
use crate::error::{Context, Error, Kind, Result};
use crate::names::instead_of;
use crate::spec::{Seccomp, seccomp::SyscallArg, seccomp::SyscallRule};

/// A profile in numbers.
#[derive(Debug, Default)]
pub struct Profile {
    /// The value that the filter returns where no rule matches.
    pub default: u32,
    /// Without repetition, the native one first.
    pub arches: Vec<Arch>,
    /// In the order of the profile; those with the default action are left out.
    pub rules: Vec<Rule>,
    /// The conditions that rules refer to; the first has none.
    pub conditions: Vec<Conditions>,
    /// Calls that are named only with the default action: the profile knows them all the same.
    pub also_known: Vec<Syscall>,
    pub notify: bool,
    /// SECCOMP_FILTER_FLAG_*, those of `notify` left out.
    pub flags: u32,
    pub warnings: Vec<Error>,
}

/// What to return for one call under some conditions.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub call: Syscall,
    pub returned: u32,
    /// Index into `Profile::conditions`.
    pub conditions: u32,
    /// Its place in `syscalls`.
    pub origin: u32,
}

pub const ALWAYS: u32 = 0;

/// Where the profile is in config.json.
const FIELD: &str = "/linux/seccomp";

/// Reads a profile. `supported`: the filter flags that the kernel has.
pub fn read(seccomp: &Seccomp, native: Arch, supported: u32) -> Result<Profile> {
    let default_action = action(&seccomp.default_action).at(|| format!("{FIELD}/defaultAction"))?;
    if default_action == Action::Notify {
        // The runtime itself would wait for an agent that it cannot reach yet.
        return Err(wrong("cannot be the default action")
            .field(format!("{FIELD}/defaultAction"))
            .value("SCMP_ACT_NOTIFY"));
    }
    let default =
        default_action.returned(seccomp.default_errno_ret).at(|| format!("{FIELD}/defaultErrnoRet"))?;
    let names = seccomp.syscalls.iter().map(|rule| rule.names.len()).sum();
    let mut profile = Profile {
        default,
        arches: Vec::with_capacity(seccomp.architectures.len() + 1),
        rules: Vec::with_capacity(names),
        conditions: Vec::with_capacity(seccomp.syscalls.len() + 1),
        ..Profile::default()
    };
    profile.conditions.push(Conditions::default());
    profile.read_arches(seccomp, native)?;
    for (index, rule) in seccomp.syscalls.iter().enumerate() {
        profile.read_rule(rule, index)?;
    }
    if profile.notify && seccomp.listener_path.as_ref().is_none_or(|path| path.is_empty()) {
        return Err(wrong("is required by the action SCMP_ACT_NOTIFY").field(format!("{FIELD}/listenerPath")));
    }
    profile.read_flags(seccomp, supported)?;
    Ok(profile)
}

impl Profile {
    fn read_arches(&mut self, seccomp: &Seccomp, native: Arch) -> Result<()> {
        self.arches.push(native);
        for (index, name) in seccomp.architectures.iter().enumerate() {
            let field = || format!("{FIELD}/architectures/{index}");
            match need(ARCHES, name, "unknown architecture").at(field)? {
                Some(arch) if self.arches.contains(&arch) => {}
                Some(arch) if arch.order() == native.order() => self.arches.push(arch),
                _ => {
                    let warning = Error::new("is not supported here: its programs will be killed");
                    self.warnings.push(warning.field(field()).value(name));
                }
            }
        }
        Ok(())
    }

    fn read_rule(&mut self, rule: &SyscallRule, index: usize) -> Result<()> {
        let field = |part: &str| format!("{FIELD}/syscalls/{index}{part}");
        let action = action(&rule.action).at(|| field("/action"))?;
        let returned = action.returned(rule.errno_ret).at(|| field("/errnoRet"))?;
        // Alternatives: each a reference to conditions that must all hold.
        let first = self.conditions.len() as u32;
        self.read_conditions(&rule.args, index)?;
        let alternatives = match rule.args.is_empty() {
            true => ALWAYS..ALWAYS + 1,
            false => first..self.conditions.len() as u32,
        };
        self.notify |= action == Action::Notify && !rule.names.is_empty();
        for (position, name) in rule.names.iter().enumerate() {
            let field = || field(&format!("/names/{position}"));
            if name.is_empty() {
                return Err(wrong("is empty").field(field()));
            }
            if action == Action::Notify && &**name == "write" {
                // The runtime writes before it can hand over the listener: it would wait for itself.
                return Err(wrong("cannot have the action SCMP_ACT_NOTIFY").field(field()).value(name));
            }
            match Syscall::by_name(name) {
                None => {
                    let warning = Error::new("is not a known system call: ignored");
                    self.warnings.push(warning.field(field()).value(name));
                }
                Some(call) if returned == self.default => self.also_known.push(call),
                Some(call) => {
                    self.rules.extend(alternatives.clone().map(|conditions| Rule {
                        call,
                        returned,
                        conditions,
                        origin: index as u32,
                    }));
                }
            }
        }
        Ok(())
    }

    /// Appends the conditions of a rule. They are joined by "and"; but where two are on one argument, each becomes
    /// an alternative of its own, which is what profiles mean that were written before "and" existed.
    fn read_conditions(&mut self, args: &[SyscallArg], rule: usize) -> Result<()> {
        let mut all = Conditions::default();
        let mut each = Vec::with_capacity(args.len());
        let mut repeated = false;
        for (index, arg) in args.iter().enumerate() {
            let condition = condition(arg, rule, index)?;
            repeated |= all.has(condition.argument);
            all.add(condition);
            each.push(condition);
        }
        if repeated {
            self.conditions.extend(each.into_iter().map(|condition| Conditions::default().with(condition)));
        } else if !args.is_empty() {
            self.conditions.push(all);
        }
        Ok(())
    }

    fn read_flags(&mut self, seccomp: &Seccomp, supported: u32) -> Result<()> {
        let Some(names) = &seccomp.flags else {
            // Without it a filter would slow down every process inside on kernels before 5.16.
            self.flags = supported & libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32;
            return Ok(());
        };
        for (index, name) in names.iter().enumerate() {
            let field = || format!("{FIELD}/flags/{index}");
            let flag = FLAGS.iter().find(|flag| flag.name == &**name);
            let flag = flag.ok_or_else(|| {
                let error = wrong("unknown flag").field(field()).value(name);
                error.remedy(instead_of(name, FLAGS.iter().map(|flag| flag.name)))
            })?;
            if supported & flag.bit == 0 {
                let (major, minor) = flag.since;
                let reason = format!("this kernel does not have it (Linux {major}.{minor} does)");
                return Err(Error::new(reason).kind(Kind::Unsupported).field(field()).value(name));
            }
            if flag.bit == libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV as u32 && !self.notify {
                // The kernel refuses it without a listener.
                let warning = Error::new("is ignored: no rule has SCMP_ACT_NOTIFY");
                self.warnings.push(warning.field(field()).value(name));
                continue;
            }
            self.flags |= flag.bit;
        }
        Ok(())
    }
}

fn action(name: &str) -> Result<Action> {
    need(ACTIONS, name, "unknown action")
}

fn condition(arg: &SyscallArg, rule: usize, index: usize) -> Result<Condition> {
    let field = |part| format!("{FIELD}/syscalls/{rule}/args/{index}/{part}");
    if arg.index as usize >= ARGUMENTS {
        return Err(wrong("a system call has arguments 0 to 5").field(field("index")).value(arg.index));
    }
    let operator = need(OPERATORS, &arg.op, "unknown operator").at(|| field("op"))?;
    // With MASKED_EQ the first value is the mask.
    let (value, mask) = match operator {
        Operator::MaskedEqual => (arg.value_two & arg.value, arg.value),
        _ => (arg.value, u64::MAX),
    };
    Ok(Condition { argument: arg.index as u8, operator, value, mask })
}
