//! Probes and hooks that ask over the network (R6.10, R7.4): from inside the pod's network namespace, at its address.

use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::harness::{Case, PATIENT, main, wait, wait_for};

/// What a web server says.
fn answer(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A file appears whole: who reads it meanwhile sees the old one.
fn put(case: &Case, name: &str, content: impl AsRef<[u8]>) {
    let new = case.shared(".new");
    fs::File::create(&new).unwrap().write_all(content.as_ref()).unwrap();
    fs::rename(new, case.shared(name)).unwrap();
}

/// A pod with a main that serves the file `page` at port 8080, and this readiness probe.
fn served<'a>(case: &'a Case, probe: Value, more: Value) -> crate::harness::Run<'a> {
    let mut probe = probe;
    probe["periodSeconds"] = json!(1);
    probe["failureThreshold"] = json!(1);
    probe["timeoutSeconds"] = json!(PATIENT);
    let mut container = main("main", "web 8080 page; exec serve main", json!({"readinessProbe": probe}));
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    case.start(&case.pod().container(container))
}

/// And it takes SIGTERM, which a first process doesn't before it has said what it does about it.
fn is_ready(case: &Case) -> bool {
    case.container("main")["ready"] == true && case.said("main up")
}

/// R6.10: 200 to 399 are good, all else is told with its body; the port by its name, path and headers as given.
#[test]
fn http_statuses_and_what_is_sent() {
    let Some(case) = Case::new("http") else { return };
    put(&case, "page", answer("503 Busy", "", "warming up\n"));
    let headers = json!([{"name": "X-Colour", "value": "blue"}]);
    let get = json!({"httpGet": {"port": "web", "path": "/healthz?full", "httpHeaders": headers}});
    let ports = json!({"ports": [{"name": "other", "containerPort": 1}, {"name": "web", "containerPort": 8080}]});
    let mut run = served(&case, get, ports);
    let told = |text: &str| {
        let text = format!("Readiness probe failed: HTTP probe failed with statuscode: {text}");
        wait(&text, || case.messages("Unhealthy").contains(&text));
    };
    told("503: warming up");
    put(&case, "page", answer("204 Nothing", "", ""));
    wait("readiness", || is_ready(&case));
    put(&case, "page", answer("400 What", "", ""));
    told("400");
    wait("its end", || !is_ready(&case));
    let asked = fs::read_to_string(case.shared("page.asked")).unwrap().to_lowercase();
    assert!(asked.starts_with("get /healthz?full http/1.1\n"), "{asked}");
    for line in ["host: 127.0.0.1:8080", "x-colour: blue", "accept: */*"] {
        assert!(asked.lines().any(|one| one == line), "no {line:?} in\n{asked}");
    }
    assert!(asked.contains("\nuser-agent: kube-probe/1."), "{asked}");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.10: a redirect to the same host is followed, one to another is a success with event ProbeWarning.
#[test]
fn http_redirects() {
    let Some(case) = Case::new("redirect") else { return };
    put(&case, "page", answer("302 Away", "Location: http://192.0.2.1/x\r\n", "elsewhere"));
    put(&case, "end", answer("500 End", "", "the end"));
    let get = json!({"httpGet": {"port": 8080}});
    let more = json!({"command": ["sh", "-c", "web 8080 page; web 8081 end; exec serve main"]});
    let mut run = served(&case, get, more);
    wait("readiness", || is_ready(&case));
    let warned = case.messages("ProbeWarning");
    assert_eq!(warned, ["Readiness probe warning: Probe terminated redirects, Response body: elsewhere"]);
    put(&case, "page", answer("307 Other", "Location: http://127.0.0.1:8081/there\r\n", ""));
    let end = "Readiness probe failed: HTTP probe failed with statuscode: 500: the end";
    wait("the end", || case.messages("Unhealthy").iter().any(|told| told == end));
    assert!(fs::read_to_string(case.shared("end.asked")).unwrap().starts_with("GET /there "));
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.10: a server that takes the connection and says nothing is a failure after the time-out, and holds up nobody.
#[test]
fn a_server_that_says_nothing() {
    let Some(case) = Case::new("mute") else { return };
    let pod = case.pod().container(main(
        "main",
        "nc -ll -p 8080 -e sleep 1000 & nc -ll -p 8081 -e sleep 1000 & exec serve main",
        json!({
            "readinessProbe": {"httpGet": {"port": 8080}, "initialDelaySeconds": 1},
            "livenessProbe": {"grpc": {"port": 8081}, "initialDelaySeconds": 1},
        }),
    ));
    let mut run = case.start(&pod);
    let both = || Some(case.messages("Unhealthy")).filter(|told| told.len() == 2);
    let mut told = wait_for("two failures", both);
    told.sort();
    assert_eq!(
        told,
        [
            "Liveness probe failed: timeout: health rpc to \"127.0.0.1:8081\" did not complete within 1s",
            "Readiness probe failed: Get \"http://127.0.0.1:8080/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        ]
    );
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.10: tcpSocket is good as soon as somebody listens: in the pod, not on the box.
#[test]
fn tcp() {
    let Some(case) = Case::new("tcp") else { return };
    // Who listens on the box is not asked.
    let outside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    let script = format!("(hold listen; web {port} page) & exec serve main");
    let probe =
        json!({"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT});
    let mut run = case.start(&case.pod().container(main("main", &script, json!({"readinessProbe": probe}))));
    let told = wait_for("a failure", || case.messages("Unhealthy").pop());
    assert_eq!(told, format!("Readiness probe failed: dial tcp 127.0.0.1:{port}: connect: connection refused"));
    assert!(!is_ready(&case));
    put(&case, "page", answer("200 OK", "", ""));
    case.release("listen");
    wait("readiness", || is_ready(&case));
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.10: with hostNetwork the address is the box's.
#[test]
fn tcp_on_the_hosts_network() {
    let Some(case) = Case::new("host-network") else { return };
    let outside = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    let probe =
        json!({"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT});
    let pod = case.pod().spec(json!({"hostNetwork": true}));
    let mut run = case.start(&pod.container(main("main", "serve main", json!({"readinessProbe": probe}))));
    wait("readiness", || is_ready(&case));
    assert_eq!(case.messages("Unhealthy"), [""; 0]);
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// One answer to one request, whatever it is.
fn answer_over_tls(config: &Arc<rustls::ServerConfig>, stream: std::net::TcpStream) -> io::Result<()> {
    let connection = rustls::ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    stream.write_all(answer("200 OK", "", "fine").as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// R6.10: https without a look at the certificate: expired, of another name, signed by nobody.
#[test]
fn https() {
    let Some(case) = Case::new("https") else { return };
    let certificate = include_bytes!("../fixtures/https/certificate.der").to_vec();
    let key = PrivatePkcs8KeyDer::from(include_bytes!("../fixtures/https/key.der").to_vec());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.into()], key.into()).unwrap();
    let (config, over) = (Arc::new(config), AtomicBool::new(false));
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming().take_while(|_| !over.load(Ordering::Relaxed)) {
                // A client that hangs up is the test's to judge.
                let _ = answer_over_tls(&config, stream.unwrap());
            }
        });
        // There is no TLS server in busybox: the pod shares the box's network with this one.
        let get = |scheme: &str| {
            let get = json!({"port": port, "scheme": scheme});
            json!({"httpGet": get, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT})
        };
        let pod = case
            .pod()
            .spec(json!({"hostNetwork": true}))
            .container(main("good", "serve good", json!({"readinessProbe": get("HTTPS")})))
            .container(main("plain", "serve plain", json!({"readinessProbe": get("HTTP")})));
        let mut run = case.start(&pod);
        wait("readiness", || case.container("good")["ready"] == true);
        wait("a failure", || !case.messages_of("plain", "Unhealthy").is_empty());
        case.wait_for("good up");
        case.wait_for("plain up");
        assert_eq!(case.messages_of("good", "Unhealthy"), [""; 0]);
        assert_eq!(case.container("plain")["ready"], false);
        run.signal(Signal::TERM);
        assert_eq!(run.end(), 0);
        over.store(true, Ordering::Relaxed);
        drop(std::net::TcpStream::connect(("127.0.0.1", port)));
    });
}

/// What a gRPC health server sends: settings, headers (`:status: 200` from the static table), the message with this
/// status, trailers (`grpc-status: 0`).
fn health(status: u8) -> Vec<u8> {
    let mut frames = Vec::new();
    let mut frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        frames.extend_from_slice(&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream]);
        frames.extend_from_slice(payload);
    };
    frame(4, 0, 0, &[]);
    frame(1, 4, 1, &[0x88]);
    frame(0, 0, 1, &[0, 0, 0, 0, 2, 8, status]);
    frame(1, 5, 1, b"\x00\x0bgrpc-status\x010");
    frames
}

/// R6.10: the standard health protocol; the service by its name.
#[test]
fn grpc() {
    let Some(case) = Case::new("grpc") else { return };
    put(&case, "health", health(2));
    let probe = json!({"grpc": {"port": 50051, "service": "database"}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT});
    // What the client sends is kept until it hangs up, so that it isn't cut off in the middle of the answer.
    let script = "printf '#!/bin/sh\\ncat /t/health; cat >> /t/asked\\n' > /bin/health; chmod +x /bin/health; \
        nc -ll -p 50051 -e health & exec serve main";
    let mut run = case.start(&case.pod().container(main("main", script, json!({"readinessProbe": probe}))));
    let not_serving = "Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")";
    wait("a failure", || case.messages("Unhealthy").iter().any(|told| told == not_serving));
    put(&case, "health", health(1));
    wait("readiness", || is_ready(&case));
    let asked = fs::read(case.shared("asked")).unwrap();
    let has = |text: &[u8]| asked.windows(text.len()).any(|window| window == text);
    assert!(asked.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    assert!(has(b"/grpc.health.v1.Health/Check") && has(b"\x0a\x08database"));
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R7.4: hooks ask as hooks, any status is good; R7.2: no answer at all is a failure, which changes nothing.
#[test]
fn http_hooks() {
    let Some(case) = Case::new("http-hooks") else { return };
    put(&case, "page", answer("500 Bad", "", "never mind"));
    let get = |path: &str, port: u16| json!({"httpGet": {"port": port, "path": path}});
    // The mains come once the server listens.
    let web = json!({
        "restartPolicy": "Always",
        "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    });
    let good = json!({"lifecycle": {"postStart": get("/started", 8080), "preStop": get("/stopping", 8080)}});
    let bad = json!({"lifecycle": {"preStop": get("/", 9)}});
    let pod = case
        .pod()
        .init(main("web", "web 8080 page; exec serve web", web))
        .container(main("good", "serve good", good))
        .container(main("bad", "serve bad", bad));
    let mut run = case.start(&pod);
    wait("all to run", || case.condition("Ready")["status"] == "True");
    // A first process takes no SIGTERM before it has said what it does about it.
    case.wait_for("good up");
    case.wait_for("bad up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    let asked = fs::read_to_string(case.shared("page.asked")).unwrap();
    let lines: Vec<&str> = asked.lines().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(lines, ["GET /started HTTP/1.1", "GET /stopping HTTP/1.1"]);
    assert_eq!(asked.to_lowercase().matches("user-agent: kube-lifecycle/1.").count(), 2, "{asked}");
    assert_eq!(case.messages("FailedPostStartHook"), [""; 0]);
    let failed = case.messages("FailedPreStopHook");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("connection refused"), "{failed:?}");
    assert!(case.said("bad term") && case.said("good term") && case.said("web term"));
}
