//! Hosts of probes and hooks that are given by name (R6.10, R7.4): hostAliases, then DNS by the pod's resolv.conf.

use std::net::UdpSocket;
use std::sync::mpsc;

use rustix::process::Signal;
use serde_json::json;
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord};

use crate::harness::{Case, PATIENT, main, wait, wait_for};

/// Where the server listens: an address of the loopback that nobody else uses, since resolv.conf has no ports.
const SERVER: &str = "127.53.7.1";

/// R6.10: a name of hostAliases leads there, with nobody to ask.
#[test]
fn a_host_alias() {
    let Some(case) = Case::new("host-alias") else { return };
    std::fs::write(case.shared("page"), "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n").unwrap();
    // The first may come before the server listens.
    let often = json!({"periodSeconds": 1, "failureThreshold": 30, "timeoutSeconds": PATIENT});
    let mut ready = json!({"httpGet": {"host": "db.test", "port": 8080}});
    ready.as_object_mut().unwrap().extend(often.as_object().unwrap().clone());
    let mut startup = json!({"tcpSocket": {"host": "DB", "port": 8080}});
    startup.as_object_mut().unwrap().extend(often.as_object().unwrap().clone());
    let probes = json!({"readinessProbe": ready, "startupProbe": startup});
    let pod = case
        .pod()
        .spec(json!({"hostAliases": [{"ip": "127.0.0.1", "hostnames": ["db", "db.test"]}]}))
        .container(main("main", "web 8080 page; exec serve main", probes));
    let mut run = case.start(&pod);
    wait("readiness", || case.container("main")["ready"] == true);
    let asked = std::fs::read_to_string(case.shared("page.asked")).unwrap().to_lowercase();
    assert!(asked.lines().any(|line| line == "host: db.test:8080"), "{asked}");
    let unready = case.messages("Unhealthy").into_iter().filter(|message| message.starts_with("Readiness"));
    assert_eq!(unready.collect::<Vec<_>>(), [""; 0]);
    // The server in the background answers before the main listens to SIGTERM.
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.10: DNS by dnsConfig: a search domain is tried first; a name that doesn't exist is a failure that says so.
#[test]
fn a_name_of_the_dns() {
    let Some(case) = Case::new("dns") else { return };
    let server = UdpSocket::bind((SERVER, 53)).unwrap();
    let web = std::net::TcpListener::bind("127.53.7.2:0").unwrap();
    let port = web.local_addr().unwrap().port();
    let (said, questions) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&server, said));
        let probe = |host: &str| {
            let socket = json!({"host": host, "port": port});
            json!({"readinessProbe": {"tcpSocket": socket, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT}})
        };
        let dns = json!({"nameservers": [SERVER], "searches": ["search.test"]});
        let pod = case
            .pod()
            .spec(json!({"hostNetwork": true, "dnsPolicy": "None", "dnsConfig": dns}))
            .container(main("found", "serve found", probe("web")))
            .container(main("lost", "serve lost", probe("lost.test.")));
        let mut run = case.start(&pod);
        wait("readiness", || case.container("found")["ready"] == true);
        assert_eq!(case.messages_of("found", "Unhealthy"), [""; 0]);
        let told = wait_for("a failure", || case.messages_of("lost", "Unhealthy").pop());
        assert_eq!(told, format!("Readiness probe failed: dial tcp: lookup lost.test. on {SERVER}:53: no such host"));
        run.signal(Signal::TERM);
        assert_eq!(run.end(), 0);
        let end = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        end.send_to(b"end", (SERVER, 53)).unwrap();
    });
    let asked: std::collections::BTreeSet<String> = questions.iter().collect();
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["lost.test", "web.search.test"]);
}

/// Knows one name; what isn't a question ends it.
fn serve(server: &UdpSocket, said: mpsc::Sender<String>) {
    let mut buffer = [0; 512];
    loop {
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        let Ok(question) = Packet::parse(&buffer[..length]) else { return };
        let name = question.questions[0].qname.clone();
        let text = name.as_bytes().map(String::from_utf8_lossy).collect::<Vec<_>>().join(".");
        let mut reply = Packet::new_reply(question.id());
        reply.set_flags(PacketFlag::RESPONSE);
        reply.questions = question.questions.clone();
        if text == "web.search.test" {
            let address = u32::from_be_bytes([127, 53, 7, 2]);
            reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, RData::A(A { address })));
        } else {
            *reply.rcode_mut() = RCODE::NameError;
        }
        server.send_to(&reply.build_bytes_vec().unwrap(), from).unwrap();
        said.send(text).unwrap();
    }
}
