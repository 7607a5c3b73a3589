//! The rules of compilation, one test each. Decisions are taken by running the compiled program.

use rruntime::error::{Detail, Kind, Result};
use rruntime::seccomp::arch::{Arch, Order};
use rruntime::seccomp::evaluate::{Call, Outcome, evaluate};
use rruntime::seccomp::tables::{Syscall, X32_BIT};
use rruntime::seccomp::vocabulary::{self, describe};
use rruntime::seccomp::{Filter, compile, flags_of_kernel};
use rruntime::spec::Seccomp;

const DOCKER: &str = include_str!("profiles/docker.json");
/// Linux 6.18.
const ALL_FLAGS: u32 = 0b100111;

fn try_compile(json: &str) -> Result<Option<Filter>> {
    let profile: Seccomp = serde_json::from_str(json).expect("json");
    compile(&profile, Arch::X86_64, ALL_FLAGS)
}

fn compiled(json: &str) -> Filter {
    try_compile(json).expect("a valid profile").expect("a filter")
}

/// A profile with this default action and these rules.
fn profile(default: &str, rules: &str) -> String {
    format!(r#"{{"defaultAction": "SCMP_ACT_{default}", "syscalls": [{rules}]}}"#)
}

fn refused(json: &str) -> (String, String) {
    let error = try_compile(json).expect_err("a wrong profile");
    let Detail { field, value, .. } = error.detail();
    (field.clone().unwrap_or_default(), value.clone().unwrap_or_default())
}

fn run(filter: &Filter, arch: Arch, number: u32, first: u64) -> Outcome {
    let call = Call { number, arch: arch.audit(), arguments: [first, 0, 0, 0, 0, 0] };
    evaluate(&filter.program, &call, arch.order()).expect("a valid program")
}

fn decide(filter: &Filter, arch: Arch, name: &str, first: u64) -> String {
    let number = Syscall::by_name(name).expect("a call").number(arch).expect("a call of this architecture");
    describe(run(filter, arch, number, first).returned)
}

#[test]
fn each_action_becomes_its_return_value() {
    let names = ["read", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap"];
    let rule =
        |((action, _), name): (&(&str, _), _)| format!(r#"{{"names": ["{name}"], "action": "{action}"}}"#);
    let rules: Vec<String> = vocabulary::ACTIONS.iter().zip(names).map(rule).collect();
    let rules = rules.join(",");
    let json = format!(
        r#"{{"defaultAction": "SCMP_ACT_TRAP", "listenerPath": "/run/agent", "syscalls": [{rules}]}}"#
    );
    let filter = compiled(&json);
    let all = names.map(|name| decide(&filter, Arch::X86_64, name, 0));
    let expected = [
        "ALLOW",
        "ERRNO(1)",
        "KILL_THREAD",
        "KILL_PROCESS",
        "KILL_THREAD",
        "LOG",
        "NOTIFY",
        "TRACE(1)",
        "TRAP",
    ];
    assert_eq!(all, expected.map(|action| format!("SCMP_ACT_{action}")));
}

#[test]
fn an_errno_is_taken_from_the_rule_and_from_the_default() {
    let filter = compiled(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
                         {"names": ["mseal"], "action": "SCMP_ACT_ALLOW"}]}"#,
    );
    assert_eq!(decide(&filter, Arch::X86_64, "read", 0), "SCMP_ACT_ERRNO(13)");
    assert_eq!(decide(&filter, Arch::X86_64, "write", 0), "SCMP_ACT_ERRNO(38)");
}

#[test]
fn comparisons_are_of_all_64_bits() {
    let borders = [
        0,
        1,
        0xffff_fffe,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0005,
        0x1_0000_0006,
        0x2_0000_0005,
        u64::MAX,
    ];
    for (operator, holds) in [
        ("EQ", (|a, b| a == b) as fn(u64, u64) -> bool),
        ("NE", |a, b| a != b),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("GT", |a, b| a > b),
        ("GE", |a, b| a >= b),
    ] {
        for value in borders {
            let rule = format!(
                r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{{"index": 0, "value": {value}, "op": "SCMP_CMP_{operator}"}}]}}"#
            );
            let filter = compiled(&profile("KILL_PROCESS", &rule));
            for actual in borders.into_iter().flat_map(|v| [v, v.wrapping_add(1), v.wrapping_sub(1)]) {
                let allowed = decide(&filter, Arch::X86_64, "read", actual) == "SCMP_ACT_ALLOW";
                assert_eq!(allowed, holds(actual, value), "{actual:#x} {operator} {value:#x}");
            }
        }
    }
}

#[test]
fn a_masked_comparison_has_the_mask_first() {
    let rule = r#"{"names": ["clone"], "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}"#;
    let filter = compiled(&profile("TRAP", rule));
    assert_eq!(decide(&filter, Arch::X86_64, "clone", 0x11), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&filter, Arch::X86_64, "clone", 0x1000_0000), "SCMP_ACT_TRAP");
    assert_eq!(decide(&filter, Arch::X86_64, "clone", 0xff_0000_0011), "SCMP_ACT_ALLOW");
}

#[test]
fn conditions_on_several_arguments_are_all_required_and_on_one_argument_alternatives() {
    let rule = |args: &str| format!(r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{args}]}}"#);
    let arg = |index, value| format!(r#"{{"index": {index}, "value": {value}, "op": "SCMP_CMP_EQ"}}"#);
    let both = compiled(&profile("TRAP", &rule(&format!("{},{}", arg(0, 5), arg(1, 0)))));
    assert_eq!(decide(&both, Arch::X86_64, "read", 5), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&both, Arch::X86_64, "read", 6), "SCMP_ACT_TRAP");
    let either = compiled(&profile("TRAP", &rule(&format!("{},{},{}", arg(0, 5), arg(0, 6), arg(1, 9)))));
    assert_eq!(decide(&either, Arch::X86_64, "read", 5), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&either, Arch::X86_64, "read", 6), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&either, Arch::X86_64, "read", 7), "SCMP_ACT_TRAP");
}

#[test]
fn the_first_rule_without_conditions_wins_over_all_others() {
    let rules = r#"{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}]},
                   {"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["read"], "action": "SCMP_ACT_KILL"}"#;
    assert_eq!(decide(&compiled(&profile("TRAP", rules)), Arch::X86_64, "read", 5), "SCMP_ACT_ALLOW");
}

#[test]
fn a_rule_with_the_default_action_is_left_out() {
    let rules =
        r#"{"names": ["read"], "action": "SCMP_ACT_TRAP"}, {"names": ["read"], "action": "SCMP_ACT_ALLOW"}"#;
    assert_eq!(decide(&compiled(&profile("TRAP", rules)), Arch::X86_64, "read", 0), "SCMP_ACT_ALLOW");
}

#[test]
fn calls_newer_than_the_profile_get_enosys_unless_the_default_lets_calls_through() {
    let rules = r#"{"names": ["openat2"], "action": "SCMP_ACT_KILL_THREAD"}"#;
    for (default, newer) in [
        ("ERRNO", "ERRNO(38)"),
        ("KILL", "ERRNO(38)"),
        ("TRAP", "ERRNO(38)"),
        ("KILL_PROCESS", "ERRNO(38)"),
        ("ALLOW", "ALLOW"),
        ("LOG", "LOG"),
        ("TRACE", "TRACE(1)"),
    ] {
        let filter = compiled(&profile(default, rules));
        let older = describe(run(&filter, Arch::X86_64, 436, 0).returned);
        assert_ne!(older, "SCMP_ACT_ERRNO(38)", "{default}");
        for number in [438, 1000, X32_BIT - 1] {
            assert_eq!(
                describe(run(&filter, Arch::X86_64, number, 0).returned),
                format!("SCMP_ACT_{newer}"),
                "{default}"
            );
        }
    }
}

#[test]
fn another_architecture_and_unlisted_x32_are_killed() {
    let filter = compiled(&profile("ALLOW", r#"{"names": ["read"], "action": "SCMP_ACT_TRAP"}"#));
    assert_eq!(decide(&filter, Arch::X86, "read", 0), "SCMP_ACT_KILL_THREAD");
    assert_eq!(decide(&filter, Arch::Aarch64, "read", 0), "SCMP_ACT_KILL_THREAD");
    assert_eq!(decide(&filter, Arch::X32, "read", 0), "SCMP_ACT_KILL_THREAD");
    // A tracer's "skip this call".
    assert_eq!(describe(run(&filter, Arch::X86_64, u32::MAX, 0).returned), "SCMP_ACT_ALLOW");
}

#[test]
fn i386_socket_calls_are_covered_directly_and_through_the_multiplexer() {
    let filter = compiled(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
            "syscalls": [{"names": ["socket", "accept", "semop"], "action": "SCMP_ACT_ALLOW"}, {"names": ["mseal"], "action": "SCMP_ACT_LOG"}]}"#,
    );
    assert_eq!(decide(&filter, Arch::X86, "socket", 9), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&filter, Arch::X86, "socketcall", 1), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&filter, Arch::X86, "socketcall", 2), "SCMP_ACT_ERRNO(1)");
    assert_eq!(decide(&filter, Arch::X86, "socketcall", 5), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&filter, Arch::X86, "ipc", 1), "SCMP_ACT_ALLOW");
    assert_eq!(decide(&filter, Arch::X86, "ipc", 2), "SCMP_ACT_ERRNO(1)");
    assert_eq!(decide(&filter, Arch::X86_64, "socket", 9), "SCMP_ACT_ALLOW");
}

#[test]
fn a_big_endian_machine_reads_the_words_in_its_order() {
    let rule = r#"{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 4294967301, "op": "SCMP_CMP_GT"}]}"#;
    let json = profile("ALLOW", rule);
    let profile: Seccomp = serde_json::from_str(&json).expect("json");
    let filter = compile(&profile, Arch::S390x, ALL_FLAGS).expect("valid").expect("a filter");
    assert_eq!(Arch::S390x.order(), Order::HighFirst);
    assert_eq!(decide(&filter, Arch::S390x, "read", 0x1_0000_0006), "SCMP_ACT_LOG");
    assert_eq!(decide(&filter, Arch::S390x, "read", 0x6_0000_0001), "SCMP_ACT_LOG");
    assert_eq!(decide(&filter, Arch::S390x, "read", 0xffff_ffff), "SCMP_ACT_ALLOW");
}

#[test]
fn unknown_words_are_errors_that_name_them() {
    let bad = |json: &str, field: &str, value: &str| {
        assert_eq!(refused(json), (format!("/linux/seccomp{field}"), value.into()))
    };
    bad(&profile("MAYBE", ""), "/defaultAction", "SCMP_ACT_MAYBE");
    bad(&profile("ALLOW", r#"{"names": [], "action": "X"}"#), "/syscalls/0/action", "X");
    bad(&profile("ALLOW", r#"{"names": [""], "action": "SCMP_ACT_LOG"}"#), "/syscalls/0/names/0", "");
    bad(
        &profile("ALLOW", r#"{"names": ["read"], "action": "SCMP_ACT_LOG", "errnoRet": 4}"#),
        "/syscalls/0/errnoRet",
        "4",
    );
    for (action, number) in [("ERRNO", 4096_u32), ("TRACE", 65536)] {
        let rule = format!(r#"{{"names": ["read"], "action": "SCMP_ACT_{action}", "errnoRet": {number}}}"#);
        bad(&profile("ALLOW", &rule), "/syscalls/0/errnoRet", &number.to_string());
        let rule = rule.replace(&number.to_string(), &(number - 1).to_string());
        compiled(&profile("ALLOW", &rule));
    }
    let arg = |arg| {
        profile("ALLOW", &format!(r#"{{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{{{arg}}}]}}"#))
    };
    bad(&arg(r#""index": 6, "op": "SCMP_CMP_EQ""#), "/syscalls/0/args/0/index", "6");
    bad(&arg(r#""index": 0, "op": "SCMP_CMP_IS""#), "/syscalls/0/args/0/op", "SCMP_CMP_IS");
    bad(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"]}"#,
        "/architectures/0",
        "SCMP_ARCH_VAX",
    );
    bad(r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["FAST"]}"#, "/flags/0", "FAST");
    bad(r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}"#, "/defaultErrnoRet", "1");
}

#[test]
fn unknown_calls_and_architectures_without_a_table_are_warnings() {
    let filter = compiled(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_MIPS", "SCMP_ARCH_S390X"],
            "syscalls": [{"names": ["read", "no_such_call"], "action": "SCMP_ACT_LOG"}]}"#,
    );
    assert_eq!(filter.warnings.len(), 3);
    for (warning, field, value) in [
        (0, "/linux/seccomp/architectures/1", "SCMP_ARCH_MIPS"),
        (2, "/linux/seccomp/syscalls/0/names/1", "no_such_call"),
    ] {
        let found = filter.warnings[warning].detail();
        assert_eq!((found.field.as_deref(), found.value.as_deref()), (Some(field), Some(value)));
    }
    assert_eq!(decide(&filter, Arch::X86_64, "read", 0), "SCMP_ACT_LOG");
}

#[test]
fn flags_become_bits_and_their_absence_means_speculation() {
    let with = |flags: &str| {
        compiled(&format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", {flags} "syscalls": []}}"#)).flags
    };
    assert_eq!(with(""), 0b100);
    assert_eq!(with(r#""flags": [],"#), 0);
    assert_eq!(with(r#""flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"],"#), 0b11);
    // Nothing is received, so there is nothing to wait for.
    assert_eq!(with(r#""flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"#), 0);
    let old: Seccomp = serde_json::from_str(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#,
    )
    .expect("json");
    let error = compile(&old, Arch::X86_64, flags_of_kernel(5, 10)).expect_err("no such flag in 5.10");
    assert_eq!(error.detail().kind, Kind::Unsupported);
}

#[test]
fn notify_needs_a_listener_and_spares_the_runtime() {
    let notify = |name: &str, head: &str| {
        format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", {head} "syscalls": [{{"names": ["{name}"], "action": "SCMP_ACT_NOTIFY"}}]}}"#
        )
    };
    let filter = compiled(&notify(
        "mkdir",
        r#""listenerPath": "/run/agent", "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"#,
    ));
    assert!(filter.notify);
    assert_eq!(filter.flags, 0b111001);
    assert_eq!(refused(&notify("mkdir", "")).0, "/linux/seccomp/listenerPath");
    assert_eq!(
        refused(&notify("write", r#""listenerPath": "/run/agent","#)).0,
        "/linux/seccomp/syscalls/0/names/0"
    );
    assert_eq!(refused(&profile("NOTIFY", "")).0, "/linux/seccomp/defaultAction");
}

#[test]
fn an_empty_profile_is_no_filter() {
    assert_eq!(try_compile("{}").expect("valid"), None);
    assert!(try_compile(r#"{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}]}"#).is_err());
}

#[test]
fn long_rule_lists_jump_far_and_too_long_ones_are_refused() {
    let rules = |count: u64| {
        let rule = |value| {
            format!(
                r#"{{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{{"index": 0, "value": {value}, "op": "SCMP_CMP_EQ"}}, {{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}}]}}"#
            )
        };
        let rules: Vec<String> = (0..count).map(|n| rule(n * 0x1_0000_0001)).collect();
        profile("ALLOW", &rules.join(","))
    };
    let filter = compiled(&rules(400));
    assert!(filter.program.len() > 3000);
    for n in [0, 1, 200, 399] {
        assert_eq!(decide(&filter, Arch::X86_64, "read", n * 0x1_0000_0001), "SCMP_ACT_LOG");
        assert_eq!(decide(&filter, Arch::X86_64, "read", n * 0x1_0000_0001 + 1), "SCMP_ACT_ALLOW");
    }
    // The second is not even put in order to its end.
    for count in [600, 5000] {
        let error = try_compile(&rules(count)).expect_err("too long");
        assert!(error.to_string().contains("more than 4096 instructions"), "{error}");
    }
    let shared = compiled(&rules(400).replace(r#"["read"]"#, r#"["read", "write", "openat"]"#));
    assert!(shared.program.len() < filter.program.len() + 10, "{}", shared.program.len());
    assert_eq!(decide(&shared, Arch::X86_64, "openat", 0x1_0000_0001), "SCMP_ACT_LOG");
}

#[test]
fn dockers_filter_is_small_and_shallow() {
    let filter = compiled(DOCKER);
    assert!(filter.program.len() < 300, "{}", filter.program.len());
    let steps = |number| run(&filter, Arch::X86_64, number, 0).steps;
    let deepest = (0..463).map(steps).max().expect("numbers");
    assert!(deepest < 25, "{deepest}");
    assert!(filter.warnings.is_empty(), "{:?}", filter.warnings);
}

/// cargo test --release --lib seccomp -- --ignored --nocapture: the budget is 300 µs.
#[test]
#[ignore = "a measurement"]
fn time_of_dockers_profile() {
    let profile: Seccomp = serde_json::from_str(DOCKER).expect("json");
    let times = (0..200).map(|_| {
        let start = std::time::Instant::now();
        let filter = compile(&profile, Arch::X86_64, ALL_FLAGS).expect("valid").expect("a filter");
        assert!(!filter.program.is_empty());
        start.elapsed()
    });
    let times: Vec<_> = times.collect();
    let filter = compiled(DOCKER);
    let steps: u32 = (0..463).map(|number| run(&filter, Arch::X86_64, number, 0).steps).sum();
    println!("first {:?}, minimum {:?}", times[0], times.iter().min());
    println!("{} instructions, {:.1} of them on average", filter.program.len(), f64::from(steps) / 463.0);
}
