//! Containers of an ordinary user: nothing is prepared for them, and the kernel lets them do what their
//! own user namespace allows. Run as root, these tests become another user first.

mod cgroups;
mod inside;
mod life;
mod nested;
mod own_maps;
mod ranges;
mod refusals;
mod traps;
