//! Names of Linux signals and their numbers: `lifecycle.stopSignal` (R5.12) and people name them, kill(2) counts them.

use crate::manifest::nearest;

/// Standard signals of x86 and ARM (signal(7)).
const NAMES: [(&str, i32); 35] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("UNUSED", 31),
];
/// First and last real-time signal as the C library counts them: two are its own.
const REAL_TIME: (i32, i32) = (34, 64);

/// `SIGTERM`, `SIGRTMIN+3`, `SIGRTMAX-1` to their numbers.
pub(crate) fn number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG")?;
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == short) {
        return Some(*number);
    }
    let offset = |text: &str, sign: char| match text {
        "" => Some(0),
        text => text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let number = match short.strip_prefix("RTMIN") {
        Some(rest) => REAL_TIME.0 + offset(rest, '+')?,
        None => REAL_TIME.1 - offset(short.strip_prefix("RTMAX")?, '-')?,
    };
    (REAL_TIME.0..=REAL_TIME.1).contains(&number).then_some(number)
}

/// What people call a signal: `SIGTERM`, `term`, `15`, `RTMIN+3`.
///
/// # Errors
/// Where there is no such signal, with the one that was likely meant.
pub fn number_of(text: &str) -> Result<i32, String> {
    let upper = text.to_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let counted = text.parse().ok().filter(|number| (1..=REAL_TIME.1).contains(number));
    counted.or_else(|| number(&format!("SIG{short}"))).ok_or_else(|| {
        let known = NAMES.map(|(name, _)| name);
        let help = match nearest(short, &known) {
            Some(name) => format!("did you mean {name}?"),
            None => "write it like TERM, SIGUSR1, 10 or RTMIN+3".to_owned(),
        };
        format!("there is no signal {text:?}; {help}")
    })
}

/// `SIGTERM`, `SIGRTMIN+3`.
pub fn name_of(number: i32) -> String {
    match NAMES.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if number == REAL_TIME.0 => "SIGRTMIN".to_owned(),
        None if number > REAL_TIME.0 => format!("SIGRTMIN+{}", number - REAL_TIME.0),
        None => format!("signal {number}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{name_of, number, number_of};

    #[test]
    fn what_people_call_signals() {
        for (text, number, name) in [
            ("SIGTERM", 15, "SIGTERM"),
            ("term", 15, "SIGTERM"),
            ("9", 9, "SIGKILL"),
            ("sigusr1", 10, "SIGUSR1"),
            ("RTMIN+3", 37, "SIGRTMIN+3"),
            ("rtmax", 64, "SIGRTMIN+30"),
            ("34", 34, "SIGRTMIN"),
            ("33", 33, "signal 33"),
            ("CLD", 17, "SIGCHLD"),
        ] {
            assert_eq!((number_of(text), name_of(number).as_str()), (Ok(number), name), "{text}");
        }
        for (text, help) in [
            ("TREM", "there is no signal \"TREM\"; did you mean TERM?"),
            ("SIGUSR3", "did you mean USR1?"),
            ("0", "write it like TERM"),
            ("65", "write it like TERM"),
            ("-9", "write it like TERM"),
            ("", "write it like TERM"),
            ("RTMIN+31", "write it like TERM"),
        ] {
            let error = number_of(text).unwrap_err();
            assert!(error.contains(help), "{text}: {error}");
        }
    }

    /// R5.12
    #[test]
    fn signals_have_numbers() {
        for (name, expected) in [
            ("SIGTERM", Some(15)),
            ("SIGUSR1", Some(10)),
            ("SIGRTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("SIGRTMAX-14", Some(50)),
            ("SIGRTMAX", Some(64)),
            ("SIGRTMIN+31", None),
            ("SIGNOPE", None),
            ("TERM", None),
            ("SIGRTMIN-1", None),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }
}
