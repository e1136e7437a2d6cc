//! What names may look like (apimachinery's util/validation). Each function gives what is wrong with a text, empty
//! where nothing is.

/// A DNS label (RFC 1123): names of containers, volumes, namespaces; hostnames.
pub(super) fn dns_label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 63);
    if !is_label(text) {
        wrong.push(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
             end with an alphanumeric character (e.g. 'my-name', or '123-abc')"
                .to_owned(),
        );
    }
    wrong
}

/// A DNS subdomain (RFC 1123): names of most objects.
pub(super) fn dns_subdomain(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 253);
    if !text.split('.').all(is_label) {
        wrong.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com')"
                .to_owned(),
        );
    }
    wrong
}

/// A search domain: a subdomain that may have underscores.
pub(super) fn dns_search(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 253);
    let part = |part: &str| is_label(&part.strip_prefix('_').unwrap_or(part).replace('_', "-"));
    if !text.split('.').all(part) {
        wrong.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and \
             must start and end with an alphanumeric character (e.g. 'example.com')"
                .to_owned(),
        );
    }
    wrong
}

/// A qualified name, `name` or `example.com/name`: keys of labels, condition types.
pub(super) fn qualified(text: &str) -> Vec<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let mut wrong = Vec::new();
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            wrong.push("prefix part must be non-empty".to_owned());
        } else {
            wrong.extend(dns_subdomain(prefix).into_iter().map(|detail| format!("prefix part {detail}")));
        }
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else {
        wrong.extend(too_long(name, 63).into_iter().map(|detail| format!("name part {detail}")));
        if !is_label_text(name) {
            wrong.push(
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')"
                    .to_owned(),
            );
        }
    }
    wrong
}

/// A label's value.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 63);
    if !text.is_empty() && !is_label_text(text) {
        wrong.push(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345')"
                .to_owned(),
        );
    }
    wrong
}

/// A port's name (IANA_SVC_NAME, RFC 6335).
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 15);
    if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// An environment variable's name, by the relaxed rule that is in force since Kubernetes 1.34.
pub(super) fn env_name(text: &str) -> Vec<String> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

/// A key of a ConfigMap or a Secret: it becomes the name of a file.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, 253);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        wrong.push("a valid config key must consist of alphanumeric characters, '-', '_' or '.'".to_owned());
    }
    if text == "." {
        wrong.push("must not be '.'".to_owned());
    } else if text.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

/// The name of an HTTP header.
pub(super) fn header(text: &str) -> Vec<String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    vec!["a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')".to_owned()]
}

/// The name of a kernel parameter, with dots or slashes.
pub(super) fn sysctl(text: &str) -> Vec<String> {
    let segment = |segment: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = segment.as_bytes();
        bytes.first().is_some_and(|byte| inner(*byte))
            && bytes.last().is_some_and(|byte| inner(*byte))
            && bytes.iter().all(|byte| inner(*byte) || matches!(byte, b'-' | b'_'))
    };
    let mut wrong = too_long(text, 253);
    // An interface's name may have dots and capitals where slashes separate: net/ipv4/conf/eth0.1/arp_filter.
    let rest = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) && !part.is_empty()
    };
    let fits = match text.split_once('/') {
        Some((first, others)) => segment(first) && others.split('/').all(rest),
        None => text.split('.').all(segment),
    };
    if !fits {
        wrong.push("must have the form of a kernel parameter (e.g. 'net.ipv4.ip_local_port_range')".to_owned());
    }
    wrong
}

/// An IP address, and nothing more: no zeros in front, which some read as octal, and no IPv4 address in IPv6's clothes
/// (KEP-4858, strict validation).
pub(super) fn ip(text: &str) -> Vec<String> {
    match text.parse() {
        Ok(std::net::IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some() => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// A port's number.
pub(super) fn port(number: i32) -> Vec<String> {
    if (1..=65535).contains(&number) {
        return Vec::new();
    }
    vec!["must be between 1 and 65535, inclusive".to_owned()]
}

/// A path below another.
pub(super) fn local_path(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.starts_with('/') {
        wrong.push("must be a relative path".to_owned());
    }
    wrong.extend(no_backsteps(text));
    wrong
}

/// A path without `..`.
pub(super) fn no_backsteps(text: &str) -> Vec<String> {
    if text.split('/').any(|part| part == "..") { vec!["must not contain '..'".to_owned()] } else { Vec::new() }
}

fn too_long(text: &str, most: usize) -> Vec<String> {
    if text.len() > most { vec![format!("must be no more than {most} characters")] } else { Vec::new() }
}

/// Lower case letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Letters and digits, with `-`, `_` and `.` inside.
fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    outer(bytes.first())
        && outer(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule with texts that keep it and texts that break it, these separated by blanks.
    type Case = (fn(&str) -> Vec<String>, &'static str, &'static str);

    #[test]
    fn names_are_checked_as_kubernetes_does() {
        let cases: &[Case] = &[
            // R1.1
            (dns_label, "a web web-1 1a 0", "A -a a- a.b a_b ä"),
            (dns_subdomain, "a a.b a-b.c1", "A a..b .a a. -a.b a_b"),
            (dns_search, "a.b _tcp.a a_b", "A a..b"),
            (qualified, "a A a.b_c-d example.com/A 1", "-a a- /a a/ A.b/c a/b/c a$"),
            (label_value, "a A 1.2.3 v_1", "-a a- a/b a$"),
            // R1.7
            (port_name, "http a1 1a my-port", "1 123 a--b -a a- HTTP a_b abcdefghijklmnop"),
            (env_name, "A a.b A-B 1A a$", "A=B A\u{e4}"),
            (config_key, "a .a a.b A-B_c", ". .. ..a a/b a:b"),
            (header, "X-A Host", "X_A X:"),
            (sysctl, "kernel.shmmax net.ipv4.ip_forward net/ipv4/conf/eth0.1/arp_filter", "a..b A.b a. .a a//b"),
            (ip, "10.0.0.1 ::1 2001:db8::ffff", "10.0.0 10.0.0.01 localhost 1.2.3.4/8"),
            // R1.8
            (local_path, "a a/b ..a a..b", "/a ../a a/../b .."),
        ];
        for (rule, good, bad) in cases {
            for text in good.split(' ') {
                assert!(rule(text).is_empty(), "{text}: {:?}", rule(text));
            }
            for text in bad.split(' ') {
                assert!(!rule(text).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn lengths_are_limited() {
        assert_eq!(dns_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(dns_subdomain(&"a".repeat(254)), ["must be no more than 253 characters"]);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 characters"]);
    }

    #[test]
    fn addresses_are_strict() {
        for (text, is_one) in [
            ("10.9.8.7", true),
            ("2001:db8::ffff", true),
            ("::", true),
            ("010.9.8.7", false),
            ("10.9.8.07", false),
            ("::ffff:10.9.8.7", false),
            ("::ffff:0a09:0807", false),
            ("10.9.8", false),
            ("10.9.8.7/24", false),
            ("10.9.8.7 ", false),
            ("fe80::1%eth0", false),
            ("", false),
        ] {
            assert_eq!(ip(text).is_empty(), is_one, "{text:?}");
        }
    }
}
