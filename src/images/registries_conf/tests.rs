#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;
use crate::images::tests::fuzz;

fn registries(texts: &[&str]) -> Result<Registries, RegistriesError> {
    let mut all = Registries::default();
    for (number, text) in texts.iter().enumerate() {
        all.add(text, Path::new(&format!("/{number}.conf")))?;
    }
    Ok(all)
}

/// Where an image is asked for: `mirror!` for a mirror, `~` for one that is insecure.
fn asked(all: &Registries, text: &str) -> Result<Vec<String>, String> {
    let sources = all.sources(&all.name(text).unwrap()).map_err(|cause| cause.to_string())?;
    let show = |source: Source| {
        let mirror = if source.is_mirror { "mirror!" } else { "" };
        let insecure = if source.transport == Transport::Insecure { "~" } else { "" };
        format!("{mirror}{insecure}{}", source.reference)
    };
    Ok(sources.into_iter().map(show).collect())
}

const FILE: &str = r#"
# unqualified-search-registries is for others.
unqualified-search-registries = ["quay.io", "docker.io"]
short-name-mode = "enforcing"
credential-helpers = ["containers-auth.json"]

[[registry]]
prefix = "docker.io"
location = "mirror.example/hub"
[[registry.mirror]]
location = "10.0.0.1:5000/hub"
insecure = true
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/team/app"
location = "own.example/app"

[[registry]]
location = "plain.example:5000"
insecure = true
future-key = { a = 1 }

[[registry]]
prefix = "*.corp.example"
location = "hub.corp.example/cache"

[[registry]]
prefix = "*.bare.example"
insecure = true

[[registry]]
prefix = "old.example"
mirror-by-digest-only = true
mirror = [{ location = "new.example" }]

[[registry]]
location = "bad.example"
blocked = true

[aliases]
fedora = "registry.fedoraproject.org/fedora"
"team/tool" = "quay.io/team/tool"
debian = "docker.io/library/debian"
"#;

#[test]
fn mirrors_are_asked_before_the_registry() {
    let all = registries(&[FILE]).unwrap();
    let digest = format!("sha256:{}", "ab".repeat(32));
    for (text, wanted) in [
        (
            "nginx:1",
            vec![
                "mirror!~10.0.0.1:5000/hub/library/nginx:1",
                "mirror!tags.example/library/nginx:1",
                "mirror.example/hub/library/nginx:1",
            ],
        ),
        ("team/app", vec!["own.example/app:latest"]),
        ("docker.io/team/app/x:1", vec!["own.example/app/x:1"]),
        ("plain.example:5000/a:1", vec!["~plain.example:5000/a:1"]),
        ("plain.example/a:1", vec!["plain.example/a:1"]),
        ("a.corp.example/x/y:1", vec!["hub.corp.example/cache/x/y:1"]),
        ("corp.example/x:1", vec!["corp.example/x:1"]),
        ("a.bare.example/x:1", vec!["~a.bare.example/x:1"]),
        ("old.example/x:1", vec!["old.example/x:1"]),
        ("ghcr.io/x/y:1", vec!["ghcr.io/x/y:1"]),
    ] {
        assert_eq!(asked(&all, text).unwrap(), wanted, "{text}");
    }
    let by_digest = asked(&all, &format!("nginx:1@{digest}")).unwrap();
    let wanted = [
        "mirror!~10.0.0.1:5000/hub/library/nginx",
        "mirror!digests.example/library/nginx",
        "mirror.example/hub/library/nginx",
    ];
    assert_eq!(by_digest, wanted.map(|name| format!("{name}:1@{digest}")));
    let wanted = ["mirror!new.example/x", "old.example/x"].map(|name| format!("{name}@{digest}"));
    assert_eq!(asked(&all, &format!("old.example/x@{digest}")).unwrap(), wanted);
    assert_eq!(asked(&all, "bad.example/x").unwrap_err(), "bad.example/x: /0.conf blocks bad.example");
}

#[test]
fn aliases_stand_for_short_names() {
    let all = registries(&[FILE, "[aliases]\ndebian = \"\"\nfedora = \"other.example/fedora\"\n"]).unwrap();
    for (text, wanted) in [
        ("fedora:41", "other.example/fedora:41"),
        ("team/tool", "quay.io/team/tool:latest"),
        ("team/tool/x", "docker.io/team/tool/x:latest"),
        ("debian", "docker.io/library/debian:latest"),
        ("docker.io/fedora", "docker.io/library/fedora:latest"),
        ("nginx", "docker.io/library/nginx:latest"),
    ] {
        assert_eq!(all.name(text).unwrap().to_string(), wanted, "{text}");
    }
    let told = all.name("fedora:.x").unwrap_err().to_string();
    assert!(told.starts_with("couldn't parse image name \"fedora:.x\": "), "{told}");
}

#[test]
fn a_later_file_counts_more() {
    let all =
        registries(&[FILE, "[[registry]]\nprefix = \"docker.io\"\n", "[[registry]]\nlocation = \"bad.example\"\n"])
            .unwrap();
    assert_eq!(asked(&all, "nginx:1").unwrap(), ["docker.io/library/nginx:1"]);
    assert_eq!(asked(&all, "bad.example/x:1").unwrap(), ["bad.example/x:1"]);
    assert_eq!(asked(&all, "team/app:1").unwrap(), ["own.example/app:1"]);
    assert_eq!(asked(&Registries::default(), "nginx:1").unwrap(), ["docker.io/library/nginx:1"]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, words) in [
        ("\nregistry = [\n", "/0.conf:"),
        ("[[registry]]\nlocation = 1\n", "/0.conf:2: location must be a text"),
        ("[[registry]]\n\nlocation = \"a\"\ninsecure = \"yes\"\n", "/0.conf:4: insecure must be true or false"),
        ("registry = 1\n", "/0.conf:1: registry must be a list of tables"),
        ("[registries.search]\nregistries = []\n", "version 1 of this file"),
        ("[[registry]]\ninsecure = true\n", "needs a location or a prefix"),
        ("[[registry]]\nprefix = \"https://a\"\n", "prefix \"https://a\": HOST"),
        ("[[registry]]\nprefix = \"a.example/b:1\"\n", "prefix \"a.example/b:1\": HOST"),
        ("[[registry]]\nprefix = \"*.a/b\"\n", "prefix \"*.a/b\": HOST"),
        ("[[registry]]\nprefix = \"a\"\nlocation = \"http://b\"\n", "location \"http://b\": HOST"),
        (
            "[[registry]]\nprefix = \"a\"\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"x\"\n",
            "pull-from-mirror \"x\": all,",
        ),
        (
            "[[registry]]\nprefix = \"a\"\nmirror-by-digest-only = true\nmirror = [{location = \"b\", pull-from-mirror = \"all\"}]\n",
            "contradict each other",
        ),
        ("[[registry]]\nprefix = \"a\"\nmirror = [{}]\n", "needs a location"),
        ("[aliases]\na = \"b\"\n", "/0.conf:2: alias \"a\": \"b\" is no name with a registry"),
        ("[aliases]\na = \"reg.example/b:1\"\n", "has a tag or digest"),
        ("[aliases]\na = 1\n", "an alias must be a text"),
    ] {
        let told = registries(&[text]).unwrap_err().to_string();
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn files_are_found_where_podman_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |rest: &str| folder.path().join(rest);
    let write = |rest: &str, location: &str| {
        fs::create_dir_all(at(rest).parent().unwrap()).unwrap();
        fs::write(at(rest), format!("[[registry]]\nprefix = \"a.example\"\nlocation = \"{location}\"\n")).unwrap();
    };
    let home = |name: &str| (name == "HOME").then(|| at("home").display().to_string());
    let found = |environment: &dyn Fn(&str) -> Option<String>| {
        asked(&Registries::below(&at("etc"), environment).unwrap(), "a.example/x:1").unwrap()
    };
    assert_eq!(found(&home), ["a.example/x:1"]);
    write("etc/registries.conf", "system");
    assert_eq!(found(&home), ["system/x:1"]);
    write("home/.config/containers/registries.conf", "user");
    assert_eq!((found(&home), found(&|_| None)), (vec!["user/x:1".to_owned()], vec!["system/x:1".to_owned()]));
    write("etc/registries.conf.d/2.conf", "second");
    write("etc/registries.conf.d/1.conf", "first");
    write("etc/registries.conf.d/3.conf.bak", "nobody");
    assert_eq!(found(&home), ["second/x:1"]);
    write("home/.config/containers/registries.conf.d/0.conf", "own");
    assert_eq!(found(&home), ["own/x:1"]);
    write("given.conf", "given");
    let given = |name: &str| {
        if name == "CONTAINERS_REGISTRIES_CONF" { Some(at("given.conf").display().to_string()) } else { home(name) }
    };
    assert_eq!(found(&given), ["given/x:1"]);
    let absent = |name: &str| (name == "CONTAINERS_REGISTRIES_CONF").then(|| "/nonexistent.conf".to_owned());
    assert!(
        Registries::below(&at("etc"), absent).unwrap_err().to_string().contains("CONTAINERS_REGISTRIES_CONF names it")
    );
}

/// Whatever stands in it: it is read or refused with its place, and whatever is read then has an answer for every image.
#[test]
fn changed_files_do_no_harm() {
    let aliases = "[aliases]\nfedora = \"registry.example/fedora\"\nnginx = \"\"\n";
    fuzz::live(&[FILE, aliases], fuzz::WORDS, |bytes| match registries(&[&String::from_utf8_lossy(bytes)]) {
        Ok(all) => {
            for name in [
                "fedora:41",
                "docker.io/team/app@sha256:5555555555555555555555555555555555555555555555555555555555555555",
                "a.b.corp.example/x",
                "old.example/y:1",
                "plain.example:5000/z",
            ] {
                match all.name(name) {
                    Ok(reference) => {
                        all.sources(&reference).err().map_or(Ok(()), |error| fuzz::is_fit(&error, bytes))?
                    }
                    Err(error) => fuzz::is_fit(&error, bytes)?,
                }
            }
            Ok(())
        }
        Err(error) => fuzz::is_fit(&error, bytes),
    });
}

/// A registry is the same however it is spelled, here and in names.
#[test]
fn prefixes_suit_all_spellings() {
    let all = registries(&[
        "[[registry]]\nprefix = \"Bad.example:443/team\"\nblocked = true\n[[registry]]\nprefix = \"*.Box\"\n\
        location = \"Mirror.example:5000/box\"\n[[registry]]\nlocation = \"docker.io\"\nblocked = true\n",
    ]);
    let sources = |text: &str| all.as_ref().unwrap().sources(&text.parse().unwrap());
    for text in
        ["bad.example/team/a", "BAD.example:443/team/a", "registry-1.docker.io/library/nginx", "nginx", "Docker.io/x/y"]
    {
        assert!(matches!(sources(text), Err(RegistriesError::Blocked { .. })), "{text}");
    }
    assert!(sources("bad.example:5000/team/a").is_ok() && sources("bad.example/other/a").is_ok());
    let source = sources("REG.box:443/a/b:1").unwrap().remove(0);
    assert_eq!(source.reference.to_string(), "Mirror.example:5000/box/a/b:1");
}

/// Which entry counts isn't decided by how its registry is spelled: neither among several that suit, nor by which an earlier one is replaced.
#[test]
fn spellings_give_no_precedence() {
    let blocked = "[[registry]]\nprefix = \"reg.example/a\"\nblocked = true\n";
    let longer = "[[registry]]\nprefix = \"Registry-1.docker.io:443\"\n[[registry]]\nprefix = \"reg.example:00443\"\n";
    let all = registries(&[&format!("{longer}{blocked}")]).unwrap();
    assert!(asked(&all, "reg.example/a/b").unwrap_err().contains("reg.example/a"));
    assert_eq!(asked(&all, "reg.example/b").unwrap(), ["reg.example/b:latest"]);
    let all = registries(&["[[registry]]\nprefix = \"Reg.example:443\"\nblocked = true\n", longer]).unwrap();
    assert_eq!(asked(&all, "reg.example/b").unwrap(), ["reg.example/b:latest"]);
}
