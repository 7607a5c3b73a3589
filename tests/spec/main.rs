//! What is read: config.json and its rules, beside the oracles; profiles; the plan; and the page of what
//! becomes of each field.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod conformance;
mod cpus;
mod deeds;
mod kept;
mod lanes;
mod load;
mod merge;
mod names;
mod oracle;
mod random;
mod regex;
mod seccomp;
mod template;
mod validate;
