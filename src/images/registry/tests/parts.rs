//! Large blobs, which come in parts.

use std::io::{self, Read};
use std::sync::{Condvar, Mutex};

use super::*;

fn content() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// With parts of 700,000 bytes: five of them.
fn client() -> Client {
    Client::new(Options { cut: Cut { large: 3_000_000, part: 700_000 }, ..options() })
}

fn fetch(server: &Server, content: &[u8]) -> io::Result<Vec<u8>> {
    let (of, mut all) = (repository(server), Vec::new());
    let blob = client().quickly(&of, &Digest::of(content), content.len() as u64);
    blob.map_err(io::Error::other)?.read_to_end(&mut all)?;
    Ok(all)
}

fn ranges(server: &Server) -> Vec<String> {
    let mut all: Vec<String> = server.asked().iter().map(|request| request.header("range").to_owned()).collect();
    all.sort();
    all
}

const ALL: [&str; 5] = [
    "bytes=0-699999",
    "bytes=1400000-2099999",
    "bytes=2100000-2799999",
    "bytes=2800000-2999999",
    "bytes=700000-1399999",
];

/// The second and the third are asked for before any of them is answered, and all come in order.
#[test]
fn parts_come_at_once() {
    let content = content();
    let sent = content.clone();
    let gate = (Mutex::new(0), Condvar::new());
    let server = Server::tls(move |request| {
        let (waiting, news) = &gate;
        if matches!(request.header("range"), "bytes=700000-1399999" | "bytes=1400000-2099999") {
            let mut waiting = waiting.lock().unwrap();
            *waiting += 1;
            news.notify_all();
            drop(news.wait_while(waiting, |waiting| *waiting < 2).unwrap());
        }
        Answer::part(&sent, request)
    });
    assert!(fetch(&server, &content).unwrap() == content);
    assert_eq!(ranges(&server), ALL);
}

/// Each goes on where it broke.
#[test]
fn a_part_goes_on_where_it_broke() {
    let content = content();
    let sent = content.clone();
    let server = Server::tls(move |request| {
        let part = Answer::part(&sent, request);
        if request.header("range").ends_with("00000-2099999") { part.cut_after(10) } else { part }
    });
    assert!(fetch(&server, &content).unwrap() == content);
    let mut wanted = ALL.map(str::to_owned).to_vec();
    wanted.push("bytes=1400010-2099999".to_owned());
    wanted.sort();
    assert_eq!(ranges(&server), wanted);
}

/// Where a registry has none, or others than were asked for, the blob comes in one piece.
#[test]
fn whole_ones_do_as_well() {
    let content = content();
    for range in [
        None,
        Some("bytes 1-700000/3000000"),
        Some("bytes 0-699999/3000001"),
        Some("bytes 0-599999/3000000"),
        Some("nonsense"),
    ] {
        let sent = content.clone();
        let server = Server::tls(move |request| match range {
            Some(range) if !request.header("range").is_empty() => {
                Answer::new(206, &sent[..700_000]).with("Content-Range", range)
            }
            _ => Answer::ok(&sent),
        });
        assert!(fetch(&server, &content).unwrap() == content, "{range:?}");
        assert_eq!(ranges(&server), ["", "bytes=0-699999"], "{range:?}");
    }
    // A small one isn't asked for in parts.
    let small = content[..2_999_999].to_vec();
    let sent = small.clone();
    let server = Server::tls(move |request| Answer::part(&sent, request));
    assert!(fetch(&server, &small).unwrap() == small);
    assert_eq!(ranges(&server), [""]);
}

/// Where only the first comes as a part, or others are shorter than was asked for, the rest comes in one piece.
#[test]
fn parts_that_stop_coming() {
    let content = content();
    for is_whole in [true, false] {
        let sent = content.clone();
        let server = Server::tls(move |request| match request.header("range") {
            "bytes=0-699999" => Answer::part(&sent, request),
            "bytes=1400000-2099999" if !is_whole => {
                Answer::new(206, &sent[1_400_000..1_500_000]).with("Content-Range", "bytes 1400000-1499999/3000000")
            }
            "bytes=700000-1399999" if !is_whole => Answer::part(&sent, request),
            _ => Answer::ok(&sent),
        });
        assert!(fetch(&server, &content).unwrap() == content);
        let rest = if is_whole { "bytes=700000-2999999" } else { "bytes=1400000-2999999" };
        assert!(ranges(&server).iter().any(|range| range == rest), "{:?}", ranges(&server));
    }
}

/// What goes wrong in a part is said as of the whole.
#[test]
fn a_part_that_is_gone() {
    let content = content();
    let digest = Digest::of(&content);
    let sent = content.clone();
    let server = Server::tls(move |request| match request.header("range") {
        "bytes=2100000-2799999" => Answer::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#),
        _ => Answer::part(&sent, request),
    });
    let told = fetch(&server, &content).unwrap_err();
    let error = told.get_ref().unwrap().downcast_ref::<RegistryError>().unwrap();
    assert!(error.is_absent());
    assert!(error.to_string().contains(&format!("/team/app: blob {digest}: ")), "{error}");
    let server = Server::tls(|_| Answer::new(404, ""));
    assert!(fetch(&server, &content).is_err());
    assert_eq!(server.asked().len(), 1);
}
