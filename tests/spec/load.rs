//! What is said of JSON that has no config in it: a wrong type, a field twice, a text that is cut.

use rruntime::spec::Spec;
use rruntime::spec::load::parse;

#[test]
fn a_wrong_type_is_told_in_words() {
    for (text, wanted) in [
        (r#"{"hostname": 5}"#, "x.json: /hostname must be a string, not 5 ("),
        (r#"{"hostname": true}"#, "must be a string, not true ("),
        (r#"{"process": {"user": {"uid": -1}}}"#, "must be a whole number from 0 to 4294967295, not -1 ("),
        (r#"{"process": {"user": {"uid": "root"}}}"#, "from 0 to 4294967295, not \"root\" ("),
        (r#"{"process": {"user": {"uid": 1.5}}}"#, "from 0 to 4294967295, not 1.5 ("),
        (r#"{"process": {"terminal": "yes"}}"#, "/process/terminal must be true or false, not \"yes\" ("),
        (r#"{"process": []}"#, "must be an object, not a list ("),
        (r#"{"mounts": {}}"#, "must be a list, not an object ("),
        (r#"{"process": {"cwd": "/", "cwd": "/"}}"#, "the field \"cwd\" appears twice (remove one"),
        (r#"{"process": {"user": {"uid": "0"}}}"#, "not \"0\" (remove the quotation marks)"),
        (r#"{"process": {"args": "sh"}}"#, "must be a list, not \"sh\" (write it as a list"),
        (r#"{"linux": {"devices": 5}}"#, "(config-linux.md of"),
        (" \n", "x.json is empty ("),
        ("\u{feff}{}", "x.json begins with a byte order mark, which JSON does not have (save it as UTF-8"),
        (
            r#"{"mounts": ["#,
            "x.json is not valid JSON: it ends in the middle of a list at line 1 column 12 (",
        ),
        ("[1]", "x.json: must be an object, not a list ("),
        ("{", "x.json is not valid JSON: "),
    ] {
        let error = parse::<Spec>("x.json", text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}
