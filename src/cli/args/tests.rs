//! Command lines that are understood, and that aren't.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::values::{age, delay, duration};
use super::*;

#[test]
fn the_command_line_is_sound() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn durations() {
    for (text, millis) in [("300ms", 300), ("10s", 10_000), ("5m", 300_000), ("1m30s", 90_000), ("0s", 0)] {
        assert_eq!(duration(text).unwrap(), Duration::from_millis(millis));
    }
    for text in ["", "10", "-1s", "soon"] {
        assert!(duration(text).is_err(), "{text}");
    }
    assert!(delay("0s").is_err() && delay("1ms").is_ok());
    for (text, hours) in [("24h", 24), ("7d", 168), ("0d", 0), ("1h", 1)] {
        assert_eq!(age(text).unwrap(), Duration::from_secs(hours * 3600));
    }
    for text in ["", "d", "7", "-1d", "1.5d", "4294967296d", "-1h"] {
        assert!(age(text).is_err(), "{text}");
    }
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn what_can_be_said() {
    for line in [
        "barepod run pod.yaml --name web -q --backoff-initial 300ms --backoff-max 1200ms",
        "barepod run pod.yaml --cpu-manager static --reserved-cpus 0-1,4",
        "barepod run pod.yaml --config a.yaml --config b.yaml --volume data=/srv/d --volume x=y=z",
        "barepod --root /tmp/r run - --log-level debug",
        "barepod get --root /tmp/r",
        "barepod get ops/web -o yaml",
        "barepod get -owide",
        "barepod get web -o=jsonpath={.status.phase} --allow-missing-template-keys=false",
        "barepod get -o custom-columns=NAME:metadata.name,IP:.status.podIP",
        "barepod get web ops/db -o name",
        "barepod get -w -o yaml",
        "barepod get web --watch-only",
        "barepod get --sort-by {.metadata.name} --show-labels -L app,tier --label-columns x --show-kind",
        "barepod describe web --show-events=false",
        "barepod stop web --now --wait=false --timeout 0 --ignore-not-found",
        "barepod wait web --for=delete -o yaml",
        "barepod describe -l app=web -n ops",
        "barepod events web db -w -o json",
        "barepod get -lapp=web,!old -n ops",
        "barepod logs web --all-containers --prefix --since-time 2026-11-30T13:00:00+01:00 --limit-bytes 0",
        "barepod top",
        "barepod top web ops/db -w --containers --sort-by cpu --no-headers --interval 500ms -o wide",
        "barepod describe ops/web",
        "barepod events web -o json",
        "barepod logs web -c main --previous --tail -1 --since 1m30s --timestamps",
        "barepod logs web --tail=0 -p",
        "barepod stop --grace-period 0 web",
        "barepod rm --force web",
        "barepod kill web -c main -s SIGRTMIN+3",
        "barepod kill -f pod.yaml --signal 15",
        "barepod restart web ops/db -c main --grace-period 0",
        "barepod restart -f pod.yaml -n ops",
        "barepod apply -f pod.yaml -n ops",
        "barepod apply -f pods --dry-run=server --replace -o name",
        "barepod apply -f pods -R --watch --prune --allow-empty",
        "barepod diff -f pod.yaml -f other.yaml -n ops",
        "barepod resize web -c main --cpu 200m:400m --memory 64Mi",
        "barepod resize ops/web --requests cpu=1,memory=1Gi --limits cpu=2",
        "barepod simulate pod.yaml --script script.yaml -o json --backoff-max 1m",
        "barepod simulate -",
        "barepod run pod.yaml --fail-fast --timeout 1m30s --exit-code-file exit.json",
        "barepod run pod.yaml --attach main -q --no-prefix",
        "barepod rm -f web -n ops",
        "barepod port-forward web 8080 :80 443:https -n ops --address 127.0.0.1,::1",
        "barepod run pod.yaml --rm -it --detach-keys=",
        "barepod attach ops/web -it -c main --detach-keys ctrl-],q",
        "barepod attach web -n ops --detach-keys=",
        "barepod debug web -n ops --image rootfs:tools -it -c eye --target main --profile sysadmin -q -- sh -c x",
        "barepod debug ops/web --image bundle:b --env A=b --env C= --attach=false --arguments-only",
        "barepod completion zsh",
        "barepod man --dir pages",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

/// Usage errors: exit code 2, and they say what is wrong.
#[test]
fn what_can_not() {
    for (line, why) in [
        ("barepod", "Usage"),
        ("barepod run", "<FILE>"),
        ("barepod stop -R web", "--filename <FILE>"),
        ("barepod run pod.yaml --backoff-initial 10", "write it like 300ms, 10s or 5m"),
        ("barepod run pod.yaml --backoff-max -5s", "-5"),
        ("barepod run pod.yaml --cpu-manager=dynamic", "possible values: none, static"),
        ("barepod run pod.yaml --reserved-cpus x", "write it like 0-2,5"),
        ("barepod run pod.yaml --volume data", "write it like data=/srv/data"),
        ("barepod run pod.yaml --eviction-interval 0s", "at least 100ms"),
        ("barepod get -o xml", "possible values: json, yaml, wide, name"),
        ("barepod get -o jsonpath={.a", "unclosed action, at column 2"),
        ("barepod get --sort-by {.a}{.b}", "is no path"),
        ("barepod events --types Odd", "possible values: Normal, Warning"),
        ("barepod get -l =web", "a label's name is missing"),
        ("barepod logs web --since-time noon", "write it like 2026-11-30T12:00:00Z"),
        ("barepod logs web --since-time 2026-11-30T12:00:00Z --since 1m", "cannot be used with"),
        ("barepod logs web --limit-bytes -1", "-1"),
        ("barepod events web -o wide", "possible values: json, yaml"),
        ("barepod run pod.yaml -it -d", "cannot be used with"),
        ("barepod run pod.yaml -t --no-prefix", "cannot be used with"),
        ("barepod attach", "<POD>"),
        ("barepod debug web", "--image <IMAGE>"),
        ("barepod debug web --image rootfs:x -t", "--stdin"),
        ("barepod debug web --image rootfs:x --env A", "write it as NAME=VALUE"),
        ("barepod debug web --image rootfs:x --profile legacy", "possible values: general"),
        ("barepod attach web --detach-keys ctrl-1", "write it like ctrl-p,ctrl-q"),
        ("barepod top -o yaml", "possible values: json, wide"),
        ("barepod top --sort-by name", "possible values: cpu, memory"),
        ("barepod top --interval 0s", "at least 100ms"),
        ("barepod describe", "<POD>"),
        ("barepod logs web --tail -2", "-2 is not in -1.."),
        ("barepod logs web --since yesterday", "not a duration"),
        ("barepod stop", "<POD>"),
        ("barepod stop --grace-period -1 web", "-1"),
        ("barepod stop --grace-period soon web", "invalid digit"),
        ("barepod rm", "<POD>"),
        ("barepod kill", "<POD>"),
        ("barepod restart", "<POD>"),
        ("barepod diff", "--filename <FILE>"),
        ("barepod apply", "--filename <FILE>"),
        ("barepod apply -f x --watch --dry-run", "--dry-run"),
        ("barepod apply -f x --allow-empty", "--prune"),
        ("barepod apply -f x --dry-run=maybe", "possible values: none, client, server"),
        ("barepod resize", "<POD>"),
        ("barepod resize web --limits cpu:2", "write it like cpu=200m,memory=64Mi"),
        ("barepod simulate", "<FILE>"),
        ("barepod simulate pod.yaml -o yaml", "possible values: json"),
        ("barepod rm --forse web", "'--force'"),
        ("barepod run pod.yaml --timeout 0s", "at least 1ms"),
        ("barepod completion tcsh", "possible values: bash, zsh, fish"),
        ("barepod start web", "unrecognized subcommand"),
        ("barepod run pod.yaml --log-level loud", "possible values: warn, debug"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(why), "{line}: {error}");
    }
}

#[test]
fn ports_that_are_forwarded() {
    use LocalPort::{Free, Number, Same};
    let named = |name: &str| RemotePort::Name(name.to_owned());
    for (text, local, remote) in [
        ("8080", Same, RemotePort::Number(8080)),
        ("8080:80", Number(8080), RemotePort::Number(80)),
        (":80", Free, RemotePort::Number(80)),
        ("0:80", Free, RemotePort::Number(80)),
        ("http", Same, named("http")),
        ("65535:web-1", Number(65535), named("web-1")),
    ] {
        assert_eq!(Forwarding::parse(text).unwrap(), Forwarding { local, remote }, "{text}");
    }
    for text in ["", "0", ":", "80:", "80:0", "65536", "1:65536", "-1", "+80", "http:80", "1:2:3", "80 ", "a b", ":-"] {
        assert!(Forwarding::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(Address::parse("localhost").unwrap(), Address::Localhost);
    assert!(Address::parse("::1").is_ok() && Address::parse("0.0.0.0").is_ok() && Address::parse("web").is_err());
}

#[test]
fn places_of_a_copy() {
    let pod = |pod: &str, path: &str| CopyPlace::Pod { pod: pod.to_owned(), path: path.into() };
    for (text, place) in [
        ("web:/etc", pod("web", "/etc")),
        ("ops/web:a:b", pod("ops/web", "a:b")),
        ("./a:b", CopyPlace::Box("./a:b".into())),
        ("/a:b", CopyPlace::Box("/a:b".into())),
        ("a/b", CopyPlace::Box("a/b".into())),
    ] {
        assert_eq!(CopyPlace::parse(text).unwrap(), place, "{text}");
    }
    for text in ["", ":/etc", "web:", "a/b/c:/d"] {
        assert!(CopyPlace::parse(text).is_err(), "{text}");
    }
}
