//! One step: what it is, and which function does it.

use crate::Init;
use crate::control::{In, NO_SENSE, Outcome};
use crate::sys;
use crate::variable::Variable;
use crate::wire::{Part, Step, Word};
use crate::{decimal, keyring, node};

impl<'a> Init<'a> {
    pub fn step(&mut self, step: Step<'a>) -> Outcome<()> {
        self.leave_dev(&step);
        match step {
            Step::Undumpable {} => sys::set_dumpable(false).part(Part::Prctl),
            Step::Sync { point } => self.sync(point),
            Step::EnterCgroup { tasks } => sys::write(self.handle(tasks)?, b"0").part(Part::Write).map(drop),
            Step::OpenHostProc {} => self.open_host_proc(),
            Step::CloseHostProc {} => {
                self.close_host_proc();
                Ok(())
            }
            Step::Join { namespace, flags } => sys::setns(self.handle(namespace)?, flags).part(Part::Setns),
            Step::Belongs { file, owner, to } => self.belongs(file, owner, to.0),
            Step::Unshare { flags } => sys::unshare(flags).part(Part::Whole),
            Step::Spawn { flags } => self.spawn(flags),
            Step::LeaveSession {} => sys::setsid().part(Part::Setsid),
            Step::BecomeRoot { keep_groups } => self.become_root(keep_groups),
            Step::SelfFile { file, value } => node::write_self(self.host_proc()?, file, value.0),
            Step::LabelFile { file, value } => node::write_self(self.pristine_proc()?, file, value.0),
            Step::EnterTimeNamespace {} => self.enter_time_namespace(),
            Step::Hostname { name } => sys::sethostname(name.0).part(Part::Whole),
            Step::Domainname { name } => sys::setdomainname(name.0).part(Part::Whole),
            Step::LoopbackUp {} => self.loopback_up(),
            Step::Keyring { name, hidden } => keyring::make(name, hidden),
            Step::JoinKeyring { name } => keyring::join(name),

            Step::HostPropagation { flags, recursive } => self.host_propagation(flags, recursive),
            Step::Copy { tree, path, flags, mapped } => self.copy_tree(tree, path, flags, mapped),
            Step::Root(root) => self.attach_root(root),
            Step::OpenRoot { path } => self.open_root(path),
            Step::OpenProc {} => self.open_proc(),
            Step::Filesystem(new) => self.filesystem(new),
            Step::Bind(bind) => self.bind(bind),
            Step::Mount(mount) => self.mount_here(mount),
            Step::KeepMounts {} => {
                self.keep_mounts();
                Ok(())
            }
            Step::FindMount { path, mount } => self.find_mount(path, mount),
            Step::Unmount { path, mount } => self.unmount(path, mount),
            Step::Remount(change) => self.remount(change),
            Step::Device(device) => self.device(device),
            Step::NewDevice(device) => self.new_device(device),
            Step::RemoveDevice { path, mode, number } => self.remove_device(path, mode, number),
            Step::Symlink { to, path } => self.symlink(to, path),
            Step::OpenNull {} => self.open_null(),
            Step::Console { bind, held } => self.open_console(bind, held),
            Step::Pivot {} => self.pivot(),
            Step::Chroot { elsewhere, left_below } => self.change_root(elsewhere, left_below),
            Step::RootAttributes { attributes, recursive } => self.root_attributes(attributes, recursive),
            Step::Sysctl { path, value } => {
                let proc = self.pristine_proc().or_else(|_| self.host_proc())?;
                node::write_sysctl(proc, path, value.0)
            }
            Step::Mask { path, options } => self.mask(path, options),
            Step::Readonly { path } => self.readonly(path),

            Step::CpuAffinity { mask } => sys::sched_setaffinity(mask.0).part(Part::Whole),
            Step::Scheduler { attributes } => sys::sched_setattr(attributes.0).part(Part::Whole),
            Step::IoPriority { value } => sys::ioprio_set(value).part(Part::Whole),
            Step::MemoryPolicy { mode, nodes } => sys::set_mempolicy(mode, nodes.0).part(Part::Whole),
            Step::Personality { value } => sys::personality(value).part(Part::Whole),
            Step::Rlimit { resource, soft, hard } => sys::prlimit(resource, soft, hard).part(Part::Prlimit),
            Step::Chdir { path, patient } => self.change_directory(path, patient),
            Step::Cwd { path, user } => self.enter_or_make(path, user),
            Step::Umask { value } => {
                sys::umask(value);
                Ok(())
            }
            Step::Groups { ids } => sys::setgroups(ids.0).part(Part::Setgroups),
            Step::User { uid, gid } => self.become_user(uid, gid),
            Step::Bounding { keep, last } => self.bound(keep, last),
            Step::Capabilities { effective, permitted, inheritable } => {
                sys::capset(effective, permitted, inheritable).part(Part::Capset)
            }
            Step::Ambient { set } => self.ambient(set),
            Step::NoNewPrivileges {} => sys::set_no_new_privileges().part(Part::Prctl),
            Step::Resolve { candidates, elsewhere } => self.resolve(candidates, elsewhere),
            Step::Streams {} => self.take_streams(),
            Step::Session {} => self.session(),
            Step::StreamOwner { uid } => self.own_streams(uid),
            Step::Home { uid } => {
                self.find_home(uid);
                Ok(())
            }
            Step::ListenPid {} => {
                let pid = if self.born != 0 { self.born } else { sys::getpid().part(Part::Whole)? };
                let mut digits = [0; decimal::DIGITS];
                decimal::write(pid.unsigned_abs(), &mut digits);
                self.listen_pid = Variable::of(b"LISTEN_PID=", &digits);
                Ok(())
            }
            Step::Confine { first, word, answer } => self.confine(first, word, answer),
            Step::Dumpable {} => sys::set_dumpable(true).part(Part::Prctl),
            Step::AwaitStart {} => self.await_start(),
            Step::Seccomp { flags, program, notify } => self.load_filter(flags, program.0, notify),
            Step::Arguments { argv, env } => self.arrange(argv, env),
            Step::Exec {} => Err(self.exec_resolved()),
            Step::ExecPath { path } => Err(self.exec(path)),
            Step::Finish {} => sys::exit(0),
            Step::EnterBelow { path } => self.enter_below(path),
            Step::Ruleset { fs, net, scoped } => self.make_ruleset([fs, net, scoped]),
            Step::AllowBeneath { path, access, optional } => self.allow_beneath(path, access, optional),
            Step::AllowPort { port, access } => self.allow_port(port, access),
            Step::Restrict {} => self.restrict(),
            Step::Guard { first, second } => self.guard(first, second),
        }
    }

    fn load_filter(&self, flags: u32, program: &[u8], notify: bool) -> Outcome<()> {
        let new_listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
        if notify != (flags & new_listener != 0) {
            return Err(NO_SENSE);
        }
        let listener = sys::seccomp(flags, program).part(Part::Seccomp)?;
        if notify {
            self.tell(Word::Listener, i64::from(listener.0))?;
            self.expect_go()?;
            // A copy of ours would keep the kernel waiting for an agent that has died.
            sys::close(listener);
        }
        Ok(())
    }
}
