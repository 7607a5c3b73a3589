//! `linux.seccomp`, and the agent that answers for the kernel.

mod agent;
mod profile;
mod record;
