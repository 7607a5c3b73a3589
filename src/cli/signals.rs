//! Signals by name and by number.

use crate::error::{Error, Kind, Result};

/// Names without "SIG".
const NAMES: &[(&str, i32)] = &[
    ("ABRT", libc::SIGABRT),
    ("ALRM", libc::SIGALRM),
    ("BUS", libc::SIGBUS),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("FPE", libc::SIGFPE),
    ("HUP", libc::SIGHUP),
    ("ILL", libc::SIGILL),
    ("INT", libc::SIGINT),
    ("IO", libc::SIGIO),
    ("IOT", libc::SIGABRT),
    ("KILL", libc::SIGKILL),
    ("PIPE", libc::SIGPIPE),
    ("POLL", libc::SIGPOLL),
    ("PROF", libc::SIGPROF),
    ("PWR", libc::SIGPWR),
    ("QUIT", libc::SIGQUIT),
    ("SEGV", libc::SIGSEGV),
    ("STKFLT", libc::SIGSTKFLT),
    ("STOP", libc::SIGSTOP),
    ("SYS", libc::SIGSYS),
    ("TERM", libc::SIGTERM),
    ("TRAP", libc::SIGTRAP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("VTALRM", libc::SIGVTALRM),
    ("WINCH", libc::SIGWINCH),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
];

/// The C library keeps 32 and 33 for its threads; scripts count from its first.
const REAL_TIME_MIN: i32 = 34;
const REAL_TIME_MAX: i32 = 64;

/// A number from 0 (which only checks) to 64, or a name in either case, with or without "SIG":
/// `RTMIN`, `RTMIN+3` and `RTMAX-1` too.
pub fn parse(word: &str) -> Result<i32> {
    let number = match word.parse::<i32>() {
        Ok(number) => (0..=REAL_TIME_MAX).contains(&number).then_some(number),
        Err(_) => {
            let upper = word.to_ascii_uppercase();
            let name = upper.strip_prefix("SIG").unwrap_or(&upper);
            NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|&(_, number)| number)
                .or_else(|| real_time(name))
        }
    };
    number.ok_or_else(|| {
        Error::new(format!("unknown signal {word:?}"))
            .kind(Kind::Argument)
            .field("signal")
            .remedy("`kill -l` lists the signals' names")
    })
}

fn real_time(name: &str) -> Option<i32> {
    let offset = |text: &str| if text.is_empty() { Some(0) } else { text.get(1..)?.parse::<i32>().ok() };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        (rest.is_empty() || rest.starts_with('+'))
            .then(|| offset(rest))?
            .map(|n| REAL_TIME_MIN.saturating_add(n))
    } else {
        let rest = name.strip_prefix("RTMAX")?;
        (rest.is_empty() || rest.starts_with('-'))
            .then(|| offset(rest))?
            .map(|n| REAL_TIME_MAX.saturating_sub(n))
    };
    number.filter(|number| (REAL_TIME_MIN..=REAL_TIME_MAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_understood() {
        for (word, number) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigkill", 9),
            ("kill", 9),
            ("9", 9),
            ("0", 0),
            ("64", 64),
            ("SIGRTMIN+3", 37),
            ("rtmin", 34),
            ("RTMAX-1", 63),
            ("CLD", 17),
        ] {
            assert_eq!(parse(word).unwrap(), number, "{word}");
        }
    }

    #[test]
    fn other_words_are_refused_by_name() {
        for word in [
            "",
            "FOO",
            "SIG",
            "SIGSIGTERM",
            "-9",
            "65",
            "1.5",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN+31",
            "RTMIN+-1",
            "RTMAX--1",
        ] {
            let error = parse(word).unwrap_err().to_string();
            assert!(error.ends_with(&format!("unknown signal {word:?}")), "{error}");
        }
    }
}
