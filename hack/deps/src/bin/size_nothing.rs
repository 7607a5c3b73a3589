//! The size of a program of std that reads a file and prints a number.
fn main() {
    let bytes = std::fs::read(std::env::args_os().nth(1).unwrap_or_default()).unwrap_or_default();
    println!("{}", bytes.len());
}
