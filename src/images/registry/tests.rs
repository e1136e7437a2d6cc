//! The client against registries of the tests' own, which do what real ones do on bad days.
#![allow(clippy::unwrap_used)]

mod blobs;
mod doors;
mod parts;
pub(in crate::images) mod server;
mod trust;

use std::time::Duration;

use super::*;
use crate::images::digest::Digest;
use crate::images::document::{ACCEPTED, Fetched};
use server::{Answer, Request, Server, fixture};

const MANIFEST: &str = "{\"schemaVersion\":2}";

/// Patient with a slow box, and quick where something is to fail.
pub(in crate::images) fn options() -> Options {
    let retries = Retries { attempts: 3, outages: 9, first: Duration::from_millis(1), longest: Duration::from_secs(2) };
    Options {
        root_files: vec![fixture("authority.crt")],
        root_folders: Vec::new(),
        host_folders: Vec::new(),
        proxies: Proxies::default(),
        stall: Duration::from_secs(20),
        connect: Duration::from_secs(20),
        retries,
        cut: Cut::default(),
    }
}

fn client() -> Client {
    Client::new(options())
}

fn repository(server: &Server) -> Repository {
    Repository { registry: server.host(), path: "team/app".to_owned(), transport: Transport::Verified, login: None }
}

fn fetch(client: &Client, of: &Repository, wanted: &str) -> Result<Fetched, RegistryError> {
    client.manifest(of, wanted, &ACCEPTED)
}

fn manifest() -> Answer {
    Answer::ok(MANIFEST).with("Content-Type", ACCEPTED[1])
}

/// The error of a manifest that isn't given.
fn refusal(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> String {
    let server = Server::tls(answer);
    let told = fetch(&client(), &repository(&server), "latest").unwrap_err().to_string();
    told.replace(&server.host(), "HOST")
}

#[test]
fn a_manifest_is_fetched() {
    let digest = Digest::of(MANIFEST.as_bytes());
    let server = Server::tls(|request| match request.path.as_str() {
        "/v2/team/app/manifests/latest" => manifest().with("Docker-Content-Digest", "sha256:0000"),
        path if path.ends_with(&Digest::of(MANIFEST.as_bytes()).to_string()) => manifest(),
        _ => Answer::ok("another one"),
    });
    let (client, of) = (client(), repository(&server));
    let fetched = fetch(&client, &of, "latest").unwrap();
    assert_eq!(fetched.bytes, MANIFEST.as_bytes());
    assert_eq!(fetched.media_type.as_deref(), Some(ACCEPTED[1]));
    fetch(&client, &of, &digest.to_string()).unwrap();
    let other = Digest::of(b"other").to_string();
    let told = fetch(&client, &of, &other).unwrap_err().to_string();
    assert!(told.contains(&format!("/team/app: manifest {other}: the content has the digest")), "{told}");
    let asked = server.asked();
    let head = &asked[0].headers;
    assert_eq!(head["accept"], ACCEPTED.join(", "));
    assert!(head["user-agent"].starts_with("barepod/") && !head.contains_key("authorization"), "{head:?}");
    assert!(!head.contains_key("accept-encoding"), "{head:?}");
}

/// What failed is said, by whom, and what to do.
#[test]
fn refusals_are_explained() {
    let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    for (status, body, wanted) in [
        (404, unknown, "HOST answers 404 Not Found (MANIFEST_UNKNOWN: manifest unknown); is the name right"),
        (403, "{}", "HOST answers 403 Forbidden; log in"),
        (400, "<html>", "HOST answers 400 Bad Request"),
    ] {
        let told = refusal(move |_| Answer::new(status, body));
        assert!(told.starts_with(&format!("HOST/team/app: manifest latest: {wanted}")), "{told}");
    }
    let server = Server::tls(|_| Answer::new(404, ""));
    assert!(fetch(&client(), &repository(&server), "x").unwrap_err().is_absent());
    let long = "x".repeat(5 << 20);
    assert!(refusal(move |_| Answer::ok(&long)).contains("more than the 4194304 bytes"));
}

/// 429 with Retry-After, and failures that pass.
#[test]
fn what_may_pass_is_tried_again() {
    for status in [429, 500, 502, 503, 504] {
        let server = Server::tls(move |request| match request.number {
            0 => Answer::new(status, "").with("Retry-After", "1"),
            1 => Answer::new(status, "{}"),
            _ => manifest(),
        });
        let begin = std::time::Instant::now();
        fetch(&client(), &repository(&server), "latest").unwrap();
        assert!(begin.elapsed() >= Duration::from_secs(1), "{status}: it was to be left alone");
        assert_eq!(server.asked().len(), 3);
    }
    let server = Server::tls(|_| Answer::new(503, "{\"message\":\"overloaded\"}"));
    let told = fetch(&client(), &repository(&server), "latest").unwrap_err().to_string();
    assert!(told.contains("503 Service Unavailable (overloaded); try again later"), "{told}");
    assert_eq!(server.asked().len(), 4, "once, and three times more");
    let server = Server::tls(|_| Answer::new(429, "").with("Retry-After", "3600"));
    let told = fetch(&client(), &repository(&server), "latest").unwrap_err().to_string();
    assert!(told.contains("429 Too Many Requests, and wants to be left alone for 3600 seconds; more may be"), "{told}");
    assert_eq!(server.asked().len(), 1, "nobody waits for an hour");
    let server = Server::tls(|_| Answer::new(501, ""));
    assert!(fetch(&client(), &repository(&server), "latest").is_err());
    assert_eq!(server.asked().len(), 1, "what it can't do it won't do later");
}

#[test]
fn a_connection_that_breaks_is_made_anew() {
    let server = Server::tls(|request| match request.number {
        0 => manifest().cut_after(5),
        1 => Answer::nothing(),
        _ => manifest(),
    });
    assert_eq!(fetch(&client(), &repository(&server), "latest").unwrap().bytes, MANIFEST.as_bytes());
    let told = refusal(|_| manifest().cut_after(5));
    assert!(told.contains("HOST: the connection broke"), "{told}");
    let stalls = Options { stall: Duration::from_millis(500), ..options() };
    let server = Server::tls(|request| if request.number == 0 { manifest().stall_after(5) } else { manifest() });
    fetch(&Client::new(stalls.clone()), &repository(&server), "latest").unwrap();
    let server = Server::tls(|_| manifest().stall_after(5));
    let told = fetch(&Client::new(stalls), &repository(&server), "latest").unwrap_err().to_string();
    assert!(told.contains("nothing came for 0.5 seconds"), "{told}");
}

#[test]
fn redirects_are_followed_with_care() {
    let circle = refusal(|_| Answer::new(307, "").with("Location", "/v2/again"));
    assert!(circle.contains("HOST sends us on more than 10 times"), "{circle}");
    let open = refusal(|_| Answer::new(302, "").with("Location", "http://127.0.0.1:1/x"));
    assert!(open.contains("HOST sends us to \"http://127.0.0.1:1/x\", which is no address that is followed"), "{open}");
    let nowhere = refusal(|_| Answer::new(302, ""));
    assert!(nowhere.contains("sends us to \"\""), "{nowhere}");
    let server = Server::tls(|request| match request.number {
        0 => Answer::new(301, "").with("Location", "/elsewhere?x=y"),
        1 => Answer::new(308, "").with("Location", "here"),
        _ => manifest(),
    });
    fetch(&client(), &repository(&server), "latest").unwrap();
    let paths: Vec<String> = server.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v2/team/app/manifests/latest", "/elsewhere?x=y", "/here"]);
}

#[test]
fn what_is_not_there_is_said() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let of =
        |registry: String| Repository { registry, path: "a".to_owned(), transport: Transport::Verified, login: None };
    let told = fetch(&client(), &of(format!("127.0.0.1:{port}")), "latest").unwrap_err().to_string();
    assert!(
        told.contains(&format!("connect to 127.0.0.1:{port}: connection refused; is the registry's name right")),
        "{told}"
    );
    // A label that is too long: no server is asked.
    let told = fetch(&client(), &of(format!("{}.example", "a".repeat(64))), "latest").unwrap_err().to_string();
    assert!(told.contains("lookup aaaa") && told.contains("/etc/resolv.conf"), "{told}");
}

/// A registry tells a tag's digest for a HEAD; where it doesn't, who asks goes on with a GET.
#[test]
fn digests_are_asked_for_without_the_content() {
    let digest = Digest::of(MANIFEST.as_bytes());
    let ask = |answer: Answer| {
        let server = Server::tls(move |_| answer.clone());
        let told = client().digest(&repository(&server), "latest", &ACCEPTED);
        let asked = server.asked();
        let first = &asked[0];
        assert_eq!((first.method.as_str(), first.path.as_str()), ("HEAD", "/v2/team/app/manifests/latest"));
        assert_eq!(first.header("accept"), ACCEPTED.join(", "));
        (told.map_err(|error| error.to_string().replace(&server.host(), "HOST")), asked.len())
    };
    let empty = || Answer::new(200, "").without_length();
    let said = empty().with("Docker-Content-Digest", &digest.to_string()).with("Content-Length", "1234");
    assert_eq!(ask(said), (Ok(Some(digest)), 1));
    assert_eq!(ask(empty()), (Ok(None), 1));
    assert_eq!(ask(empty().with("Docker-Content-Digest", "sha256:short")), (Ok(None), 1));
    // Also where it has too much to do: who asks for the content has the patience for that.
    for status in [400, 401, 403, 404, 405, 429, 500, 501, 503] {
        let answer = Answer::new(status, "").without_length().with("WWW-Authenticate", "Basic realm=\"tests\"");
        assert_eq!(ask(answer), (Ok(None), 1), "{status}");
    }
    assert_eq!(ask(Answer::nothing()), (Ok(None), 1));
    // Who can't be reached needn't be asked once more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let of = Repository { registry: format!("127.0.0.1:{port}"), ..repository(&Server::tls(|_| Answer::nothing())) };
    let told = client().digest(&of, "latest", &ACCEPTED).unwrap_err().to_string();
    assert!(told.contains("manifest latest: connect to 127.0.0.1"), "{told}");
    let distrusting = Client::new(Options { root_files: Vec::new(), ..options() });
    assert!(distrusting.digest(&repository(&Server::tls(|_| Answer::ok(""))), "latest", &ACCEPTED).is_err());
}
