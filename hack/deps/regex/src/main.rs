//! size_nothing, and a pattern by the crate regex-lite.
fn main() {
    let bytes = std::fs::read(std::env::args_os().nth(1).unwrap_or_default()).unwrap_or_default();
    let pattern = std::env::args().nth(2).unwrap_or_default();
    match regex_lite::Regex::new(&pattern) {
        Ok(pattern) => println!("{}", pattern.is_match(&String::from_utf8_lossy(&bytes))),
        Err(error) => println!("{error}"),
    }
}
