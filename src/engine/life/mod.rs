//! The life of a container: made from a bundle, started, looked at, ended and taken away.

pub mod addresses;
pub mod allowed;
pub mod bundle;
pub mod create;
pub mod delete;
pub mod explain;
pub mod hooks;
pub mod host_namespaces;
pub mod inspect;
pub mod kill;
pub mod listing;
pub mod making;
pub mod netdevices;
pub mod own_maps;
pub mod prepare;
pub mod run;
pub mod start;
pub mod start_old;
pub mod start_pipes;
