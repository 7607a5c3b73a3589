//! Containers of an ordinary user: nobody has prepared anything for them, and the kernel lets them do what their
//! own user namespace allows. Run as root, these tests become somebody else first.

mod cgroups;
mod inside;
mod life;
mod nested;
mod own_maps;
mod ranges;
mod refusals;
mod traps;
