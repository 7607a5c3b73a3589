//! `trace FILE`: a trace as a waterfall, in a terminal and as SVG; and files that are none.

use crate::support::cli::{Said, Scratch, on_terminal, rruntime};
use nix::pty::Winsize;
use std::fs;
use std::process::Command;

/// A command with a phase, a deed that fails, what init does meanwhile, and a program of ten seconds.
const TRACE: &str = r#"{"displayTimeUnit":"ns","otherData":{"producer":"rruntime"},"traceEvents":[
{"name":"process_name","ph":"M","pid":7,"tid":7,"args":{"name":"rruntime run web"}},
{"name":"thread_name","ph":"M","pid":7,"tid":7,"args":{"name":"host: rruntime"}},
{"name":"load","cat":"phase","args":{"result":"ok"},"ph":"X","ts":100.000,"dur":100.5,"pid":7,"tid":7},
{"name":"start init","cat":"deed","args":{"number":0,"field":"/linux/namespaces","result":"ok"},"ph":"X","ts":300,"dur":300,"pid":7,"tid":7},
{"name":"mount <a>&\u001b[31m","cat":"step","args":{"number":0,"field":"/mounts/0","value":"ro","result":"ok"},"ph":"X","ts":500,"dur":100,"pid":7,"tid":9},
{"name":"mask /x","cat":"step","args":{"number":1,"result":"failed","errno":13},"ph":"X","ts":600,"dur":250,"pid":7,"tid":9},
{"name":"the program runs","cat":"program","args":{"result":"ok"},"ph":"X","ts":1000,"dur":10000000,"pid":7,"tid":7},
{"name":"warning","cat":"warning","args":{"value":"mind the gap","result":"ok"},"ph":"X","ts":10001000,"dur":0,"pid":7,"tid":7},
{"name":"run","cat":"command","args":{"value":"web","result":"failed","error":"it failed (try again)"},"ph":"X","ts":100,"dur":10001000,"pid":7,"tid":7},
{"name":"process_name","ph":"M","pid":7,"tid":7,"args":{"name":"rruntime delete web"}},
{"name":"delete","cat":"command","args":{"result":"ok"},"ph":"X","ts":20000000,"dur":50,"pid":7,"tid":7}
]}
"#;

fn drawn(text: &str, options: &[&str]) -> Said {
    let scratch = Scratch::new();
    let file = scratch.file("t.json");
    fs::write(&file, text).unwrap();
    rruntime(&[&["trace", file.to_str().unwrap()], options].concat())
}

#[test]
fn the_waterfall_has_a_row_for_each_thing_and_a_bar_for_its_time() {
    let said = drawn(TRACE, &[]);
    assert_eq!((said.code, &*said.err), (0, ""), "{said:?}");
    let rows: Vec<(String, String, String)> = said
        .out
        .lines()
        .map(|line| match line.split_once(" ms ") {
            Some((left, bar)) => {
                let (label, time) = left.rsplit_once(' ').unwrap();
                (label.trim_end().to_owned(), time.to_owned(), bar.to_owned())
            }
            None => (line.to_owned(), String::new(), String::new()),
        })
        .collect();
    let labels: Vec<(&str, &str)> = rows.iter().map(|(label, time, _)| (&**label, &**time)).collect();
    assert_eq!(
        labels,
        [
            ("rruntime run web", ""),
            ("run", "10001.000"),
            ("! it failed (try again)", ""),
            ("  load", "0.101"),
            ("  start init  /linux/namespaces", "0.300"),
            (r"| mount <a>&\u{1b}[31m  /mounts/0", "0.100"),
            ("| mask /x", "0.250"),
            ("| ! failed: permission denied", ""),
            ("  the program runs", "10000.000"),
            ("  warning", "0.000"),
            ("  ! mind the gap", ""),
            ("", ""),
            ("rruntime delete web", ""),
            ("delete", "0.050"),
        ]
    );
    // The program takes no room, so that what was done has it: one millisecond over 52 columns.
    let columns = |place: usize| {
        let bar = &rows[place].2;
        (bar.chars().take_while(|c| *c == ' ').count(), bar.trim_start().to_owned())
    };
    assert_eq!(columns(1), (0, "!".repeat(52)));
    assert_eq!(columns(3), (0, "#".repeat(5)));
    assert_eq!(columns(4), (10, "#".repeat(16)));
    assert_eq!(columns(6), (26, "!".repeat(13)));
    assert_eq!(columns(8), (46, ":".to_owned()));
    assert!(said.out.lines().all(|line| line.chars().count() <= 120 && !line.contains('\u{1b}')));
}

/// What appears on a terminal of this width that is standard output.
fn wide(columns: u16, environment: &[(&str, &str)]) -> String {
    let scratch = Scratch::new();
    let file = scratch.file("t.json");
    fs::write(&file, TRACE).unwrap();
    let size = Winsize { ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let mut command = Command::new(env!("CARGO_BIN_EXE_rruntime"));
    command.arg("trace").arg(&file);
    let (status, shown) = on_terminal(command, Some(&size), |command, end| {
        command.envs(environment.iter().copied()).stdout(end);
    });
    assert!(status.success());
    shown
}

#[test]
fn a_terminal_has_its_width_and_colours_where_they_are_wanted() {
    for width in [60, 100, 200] {
        let shown = wide(width, &[("NO_COLOR", "1")]);
        let longest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert_eq!(longest, usize::from(width), "{shown}");
        assert!(shown.contains('━') && !shown.contains('\u{1b}'), "{shown}");
    }
    let narrow = wide(60, &[("NO_COLOR", "1")]);
    assert!(narrow.contains("  start init  /linux/names~"), "{narrow}");
    let coloured = wide(80, &[]);
    assert!(coloured.contains("\u{1b}[31m!") && coloured.contains("\u{1b}[32m━"), "{coloured}");
    // A name in the file colours nothing.
    assert!(coloured.contains(r"mount <a>&\u{1b}[31m"), "{coloured}");
}

/// Tags that match, attributes in quotation marks, and no bare `<` or `&`; returns the names of all elements.
fn well_formed(text: &str) -> Vec<String> {
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let here = &rest[at..];
        if let Some(after) = here.strip_prefix('&') {
            assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| here.starts_with(entity)), "{here:.40}");
            rest = after;
            continue;
        }
        let (tag, after) = here[1..].split_once('>').unwrap();
        let name = tag.trim_matches('/').split(' ').next().unwrap().to_owned();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(), "{tag}");
        assert!(tag.matches('"').count() % 2 == 0 && !tag.contains('<'), "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(&*name));
        } else {
            all.push(name.clone());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = after;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    all
}

#[test]
fn the_picture_is_well_formed_and_has_the_same_rows() {
    let said = drawn(TRACE, &["--svg", "-"]);
    assert_eq!(said.code, 0, "{said:?}");
    let elements = well_formed(&said.out);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("svg"), count("g"), count("title"), count("rect")), (1, 8, 8, 9));
    assert!(said.out.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "));
    assert!(
        said.out.contains(r"mount &lt;a&gt;&amp;\u{1b}[31m")
            && said.out.contains("failed: permission denied")
    );
    let scratch = Scratch::new();
    let out = scratch.file("chart.svg");
    let written = drawn(TRACE, &["--svg", out.to_str().unwrap()]);
    assert_eq!((written.code, &*written.out), (0, ""), "{written:?}");
    assert_eq!(fs::read_to_string(out).unwrap(), said.out);
    let nowhere = drawn(TRACE, &["--svg", "/nonexistent/chart.svg"]);
    assert!(
        nowhere.code == 1
            && nowhere.err.contains("--svg = ")
            && nowhere.err.contains("/nonexistent/chart.svg"),
        "{nowhere:?}"
    );
}

/// Of what another user has put at that name nothing is followed, waited for or replaced.
#[test]
fn a_picture_takes_the_place_of_no_link_and_no_device() {
    let scratch = Scratch::new();
    let (target, link, fifo) = (scratch.file("target"), scratch.file("link"), scratch.file("fifo"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for out in [&link, &fifo] {
        let said = drawn(TRACE, &["--svg", out.to_str().unwrap()]);
        assert!(said.code == 1 && said.err.contains("is not a regular file"), "{said:?}");
        assert!(!fs::symlink_metadata(out).unwrap().is_file() && !target.exists());
    }
}

#[test]
fn a_trace_that_is_a_bare_list_and_anothers_is_drawn_too() {
    let said = drawn(
        r#"[{"ph":"X","name":"work","ts":5,"dur":1000,"pid":1,"tid":2},{"ph":"B","name":"x","ts":1}]"#,
        &[],
    );
    assert!(said.code == 0 && said.out.starts_with("process 1\n| work "), "{said:?}");
}

#[test]
fn a_file_that_is_no_trace_is_refused_by_what_is_wrong_with_it() {
    let wrong = [
        ("", "is not JSON"),
        ("{\"traceEvents\":[", "is not JSON"),
        (&TRACE[..TRACE.len() - 9], "is not JSON"),
        ("[7", "is not JSON"),
        ("7", "there is no list traceEvents"),
        ("{}", "there is no list traceEvents"),
        ("{\"traceEvents\":{}}", "there is no list traceEvents"),
        ("[]", "has no event with a duration"),
        ("[1,null,{}]", "has no event with a duration"),
        (r#"[{"ph":"X","dur":1}]"#, "ts of event 0 is no number of microseconds"),
        (r#"[{"ph":"M"},{"ph":"X","ts":1,"dur":"1"}]"#, "dur of event 1 is no number of microseconds"),
        (r#"[{"ph":"X","ts":-1,"dur":1}]"#, "ts of event 0"),
        (r#"[{"ph":"X","ts":1,"dur":1e300}]"#, "dur of event 0"),
    ];
    for (text, reason) in wrong {
        let said = drawn(text, &[]);
        assert!(said.code == 1 && said.out.is_empty() && said.err.contains(reason), "{text}: {said:?}");
        assert!(said.err.contains("name a file that --trace has written"), "{said:?}");
    }
    let deep = drawn(&"[".repeat(100_000), &[]);
    assert!(deep.code == 1 && deep.err.contains("is not JSON"), "{deep:?}");
    let missing = rruntime(&["trace", "/nonexistent"]);
    assert!(
        missing.code == 1
            && missing.err.contains("<file> = ")
            && missing.err.contains("read the trace: no such file"),
        "{missing:?}"
    );
    assert_ne!(rruntime(&["trace"]).code, 0);
}

/// A row lies in those of its own thread that have begun and not ended, whether they are one within the other or not.
#[test]
fn rows_that_overlap_without_an_order_have_their_depth() {
    let rows = [(1, 0, 1000), (2, 100, 5000), (1, 500, 2000), (1, 1200, 300), (2, 1300, 10), (1, 3000, 5)];
    let events = rows.map(|(tid, ts, dur)| {
        format!(r#"{{"ph":"X","name":"at {ts}","ts":{ts},"dur":{dur},"pid":1,"tid":{tid}}}"#)
    });
    let said = drawn(&format!("[{}]", events.join(",")), &[]);
    let labels: Vec<&str> = said.out.lines().skip(1).map(|line| line[..20].trim_end()).collect();
    assert_eq!(labels, ["at 0", "| at 100", "  at 500", "  at 1200", "  | at 1300", "at 3000"], "{said:?}");
    // Many of them take no more time than as many that do not overlap.
    let many = |process: &dyn Fn(usize) -> usize| {
        let event = |n: usize| {
            let pid = process(n);
            format!(r#"{{"ph":"X","name":"x","ts":{n},"dur":100000000,"pid":{pid},"tid":{n}}}"#)
        };
        let text = (0..30_000).map(event).collect::<Vec<_>>().join(",");
        drawn(&format!("[{text}]"), &[]).out.lines().count()
    };
    assert_eq!(many(&|_| 1), 30_001);
    assert_eq!(many(&|n| n), 89_999);
}

#[test]
fn nothing_in_a_file_stops_the_drawing() {
    let many: Vec<String> = (0..2000)
        .map(|n| {
            let (pid, ts) = (n % 3, [0.0, 1e14, 1e-9][n % 3]);
            format!(r#"{{"ph":"X","cat":"program","name":"\ud83d\ude00\ufffe\u0000{n}","ts":{ts},"dur":{n},"pid":{pid},"tid":{pid}}}"#)
        })
        .collect();
    let text = format!("[{}]", many.join(","));
    assert_eq!(drawn(&text, &[]).out.lines().count(), 2000 + 3 + 2);
    let picture = drawn(&text, &["--svg", "-"]);
    assert_eq!(well_formed(&picture.out).iter().filter(|element| *element == "g").count(), 2000);
}

#[test]
fn the_option_stands_before_the_command_and_the_error_says_so() {
    let said = rruntime(&["run", "--trace", "/x", "web"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("--trace FILE stands before the command"), "{said:?}");
}
