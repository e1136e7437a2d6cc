//! gRPC probes and HTTP/2 in clear text against servers of ours.

use super::*;

/// What a gRPC server sends: settings, headers, a message, trailers.
fn grpc_answer(message: &[u8], code: &str) -> Vec<u8> {
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
    frames
}

/// `mode: TLS`
#[test]
fn grpc_health_over_tls() {
    let (port, handle) = tls_server(&[b"h2"], grpc_answer(&[8, 1], "0"));
    assert_eq!(grpc::check(Scheme::Https, "127.0.0.1", port, "", &nobody()), Outcome::Success);
    handle.join().unwrap();
    // A server in clear text.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = std::thread::spawn(move || listener.accept().unwrap().0.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]));
    let Outcome::Failure(text) = grpc::check(Scheme::Https, "127.0.0.1", port, "", &nobody()) else { panic!() };
    assert!(text.starts_with("error: failed to connect service 127.0.0.1:"), "{text}");
    handle.join().unwrap().unwrap();
}

/// `protocol: HTTP2`: by prior knowledge; a long body is left where it is.
#[test]
fn http_2_in_clear_text() {
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, u8::from(kind != 4)], payload].concat()
    };
    let settings = frame(4, 0, &[]);
    // `:status: 200`, `404` and `500` from the static table.
    let good = [&settings[..], &frame(1, 4, &[0x88]), &frame(0, 1, b"fine")].concat();
    let long = [&settings[..], &frame(1, 4, &[0x88]), &frame(0, 0, &[b'x'; BODY as usize])].concat();
    let missing = [&settings[..], &frame(1, 5, &[0x8d])].concat();
    let oops = [&settings[..], &frame(1, 4, &[0x8e]), &frame(0, 1, b"oops")].concat();
    let failed = |why: &str| Outcome::Failure(format!("HTTP probe failed with statuscode: {why}"));
    for (answer, expected) in
        [(good, Outcome::Success), (long, Outcome::Success), (missing, failed("404")), (oops, failed("500: oops"))]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&answer).unwrap();
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            text
        });
        let headers = vec![("X-Key".to_owned(), "y".repeat(200)), ("Host".to_owned(), "shop.example".to_owned())];
        let url = url(Scheme::Http, port);
        let request = HttpGet { url, version: HttpVersion::Http2, headers, wanted: Wanted::Success };
        assert_eq!(http::get(&request, &nobody()), expected);
        let text = handle.join().unwrap();
        for part in [
            &b"PRI * HTTP/2.0"[..],
            b"\x05:path\x0d/healthz?full",
            b"\x0a:authority\x0cshop.example",
            b"\x05x-key\x7f\x49yyy",
        ] {
            assert!(text.windows(part.len()).any(|window| window == part), "{part:?}");
        }
    }
    // Who speaks HTTP/1.1 only isn't asked again.
    let (port, handle) = server(vec!["HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()]);
    let request =
        HttpGet { url: url(Scheme::Http, port), version: HttpVersion::Http2, headers: vec![], wanted: Wanted::Success };
    assert!(matches!(http::get(&request, &nobody()), Outcome::Failure(_)));
    handle.join().unwrap();
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
            stream.write_all(&grpc_answer(message, code)).unwrap();
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            text
        });
        let got = grpc::check(Scheme::Http, "127.0.0.1", port, "db", &nobody());
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
        let got = grpc::check(Scheme::Http, "127.0.0.1", port, "", &nobody());
        assert!(
            matches!(&got, Outcome::Failure(text) if text.starts_with("error: health rpc failed: ")),
            "{name}: {got:?}"
        );
        handle.join().unwrap();
    }
}
