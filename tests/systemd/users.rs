//! What an ordinary user's manager does that the machine's does not.

use crate::fixture::{assert_gone, scoped, start_with};
use std::process::Command;

/// A user's own bus cannot make units of the machine's, and the machine's refuses a user.
#[test]
fn the_machines_systemd_refuses_an_ordinary_user() {
    under_systemd!(false);
    let container = scoped().args(&["true"]);
    let error = start_with(&container, |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket");
    })
    .fails();
    assert!(error.contains("DBUS_SESSION_BUS_ADDRESS"), "{error}");
    assert_gone(&container);
}

/// A session that su or sudo has made has no variables; one that is empty is none.
#[test]
fn without_variables_the_users_bus_is_where_it_usually_is() {
    under_systemd!(false);
    let variables = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];
    let unset: fn(&mut Command, &str) = |command, name| _ = command.env_remove(name);
    let empty: fn(&mut Command, &str) = |command, name| _ = command.env(name, "");
    for (named, change) in [(&variables[..1], unset), (&variables, unset), (&variables, empty)] {
        let container = scoped().args(&["sleep", "100"]);
        start_with(&container, |command| named.iter().for_each(|name| change(command, name))).ok();
        container.call(&["delete", "--force", &container.id]).ok();
        assert_gone(&container);
    }
}
