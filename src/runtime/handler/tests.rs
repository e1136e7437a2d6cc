//! Requests of every kind against servers that are scripted byte by byte, on this machine's loopback.
#![allow(clippy::unwrap_used)]

mod health;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::outcome::BODY;
use super::*;
use crate::plan::{HttpGet, HttpVersion, Scheme, Url, Wanted};

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

fn url(scheme: Scheme, port: u16) -> Url {
    Url { scheme, host: "127.0.0.1".to_owned(), port, target: "/healthz?full".to_owned() }
}

fn http_get(port: u16, wanted: Wanted) -> Outcome {
    let headers =
        vec![("User-Agent".to_owned(), "kube-probe/1.37".to_owned()), ("Accept".to_owned(), "*/*".to_owned())];
    http::get(&HttpGet { url: url(Scheme::Http, port), version: HttpVersion::Http1, headers, wanted }, &nobody())
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

/// As Go writes it, letter by letter.
#[test]
fn a_request_says_what_the_kubelets_says() {
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (headers, expected) in [
        (
            pairs(&[("User-Agent", "kube-probe/1.37"), ("Accept", "*/*")]),
            "Host: HERE\r\nUser-Agent: kube-probe/1.37\r\nAccept: */*\r\n",
        ),
        (pairs(&[("User-Agent", ""), ("X-Key", " a b ")]), "Host: HERE\r\nX-Key: a b\r\n"),
        (
            pairs(&[("X-Key", "2"), ("Host", "shop.example"), ("Accept", "a"), ("X-Key", "1\r\nX-Forged: 1")]),
            "Host: shop.example\r\nAccept: a\r\nX-Key: 2\r\nX-Key: 1  X-Forged: 1\r\n",
        ),
    ] {
        let (port, handle) = server(vec![answer("200 OK", "", "")]);
        let request =
            HttpGet { url: url(Scheme::Http, port), version: HttpVersion::Http1, headers, wanted: Wanted::Success };
        assert_eq!(http::get(&request, &nobody()), Outcome::Success);
        let expected = expected.replace("HERE", &format!("127.0.0.1:{port}"));
        let text = format!("GET /healthz?full HTTP/1.1\r\n{expected}Connection: close\r\n\r\n");
        assert_eq!(handle.join().unwrap(), [text]);
    }
}

/// What is read of a body has to be whole; what comes behind that needn't be.
#[test]
fn a_body_that_is_cut_short_is_a_failure() {
    let long = "x".repeat(BODY as usize);
    let cut = "unexpected EOF";
    for (answer, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine!".to_owned(), None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfine!".to_owned(), Some(cut)),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{long}"), None),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}", &long[1..]), Some(cut)),
        ("HTTP/1.0 200 OK\r\n\r\nto the end".to_owned(), None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n".to_owned(), None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok".to_owned(), Some(cut)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n".to_owned(), Some("EOF")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n".to_owned(), Some("malformed HTTP chunk \"no\"")),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n".to_owned(), None),
        ("HTTP/1.1 200 OK\r\nContent-Le".to_owned(), Some(cut)),
        (String::new(), Some("EOF")),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), Some("malformed HTTP response \"SSH-2.0-OpenSSH\"")),
        ("HTTP/1.1 2000 OK\r\n".to_owned(), Some("malformed HTTP status line \"HTTP/1.1 2000 OK\"")),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(300_000)), Some("the answer's head is too long")),
    ] {
        let (port, handle) = server(vec![answer.clone()]);
        let got = http_get(port, Wanted::Success);
        handle.join().unwrap();
        let start = answer.get(..60).unwrap_or(&answer);
        match why {
            None => assert_eq!(got, Outcome::Success, "{start:?}"),
            Some(why) => {
                let text = format!("Get \"http://127.0.0.1:{port}/healthz?full\": {why}");
                assert_eq!(got, Outcome::Failure(text), "{start:?}");
            }
        }
    }
    // A hook wants an answer, not its body.
    let (port, handle) = server(vec!["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfine!".to_owned()]);
    assert_eq!(http_get(port, Wanted::Any), Outcome::Success);
    handle.join().unwrap();
}

fn https_get(port: u16, wanted: Wanted) -> Outcome {
    let headers = vec![("Authorization".to_owned(), "Bearer x".to_owned()), ("X-Key".to_owned(), "y".to_owned())];
    http::get(&HttpGet { url: url(Scheme::Https, port), version: HttpVersion::Http1, headers, wanted }, &nobody())
}

/// A server whose certificate nobody signed, with the protocols it speaks; it reads to the empty line and gives its answer.
fn tls_server(protocols: &[&[u8]], answer: Vec<u8>) -> (u16, JoinHandle<()>) {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
    let key: &[u8] = include_bytes!("../../../tests/fixtures/tls/key.der");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let certificate: &[u8] = include_bytes!("../../../tests/fixtures/tls/certificate.der");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        config.with_no_client_auth().with_single_cert(vec![CertificateDer::from(certificate)], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            text.push(byte[0]);
        }
        stream.write_all(&answer).unwrap();
        stream.flush().unwrap();
        // Nobody says farewell.
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.sock.read_to_end(&mut Vec::new());
    });
    (port, handle)
}

#[test]
fn nobody_has_to_vouch_for_a_server() {
    let (port, handle) = tls_server(&[], b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec());
    assert_eq!(https_get(port, Wanted::Success), Outcome::Success);
    handle.join().unwrap();
    let (port, handle) = tls_server(&[], b"HTTP/1.0 500 Oops\r\n\r\nto the end".to_vec());
    let failed = Outcome::Failure("HTTP probe failed with statuscode: 500: to the end".to_owned());
    assert_eq!(https_get(port, Wanted::Success), failed);
    handle.join().unwrap();
}

/// A server of HTTP that is asked by HTTPS answers in clear text: a probe says so, a hook asks again, without what is secret.
#[test]
fn a_hook_by_https_falls_back_to_http() {
    let serve = |times: usize| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = std::thread::spawn(move || {
            let mut texts = Vec::new();
            for _ in 0..times {
                let (mut stream, _) = listener.accept().unwrap();
                let mut text = vec![0; 5];
                stream.read_exact(&mut text).unwrap();
                let mut byte = [0];
                while text[0] == b'G' && !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    text.push(byte[0]);
                }
                let status = if text[0] == b'G' { "200 OK" } else { "400 Bad Request" };
                stream.write_all(format!("HTTP/1.0 {status}\r\n\r\nfrom here").as_bytes()).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
                texts.push(String::from_utf8_lossy(&text).into_owned());
            }
            texts
        });
        (port, handle)
    };
    let (port, handle) = serve(1);
    let why = "http: server gave HTTP response to HTTPS client";
    let text = format!("Get \"https://127.0.0.1:{port}/healthz?full\": {why}");
    assert_eq!(https_get(port, Wanted::Success), Outcome::Failure(text));
    handle.join().unwrap();
    let (port, handle) = serve(2);
    assert_eq!(https_get(port, Wanted::Any), Outcome::Success);
    let second = handle.join().unwrap().remove(1);
    assert!(second.contains("X-Key: y\r\n") && !second.contains("Authorization"), "{second}");
    // What speaks neither is no server of HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"SSH-2.0-OpenSSH\r\n"));
    assert!(matches!(https_get(port, Wanted::Any), Outcome::Failure(_)));
    let _ = handle.join().unwrap();
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
    // An address in a query is none to go to.
    let inner = answer("302 Found", "Location: /login?next=http://127.0.0.2/\r\n", "");
    let (port, handle) = server(vec![inner, answer("200 OK", "", "")]);
    assert_eq!(http_get(port, Wanted::Success), Outcome::Success);
    assert!(handle.join().unwrap()[1].starts_with("GET /login?next=http://127.0.0.2/ HTTP/1.1"));
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
    let Outcome::Failure(text) = grpc::check(Scheme::Http, "127.0.0.1", port, "", &nobody()) else { panic!() };
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
