//! What is spoken with containerd: ttrpc's frames, and the messages of the task service and of its events (protobuf).

pub mod event_messages;
pub mod frames;
pub mod messages;
