//! `mounts add --device` and `mounts remove --device`: a node in the container, and the rule that opens it.
//!
//! The node is made by a process of ours in the container's mount namespace, below its root, with no more rights there than
//! that takes. The rule is one of the container's device rules from then on, as by `update`; the record has both, and the
//! one goes with the other. What is open stays open: the kernel takes no descriptor back.

use super::mounts::{Work, check_can_change};
use super::update::Plugged;
use crate::engine::child::{belonging, links::KnownMounts, tenant as joining};
use crate::engine::{Call, DeviceOptions, Status, UpdateOptions};
use crate::error::{Error, Kind, Result};
use crate::names::namespaces::USER;
use crate::plan::live;
use crate::plan::script::c;
use crate::spec::destination::{absolute, is_root};
use crate::spec::{DeviceRule, Mount, Spec, validate};
use crate::state::{AddedDevice, Record};
use crate::wire::{self, Step};
use nix::sys::stat::stat;
use std::path::Path;

const OPTION: &str = "--device";

impl Call<'_> {
    pub fn add_device(&self, id: &str, options: &DeviceOptions) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        check_can_change(id, Status::of(&entry, &record), &record)?;
        let refused = |reason: &'static str| {
            Error::new(reason).kind(Kind::Unsupported).field(OPTION).value(options.path.display())
        };
        if record.namespaces() & USER != 0 {
            return Err(refused("in a user namespace the kernel opens no node that is made there")
                .remedy("bind the host's node by `mounts add`"));
        }
        let mut record = belonging::note_user_namespaces(&entry, record)?;
        let node = stat(&options.path).map_err(|errno| {
            let error = Error::os("look at the device", errno as i32).kind(Kind::Argument);
            error.field(OPTION).value(options.path.display()).remedy("name a device node of the host")
        })?;
        let kind = node.st_mode & libc::S_IFMT;
        if !matches!(kind, libc::S_IFCHR | libc::S_IFBLK) {
            return Err(refused("is no device")
                .kind(Kind::Argument)
                .remedy("name a character or block device"));
        }
        let path = absolute(&options.inside).into_owned();
        if is_root(&path) {
            return Err(refused("the node needs a path in the container").kind(Kind::Argument));
        }
        let config = entry.config()?;
        let spec = self.spec_again(&config, &entry, &record)?;
        outlives(&path, &spec, &record)?;
        let mut added = AddedDevice {
            path,
            block: kind == libc::S_IFBLK,
            number: node.st_rdev,
            access: options.access.clone(),
            closed: true,
        };
        let made = wire::Device {
            path: &c(&added.path),
            mode: kind | node.st_mode & 0o777,
            number: node.st_rdev,
            uid: node.st_uid,
            gid: node.st_gid,
        };
        // A command that was killed has left one here.
        let is_left = |device: &AddedDevice| device.closed && device.path == added.path;
        if let Some(at) = record.devices.iter().position(is_left) {
            let left = record.devices.remove(at);
            self.change_node(removal(&left, &c(&left.path)), &left, &record)?;
        }
        let before = record.clone();
        // What is in the record before it is there can be taken away whatever becomes of this command.
        record.devices.push(added.clone());
        entry.write(&record)?;
        if let Err(error) = self.change_node(Step::NewDevice(made), &added, &before) {
            // The failure that led here is the one to report.
            let _ = entry.write(&before);
            return Err(error);
        }
        added.closed = false;
        record.devices.pop();
        record.devices.push(added.clone());
        let opened =
            self.update_taken(id, (&entry, record), &nothing(&added), Some(Plugged::In(&rule(&added))));
        opened.map_err(|error| {
            let removed = self.change_node(removal(&added, &c(&added.path)), &added, &before);
            match removed.and_then(|()| entry.write(&before)) {
                Ok(()) => error,
                Err(more) => error.doing(format!("the node stays in the container: {more}")),
            }
        })
    }

    /// `inside` is where the node is in the container.
    pub fn remove_device(&self, id: &str, inside: &str) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        check_can_change(id, Status::of(&entry, &record), &record)?;
        let mut record = belonging::note_user_namespaces(&entry, record)?;
        let path = absolute(inside);
        let Some(at) = record.devices.iter().rposition(|device| device.path == path) else {
            let known: Vec<&str> = record.devices.iter().map(|device| &*device.path).collect();
            let remedy = match known.is_empty() {
                true => "it has made none in this container".to_owned(),
                false => format!("it has made {}", known.join(", ")),
            };
            let error = Error::new("`mounts add --device` has made no node at this path");
            return Err(error.kind(Kind::Argument).field(OPTION).value(inside).remedy(remedy));
        };
        let removed = record.devices[at].clone();
        // The rule goes in any case: what is at the path is the container's word.
        if let Err(error) = self.change_node(removal(&removed, &c(&removed.path)), &removed, &record) {
            self.warn(error);
        }
        record.devices.remove(at);
        let closed = rule(&removed);
        // Of one that was never opened another's rule may be alike.
        let gone = if removed.closed { Plugged::Nothing } else { Plugged::Out(&closed) };
        self.update_taken(id, (&entry, record), &nothing(&removed), Some(gone))
    }

    fn change_node(&self, step: Step, device: &AddedDevice, record: &Record) -> Result<()> {
        let place = Mount { destination: device.path.as_str().into(), ..Mount::default() };
        let spec = Spec { mounts: vec![place], ..Spec::default() };
        let named = KnownMounts::of(&spec, &[], 0);
        let tenant = live::device(step, joining::destination(record, None));
        let work = Work { record, spec: &spec, file: Path::new(""), cgroup: None, named, engine: self };
        let named = |error: Error| {
            error.each(&|problem| {
                problem.field = Some(OPTION.to_owned());
                problem.value = Some(device.path.clone());
            })
        };
        work.finish(&tenant, &mut Vec::new()).map_err(named)
    }
}

/// Refuses a place where the node would outlive the container: on a mount that shows the host's files or is kept elsewhere.
/// Of the mounts only a tmpfs of the config goes with the container.
fn outlives(path: &str, spec: &Spec, record: &Record) -> Result<()> {
    let is_above = |destination: &str| {
        path.strip_prefix(destination).is_some_and(|rest| is_root(destination) || rest.starts_with('/'))
    };
    let of_config = spec.mounts.iter().map(|mount| {
        let stays = mount.kind.as_deref() != Some("tmpfs") || validate::is_bind(mount);
        (absolute(&mount.destination), stays)
    });
    let added = record.mounts.iter().map(|mount| (mount.destination.as_str().into(), true));
    // The innermost counts, and of two at one place the later one.
    let innermost = of_config.chain(added).filter(|(place, _)| is_above(place));
    match innermost.max_by_key(|(place, _)| place.len()) {
        Some((place, true)) => Err(Error::new(format!("is inside the mount at {place}, on which the node would outlive the container"))
            .kind(Kind::Unsupported)
            .field(OPTION)
            .value(path)
            .remedy("name a place behind a colon that is on a tmpfs of the container, such as /dev, or in its root filesystem")),
        _ => Ok(()),
    }
}

fn removal<'s>(device: &AddedDevice, path: &'s std::ffi::CStr) -> Step<'s> {
    let mode = if device.block { libc::S_IFBLK } else { libc::S_IFCHR };
    Step::RemoveDevice { path, mode, number: device.number }
}

fn rule(device: &AddedDevice) -> DeviceRule<'_> {
    DeviceRule {
        allow: true,
        kind: Some(if device.block { "b" } else { "c" }.into()),
        major: Some(libc::major(device.number).into()),
        minor: Some(libc::minor(device.number).into()),
        access: Some(device.access.as_str().into()),
    }
}

/// An update of nothing but the rule of this device.
fn nothing(device: &AddedDevice) -> UpdateOptions {
    UpdateOptions::of_device(OPTION, &device.path)
}
