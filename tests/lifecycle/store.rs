//! The state directory under several hands, and after a crash.

use crate::support::wait_until;
use nix::libc;
use rruntime::error::Kind;
use rruntime::state::record::VERSION;
use rruntime::state::{NoRoot, Process, Record, Store};
use rruntime::sys::Errno;
use rruntime::sys::poll::rest;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A directory of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rruntime-state-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn store(&self) -> Store {
        Store::open(&self.0.join("a/b"), NoRoot::Make).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_record_comes_back_as_it_was_written_and_nobody_else_can_read_it() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let entry = store.create("web", &rest).unwrap();
    let record = Record {
        version: 1,
        id: "web".into(),
        process: Some(Process { pid: 7, start: 9 }),
        ..Record::default()
    };
    entry.write(&record).unwrap();
    entry.write_config(b"{}").unwrap();
    assert_eq!(store.peek("web").unwrap().record().unwrap(), record);
    assert_eq!(entry.config().unwrap(), b"{}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store.path()), 0o700);
    assert_eq!(mode(entry.path()), 0o700);
    assert_eq!(mode(&entry.path().join("state.json")), 0o600);
    assert_eq!(mode(&entry.path().join("config.json")), 0o600);
    let names: Vec<_> = fs::read_dir(entry.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
}

#[test]
fn of_two_creates_with_one_id_the_second_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    drop(store.create("web", &rest).unwrap());
    let error = store.create("web", &rest).unwrap_err();
    assert_eq!(error.detail().kind, Kind::IdInUse);
    assert_eq!(error.detail().cause(), "container with given ID already exists");
}

#[test]
fn an_unknown_id_does_not_exist_whether_or_not_the_root_does() {
    let scratch = Scratch::new();
    for store in [scratch.store(), Store::open(&scratch.0.join("none"), NoRoot::Empty).unwrap()] {
        let error = store.lock("web", &rest).unwrap_err();
        assert_eq!(error.detail().kind, Kind::NoSuchContainer);
        assert_eq!(error.detail().cause(), "container does not exist");
    }
}

#[test]
fn a_missing_root_is_made_taken_as_empty_or_refused_as_asked() {
    let scratch = Scratch::new();
    let root = scratch.0.join("x");
    assert!(Store::open(&root, NoRoot::Refuse).is_err());
    assert_eq!(Store::open(&root, NoRoot::Empty).unwrap().ids().unwrap(), Vec::<String>::new());
    assert!(!root.exists());
    Store::open(&root, NoRoot::Make).unwrap();
    assert!(Store::open(&root, NoRoot::Refuse).is_ok());
}

#[test]
fn ids_are_sorted_and_only_directories_that_can_be_containers_count() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for id in ["b", "a", "c"] {
        drop(store.create(id, &rest).unwrap());
    }
    fs::write(store.path().join("file"), "").unwrap();
    fs::create_dir(store.path().join("no id")).unwrap();
    std::os::unix::fs::symlink("/", store.path().join("link")).unwrap();
    assert_eq!(store.ids().unwrap(), ["a", "b", "c"]);
    assert!(store.peek("link").is_err(), "a link in the root is not followed");
}

#[test]
fn a_second_command_waits_for_the_first() {
    let scratch = Scratch::new();
    let store = Arc::new(scratch.store());
    let first = store.create("web", &rest).unwrap();
    assert!(store.peek("web").unwrap().is_busy());
    assert!(!first.is_busy(), "one's own lock is no obstacle, and asking does not drop it");
    assert!(store.peek("web").unwrap().is_busy());
    let waiting = Arc::clone(&store);
    let second = std::thread::spawn(move || waiting.lock("web", &rest).unwrap().record().unwrap().process);
    std::thread::sleep(Duration::from_millis(30));
    assert!(!second.is_finished());
    first
        .write(&Record {
            version: VERSION,
            id: "web".into(),
            process: Some(Process { pid: 5, start: 1 }),
            ..Record::default()
        })
        .unwrap();
    drop(first);
    assert_eq!(second.join().unwrap().map(|process| process.pid), Some(5));
    // A process that another test was making meanwhile has its descriptors until its exec.
    wait_until("nothing has the lock", || !store.peek("web").unwrap().is_busy());
}

#[test]
fn a_wait_for_another_command_ends_when_its_caller_says_so() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let _first = store.create("web", &rest).unwrap();
    let error = store.lock("web", &|_, _| Err(Errno(libc::EINTR))).unwrap_err();
    assert_eq!(error.detail().errno, Some(libc::EINTR));
}

#[test]
fn who_waits_for_a_container_that_is_deleted_meanwhile_is_told_that_it_does_not_exist() {
    let scratch = Scratch::new();
    let store = Arc::new(scratch.store());
    let first = store.create("web", &rest).unwrap();
    let waiting = Arc::clone(&store);
    let second = std::thread::spawn(move || waiting.lock("web", &rest).map(drop));
    std::thread::sleep(Duration::from_millis(30));
    first.remove().unwrap();
    assert_eq!(second.join().unwrap().unwrap_err().detail().kind, Kind::NoSuchContainer);
}

#[test]
fn removal_takes_leftovers_of_other_versions_and_refuses_what_holds_more() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let entry = store.create("web", &rest).unwrap();
    fs::write(entry.path().join("from-the-future"), "x").unwrap();
    fs::create_dir(entry.path().join("empty")).unwrap();
    entry.remove().unwrap();
    assert!(store.peek("web").is_err());

    let entry = store.create("web", &rest).unwrap();
    let inner = entry.path().join("dir/file");
    fs::create_dir(inner.parent().unwrap()).unwrap();
    fs::write(&inner, "x").unwrap();
    assert!(entry.remove().is_err());
    assert!(inner.exists(), "a directory that is not empty, a mount for example, is left alone");
}

#[test]
fn a_directory_without_a_record_says_so() {
    let scratch = Scratch::new();
    let entry = scratch.store().create("web", &rest).unwrap();
    let error = entry.record().unwrap_err().to_string();
    assert!(error.contains("interrupted"), "{error}");
    let other = scratch.store().peek("web").unwrap().record().unwrap_err();
    assert_eq!(other.detail().kind, Kind::NoSuchContainer, "it is being made");
    fs::write(entry.path().join("state.json"), "{").unwrap();
    assert!(entry.record().unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_directory_that_others_may_write_and_a_record_of_another_name_are_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let entry = store.create("web", &rest).unwrap();
    entry.write(&Record { version: VERSION, id: "web".into(), ..Record::default() }).unwrap();
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        chmod(store.path(), mode);
        let error = Store::open(store.path(), NoRoot::Refuse).unwrap_err().to_string();
        assert!(error.contains("other users may write") && error.contains("--root"), "{error}");
        chmod(store.path(), 0o700);
        chmod(entry.path(), mode);
        assert!(entry.record().unwrap_err().to_string().contains("other users may write"));
        chmod(entry.path(), 0o700);
    }
    for mode in [0o700, 0o711, 0o755, 0o1700] {
        chmod(store.path(), mode);
        assert!(Store::open(store.path(), NoRoot::Refuse).is_ok(), "{mode:o}");
    }
    fs::rename(entry.path(), store.path().join("other")).unwrap();
    let error = store.peek("other").unwrap().record().unwrap_err().to_string();
    assert!(error.contains("another container, web"), "{error}");
}
