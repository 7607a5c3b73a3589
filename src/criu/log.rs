//! CRIU's log: what it says of a failure, and what that means.

/// Of what is shown of a log, so many lines are from before the first error.
const BEFORE: usize = 2;
const MOST: usize = 10;

/// CRIU tries this on every machine, and goes on without it.
const HARMLESS: &str = "Can't setup RLIMIT_NOFILE";

fn is_error(line: &str) -> bool {
    line.contains("Error (") && !line.contains(HARMLESS)
}

/// The lines from the first error on, with a few before it; without an error the last ones.
pub fn tail(log: &str) -> Vec<&str> {
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.iter().position(|line| is_error(line)).unwrap_or(lines.len());
    let shown = &lines[first.saturating_sub(BEFORE)..];
    shown.iter().take(MOST).copied().collect()
}

/// The first error of the log, without the time and the place in CRIU's source: those behind it follow from it.
pub fn cause(log: &str) -> Option<&str> {
    let line = log.lines().find(|line| is_error(line))?;
    let words = &line[line.find("Error (")?..];
    words.split_once("): ").map(|(_, words)| words.trim())
}

const STREAMS: &str = "a standard stream that was a file has to be a file again: redirect those of restore as those of create were";

/// (what the log has, what to do); the first that is found counts.
const REMEDIES: &[(&str, &str)] = &[
    (
        "Connected TCP socket, consider using",
        "add --tcp-established, or --tcp-close, to checkpoint and restore",
    ),
    ("Found existing TCP connection", "add --tcp-established, or --tcp-close, to checkpoint and restore"),
    ("File lock", "add --file-locks to checkpoint and restore"),
    ("Some file locks are hold by dumping tasks", "add --file-locks to checkpoint and restore"),
    ("In-flight connection", "add --tcp-skip-in-flight to checkpoint, or try again when it is accepted"),
    (
        "without peer",
        "criu keeps a unix socket that leads out of the container only if both ends are in one network namespace",
    ),
    ("External socket is used", "add --ext-unix-sk to checkpoint and restore"),
    ("shell-job", "add --shell-job to checkpoint and restore"),
    ("link-remap", "add --link-remap to checkpoint"),
    (
        "Unable to mount cgroup",
        "for a container with a user namespace use --manage-cgroups-mode soft, which trusts the files with its cgroups",
    ),
    ("No mapping for", "the checkpoint has a mount of the host that the config does not have"),
    ("Illegal seek", STREAMS),
    ("has bad mode", STREAMS),
    ("bad size", "a standard stream is a file of another size than at the dump: append to it, or use a pipe"),
    ("doesn't have a proper root mount", "the container has a mount that is not in its config"),
    ("Mount 0", "the container has a mount that is not in its config"),
];

pub fn remedy(log: &str) -> Option<&'static str> {
    let errors = || log.lines().filter(|line| is_error(line));
    REMEDIES.iter().find(|(sign, _)| errors().any(|line| line.contains(sign))).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "(00.1) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: no\n\
                       (00.2) a\n(00.3) b\n(00.4) c\n\
                       (00.5) Error (criu/sk-inet.c:1): inet: Connected TCP socket, consider using --tcp-established option.\n\
                       (00.6) Error (criu/cr-dump.c:1): Dumping FAILED.\n";

    #[test]
    fn the_first_error_is_the_cause_and_what_follows_is_shown() {
        assert_eq!(cause(LOG), Some("inet: Connected TCP socket, consider using --tcp-established option."));
        assert_eq!(tail(LOG)[..2], ["(00.3) b", "(00.4) c"]);
        assert_eq!((tail(LOG).len(), tail("a\nb\nc\n")), (4, vec!["b", "c"]));
        assert!(remedy(LOG).unwrap().contains("--tcp-established"));
        assert_eq!((cause("x\n"), remedy("x\n"), tail("")), (None, None, vec![]));
    }
}
