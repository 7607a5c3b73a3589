//! Which command line this is: rruntime's own, or that of the runtime whose name it is called by.
//!
//! Scripts and engines that were written for a runtime look at its exit codes and at the shape of its output. So
//! what differs between the command lines is data here, and nothing else in this folder compares names. What a
//! command does to a container never differs, and neither does where state is kept: below /run/rruntime. The
//! containers that the runtime of that name has made are found in its own default root besides (`state/foreign.rs`).

/// One command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Face {
    /// What this program is called in messages.
    pub name: &'static str,
    pub manner: Manner,
    /// The exit code for a command that does not exist.
    pub unknown_command: i32,
    /// The exit code for an option that does not exist.
    pub unknown_option: i32,
    /// The exit code of `exec` if no process was started.
    pub exec: i32,
    /// The exit code of `ps` if it fails.
    pub ps: i32,
}

/// Which program's habits the output follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Log records on stderr, tables with ID first, `null` for an empty list.
    Runc,
    /// Plain lines on stderr, tables with NAME first, indented JSON; pausing what is paused is no error.
    Crun,
}

static FACES: [Face; 3] = [
    Face { name: "rruntime", manner: Manner::Runc, unknown_command: 1, unknown_option: 1, exec: 255, ps: 1 },
    Face { name: "runc", manner: Manner::Runc, unknown_command: 3, unknown_option: 1, exec: 255, ps: 1 },
    Face { name: "crun", manner: Manner::Crun, unknown_command: 1, unknown_option: 64, exec: 1, ps: 253 },
];

impl Face {
    /// The face for the name of the file that was called; rruntime's for every name that is not known.
    pub fn called(file: Option<&str>) -> &'static Face {
        FACES.iter().find(|face| Some(face.name) == file).unwrap_or(&FACES[0])
    }

    pub fn is_own(&self) -> bool {
        *self == FACES[0]
    }
}
