//! `seccomp record`: runs a container and writes down which system calls it makes.

use super::super::{create, run};
use super::recorder::Recorder;
use crate::cli::foreground::Orphans;
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session};
use crate::engine::{AfterExit, CreateOptions, Engine, Meanwhile};
use crate::error::{Error, Kind, Result};
use crate::report::json;
use crate::seccomp::record::Record;
use crate::seccomp::{self, Arch};
use crate::shim::files;
use crate::spec::{Seccomp, load};
use crate::sys::file;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest profile that is read; Docker's has 15 KB.
pub const LARGEST: usize = 16 << 20;

pub fn record(session: &Session, arguments: &Arguments) -> Result<i32> {
    let native = seccomp::native()?;
    let output = arguments.path("output").unwrap_or_else(|| PathBuf::from("seccomp.json"));
    let mut record = Record::default();
    if let Some(earlier) = arguments.path("merge") {
        let bytes = read(&earlier).map_err(|error| {
            error
                .field("--merge")
                .value(earlier.display())
                .remedy("the first record has nothing to merge with")
        })?;
        let named = |error: Error| error.doing(format!("merge {}", earlier.display()));
        let profile: Seccomp = load::parse("the profile", &bytes).map_err(named)?;
        record.merge(&profile).map_err(named)?;
    }
    let unwritable = |error: Error| error.field("--output").value(output.display());
    files::check_name(&output).map_err(unwritable)?;
    // What cannot be written afterwards would have been recorded for nothing.
    let trial = files::beside(&output)?;
    std::fs::File::create_new(&trial).map_err(|e| {
        unwritable(Error::io("write the profile", &e)).remedy("its directory must exist and be writable")
    })?;
    // It is empty, and a name that nothing else has.
    let _ = std::fs::remove_file(&trial);
    let id = arguments.operands.get(1).map(|id: &OsString| id.to_string_lossy().into_owned());
    let Attended { engine, signals } = session.engine_for_new()?;
    let recorder = Arc::new(Recorder::listen(&session.root_path(), record)?);
    let options = CreateOptions {
        id: id.unwrap_or_default(),
        recorder: Some(recorder.address()),
        ..create::parse(arguments)?
    };
    session.log.warn(&Error::new(
        "the container runs without the filter of its config while its system calls are recorded",
    ));
    let watch = engine.watch.clone().with_meanwhile(Arc::clone(&recorder) as Arc<dyn Meanwhile>);
    let engine = Engine { watch, ..engine };
    let code = run::attend(
        session,
        Attended { engine, signals },
        options,
        AfterExit::Delete,
        Orphans::Adopt,
        Some(&*recorder),
    )?;
    let record = recorder.record();
    for (arch, number) in record.unknown() {
        let warning =
            format!("call {number} (AUDIT_ARCH {arch:#x}) has no name here: the profile does not allow it");
        session.log.warn(&Error::new(warning));
    }
    files::write(&output, (json::pretty(&record.profile(native), "  ") + "\n").as_bytes())?;
    let foreign: Vec<&str> = record.foreign(native).map(Arch::name).collect();
    let also =
        if foreign.is_empty() { String::new() } else { format!(", also of {}", foreign.join(" and ")) };
    eprintln!(
        "{}: {} system calls{also}, beside those that every container makes",
        output.display(),
        record.count()
    );
    Ok(code)
}

/// A file that the caller names.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    file::read_path(path, LARGEST).map_err(|e| e.because("read the file").kind(Kind::Argument))
}
