//! Overlays whose options are longer than fsconfig(2) takes.

use crate::support::Container;
use crate::support::mountinfo::mount_at;
use serde_json::json;
use std::fs;

/// A container with an overlay of eight layers on /merged, in directories with long names.
fn layered(options: &[&str]) -> Container {
    let container = Container::new();
    let long = "l".repeat(120);
    let mut lower = Vec::new();
    for i in 0..8 {
        let layer = container.dir.join(format!("{long}{i}"));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join(format!("from-{i}")), "").unwrap();
        lower.push(layer.to_str().unwrap().to_owned());
    }
    let (upper, work) = (container.dir.join("upper"), container.dir.join("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let mut all = vec![
        format!("lowerdir={}", lower.join(":")),
        format!("upperdir={}", upper.display()),
        format!("workdir={}", work.display()),
    ];
    all.extend(options.iter().map(|&option| option.to_owned()));
    container.edit(|config| {
        let mount =
            json!({"destination": "/merged/here", "type": "overlay", "source": "layers", "options": all});
        config["mounts"].as_array_mut().unwrap().push(mount);
    })
}

#[test]
fn long_paths_of_layers_are_mounted() {
    let container = layered(&["nodev", "nosuid", "noatime"])
        .sh("echo /merged/here/*; touch /merged/here/new; cat /proc/self/mountinfo");
    let out = container.run().ok();
    let all: String = (0..8).map(|i| format!("/merged/here/from-{i} ")).collect();
    assert_eq!(out.lines().next().unwrap_or_default(), all.trim_end());
    let mount = mount_at(&out, "/merged/here");
    assert_eq!((&*mount.kind, &*mount.source), ("overlay", "layers"));
    assert!(["nodev", "nosuid", "noatime", "rw"].iter().all(|option| mount.has(option)), "{mount:?}");
    assert!(container.dir.join("upper/new").exists());
}

#[test]
fn a_read_only_one_is() {
    let out = layered(&["ro"]).sh("touch /merged/here/new; cat /proc/self/mountinfo").run();
    assert!(out.err.contains("Read-only"), "{out:?}");
    assert!(mount_at(&out.out, "/merged/here").has("ro"));
}

#[test]
fn more_than_a_page_and_relative_layers_are_refused_by_field() {
    let container = Container::new().sh("true");
    for (layers, word) in
        [(format!("/{}", "a:/".repeat(2000)), "4095 bytes"), ("relative/".repeat(40), "absolute")]
    {
        let options = json!([format!("lowerdir={layers}")]);
        let container = Container::new().sh("true").edit(|config| {
            let mount = json!({"destination": "/x", "type": "overlay", "source": "x", "options": options});
            config["mounts"].as_array_mut().unwrap().push(mount);
        });
        let err = container.run().fails();
        assert!(err.contains("/mounts/7/options") && err.contains(word), "{err}");
        container.assert_gone();
    }
    container.assert_gone();
}

#[test]
fn a_layer_that_is_missing_is_an_error_of_its_mount() {
    let container = layered(&[]).sh("true");
    fs::remove_dir_all(container.dir.join(format!("{}3", "l".repeat(120)))).unwrap();
    let err = container.run().fails();
    assert!(err.contains("/mounts/7") && err.contains("overlay"), "{err}");
    container.assert_gone();
}
