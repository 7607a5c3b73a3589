//! What is kept of a script for a later command.

use rruntime::plan::kept::{FORMAT, decode, encode};
use rruntime::plan::{Field, Script};
use rruntime::spec::Spec;
use rruntime::wire::Step;

fn kept() -> Vec<u8> {
    let mut script = Script::default();
    script.push(Field::None, Step::Undumpable {});
    script.push(Field::Mount(4), Step::OpenNull {});
    encode(&script, &Spec::default())
}

#[test]
fn a_script_comes_back_with_its_steps_and_their_fields() {
    let bytes = kept();
    let kept = decode(&bytes).unwrap();
    assert_eq!(kept.step(0), Some((Some(Step::Undumpable {}), None)));
    assert_eq!(kept.step(1), Some((Some(Step::OpenNull {}), Some("/mounts/4"))));
    assert_eq!(kept.step(2), None);
}

#[test]
fn of_another_builds_script_the_fields_are_read_and_no_step() {
    let text = kept();
    let at = text.windows(FORMAT.len()).position(|word| word == FORMAT.as_bytes()).unwrap();
    let other = [&text[..at], &b"f".repeat(FORMAT.len()), &text[at + FORMAT.len()..]].concat();
    assert_eq!(decode(&other).unwrap().step(1), Some((None, Some("/mounts/4"))));
}

#[test]
fn a_damaged_script_names_no_field() {
    let bytes = kept();
    for length in 0..bytes.len() - 1 {
        let step = decode(&bytes[..length]).and_then(|kept| kept.step(1).map(|(step, _)| step.is_some()));
        assert_ne!(step, Some(true), "{length}");
    }
}
