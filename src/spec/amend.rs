//! A config is amended here and nowhere else, so that every command reads the config that `create` has carried out.

use super::annotations::{self, SECCOMP_RECEIVER};
use super::{Amendments, Listening, Mount, Seccomp, Spec, Text};
use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Where the container finds its notify socket; runc's place, which images and policies know.
const NOTIFY: &str = "/run/notify";
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET=";

/// The config brings a notify socket of its own.
pub fn has_notify_socket(spec: &Spec) -> bool {
    spec.process.iter().flat_map(|process| &process.env).any(|variable| variable.starts_with(NOTIFY_SOCKET))
}

impl Spec<'_> {
    /// `directory` is the container's in the state directory.
    pub fn amend(&mut self, with: Amendments, directory: &Path) -> Result<()> {
        self.amendments = with.clone();
        self.name_agent(with.seccomp_receiver);
        if let Some(recorder) = with.recorder {
            let listener_path = Some(Text::from(recorder));
            let default_action = Text::from("SCMP_ACT_ALLOW");
            let profile = Seccomp { default_action, listener_path, ..Seccomp::default() };
            self.linux.get_or_insert_default().seccomp = Some(profile);
        }
        self.announce(&with.sockets);
        if let Some(linux) = self.linux.as_mut().filter(|_| !with.uid_mappings.is_empty()) {
            (linux.uid_mappings, linux.gid_mappings) = (with.uid_mappings, with.gid_mappings);
        }
        if with.notify { self.bind_notify(directory) } else { Ok(()) }
    }

    /// Refuses a config that has no program to start.
    pub fn needs_process(&self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        Err(Error::new("is missing").kind(Kind::Config).field("/process").remedy("say which program to run"))
    }

    /// An agent for a profile that names none: the caller's, else that of the annotation, where it is allowed.
    fn name_agent(&mut self, caller: Option<String>) {
        let named = caller.or_else(|| annotations::allowed(self, SECCOMP_RECEIVER).map(str::to_owned));
        if let Some(profile) = self.linux.as_mut().and_then(|linux| linux.seccomp.as_mut())
            && profile.listener_path.as_deref().is_none_or(str::is_empty)
        {
            profile.listener_path = named.map(Text::from);
        }
    }

    /// Tells the process of its sockets. What the config says of others is no longer true. init adds LISTEN_PID.
    fn announce(&mut self, sockets: &Listening) {
        let Some(process) = self.process.as_mut().filter(|_| !sockets.is_none()) else { return };
        process.env.retain(|variable| !variable.starts_with("LISTEN_"));
        process.env.push(Text::from(format!("LISTEN_FDS={}", sockets.count)));
        if let Some(names) = &sockets.names {
            process.env.push(Text::from(format!("LISTEN_FDNAMES={names}")));
        }
    }

    fn bind_notify(&mut self, directory: &Path) -> Result<()> {
        let source = directory.join("notify").into_os_string().into_string().map_err(|path| {
            Error::new("the state directory's path is not UTF-8, so NOTIFY_SOCKET cannot be passed on")
                .kind(Kind::Argument)
                .field("--root")
                .value(path.to_string_lossy())
        })?;
        self.mounts.push(Mount {
            destination: Text::from(NOTIFY),
            kind: Some(Text::from("bind")),
            source: Some(Text::from(source)),
            options: ["bind", "nosuid", "noexec", "nodev", "ro"].map(Text::from).to_vec(),
            ..Mount::default()
        });
        if let Some(process) = &mut self.process {
            process.env.push(Text::from(format!("{NOTIFY_SOCKET}{NOTIFY}/notify.sock")));
        }
        Ok(())
    }
}
