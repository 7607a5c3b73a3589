//! Builds init, the sealed program that runs inside the container, and the shim's keeper, and hands their bytes to the
//! library.
//!
//! Both are linked without libc and without start-up code, which no ordinary dependency can be; so this calls
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

/// init and a release end where they panic, and are stripped: nothing in them can use tables to unwind the stack, and they
/// are a twelfth of each file. rustc leaves them out at request, but then for tests too, which do unwind; so the linker does.
/// musl's start-up code refers to its own.
const WITHOUT_UNWINDING: &str = "SECTIONS { .frames_of_start : { *crt*.o(.eh_frame) } \
    /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) } } INSERT AFTER .text;\n";

fn main() -> Result<()> {
    // All that is below: the sources, the manifest, the lock file.
    println!("cargo::rerun-if-changed=init");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target = env::var("TARGET").context("cargo sets TARGET")?;
    let mut flags: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
    if target.starts_with("x86_64") || target.starts_with("aarch64") {
        let script = out.join("without-unwinding.ld");
        fs::write(&script, WITHOUT_UNWINDING).context("write the linker's script")?;
        let argument = format!("-Wl,-T,{}", script.display());
        // For AArch64 the C library's start-up code, which init has none of, refers to these tables.
        if target.starts_with("x86_64") && env::var("PROFILE").as_deref() == Ok("release") {
            println!("cargo::rustc-link-arg-bin=rruntime={argument}");
        }
        flags.push(format!("-Clink-arg={argument}"));
    }
    if target.starts_with("aarch64") {
        // Atomics in line: the functions that choose between two forms of them ask the C library which the machine has.
        flags.push("-Ctarget-feature=-outline-atomics".to_owned());
    }
    if env::var("PROFILE").as_deref() == Ok("release") {
        // src/sys/c_library/left_out defines functions of the C library, which may define them once more.
        println!("cargo::rustc-link-arg-bin=rruntime=-Wl,-z,muldefs");
    }
    if reads_packed_relocations() {
        println!("cargo::rustc-link-arg-bin=rruntime=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo::rustc-env=RRUNTIME_WIRE_FORMAT={:016x}", wire_format()?);
    // They are linked with no C library, so the one of their target says nothing.
    let programs = build_sealed(&out, &target.replace("-musl", "-gnu"), flags)?;
    for name in ["rruntime-init", "rruntime-keeper"] {
        let program = programs.join(name);
        fs::copy(&program, out.join(name)).with_context(|| format!("copy {}", program.display()))?;
    }
    Ok(())
}

/// A digest (FNV-1a) of the format between rruntime and init: a script that one build has kept is read by another only if
/// both have the same.
fn wire_format() -> Result<u64> {
    let files = fs::read_dir("init/src/wire")?.map(|file| Ok(file?.path()));
    let mut files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    files.sort();
    let mut digest = 0xcbf2_9ce4_8422_2325;
    for file in files {
        for byte in fs::read(&file).with_context(|| format!("read {}", file.display()))? {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    Ok(digest)
}

/// Whether the C library that is linked in can relocate a program with packed relocations (`DT_RELR`): a tenth of the
/// file less to read and to write before main. glibc can since 2.36, and says so here for the one it is built with; a
/// library that is not linked in, or not from this machine, may be any other.
fn reads_packed_relocations() -> bool {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is_static = features.split(',').any(|feature| feature == "crt-static");
    // Rust brings its musl along, in a version that can.
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        return is_static;
    }
    let is_here = env::var("TARGET") == env::var("HOST");
    let Ok(output) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    let Some((major, minor)) = version else { return false };
    let version = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    is_static && is_here && version >= (2, 36)
}

/// Builds the sealed programs from a copy, and returns where they are: cargo leaves a folder with a Cargo.toml out of the package that it makes of ours, so the
/// manifest has another name here, and cargo reads no manifest of another name.
fn build_sealed(out: &Path, target: &str, mut flags: Vec<String>) -> Result<PathBuf> {
    let (copy, directory) = (out.join("init-source"), out.join("init"));
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()))?;
    }
    copy_folder(Path::new("init"), &copy)?;
    let manifest = copy.join("manifest.toml");
    fs::rename(&manifest, copy.join("Cargo.toml"))
        .with_context(|| format!("rename {}", manifest.display()))?;
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
    Ok(directory.join(target).join("release"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let path = entry.with_context(|| format!("read {}", from.display()))?.path();
        let copy = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}
