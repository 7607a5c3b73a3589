//! What `doctor` says of the systemd that answers the caller.

use std::process::Command;

#[test]
fn doctor_knows_the_systemd_that_answers_this_caller_and_measures_a_question_to_it() {
    under_systemd!();
    let doctor = |bus: Option<&str>| -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rruntime"));
        command.args(["doctor", "--json", "--measure"]);
        if let Some(bus) = bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", bus).env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let found = doctor(None);
    assert_eq!(
        (&found["systemd"]["isTheInitSystem"], &found["systemd"]["answers"]),
        (&true.into(), &true.into())
    );
    let version = Command::new("systemctl").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let number = version.split_whitespace().nth(1).unwrap();
    assert!(found["systemd"]["version"].as_str().unwrap().starts_with(number), "{version}: {found}");
    assert!(found["costs"]["questionToSystemd"].as_u64().unwrap() > 0, "{found}");
    let found = doctor(Some("unix:path=/nonexistent/bus"));
    assert_eq!(
        (&found["systemd"]["answers"], &found["costs"]["questionToSystemd"]),
        (&false.into(), &serde_json::Value::Null)
    );
}
