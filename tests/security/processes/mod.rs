//! Processes of ours and processes that join: a container learns nothing from them and gets nothing that they hold.

pub mod binary;
pub mod descriptors;
pub mod hooks;
pub mod joined;
pub mod keyring;
pub mod sealed;
pub mod window;
