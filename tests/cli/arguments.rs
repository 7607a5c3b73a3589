//! Options and operands, as people and engines type them.

use clap::Arg;
use rruntime::cli::arguments::{Arguments, integer, option, options, switch};
use rruntime::error::{Kind, Result};
use std::ffi::OsString;

fn definitions() -> Vec<Arg> {
    vec![
        switch("tty", "").short('t'),
        switch("detach", "").short('d'),
        option("user", "UID", "").short('u'),
        options("env", "NAME=VALUE", "").short('e'),
        option("format", "FORMAT", "").short('f'),
    ]
}

fn parse(end: usize, line: &str) -> Result<Arguments> {
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    Arguments::parse("rruntime exec", definitions(), end, &words)
}

fn operands(arguments: &Arguments) -> String {
    arguments.operands.iter().map(|o| o.to_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn options_stand_before_and_after_the_id() {
    for line in ["-t -u 1 web", "web -t -u 1", "-t web -u 1", "-tu1 web", "-tu 1 web", "--tty --user=1 web"] {
        let got = parse(usize::MAX, line).unwrap();
        assert!(got.switch("tty"), "{line}");
        assert!(!got.switch("detach"), "{line}");
        assert_eq!(got.text("user").unwrap(), Some("1"), "{line}");
        assert_eq!(operands(&got), "web", "{line}");
    }
}

#[test]
fn from_the_second_operand_of_exec_everything_is_the_command() {
    for (line, wanted, tty) in [
        ("web ls -l", "web ls -l", false),
        ("-t web sh -c -t", "web sh -c -t", true),
        ("web -t sh -d", "web sh -d", true),
        ("-u 0 web ls --user x", "web ls --user x", false),
        ("-tu 0 web ls -t", "web ls -t", true),
        ("web -- ls -t", "web ls -t", false),
        ("web ls -- -t", "web ls -- -t", false),
        ("-- web ls -t", "web ls -t", false),
        ("--user=0 web ls -t", "web ls -t", false),
        ("web", "web", false),
    ] {
        let got = parse(2, line).unwrap();
        assert_eq!(operands(&got), wanted, "{line}");
        assert_eq!(got.switch("tty"), tty, "{line}");
        assert!(!got.switch("detach"), "{line}");
    }
}

#[test]
fn everything_after_the_id_belongs_to_ps() {
    for (line, wanted, format) in [
        ("web -ef", "web -ef", None),
        ("web -f", "web -f", None),
        ("-f json web", "web", Some("json")),
        ("--format json web aux", "web aux", Some("json")),
        ("-fjson web -u 0", "web -u 0", Some("json")),
    ] {
        let got = parse(1, line).unwrap();
        assert_eq!(operands(&got), wanted, "{line}");
        assert_eq!(got.text("format").unwrap(), format, "{line}");
    }
}

#[test]
fn a_switch_takes_a_value_only_after_an_equals_sign() {
    let value = |line| parse(usize::MAX, line).unwrap().given_switch("tty");
    assert_eq!(value("web"), None);
    assert_eq!(value("--tty web"), Some(true));
    assert_eq!(value("--tty=false web"), Some(false));
    assert_eq!(value("--tty --tty=0 web"), Some(false));
    assert_eq!(value("-t=T web"), Some(true));
    assert!(parse(usize::MAX, "-td web").unwrap().switch("detach"));
    assert_eq!(operands(&parse(usize::MAX, "--tty false").unwrap()), "false");
}

#[test]
fn the_last_of_several_counts_and_a_list_keeps_all() {
    let got = parse(usize::MAX, "-u 1 --user 2 -e A=1 --env B=2 -eC=3 web").unwrap();
    assert_eq!(got.text("user").unwrap(), Some("2"));
    assert_eq!(got.texts("env").unwrap(), ["A=1", "B=2", "C=3"]);
}

#[test]
fn a_value_may_look_like_an_option() {
    assert_eq!(parse(usize::MAX, "--user -1 web").unwrap().text("user").unwrap(), Some("-1"));
    assert_eq!(operands(&parse(2, "--user -t web ls").unwrap()), "web ls");
}

#[test]
fn wrong_options_are_named() {
    for (line, wanted) in [
        ("--bogus web", "flag provided but not defined: --bogus"),
        ("-z web", "flag provided but not defined: -z"),
        ("web --user", "flag needs an argument: --user"),
        ("--tty=maybe web", "invalid value \"maybe\" for --tty: must be true or false"),
    ] {
        let error = parse(usize::MAX, line).unwrap_err();
        let said = error.to_string();
        let before_remedy = said.rsplit_once(" (").map_or(&*said, |(before, _)| before);
        assert!(before_remedy.ends_with(wanted), "{line}: {error}");
        assert_eq!(error.detail().kind, Kind::Argument);
    }
    for (text, number) in [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0x10", 16),
        ("010", 8),
        ("0o17", 15),
        ("0b11", 3),
        ("1_000", 1000),
        ("0", 0),
    ] {
        assert_eq!(integer(text), Some(number), "{text}");
    }
    for text in ["", "-", "x", "1x", "_1", "1_", "1__0", "08", "0x", "9223372036854775808", "--5", "- 5"] {
        assert_eq!(integer(text), None, "{text}");
    }
    let error = parse(usize::MAX, "--detch web").unwrap_err().to_string();
    assert!(error.contains("did you mean --detach?"), "{error}");
}
