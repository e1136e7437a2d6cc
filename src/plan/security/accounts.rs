//! An image's /etc/passwd and /etc/group (passwd(5), group(5)). Lines that make no sense are skipped: they are the image's.

/// A line of /etc/passwd.
pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: &'a str,
}

/// The first account that is asked for.
pub(super) fn account<'a>(passwd: &'a str, is: impl Fn(&Account<'_>) -> bool) -> Option<Account<'a>> {
    let read = |line: &'a str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        Some(Account { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    };
    passwd.lines().filter_map(read).find(is)
}

/// Groups that name the user as a member.
pub(super) fn memberships(group: &str, user: &str) -> Vec<u32> {
    groups(group)
        .filter(|(_, _, members)| members.split(',').any(|member| member.trim() == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

/// Name, gid and members of each group.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members, ..] = fields[..] else { return None };
        Some((name, gid.parse().ok()?, members))
    })
}

/// The ids of `USER[:GROUP]`, each a name or a number; no user: root (OCI image spec, `config.User`; R10.4).
///
/// # Errors
/// What is wrong with it.
pub(super) fn ids(user: &str, passwd: &str, group: &str) -> Result<(u32, u32), &'static str> {
    let (user, own_group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let (uid, primary) = match user.parse::<u32>() {
        _ if user.is_empty() => (0, 0),
        Ok(uid) => (uid, account(passwd, |one| one.uid == uid).map_or(0, |one| one.gid)),
        Err(_) => {
            let found = account(passwd, |one| one.name == user).ok_or("its /etc/passwd has no such user")?;
            (found.uid, found.gid)
        }
    };
    let gid = match own_group.filter(|group| !group.is_empty()) {
        None => primary,
        Some(own) => match own.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => {
                let found = groups(group).find(|(name, _, _)| *name == own);
                found.map(|(_, gid, _)| gid).ok_or("its /etc/group has no such group")?
            }
        },
    };
    // As Kubernetes takes ids.
    match i32::try_from(uid).and_then(|_| i32::try_from(gid)) {
        Ok(_) => Ok((uid, gid)),
        Err(_) => Err("ids must be between 0 and 2147483647"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R10.4.
    #[test]
    fn names_are_looked_up_in_the_image() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34::/:\nbig:x:4294967295:1::/:\n";
        let group = "root:x:0:\nvideo:x:44:web\n";
        for (user, found) in [
            ("", Ok((0, 0))),
            ("web", Ok((33, 34))),
            ("33", Ok((33, 34))),
            ("1000", Ok((1000, 0))),
            ("web:video", Ok((33, 44))),
            ("web:7", Ok((33, 7))),
            ("1000:video", Ok((1000, 44))),
            ("web:", Ok((33, 34))),
            (":44", Ok((0, 44))),
            ("nobody", Err("its /etc/passwd has no such user")),
            ("web:none", Err("its /etc/group has no such group")),
            ("big", Err("ids must be between 0 and 2147483647")),
        ] {
            assert_eq!(ids(user, passwd, group), found, "{user}");
        }
    }
}
