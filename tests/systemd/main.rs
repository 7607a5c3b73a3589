//! Cgroups that systemd makes. `hack/test-in-box` runs this where systemd is PID 1: in the container of hack/systemd-box, as
//! root and as an ordinary user in a login session.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod fixture;
mod absent;
mod doctor;
mod limits;
mod rules;
mod scope;
mod users;
