//! Contracts with the caller that go through sockets, descriptors, the environment and annotations: the tests are the
//! service manager, the agent, the receiver at the other end.

mod annotations;
mod listen;
mod notify;
mod pidfd;
mod receive;
mod terminal;
