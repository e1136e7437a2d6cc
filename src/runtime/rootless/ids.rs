//! The ids that /etc/subuid and /etc/subgid give a user (subuid(5)), and the programs that map them (newuidmap(1)).

use std::fs;
use std::process::Command;

/// The kernel's limit of lines in a map is 340; nobody has more ranges than a few.
const RANGES: usize = 100;

/// The commands that map the ids of this process: groups first, as nothing is mapped then where that fails.
///
/// # Errors
/// Why the user has none, in words.
pub(super) fn subordinate(uid: u32, gid: u32) -> Result<Vec<Vec<String>>, String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = name(&passwd, uid);
    let ranges = |file: &str| {
        let text = fs::read_to_string(file).map_err(|cause| format!("{file}: {cause}"))?;
        let found = ranges(&text, name, uid);
        let who = name.map_or_else(|| uid.to_string(), str::to_owned);
        if found.is_empty() { Err(format!("{file} has no line for {who}")) } else { Ok(found) }
    };
    let (uids, gids) = (ranges("/etc/subuid")?, ranges("/etc/subgid")?);
    Ok(vec![command("newgidmap", gid, &gids), command("newuidmap", uid, &uids)])
}

/// A user's name by passwd(5).
fn name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// First id and length of each range; lines that make no sense are skipped, as newuidmap does.
fn ranges(text: &str, name: Option<&str>, uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let (first, length) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (Some(owner) == name || owner == number).then_some((first, length)).filter(|(_, length)| *length > 0)
    };
    text.lines().filter_map(range).take(RANGES).collect()
}

/// The user is 0, the ranges follow from 1 on.
fn command(program: &str, own: u32, ranges: &[(u32, u32)]) -> Vec<String> {
    let mut words = vec![program.to_owned(), std::process::id().to_string()];
    let mut map = |inside: u64, outside: u32, length: u32| {
        words.extend([inside.to_string(), outside.to_string(), length.to_string()]);
    };
    map(0, own, 1);
    let mut next = 1;
    for (first, length) in ranges {
        map(next, *first, *length);
        next += u64::from(*length);
    }
    words
}

/// Runs one; what is wrong comes back in its own words.
pub(super) fn run(command: &[String]) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().trim_start_matches(program.as_str()).trim_start_matches(':').trim();
            Err(format!("{program}: {}", if said.is_empty() { "failed" } else { said }))
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("{program} is not installed (Debian: apt-get install uidmap)"))
        }
        Err(cause) => Err(format!("{program}: {cause}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_by_name_and_by_number() {
        let text = "ann:100000:65536\nbob:165536:65536\n1000:300000:10\nann:x:1\n\nann:7:0\nann:1\n";
        assert_eq!(ranges(text, Some("ann"), 1000), [(100_000, 65536), (300_000, 10)]);
        assert_eq!(ranges(text, None, 1000), [(300_000, 10)]);
        assert_eq!(ranges(text, Some("cleo"), 1001), []);
    }

    #[test]
    fn users_have_names() {
        let passwd = "root:x:0:0::/:\nbad\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!((name(passwd, 1000), name(passwd, 1)), (Some("ann"), None));
    }

    #[test]
    fn the_user_is_root_and_ranges_follow() {
        let words = command("newuidmap", 1000, &[(100_000, 65536), (300_000, 10)]);
        assert_eq!(words[2..].join(" "), "0 1000 1 1 100000 65536 65537 300000 10");
    }
}
