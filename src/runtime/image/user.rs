//! Who an image's programs run as, where its config names a user (OCI image spec, `config.User`; R10.4).

/// The ids of `USER[:GROUP]`, each a name or a number; empty: root. By the texts of the image's /etc/passwd and /etc/group.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ids(user: &str, passwd: &str, group: &str) -> Result<(u32, u32), &'static str> {
    let (user, own_group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let (uid, primary) = match user.parse::<u32>() {
        _ if user.is_empty() => (0, 0),
        Ok(uid) => (uid, account(passwd, |_, number| number == uid).map_or(0, |(_, gid)| gid)),
        Err(_) => account(passwd, |name, _| name == user).ok_or("its /etc/passwd has no such user")?,
    };
    let gid = match own_group.filter(|group| !group.is_empty()) {
        None => primary,
        Some(own) => match own.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => group_of(group, own).ok_or("its /etc/group has no such group")?,
        },
    };
    // As Kubernetes takes ids.
    match i32::try_from(uid).and_then(|_| i32::try_from(gid)) {
        Ok(_) => Ok((uid, gid)),
        Err(_) => Err("ids must be between 0 and 2147483647"),
    }
}

/// Uid and gid of the first account that is asked for (passwd(5)).
fn account(passwd: &str, is: impl Fn(&str, u32) -> bool) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        is(name, uid).then_some((uid, gid))
    })
}

fn group_of(group: &str, wanted: &str) -> Option<u32> {
    group.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, ..] = fields[..] else { return None };
        if name == wanted { gid.parse().ok() } else { None }
    })
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
