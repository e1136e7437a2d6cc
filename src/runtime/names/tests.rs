//! Names looked up in files and at servers that are scripted, on this machine's loopback.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread::JoinHandle;

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use super::*;

/// What the server says to each question, in order.
#[derive(Clone, Copy)]
enum Says {
    /// Records of the name asked for: an address, or `=alias`.
    Records(&'static [&'static str]),
    NoSuchName,
    Fails,
    /// Doesn't fit; the same question over TCP is answered with that.
    OverTcp(&'static [&'static str]),
    /// A forged answer first, then garbage, then the real one.
    AfterForgeries(&'static str),
    Nothing,
}

fn reply(question: &[u8], records: &[&str], code: RCODE, flags: PacketFlag) -> Vec<u8> {
    let question = Packet::parse(question).unwrap();
    let mut reply = Packet::new_reply(question.id());
    reply.set_flags(PacketFlag::RESPONSE | flags);
    *reply.rcode_mut() = code;
    reply.questions = question.questions.clone();
    let mut owner = question.questions[0].qname.clone();
    for record in records {
        let data = match record.strip_prefix('=') {
            Some(alias) => RData::CNAME(CNAME(Name::new(alias).unwrap())),
            None => match record.parse().unwrap() {
                IpAddr::V4(ip) => RData::A(A { address: ip.into() }),
                IpAddr::V6(ip) => RData::AAAA(AAAA { address: ip.into() }),
            },
        };
        reply.answers.push(ResourceRecord::new(owner.clone(), CLASS::IN, 60, data));
        if let Some(alias) = record.strip_prefix('=') {
            owner = Name::new(alias).unwrap();
        }
    }
    reply.build_bytes_vec().unwrap()
}

/// A server at both transports of one port; the questions it was asked, as `A web.test`.
fn server(script: &'static [Says]) -> (u16, JoinHandle<Vec<String>>) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let serve = move |says: &Says| {
        let mut buffer = [0; 512];
        let (length, from) = udp.recv_from(&mut buffer).unwrap();
        let question = &buffer[..length];
        let send = |text: Vec<u8>| {
            udp.send_to(&text, from).unwrap();
        };
        let none = PacketFlag::empty();
        match says {
            Says::Records(records) => send(reply(question, records, RCODE::NoError, none)),
            Says::NoSuchName => send(reply(question, &[], RCODE::NameError, none)),
            Says::Fails => send(reply(question, &[], RCODE::ServerFailure, none)),
            Says::OverTcp(records) => {
                send(reply(question, &[], RCODE::NoError, PacketFlag::TRUNCATION));
                let (mut stream, _) = tcp.accept().unwrap();
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).unwrap();
                let text = reply(&question, records, RCODE::NoError, none);
                // In pieces: a message is as long as it says, however it comes.
                stream.write_all(&(text.len() as u16).to_be_bytes()[..1]).unwrap();
                stream.write_all(&(text.len() as u16).to_be_bytes()[1..]).unwrap();
                stream.write_all(&text[..5]).unwrap();
                stream.write_all(&text[5..]).unwrap();
            }
            Says::AfterForgeries(address) => {
                let mut forged = reply(question, &["192.0.2.66"], RCODE::NoError, none);
                forged[0] ^= 0xff;
                send(forged);
                send(b"garbage".to_vec());
                send(question.to_vec());
                send(reply(question, &[address], RCODE::NoError, none));
            }
            Says::Nothing => {}
        }
        let packet = Packet::parse(question).unwrap();
        assert!(packet.has_flags(PacketFlag::RECURSION_DESIRED));
        let labels: Vec<_> = packet.questions[0].qname.as_bytes().map(String::from_utf8_lossy).collect();
        format!("{:?} {}", packet.questions[0].qtype, labels.join(".")).replace("TYPE(", "").replace(')', "")
    };
    (port, std::thread::spawn(move || script.iter().map(serve).collect()))
}

/// What `host` is, and what the server was asked for it.
fn ask(host: &str, resolv_conf: &str, script: &'static [Says]) -> (Result<Vec<String>, String>, Vec<String>) {
    ask_for(Families::First, host, resolv_conf, script)
}

fn ask_for(
    families: Families,
    host: &str,
    resolv_conf: &str,
    script: &'static [Says],
) -> (Result<Vec<String>, String>, Vec<String>) {
    let (port, server) = server(script);
    let resolv_conf = format!("nameserver 127.0.0.1\n{resolv_conf}");
    let found = look_up_at(host, Files { hosts: &[], resolv_conf: &resolv_conf }, families, port);
    let text = |all: Vec<IpAddr>| all.iter().map(ToString::to_string).collect();
    (found.map(text).map_err(|cause| cause.replace(&port.to_string(), "PORT")), server.join().unwrap())
}

fn list(all: &[&str]) -> Vec<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}

#[test]
fn nobody_is_asked_what_is_known() {
    let hosts = |text: &str| text.to_owned();
    let pods = hosts("# managed\n10.0.0.1\tDB db.test # not-this\nbad line\n::1 six both\n10.0.0.2 both\n");
    let hosts = [pods, hosts("10.9.9.9 db\n10.0.0.3 box\n")];
    let files = Files { hosts: &hosts, resolv_conf: "" };
    // A port at which nobody answers.
    let found = |host: &str| look_up_at(host, files, Families::First, 1);
    for (host, wanted) in [
        ("192.0.2.7", &["192.0.2.7"][..]),
        ("[2001:db8::1]", &["2001:db8::1"]),
        ("2001:db8::1", &["2001:db8::1"]),
        ("localhost", &["127.0.0.1"]),
        ("db", &["10.0.0.1"]),
        ("db.test.", &["10.0.0.1"]),
        ("DB.TEST", &["10.0.0.1"]),
        ("six", &["::1"]),
        ("both", &["10.0.0.2", "::1"]),
        ("box", &["10.0.0.3"]),
    ] {
        let wanted: Vec<IpAddr> = wanted.iter().map(|one| one.parse().unwrap()).collect();
        assert_eq!(found(host), Ok(wanted), "{host}");
    }
    let told = found("not-this").unwrap_err();
    assert_eq!(told, "lookup not-this: 127.0.0.1:1: connection refused");
    let both = look_up_at("localhost", files, Families::Both, 1).unwrap();
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn a_server_is_asked() {
    use Says::*;
    let (found, asked) = ask("web.test", "", &[Records(&["192.0.2.1", "192.0.2.2"])]);
    assert_eq!((found, asked), (Ok(list(&["192.0.2.1", "192.0.2.2"])), list(&["A web.test"])));
    let (found, asked) = ask("six.test", "", &[Records(&[]), Records(&["2001:db8::1"])]);
    assert_eq!((found, asked), (Ok(list(&["2001:db8::1"])), list(&["A six.test", "AAAA six.test"])));
    let (found, _) = ask("alias.test", "", &[Records(&["=other.test", "=third.test", "192.0.2.3"])]);
    assert_eq!(found, Ok(list(&["192.0.2.3"])));
    let (found, _) = ask("long.test", "", &[OverTcp(&["192.0.2.4"])]);
    assert_eq!(found, Ok(list(&["192.0.2.4"])));
    let (found, _) = ask("forged.test", "", &[AfterForgeries("192.0.2.5")]);
    assert_eq!(found, Ok(list(&["192.0.2.5"])));
}

/// A box may have a way to the second kind alone.
#[test]
fn both_kinds_of_addresses_are_asked_for() {
    use Says::*;
    let (found, asked) = ask_for(Families::Both, "web.test", "", &[Records(&["192.0.2.1"]), Records(&["2001:db8::1"])]);
    assert_eq!((found, asked.len()), (Ok(list(&["192.0.2.1", "2001:db8::1"])), 2));
    let (found, _) = ask_for(Families::Both, "web.test", "options attempts:1", &[Records(&["192.0.2.1"]), Fails]);
    assert_eq!(found, Ok(list(&["192.0.2.1"])), "what is known is told, though the other isn't");
}

/// resolv.conf(5): search and ndots.
#[test]
fn names_are_searched_for() {
    use Says::*;
    let search = "search a.test b.test.\noptions ndots:2\n";
    let (found, asked) = ask("web", search, &[NoSuchName, Records(&["192.0.2.1"])]);
    assert_eq!((found, asked), (Ok(list(&["192.0.2.1"])), list(&["A web.a.test", "A web.b.test"])));
    let (found, asked) = ask("x.y.web", search, &[NoSuchName, NoSuchName, NoSuchName]);
    assert_eq!(found, Err("lookup x.y.web on 127.0.0.1:PORT: no such host".to_owned()));
    assert_eq!(asked, ["A x.y.web", "A x.y.web.a.test", "A x.y.web.b.test"]);
    let (found, asked) = ask("web.", search, &[NoSuchName]);
    assert_eq!((found.is_err(), asked), (true, list(&["A web"])));
    // The name is there, and has no address.
    let (found, _) = ask("bare.test", "", &[Records(&[]), Records(&[])]);
    assert_eq!(found, Err("lookup bare.test on 127.0.0.1:PORT: no such host".to_owned()));
}

#[test]
fn a_server_that_fails_is_asked_again() {
    use Says::*;
    let (found, asked) = ask("web.test", "", &[Fails, Records(&["192.0.2.1"])]);
    assert_eq!((found, asked.len()), (Ok(list(&["192.0.2.1"])), 2));
    let (found, _) = ask("web.test", "options attempts:3", &[Fails, Fails, Fails]);
    assert_eq!(found, Err("lookup web.test: 127.0.0.1:PORT: server misbehaving".to_owned()));
    let (found, _) = ask("web.test", "options timeout:1 attempts:1", &[Nothing]);
    assert_eq!(found, Err("lookup web.test: 127.0.0.1:PORT: i/o timeout".to_owned()));
    let (found, _) = ask("circle.test", "", &[Records(&["=circle.test"]), Records(&["=circle.test"])]);
    assert_eq!(found, Err("lookup circle.test on 127.0.0.1:PORT: no such host".to_owned()));
    // Longer than a name can be: nobody is asked.
    let (found, _) = ask(&"a".repeat(64), "", &[]);
    assert!(found.is_err());
}

#[test]
fn resolv_conf_is_read() {
    let text = "# nameserver 1.1.1.1\n;x\nnameserver 10.0.0.1\nnameserver ::1 \nnameserver nonsense\nnameserver 10.0.0.2\n\
        nameserver 10.0.0.3\ndomain old.test\nsearch a.test b.test\noptions ndots:99 rotate timeout:0 attempts:9\n";
    let server = |ip: &str| Server::new(ip.parse().unwrap(), 53);
    let wanted = Config {
        servers: vec![server("10.0.0.1"), server("::1"), server("10.0.0.2")],
        searches: list(&["a.test", "b.test"]),
        dots: 15,
        timeout: Duration::from_secs(1),
        attempts: 5,
    };
    assert_eq!(Config::parse(text, 53), wanted);
    assert_eq!(Config::parse("", 53).servers, [server("127.0.0.1")]);
}
