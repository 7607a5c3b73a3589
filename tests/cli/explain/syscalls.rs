//! `explain --syscall`: the verdict and the rule, held against the program that is loaded.

use super::{explain, page};
use crate::support::Container;
use rruntime::seccomp::evaluate::{Call, evaluate};
use rruntime::seccomp::{Arch, compile, flags_of_kernel, tables::Syscall};
use rruntime::spec::Seccomp;
use serde_json::{Value, json};

fn with(profile: Value) -> Container {
    Container::new().args(&["true"]).edit(|config| config["linux"]["seccomp"] = profile)
}

/// The items about one call: what, value, field.
fn told(container: &Container, call: &str) -> Vec<[String; 3]> {
    let ended = explain(container, &["--json", "--syscall", call]);
    let page: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    super::items(&page, &format!("syscall {call}"))
}

/// With masks, several conditions, two rules for one call, and alternatives.
fn profiles() -> [Value; 3] {
    let docker: Value =
        serde_json::from_str(include_str!("../../spec/seccomp/profiles/docker.json")).unwrap();
    let masks = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 0x7e02_0000_u64, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["clone"], "action": "SCMP_ACT_LOG",
             "args": [{"index": 0, "value": 0x1000_0000_u64, "valueTwo": 0x1000_0000_u64, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
             "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}]},
            {"names": ["socket", "read", "write", "capset"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 25,
             "args": [{"index": 1, "value": 5, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 7, "op": "SCMP_CMP_EQ"}]}
        ]
    });
    let open = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["personality"], "action": "SCMP_ACT_KILL_PROCESS",
             "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_GT"}]},
            {"names": ["mount"], "action": "SCMP_ACT_TRAP",
             "args": [{"index": 3, "value": 0xff, "valueTwo": 0x20, "op": "SCMP_CMP_MASKED_EQ"}]}
        ]
    });
    [docker, masks, open]
}

#[test]
fn the_verdict_is_what_the_program_returns_with_these_arguments() {
    let Some(native) = Arch::native() else { skip!("there is no table for this processor") };
    let calls = [
        ("clone", vec![0]),
        ("clone", vec![0x1000_0011]),
        ("clone", vec![0x11]),
        ("socket", vec![16, 3, 9]),
        ("socket", vec![16, 3, 0]),
        ("socket", vec![40]),
        ("ioctl", vec![0, 5]),
        ("ioctl", vec![0, 6]),
        ("personality", vec![0]),
        ("personality", vec![0x20008]),
        ("mount", vec![0, 0, 0, 0x1020]),
        ("mount", vec![0, 0, 0, 0x1021]),
        ("read", vec![]),
        ("mseal", vec![]),
    ];
    for profile in profiles() {
        let text = profile.to_string();
        let typed: Seccomp = serde_json::from_str(&text).unwrap();
        let filter = compile(&typed, native, flags_of_kernel(6, 1)).unwrap().unwrap();
        let container = with(profile.clone());
        for (name, list) in &calls {
            let words: Vec<String> = list.iter().map(|one: &u64| format!("{one:#x}")).collect();
            let told = told(&container, &format!("{name}({})", words.join(", ")));
            let number = Syscall::by_name(name).unwrap().number(native).unwrap();
            let mut arguments = [0; 6];
            arguments[..list.len()].copy_from_slice(list);
            let call = Call { number, arch: native.audit(), arguments };
            let returned = evaluate(&filter.program, &call, native.order()).unwrap().returned;
            let action = returned & 0xffff_0000;
            let beginning = match action {
                0x7fff_0000 => "allowed",
                0x7ffc_0000 => "allowed and logged",
                0x0005_0000 => &format!("refused with errno {} (", returned & 0xffff),
                0x0003_0000 => "answered by the signal SIGSYS",
                0x8000_0000 => "kills the process",
                other => panic!("{other:#x}"),
            };
            let here = told
                .iter()
                .find(|[what, ..]| what.starts_with(&format!("{} number {number}", native.name())));
            let [_, value, field] = here.unwrap_or_else(|| panic!("{name}: {told:?}"));
            assert!(value.starts_with(beginning), "{name}({words:?}): {value}, not {returned:#x}");
            assert!(action != 0x7fff_0000 || value == "allowed", "{name}: {value}");
            // The rule that is named has the call, and the action.
            if let Some(at) = field.strip_prefix("/linux/seccomp/syscalls/") {
                let rule = &profile["syscalls"][at.parse::<usize>().unwrap()];
                assert!(rule["names"].as_array().unwrap().contains(&json!(name)), "{name}: {rule}");
            }
        }
    }
}

#[test]
fn without_arguments_every_case_is_told_in_its_order_and_by_architecture() {
    if Arch::native() != Some(Arch::X86_64) {
        skip!("the numbers are those of x86-64");
    }
    let [_, masks, _] = profiles();
    let told = told(&with(masks), "clone");
    let refused = "refused with errno 38 (function not implemented)";
    let mut wanted = Vec::new();
    for way in ["SCMP_ARCH_X86_64 number 56", "SCMP_ARCH_X86 number 120"] {
        wanted.extend([
            [format!("{way}: where arg0 & 0x10000000 == 0x10000000"), "allowed and logged".into(), rule(1)],
            [format!("{way}: where arg0 & 0x7e020000 == 0x0"), "allowed".into(), rule(0)],
            [format!("{way}: otherwise"), refused.into(), "/linux/seccomp/defaultAction".into()],
        ]);
    }
    assert_eq!(told, wanted);
}

fn rule(at: usize) -> String {
    format!("/linux/seccomp/syscalls/{at}")
}

#[test]
fn a_multiplexed_call_is_told_by_each_of_its_ways() {
    if Arch::native() != Some(Arch::X86_64) {
        skip!("the numbers are those of x86-64");
    }
    let [_, masks, _] = profiles();
    let told = told(&with(masks), "socket");
    let through = told.iter().find(|[what, ..]| what.starts_with("SCMP_ARCH_X86 through socketcall(1)"));
    assert!(through.is_some(), "{told:?}");
}

#[test]
fn without_a_filter_everything_is_allowed() {
    let container = Container::new().args(&["true"]).edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("seccomp");
    });
    assert_eq!(told(&container, "mount")[0][1], "allowed: there is no filter");
    assert_eq!(super::items(&page(&container), "seccomp")[0][1], "every system call is allowed");
}

#[test]
fn a_call_that_cannot_be_meant_is_refused_with_a_suggestion() {
    let container = Container::new().args(&["true"]);
    for (call, reason) in [
        ("mont", "did you mean mount?"),
        ("", "there is no system call of this name"),
        ("clone(0x)", "is no argument"),
        ("clone(1,2,3,4,5,6,7)", "at most six arguments"),
        ("clone(x)", "is no argument"),
        ("clone(1", "the bracket is not closed"),
    ] {
        let ended = explain(&container, &["--syscall", call]);
        assert_eq!(ended.code, 1, "{call}");
        assert!(ended.fails().contains(reason), "{call}");
    }
}

/// As the kernel's log has them.
#[test]
fn a_number_is_that_of_this_machines_own_calls() {
    let Some(native) = Arch::native() else { skip!("there is no table for this processor") };
    let [docker, ..] = profiles();
    let container = with(docker);
    let clone = Syscall::by_name("clone").and_then(|call| call.number(native)).unwrap();
    let by_name = told(&container, "clone(0x10000000)");
    for number in [format!("{clone}(0x10000000)"), format!("{clone:#x}(0x10000000)")] {
        let ended = explain(&container, &["--json", "--syscall", &number]);
        let page: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(super::items(&page, "syscall clone(0x10000000)"), by_name, "{number}");
    }
}
