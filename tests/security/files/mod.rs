//! Links, mounts and sources that an image plants or a running container exchanges: through none of them is a file of the
//! host reached, and none takes a protection away.

pub mod copies;
pub mod cwd;
pub mod destinations;
pub mod home;
pub mod linked_pods;
pub mod links;
pub mod live;
pub mod mounts;
pub mod null;
pub mod procfs;
pub mod protected;
pub mod races;
pub mod trees;
