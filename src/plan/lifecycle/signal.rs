//! Names of Linux signals to numbers: `lifecycle.stopSignal` (R5.12) names them, kill(2) counts them.

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

#[cfg(test)]
mod tests {
    use super::number;

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
