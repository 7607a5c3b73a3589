//! What was typed for one command: options parsed by clap, operands kept unchanged.
//!
//! clap alone cannot tell where a foreign command line begins (`ps ID -f` is ps's own -f), so the line is cut
//! there first, by the same definitions that clap parses with.

use crate::error::{Error, Kind, Result};
use crate::names::signal;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const OPERANDS: &str = "operands";

/// An option that is on or off. `--name=false` is accepted, as Go programs do; `--name false` is not.
pub fn switch(long: &'static str, help: &'static str) -> Arg {
    Arg::new(long)
        .long(long)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_parser(|word: &str| yes_or_no(word).ok_or("must be true or false"))
        .help(help)
}

/// A switch that crun's users turn off with words: `--tty=no`. Any other word turns it on.
pub fn word_switch(long: &'static str, help: &'static str) -> Arg {
    switch(long, help).value_parser(|word: &str| {
        Ok::<_, std::convert::Infallible>(word != "no" && yes_or_no(word) != Some(false))
    })
}

/// An option with a value, whatever the value looks like. The last one counts.
pub fn option(long: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(long)
        .long(long)
        .value_name(value)
        .value_parser(OsStringValueParser::new())
        .allow_hyphen_values(true)
        .help(help)
}

/// An option whose value is a whole number: a wrong one is a wrong command line.
pub fn number_option(long: &'static str, value: &'static str, help: &'static str) -> Arg {
    let number = |text: &str| u32::try_from(integer(text)?.max(0)).ok();
    option(long, value, help)
        .value_parser(parsed(move |text| number(text).ok_or("must be a whole number up to 4294967295")))
}

/// What becomes of a value.
pub fn parsed<T: Clone + Send + Sync + 'static>(
    parse: impl Fn(&str) -> std::result::Result<T, &'static str> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new().try_map(move |value| parse(&value.to_string_lossy()))
}

/// An option that may be given several times.
pub fn options(long: &'static str, value: &'static str, help: &'static str) -> Arg {
    option(long, value, help).action(ArgAction::Append)
}

/// What every command has. The letters and `--usage` are those of crun.
pub fn help_switches() -> [Arg; 2] {
    [
        switch("help", "show help").short('h').short_alias('?'),
        switch("usage", "show only the usage line").hide(true),
    ]
}

/// What Go's strconv.ParseBool accepts.
pub fn yes_or_no(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// What Go's strconv.ParseInt accepts where the base is open: `-5`, `0x10`, `1_000`; `010` is 8.
pub fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    // A prefix may be followed by one too.
    let after_prefix = if base == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
    let begins = after_prefix.starts_with(|c: char| c.is_digit(base));
    if !begins || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let plain = after_prefix.replace('_', "");
    let number = i128::from_str_radix(&plain, base).ok()?;
    i64::try_from(if negative { -number } else { number }).ok()
}

/// One command's arguments.
#[derive(Debug)]
pub struct Arguments {
    matches: ArgMatches,
    pub operands: Vec<OsString>,
}

impl Arguments {
    /// `name` is the command as help calls it ("rruntime kill"). From the operand of number `end` on, all are operands.
    pub fn parse(name: &str, mut options: Vec<Arg>, end: usize, words: &[OsString]) -> Result<Arguments> {
        options.extend(help_switches());
        let (ours, theirs) = words.split_at(operand_position(&options, end, words));
        // "--" belongs to neither half.
        let theirs = theirs.strip_prefix(&[OsString::from("--")]).unwrap_or(theirs);
        let ours = with_two_dashes(&options, ours);
        let operands = Arg::new(OPERANDS).action(ArgAction::Append).value_parser(OsStringValueParser::new());
        let matches = clap::Command::new("")
            .no_binary_name(true)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args_override_self(true)
            .args(options)
            .arg(operands)
            .try_get_matches_from(ours)
            .map_err(|e| usage_error(name, words, &e))?;
        let mut operands: Vec<OsString> = matches.get_many(OPERANDS).into_iter().flatten().cloned().collect();
        operands.extend_from_slice(theirs);
        Ok(Arguments { matches, operands })
    }

    pub fn switch(&self, name: &str) -> bool {
        self.given_switch(name).unwrap_or(false)
    }

    /// `None` if it was not given at all.
    pub fn given_switch(&self, name: &str) -> Option<bool> {
        self.matches.get_one(name).copied()
    }

    /// Whether an option of any kind was given.
    pub fn is_given(&self, name: &str) -> bool {
        self.matches.contains_id(name)
    }

    /// The raw value, which may be empty.
    pub fn given(&self, name: &str) -> Option<&OsStr> {
        self.matches.get_one::<OsString>(name).map(OsString::as_os_str)
    }

    /// The raw value; an empty one is the same as none.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.given(name).filter(|value| !value.is_empty())
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        self.value(name).map(|value| as_text(name, value)).transpose()
    }

    /// As it was given, also if it is empty: where an empty variable of a script must not mean the default.
    pub fn given_text(&self, name: &str) -> Result<Option<&str>> {
        self.given(name).map(|value| as_text(name, value)).transpose()
    }

    /// Every value of an option that may be given several times, as its parser has made it.
    pub fn values<T: Clone + Send + Sync + 'static>(&self, name: &str) -> impl Iterator<Item = &T> {
        self.matches.get_many(name).into_iter().flatten()
    }

    /// Like [`Arguments::values`]; an error names the option.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>> {
        self.values::<OsString>(name).map(|value| as_text(name, value)).collect()
    }

    /// A whole number; 0 if it was not given, or is negative.
    pub fn number(&self, name: &str) -> u32 {
        self.matches.get_one(name).copied().unwrap_or(0)
    }

    /// The container id, which is the first operand. What is not UTF-8 stays recognisably wrong.
    pub fn id(&self) -> String {
        self.operands.first().map(|id| id.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn as_text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str> {
    let refused = || Error::argument(format!("--{name}"), value.to_string_lossy(), "not UTF-8");
    value.to_str().ok_or_else(refused)
}

/// Go's programs take `-root DIR` for `--root DIR`, and scripts that were written for them use it.
fn with_two_dashes(options: &[Arg], words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    let mut at = 0;
    while at < words.len() {
        if long_name_after_one_dash(options, &words[at]) {
            words[at] = [OsStr::new("-"), &words[at]].into_iter().collect();
        }
        at += 1 + usize::from(takes_next(options, words[at].as_encoded_bytes()));
    }
    words
}

fn long_name_after_one_dash(options: &[Arg], word: &OsStr) -> bool {
    let Some(name) = word.as_encoded_bytes().strip_prefix(b"-") else { return false };
    let name = name.split(|&b| b == b'=').next().unwrap_or_default();
    name.len() > 1 && options.iter().any(|arg| arg.get_long().is_some_and(|long| long.as_bytes() == name))
}

/// The places of the words that are no option's value, each with whether the next word is its value.
fn places(options: &[Arg], words: &[OsString]) -> impl Iterator<Item = (usize, bool)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let (at, word) = (next, words.get(next)?.as_encoded_bytes());
        let takes = is_option(word) && word != b"--" && takes_next(options, word);
        next += 1 + usize::from(takes);
        Some((at, takes))
    })
}

fn is_option(word: &[u8]) -> bool {
    word.len() > 1 && word.starts_with(b"-")
}

/// Where the `n`th operand (from 1) or `--` stands; the number of words if neither comes.
pub fn operand_position(options: &[Arg], n: usize, words: &[OsString]) -> usize {
    let mut operands = 0;
    for (at, _) in places(options, words) {
        operands += usize::from(!is_option(words[at].as_encoded_bytes()));
        if words[at] == "--" || operands == n {
            return at;
        }
    }
    words.len()
}

/// The options that have taken the next word for their value, each with that word.
pub fn taken<'w>(options: &[Arg], words: &'w [OsString]) -> Vec<(&'w OsStr, &'w OsStr)> {
    let options = places(options, words).take_while(|(at, _)| words[*at] != "--").filter(|(_, takes)| *takes);
    options.filter_map(|(at, _)| Some((&*words[at], &**words.get(at + 1)?))).collect()
}

/// Whether the value of this option is the next word.
fn takes_next(options: &[Arg], word: &[u8]) -> bool {
    let takes_value = |arg: &&Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    let long = if long_name_after_one_dash(options, OsStr::from_bytes(word)) {
        word.strip_prefix(b"-")
    } else {
        word.strip_prefix(b"--")
    };
    if let Some(long) = long {
        let named = |arg: &&Arg| arg.get_long().is_some_and(|name| name.as_bytes() == long);
        return options.iter().filter(takes_value).any(|arg| named(&arg));
    }
    // Of several short options in one word, the first with a value takes what follows.
    for (index, &letter) in word.iter().enumerate().skip(1) {
        let option = options.iter().find(|arg| arg.get_short() == Some(char::from(letter)));
        match option {
            Some(arg) if takes_value(&arg) => return index + 1 == word.len(),
            Some(_) => {}
            None => return false,
        }
    }
    false
}

fn usage_error(name: &str, words: &[OsString], error: &clap::Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    // clap shows an option with its value: "--cwd <DIR>", "--tty[=<tty>]".
    let whole = argument.replace(['<', '>'], "");
    let argument = argument.split([' ', '[']).next().unwrap_or_default();
    // For clap the K of `kill -KILL` is an option by itself.
    let is_signal =
        |word: &&str| word.starts_with(argument) && signal(word.trim_start_matches('-')).is_some();
    let typed = words.iter().filter_map(|word| word.to_str()).find(is_signal);
    let typed = typed.filter(|_| name.ends_with(" kill"));
    let argument = typed.unwrap_or(argument);
    let reason = match error.kind() {
        ErrorKind::UnknownArgument => format!("flag provided but not defined: {argument}"),
        ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!("invalid value {value:?} for {argument}: {why}")
        }
        ErrorKind::InvalidValue => format!("flag needs an argument: {argument}"),
        ErrorKind::NoEquals => format!("{argument} needs its value after an equals sign"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let remedy = match (habit(name, argument), context(ContextKind::SuggestedArg)) {
        _ if reason.starts_with("flag needs") => format!("as in {whole}"),
        _ if typed.is_some() => {
            format!("the signal follows the id: `kill <container-id> {}`", argument.trim_start_matches('-'))
        }
        (Some(remedy), _) => remedy.to_owned(),
        (None, Some(other)) => format!("did you mean {}? `{name} --help` lists the options", other.trim()),
        (None, None) => format!("`{name} --help` lists the options"),
    };
    Error::new(reason).kind(Kind::Argument).remedy(remedy)
}

const IN_CONFIG: &str =
    "config.json in the bundle decides this, not the command line; `spec` writes an example";
const LIMITS: &str =
    "linux.resources in config.json sets the limits, not the command line; `update` changes them later";
const NAME: &str = "the container's name is its id, which needs no option";

/// The commands that write a trace. The others take the option, which an engine gives to all.
pub const TRACED: &str = "create delete exec restore run start update";

/// (commands, options of other programs, what helps).
const FOREIGN_OPTIONS: [(&str, &[&str], &str); 14] = [
    (
        "create run",
        &["-e", "--env", "-i", "--interactive", "-t", "--tty", "-u", "--user", "-v", "--volume", "--mount"],
        IN_CONFIG,
    ),
    ("create run", &["--cpus", "--memory", "-m"], LIMITS),
    ("create run", &["--name"], NAME),
    ("delete", &["-a", "--all"], "`delete --regex .` means every container"),
    ("exec", &["-i", "--interactive"], "standard input is always connected: leave the option out"),
    ("exec", &["-w", "--workdir"], "--cwd sets the working directory"),
    ("kill", &["-s", "--signal"], "the signal follows the id: `kill <container-id> KILL`"),
    ("list", &["-a", "--all"], "every container is listed: leave the option out"),
    ("list stats", &["--json"], "--format json prints JSON"),
    ("stats", &["--no-stream"], "one look is taken unless --stream is given: leave the option out"),
    (
        "run",
        &["--rm"],
        "the container is deleted when its process ends, unless --keep is given: leave the option out",
    ),
    (TRACED, &["--trace"], "--trace FILE stands before the command, as in `rruntime --trace FILE run web`"),
    ("update", &["--cpus"], "1.5 CPUs are --cpu-period 100000 --cpu-quota 150000"),
    ("update", &["-m"], "--memory sets the limit of memory"),
];

/// The remedy for a reader who types another program's options from habit; `name` is the command as help calls it.
fn habit(name: &str, option: &str) -> Option<&'static str> {
    let command = name.rsplit(' ').next()?;
    let known = |row: &&(&str, &[&str], &str)| {
        row.0.split(' ').any(|known| known == command) && row.1.contains(&option)
    };
    FOREIGN_OPTIONS.iter().find(known).map(|&(.., remedy)| remedy)
}
