//! size_ours, and where that fails the same again with the path of the field by serde_path_to_error.
fn main() {
    let bytes = std::fs::read(std::env::args_os().nth(1).unwrap_or_default()).unwrap_or_default();
    if let Ok(spec) = rruntime::spec::load::read::<rruntime::spec::Spec>(&bytes) {
        return println!("{}", spec.mounts.len());
    }
    let text = &mut serde_json::Deserializer::from_slice(&bytes);
    match serde_path_to_error::deserialize::<_, rruntime::spec::Spec>(text) {
        Ok(spec) => println!("{}", spec.mounts.len()),
        Err(error) => println!("{error}"),
    }
}
