//! Limits over limits, as `update` merges them.

use rruntime::spec::Resources;
use rruntime::spec::merge::{SwapCount, complete, merge};

/// (present, wanted, on which version) to (what is written, what is remembered), as JSON.
fn updated(present: &str, wanted: &str, count: SwapCount) -> (String, String) {
    let mut present: Resources = serde_json::from_str(present).unwrap();
    let mut wanted: Resources = serde_json::from_str(wanted).unwrap();
    complete(&mut wanted, &present, count);
    merge(&mut present, &wanted);
    (serde_json::to_string(&wanted).unwrap(), serde_json::to_string(&present).unwrap())
}

#[test]
fn swap_alone_is_counted_from_the_memory_limit_that_is_there() {
    let (written, kept) =
        updated(r#"{"memory":{"limit":10}}"#, r#"{"memory":{"swap":30}}"#, SwapCount::Alone);
    assert_eq!(written, r#"{"memory":{"limit":10,"swap":30}}"#);
    assert_eq!(kept, written);
}

#[test]
fn a_memory_limit_alone_keeps_what_the_kernel_keeps_of_swap() {
    let had = r#"{"memory":{"limit":10,"swap":30}}"#;
    let alone = updated(had, r#"{"memory":{"limit":50}}"#, SwapCount::Alone);
    assert_eq!(alone.1, r#"{"memory":{"limit":50,"swap":70}}"#);
    let together = updated(had, r#"{"memory":{"limit":20}}"#, SwapCount::WithMemory);
    assert_eq!(together.1, r#"{"memory":{"limit":20,"swap":30}}"#);
    let none = updated(had, r#"{"memory":{"limit":-1}}"#, SwapCount::WithMemory);
    assert_eq!(none.1, r#"{"memory":{"limit":-1}}"#);
}

#[test]
fn a_quota_is_written_with_the_period_that_is_there_and_the_other_way_round() {
    let had = r#"{"cpu":{"quota":5000,"period":10000,"burst":100,"shares":2}}"#;
    let (written, _) = updated(had, r#"{"cpu":{"quota":7000,"shares":0}}"#, SwapCount::Alone);
    assert_eq!(written, r#"{"cpu":{"shares":0,"quota":7000,"burst":100,"period":10000}}"#);
    let (_, kept) = updated(had, r#"{"cpu":{"period":20000}}"#, SwapCount::Alone);
    assert_eq!(kept, r#"{"cpu":{"shares":2,"quota":5000,"burst":100,"period":20000}}"#);
}

#[test]
fn zeros_and_empty_texts_ask_for_nothing() {
    let had =
        r#"{"memory":{"limit":10},"cpu":{"shares":5,"cpus":"0"},"pids":{"limit":3},"blockIO":{"weight":10}}"#;
    let zeros =
        r#"{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,"cpus":""},"blockIO":{"weight":0}}"#;
    assert_eq!(updated(had, zeros, SwapCount::Alone).1, had);
    assert_eq!(updated(had, r#"{"pids":{"limit":0}}"#, SwapCount::Alone).1, had);
}

#[test]
fn entries_of_lists_replace_those_of_the_same_device() {
    let had = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":2}]}}"#;
    let wanted = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":9}]}}"#;
    let (_, kept) = updated(had, wanted, SwapCount::Alone);
    assert_eq!(
        kept,
        r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":2},{"major":8,"minor":0,"rate":9}]}}"#
    );
}
