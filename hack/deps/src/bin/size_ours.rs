//! size_nothing, and config.json by our own types.
fn main() {
    let bytes = std::fs::read(std::env::args_os().nth(1).unwrap_or_default()).unwrap_or_default();
    match rruntime::spec::load::read::<rruntime::spec::Spec>(&bytes) {
        Ok(spec) => println!("{}", spec.mounts.len()),
        Err(error) => println!("{error}"),
    }
}
