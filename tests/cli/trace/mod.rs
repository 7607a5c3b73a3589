//! `--trace FILE` and `trace FILE`.

mod drawn;
mod written;
