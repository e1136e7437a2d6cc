//! Images of a registry with a token server: what lets people in holds for a short time, and ends when nobody expects it.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::token_registry::{Given, TokenRegistry, Use, Verdict};
use crate::harness::{Case, good, said};

/// An image `web` with these layers above busybox, in a layout.
fn web(case: &Case, layers: Vec<Layer>) -> PathBuf {
    let layout = case.dir().join("images");
    let process = json!({"Cmd": ["sh", "-c", "echo up >> /t/log"], "Env": ["PATH=/bin"]});
    write(&layout, "web", &process, std::iter::once(busybox()).chain(layers).collect());
    layout
}

/// Runs a pod of an image, which is pulled for it.
fn run(case: &Case, image: &str) {
    let mounts = json!([{"name": "t", "mountPath": "/t"}]);
    let main = json!({"name": "main", "image": image, "imagePullPolicy": "Always", "volumeMounts": mounts});
    assert_eq!(case.run(&case.pod().container(main)), 0);
    assert_eq!(case.trace(), ["up"]);
}

/// How many there are in the store.
fn layers(case: &Case) -> usize {
    fs::read_dir(case.root().join("data/images/layers")).map_or(0, Iterator::count)
}

/// A pull that must fail, with these words. What it leaves are whole layers at most, which are called by their digest.
#[track_caller]
fn refused(case: &Case, image: &str, words: &[&str]) {
    let (code, _, stderr) = said(case, &["image", "pull", image]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(words.iter().all(|word| stderr.contains(word)), "{words:?}: {stderr}");
    assert_eq!(good(case, &["image", "ls", "-o", "name"]), "", "{stderr}");
    let left = fs::read_dir(case.root().join("data/images/layers")).into_iter().flatten();
    assert!(left.flatten().all(|entry| entry.file_name().len() == 64), "{stderr}");
}

/// One token is enough for a pull, and has the scope that the registry asks for; without a login there is one for what is public.
#[test]
fn a_token_opens_a_repository() {
    let Some(mut case) = Case::new("token") else { return };
    let Some(registry) = TokenRegistry::new(&mut case, |_| Verdict::Good) else { return };
    let layout = web(&case, (0..5).map(|number| Layer::default().file("last", &[number])).collect());
    let [own, public] = ["team/web:1.0", "public/web:1.0"].map(|name| {
        registry.push(&layout, "web", name);
        registry.image(name)
    });
    registry.log_in(&[("tester", "open barley")]);
    refused(&case, &own, &["401", "the login isn't accepted", "incorrect username or password"]);
    registry.log_in(&[]);
    refused(&case, &own, &["401", "log in (docker login or podman login)"]);
    let begin = registry.given().len();
    good(&case, &["image", "pull", &public]);
    registry.log_in(&[("tester", "open sesame")]);
    run(&case, &own);
    let given = |scope: &str, user: &str| Given { service: "tests".into(), scope: scope.into(), user: user.into() };
    let wanted = [given("repository:public/web:pull", ""), given("repository:team/web:pull", "tester")];
    assert_eq!(registry.given()[begin..], wanted);
    assert_eq!(layers(&case), 6);
    case.nothing_left();
}

/// Each token opens one thing alone, and the connection ends in the middle of each layer: for every answer a new one is brought.
#[test]
fn tokens_that_are_good_once() {
    let Some(mut case) = Case::new("token-once") else { return };
    let rule = |one: &Use| match one.times {
        // Of what is larger this is a part.
        1 if one.before == 0 => Verdict::CutAfter(100_000),
        1 => Verdict::Good,
        _ => Verdict::Dead,
    };
    let Some(registry) = TokenRegistry::new(&mut case, rule) else { return };
    let layout = web(&case, Vec::new());
    registry.push(&layout, "web", "team/web:1.0");
    run(&case, &registry.image("team/web:1.0"));
    let given = registry.given();
    assert!(given.iter().all(|one| one.scope == "repository:team/web:pull" && one.user == "tester"), "{given:?}");
    assert!(given.len() >= 4, "for the manifest, the config, and two parts of the layer: {given:?}");
    assert!(good(&case, &["image", "verify"]).ends_with(" is whole\n"));
    case.nothing_left();
}

/// All that are on their way hear at once that their token is over: one new one is brought for all of them.
#[test]
fn a_token_that_ends_among_many_layers() {
    let Some(mut case) = Case::new("token-ends") else { return };
    let rule = |one: &Use| if one.token == 1 && one.times > 5 { Verdict::Dead } else { Verdict::Good };
    let Some(registry) = TokenRegistry::new(&mut case, rule) else { return };
    let layout = web(&case, (0..12).map(|number| Layer::default().file("last", &[number])).collect());
    registry.push(&layout, "web", "team/web:1.0");
    run(&case, &registry.image("team/web:1.0"));
    assert_eq!((layers(&case), registry.given().len()), (13, 2));
    assert!(good(&case, &["image", "verify"]).ends_with(" is whole\n"));
    case.nothing_left();
}

/// Who may not read any more in the middle of a pull has nothing of the image; and all of it once that is mended.
#[test]
fn a_login_that_ends_in_the_middle() {
    let Some(mut case) = Case::new("token-locked") else { return };
    let rule = |one: &Use| if one.token == 1 && one.times > 4 { Verdict::LockedOut } else { Verdict::Good };
    let Some(registry) = TokenRegistry::new(&mut case, rule) else { return };
    let layout = web(&case, (0..6).map(|number| Layer::default().file("last", &[number])).collect());
    registry.push(&layout, "web", "team/web:1.0");
    let image = registry.image("team/web:1.0");
    refused(&case, &image, &["401", "the login isn't accepted"]);
    registry.let_in();
    run(&case, &image);
    assert_eq!(layers(&case), 7);
    case.nothing_left();
}
