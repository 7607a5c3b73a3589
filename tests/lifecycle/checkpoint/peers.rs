//! runc's checkpoints, and what runc makes of ours.

use super::{count, counting, counts_on, images, needs_criu};
use crate::support::{Container, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn runc() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/runc");
    [fetched, "/usr/sbin/runc".into(), "/usr/bin/runc".into()].into_iter().find(|path| path.exists())
}

/// With a profile, whose program is another compiler's.
fn profiled() -> Container {
    let profile: Value =
        serde_json::from_str(include_str!("../../spec/seccomp/profiles/docker.json")).unwrap();
    counting().edit(|config| config["linux"]["seccomp"] = profile)
}

/// Streams are pipes, as engines give them: runc exchanges nothing else.
fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn restored_by(first: &Path, second: &Path) {
    let container = profiled();
    container.write_config();
    let command = |runtime: &Path, args: &[&str]| {
        let state = container.dir.join(runtime.file_name().unwrap());
        let mut command = Command::new(runtime);
        command.env("PATH", super::path()).arg("--root").arg(state).args(args).arg(&container.id);
        command
    };
    let (bundle, images) = (container.bundle(), images(&container));
    let (bundle, images) = (bundle.to_str().unwrap(), images.to_str().unwrap());
    let mut runs = piped(command(first, &["run", "--bundle", bundle]));
    wait_until("it counts", || count(&container) > 3);
    let mut dump = command(first, &["checkpoint", "--image-path", images]);
    let said = dump.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    runs.wait().unwrap();
    let before = count(&container);
    let again = piped(command(second, &["restore", "--bundle", bundle, "--image-path", images]));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            counts_on(&container, before);
            let killed = command(second, &["kill"]).arg("KILL").status().unwrap();
            assert!(killed.success());
        });
        let said = again.wait_with_output().unwrap();
        assert_eq!(said.status.code(), Some(137), "{said:?}");
    });
}

#[test]
fn runcs_checkpoint_is_restored() {
    needs_criu!();
    let Some(runc) = runc() else { crate::skip!("no runc (`hack/peers --fetch` fetches it)") };
    restored_by(&runc, Path::new(crate::support::RRUNTIME));
}

#[test]
fn runc_restores_ours() {
    needs_criu!();
    let Some(runc) = runc() else { crate::skip!("no runc (`hack/peers --fetch` fetches it)") };
    restored_by(Path::new(crate::support::RRUNTIME), &runc);
}
