//! `process`: which program runs, and its user, rights, limits, labels, priority and terminal.

mod affinity;
mod identity;
mod labels;
mod limits;
mod program;
mod scheduling;
mod terminal;
