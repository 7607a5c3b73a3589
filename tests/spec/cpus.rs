//! Lists of CPUs as bit masks, and back.

use rruntime::spec::cpus::{list, mask, missing};

#[test]
fn numbers_and_ranges_become_bits() {
    assert_eq!(mask("0"), Ok(vec![1]));
    assert_eq!(mask("0-3,7"), Ok(vec![0x8f]));
    assert_eq!(list(&[0x8f, 1]), "0-3,7-8");
    assert_eq!(mask(" 1 , 8 - 9 ,,1"), Ok(vec![2, 3]));
    assert_eq!(mask(""), Ok(vec![]));
    assert_eq!(mask(" , "), Ok(vec![]));
    assert_eq!(mask("8191").map(|mask| mask.len()), Ok(1024));
}

#[test]
fn what_is_no_list_is_refused() {
    for list in
        ["x", "-1", "1-", "-", "3-1", "+1", "1 2", "8192", "0-99999999999999999999", "0-31:2/8", "1;2"]
    {
        assert!(mask(list).is_err(), "{list}");
    }
}

#[test]
fn a_cpu_that_is_not_there_is_found() {
    assert_eq!(missing(&[0b101], &[0b111]), None);
    assert_eq!(missing(&[0b1101], &[0b101]), Some(3));
    assert_eq!(missing(&[0, 1], &[0xff]), Some(8));
}
