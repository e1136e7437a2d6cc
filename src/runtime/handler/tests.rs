//! Requests of every kind against servers that are scripted byte by byte, on this machine's loopback.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;
use crate::plan::{HttpGet, Wanted};

fn nobody() -> Names {
    Names::default()
}

/// A server that reads each request to its empty line and gives these answers, one a connection; what it read.
fn server(answers: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = std::thread::spawn(move || {
        let serve = |answer: &String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut byte = [0];
            while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                text.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(text).unwrap()
        };
        answers.iter().map(serve).collect()
    });
    (port, handle)
}

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len())
}

fn http_get(port: u16, wanted: Wanted) -> Outcome {
    let headers =
        vec![("User-Agent".to_owned(), "kube-probe/1.37".to_owned()), ("Accept".to_owned(), "*/*".to_owned())];
    http::get(&HttpGet { url: format!("http://127.0.0.1:{port}/healthz?full"), headers, wanted }, &nobody())
}

#[test]
fn http_statuses_are_judged() {
    let unhealthy = "HTTP probe failed with statuscode:";
    let cases = [
        ("200 OK", "fine", Outcome::Success),
        ("204 No Content", "", Outcome::Success),
        ("304 Not Modified", "", Outcome::Warning("Probe terminated redirects, Response body: ".to_owned())),
        ("404 Not Found", "", Outcome::Failure(format!("{unhealthy} 404"))),
        ("500 Oops", "no database\n", Outcome::Failure(format!("{unhealthy} 500: no database"))),
    ];
    for (status, body, wanted) in cases {
        let (port, handle) = server(vec![answer(status, "", body)]);
        assert_eq!(http_get(port, Wanted::Success), wanted, "{status}");
        handle.join().unwrap();
    }
}

#[test]
fn a_request_says_what_the_kubelets_says() {
    let (port, handle) = server(vec![answer("200 OK", "", "")]);
    http_get(port, Wanted::Success);
    let text = handle.join().unwrap().remove(0).to_lowercase();
    let mut lines: Vec<&str> = text.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "get /healthz?full http/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{port}");
    assert_eq!(lines, ["accept: */*", "connection: close", host.as_str(), "user-agent: kube-probe/1.37"]);
}

/// R7.4
#[test]
fn any_answer_is_good_for_a_hook() {
    let (port, handle) = server(vec![answer("500 Oops", "", "")]);
    assert_eq!(http_get(port, Wanted::Any), Outcome::Success);
    handle.join().unwrap();
}

/// R6.10
#[test]
fn redirects_are_followed_to_the_same_host_only() {
    let away = answer("302 Found", "Location: http://127.0.0.2/else\r\n", "");
    let (port, handle) =
        server(vec![answer("301 Moved", "Location: /a/b\r\n", ""), answer("302 Found", "Location: c\r\n", ""), away]);
    assert!(matches!(http_get(port, Wanted::Success), Outcome::Warning(_)));
    let paths: Vec<String> =
        handle.join().unwrap().iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/healthz?full", "/a/b", "/a/c"]);
    let (port, handle) = server(vec![answer("302 Found", "Location: /again\r\n", ""); 10]);
    let Outcome::Failure(text) = http_get(port, Wanted::Success) else { panic!() };
    assert!(text.ends_with("stopped after 10 redirects"), "{text}");
    assert_eq!(handle.join().unwrap().len(), 10);
    let mut answers = vec![answer("302 Found", "Location: /again\r\n", ""); 9];
    answers.push(answer("200 OK", "", ""));
    let (port, handle) = server(answers);
    assert_eq!(http_get(port, Wanted::Success), Outcome::Success);
    handle.join().unwrap();
}

#[test]
fn what_cannot_be_reached_says_so() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(tcp("127.0.0.1", port, &nobody()), Outcome::Failure(refused.clone()));
    let get = format!("Get \"http://127.0.0.1:{port}/healthz?full\": {refused}");
    assert_eq!(http_get(port, Wanted::Success), Outcome::Failure(get));
    let Outcome::Failure(text) = grpc::check("127.0.0.1", port, "", &nobody()) else { panic!() };
    assert!(text.ends_with(&refused), "{text}");
    // A name of the box's hosts file leads there, and its address is told.
    let names = Names { hosts: vec!["127.0.0.1 other Db # db2".to_owned()], ..nobody() };
    assert_eq!(tcp("db", port, &names), tcp("127.0.0.1", port, &nobody()));
}

#[test]
fn a_connection_is_enough_for_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(tcp("localhost", listener.local_addr().unwrap().port(), &nobody()), Outcome::Success);
}

/// What a gRPC server sends: settings, headers, a message, trailers.
fn grpc_answer(stream: &mut TcpStream, message: &[u8], code: &str) {
    let mut frames = Vec::new();
    let field = |name: &str, value: &str| {
        let mut text = vec![0, name.len() as u8];
        text.extend_from_slice(name.as_bytes());
        text.push(value.len() as u8);
        text.extend_from_slice(value.as_bytes());
        text
    };
    let mut frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        frames.extend_from_slice(&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream]);
        frames.extend_from_slice(payload);
    };
    frame(4, 0, 0, &[]);
    frame(6, 0, 0, b"pingpong");
    // `:status: 200` from the static table.
    frame(1, 4, 1, &[0x88]);
    let mut data = vec![0, 0, 0, 0, message.len() as u8];
    data.extend_from_slice(message);
    frame(0, 0, 1, &data);
    frame(1, 5, 1, &field("grpc-status", code));
    stream.write_all(&frames).unwrap();
}

#[test]
fn grpc_health_is_judged() {
    let unhealthy = |status: &str| Outcome::Failure(format!("service unhealthy (responded with {status:?})"));
    let cases: [(&[u8], &str, Option<Outcome>); 5] = [
        (&[8, 1], "0", Some(Outcome::Success)),
        (&[8, 2], "0", Some(unhealthy("NOT_SERVING"))),
        (&[], "0", Some(unhealthy("UNKNOWN"))),
        (&[], "12", None),
        (&[], "5", None),
    ];
    for (message, code, wanted) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            grpc_answer(&mut stream, message, code);
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            text
        });
        let got = grpc::check("127.0.0.1", port, "db", &nobody());
        match wanted {
            Some(wanted) => assert_eq!(got, wanted, "{code} {message:?}"),
            None => assert!(matches!(got, Outcome::Failure(_)), "{got:?}"),
        }
        let text = handle.join().unwrap();
        assert!(text.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        let ends: &[u8] = &[0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b'];
        assert!(text.windows(ends.len()).any(|window| window == ends));
    }
}

/// A server that never comes to an end is given up: bytes, frames and decoded headers are counted.
#[test]
fn a_hostile_grpc_server_is_given_up() {
    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let stream = u8::from(kind != 4 && kind != 6);
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    }
    // A field of 4,000 bytes into the dynamic table, then references to it, one byte each.
    let mut bomb = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
    bomb.extend_from_slice(&[b'x'; 4000]);
    bomb.extend_from_slice(&[0xbe; 8000]);
    let cases: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("a huge frame", vec![], [&[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1][..], &[0; 1000]].concat()),
        ("settings for ever", vec![], frame(4, 0, &[])),
        ("pings for ever", vec![], frame(6, 0, b"pingpong")),
        ("headers that never end", frame(1, 0, &[0x88]), frame(9, 0, &[0x88; 1000])),
        ("empty continuations", frame(1, 0, &[0x88]), frame(9, 0, &[])),
        ("an HPACK bomb", vec![], frame(1, 4, &bomb)),
    ];
    for (name, first, again) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = stream.try_clone().unwrap();
            // What the client answers is taken, so that it can't wait for that.
            let sink = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
            stream.write_all(&first).unwrap();
            let mut sent = 0_usize;
            while stream.write_all(&again).is_ok() {
                sent += again.len();
                assert!(sent < 1 << 30, "it reads for ever");
            }
            let _ = sink.join();
        });
        let got = grpc::check("127.0.0.1", port, "", &nobody());
        assert!(
            matches!(&got, Outcome::Failure(text) if text.starts_with("error: health rpc failed: ")),
            "{name}: {got:?}"
        );
        handle.join().unwrap();
    }
}
