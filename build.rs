//! Builds init, the sealed program that runs inside the container, and hands its bytes to the library.
//!
//! init is linked without libc and without start-up code, which no ordinary dependency can be; so this calls
//! cargo once more, with flags of its own.

use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
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
    // All that is below: the sources, the manifest, the lock file.
    println!("cargo::rerun-if-changed=init");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target = env::var("TARGET").context("cargo sets TARGET")?;
    if env::var("PROFILE").as_deref() == Ok("release") && target.starts_with("x86_64") {
        let script = out.join("without-unwinding.ld");
        fs::write(&script, WITHOUT_UNWINDING).context("write the linker's script")?;
        println!("cargo::rustc-link-arg-bin=rruntime=-Wl,-T,{}", script.display());
    }
    if reads_packed_relocations() {
        println!("cargo::rustc-link-arg-bin=rruntime=-Wl,-z,pack-relative-relocs");
    }
    let program = build_init(&out, &target)?;
    fs::copy(&program, out.join("rruntime-init")).with_context(|| format!("copy {}", program.display()))?;
    Ok(())
}

/// Whether the C library that is linked in can relocate a program with packed relocations (`DT_RELR`): a tenth of the
/// file less to read and to write before main. glibc can since 2.36, and says so here for the one it is built with; a
/// library that is not linked in, or not from this machine, may be any other.
fn reads_packed_relocations() -> bool {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is_static = features.split(',').any(|feature| feature == "crt-static");
    let is_here = env::var("TARGET") == env::var("HOST");
    let Ok(output) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    let Some((major, minor)) = version else { return false };
    let version = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    is_static && is_here && version >= (2, 36)
}

/// Builds init from a copy: cargo leaves a folder with a Cargo.toml out of the package that it makes of ours, so the
/// manifest has another name here, and cargo reads no manifest of another name.
fn build_init(out: &Path, target: &str) -> Result<PathBuf> {
    let (copy, directory) = (out.join("init-source"), out.join("init"));
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()))?;
    }
    fs::create_dir_all(copy.join("src")).with_context(|| format!("make {}", copy.display()))?;
    let mut files = vec![
        (PathBuf::from("init/manifest.toml"), copy.join("Cargo.toml")),
        (PathBuf::from("init/Cargo.lock"), copy.join("Cargo.lock")),
    ];
    for entry in fs::read_dir("init/src").context("read init/src")? {
        let entry = entry.context("read init/src")?;
        files.push((entry.path(), copy.join("src").join(entry.file_name())));
    }
    for (from, to) in files {
        fs::copy(&from, &to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    }
    let mut flags: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        flags.push(format!("-Clinker={linker}"));
    }
    let mut cargo = Command::new(env::var_os("CARGO").context("cargo sets CARGO")?);
    cargo.args(["build", "--release", "--locked", "--target", target]);
    cargo.arg("--manifest-path").arg(copy.join("Cargo.toml")).arg("--target-dir").arg(&directory);
    // What was meant for the outer build must not reach the inner one.
    for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    let status = cargo.status().context("start cargo for init")?;
    ensure!(status.success(), "building init failed: {status}");
    Ok(directory.join(target).join("release/rruntime-init"))
}
