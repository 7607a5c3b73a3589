//! Builds init, the sealed program that runs inside the container, and hands its bytes to the library.
//!
//! init is linked without libc and without start-up code, which no ordinary dependency can be; so this calls
//! cargo once more, with flags of its own.

use anyhow::{Context, Result, ensure};
use std::env;
use std::path::PathBuf;
use std::process::Command;

const FLAGS: &[&str] = &[
    "-Crelocation-model=static",
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=-nostartfiles",
    "-Clink-arg=-nostdlib",
    "-Clink-arg=-static",
    "-Clink-arg=-no-pie",
    "-Clink-arg=-Wl,--build-id=none,-z,norelro,--gc-sections",
];

/// A release ends where it panics, and is stripped: nothing in it can use tables to unwind the stack, and they are a
/// twelfth of the file. rustc leaves them out at request, but then for tests too, which do unwind; so the linker does.
const WITHOUT_UNWINDING: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) } } INSERT AFTER .text;\n";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=init/src");
    println!("cargo::rerun-if-changed=init/Cargo.toml");
    println!("cargo::rerun-if-changed=init/Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target = env::var("TARGET").context("cargo sets TARGET")?;
    if env::var("PROFILE").as_deref() == Ok("release") && target.starts_with("x86_64") {
        let script = out.join("without-unwinding.ld");
        std::fs::write(&script, WITHOUT_UNWINDING).context("write the linker's script")?;
        println!("cargo::rustc-link-arg-bin=rruntime=-Wl,-T,{}", script.display());
    }
    let directory = out.join("init");
    let mut flags: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        flags.push(format!("-Clinker={linker}"));
    }
    let mut cargo = Command::new(env::var_os("CARGO").context("cargo sets CARGO")?);
    cargo.args(["build", "--release", "--locked", "--manifest-path", "init/Cargo.toml", "--target", &target]);
    cargo.arg("--target-dir").arg(&directory);
    // What was meant for the outer build must not reach the inner one.
    for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    let status = cargo.status().context("start cargo for init")?;
    ensure!(status.success(), "building init failed: {status}");
    let program = directory.join(&target).join("release/rruntime-init");
    std::fs::copy(&program, out.join("rruntime-init"))
        .with_context(|| format!("copy {}", program.display()))?;
    Ok(())
}
