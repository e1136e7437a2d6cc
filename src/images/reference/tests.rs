#![allow(clippy::unwrap_used)]

use super::*;
use crate::images::tests::fuzz;

fn hex() -> String {
    format!("sha256:{}", "ab".repeat(32))
}

/// As containerd and the kubelet fill in what is left out.
#[test]
fn what_is_left_out_is_filled_in() {
    let digest = hex();
    let cases = [
        ("nginx", "docker.io/library/nginx:latest".to_owned(), "nginx:latest".to_owned()),
        ("nginx:1.27", "docker.io/library/nginx:1.27".to_owned(), "nginx:1.27".to_owned()),
        ("team/app", "docker.io/team/app:latest".to_owned(), "team/app:latest".to_owned()),
        ("docker.io/nginx", "docker.io/library/nginx:latest".to_owned(), "nginx:latest".to_owned()),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1".to_owned(), "nginx:1".to_owned()),
        ("localhost/a", "localhost/a:latest".to_owned(), "localhost/a:latest".to_owned()),
        ("host:5000/a/b", "host:5000/a/b:latest".to_owned(), "host:5000/a/b:latest".to_owned()),
        ("host:5000", "docker.io/library/host:5000".to_owned(), "host:5000".to_owned()),
        ("test.com:tag", "docker.io/library/test.com:tag".to_owned(), "test.com:tag".to_owned()),
        ("[::1]:5000/a:b", "[::1]:5000/a:b".to_owned(), "[::1]:5000/a:b".to_owned()),
        ("Host/a", "Host/a:latest".to_owned(), "Host/a:latest".to_owned()),
        ("a__b/c--d/e.f:_x.Y-z", "docker.io/a__b/c--d/e.f:_x.Y-z".to_owned(), "a__b/c--d/e.f:_x.Y-z".to_owned()),
        (&format!("host:5000/a/b@{digest}"), format!("host:5000/a/b@{digest}"), format!("host:5000/a/b@{digest}")),
        (&format!("a:1@{digest}"), format!("docker.io/library/a:1@{digest}"), format!("a:1@{digest}")),
    ];
    for (text, whole, familiar) in cases {
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.to_string(), whole, "{text}");
        assert_eq!(reference.familiar(), familiar, "{text}");
        assert_eq!(whole.parse::<Reference>().unwrap(), reference, "the full name is the same image");
        assert_eq!(familiar.parse::<Reference>().unwrap(), reference, "and so is the short one");
    }
}

#[test]
fn a_digest_is_asked_for_before_a_tag() {
    let both: Reference = format!("host.example/a:1@{}", hex()).parse().unwrap();
    assert_eq!((both.tag(), both.wanted()), (Some("1"), hex()));
    assert_eq!(both.name(), "host.example/a");
    let tagged: Reference = "a:1".parse().unwrap();
    assert_eq!(tagged.wanted(), "1");
    assert_eq!(tagged.at(hex().parse().unwrap()).to_string(), format!("docker.io/library/a@{}", hex()));
    assert_eq!(tagged.moved_to("mirror:5000/hub/a").unwrap().to_string(), "mirror:5000/hub/a:1");
    assert!(tagged.moved_to("mirror:5000").is_err());
    assert!(tagged.moved_to("mirror:5000/A").is_err());
}

#[test]
fn what_is_wrong_is_said() {
    let long_tag = format!("a:{}", "x".repeat(129));
    let long_name = "a/".repeat(128) + "a";
    let identifier = "0".repeat(64);
    for (text, words) in [
        ("", "it is empty"),
        ("docker://a", "it is a docker:// address"),
        ("a/B", "repository name (a/B) must be lowercase"),
        ("Nginx", "must be lowercase"),
        ("a//b", "\"\" is no part"),
        ("/a", "\"\" is no part"),
        ("a/", "\"\" is no part"),
        ("a/../b", "\"..\" is no part"),
        ("a..b", "\"a..b\" is no part"),
        ("a___b", "is no part"),
        ("-a", "is no part"),
        ("a b", "is no part"),
        ("a\n", "\"a\\n\" is no part"),
        ("\u{fc}", "is no part"),
        ("a:", "\"\" is no tag"),
        (":a", "\"\" is no part"),
        ("a:.b", "\".b\" is no tag"),
        ("a:\u{e4}", "is no tag"),
        ("a:b:c", "\"b:c\" is no tag"),
        (&long_tag, "is no tag"),
        (&long_name, "not be more than 255"),
        (&identifier, "64 hexadecimal digits"),
        ("a_b.c/d", "\"a_b.c\" is no registry"),
        ("host:/a", "is no registry"),
        ("host:99999/a", "is no registry"),
        ("host:+1/a", "is no registry"),
        ("host.:1/a", "is no registry"),
        ("[::g]:1/a", "is no registry"),
        ("a@", "has no colon"),
        ("a@md5:900150983cd24fb0d6963f7d28e17f72", "only sha256 and sha512"),
        ("a@sha256:abc", "64 hexadecimal digits"),
        ("@a", "is no part"),
    ] {
        let said = text.parse::<Reference>().unwrap_err().to_string();
        assert!(said.starts_with("couldn't parse image name ") && said.contains(words), "{text:?}: {said}");
    }
}

/// Only such names may be an alias' (containers-registries.conf(5)).
#[test]
fn a_name_without_a_registry_is_short() {
    for (text, short) in [
        ("fedora", Some("fedora")),
        ("fedora:41", Some("fedora")),
        ("a/b:1", Some("a/b")),
        ("docker.io/a", None),
        ("localhost/a", None),
        ("host:1/a:b", None),
    ] {
        assert_eq!(Reference::short_name(text), short, "{text}");
    }
}

/// Whatever somebody calls an image: it is refused, or has a full name that is read as the same.
#[test]
fn changed_names_do_no_harm() {
    let whole = format!("registry.example:5000/team/app:1.0@{}", hex());
    fuzz::live(&[&whole, "nginx", "localhost/a__b/c:1", "[::1]:5000/a"], fuzz::WORDS, |bytes| {
        match String::from_utf8_lossy(bytes).parse::<Reference>() {
            Ok(name) => {
                assert_eq!(name.to_string().parse::<Reference>().as_ref(), Ok(&name));
                assert_eq!(name.familiar().parse::<Reference>().as_ref(), Ok(&name));
                fuzz::is_fit(&name, bytes)
            }
            Err(error) => fuzz::is_fit(&error, bytes),
        }
    });
}
