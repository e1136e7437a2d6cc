//! One question to one DNS server: over UDP, over TCP where the answer doesn't fit (RFC 1035, RFC 7766). Whatever the
//! server sends, there is an end: at the deadline, and 64 KiB are the most that is read.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::super::random;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE};

/// The most that is read of a datagram: more than a server may send to one who asks without EDNS.
const DATAGRAM: usize = 4096;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub address: SocketAddr,
}

/// What it knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// May be none: the name is there, but has no address of that kind.
    Addresses(Vec<IpAddr>),
    NoSuchName,
}

/// What one message holds.
enum Answer {
    Reply(Reply),
    /// It didn't fit into the datagram.
    Truncated,
    /// Not an answer to this question.
    Foreign,
}

impl Server {
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { address: SocketAddr::new(ip, port) }
    }

    pub fn ask(&self, name: &str, kind: QTYPE, deadline: Instant) -> io::Result<Reply> {
        let bad = |cause: simple_dns::SimpleDnsError| io::Error::other(format!("{name}: {cause}"));
        // Whoever can't see the question must guess this and the port.
        let [high, low, ..] = *random::uuid().as_bytes();
        let id = u16::from_be_bytes([high, low]);
        let mut question = Packet::new_query(id);
        question.set_flags(PacketFlag::RECURSION_DESIRED);
        let asked = Name::new(name).map_err(bad)?;
        question.questions.push(Question::new(asked.clone(), kind, QCLASS::CLASS(CLASS::IN), false));
        let text = question.build_bytes_vec().map_err(bad)?;
        match self.by_datagram(&text, id, &asked, deadline)? {
            Some(reply) => Ok(reply),
            None => self.by_stream(&text, id, &asked, deadline),
        }
    }

    /// `None`: the answer is too long for a datagram.
    fn by_datagram(&self, text: &[u8], id: u16, asked: &Name<'_>, deadline: Instant) -> io::Result<Option<Reply>> {
        let any = match self.address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, 0))?;
        // Connected: answers of others don't arrive, and where nobody listens that is heard.
        socket.connect(self.address)?;
        socket.send(text)?;
        let mut buffer = [0; DATAGRAM];
        loop {
            socket.set_read_timeout(Some(left(deadline)?))?;
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
            match read(&buffer[..length], id, asked)? {
                Answer::Reply(reply) => return Ok(Some(reply)),
                Answer::Truncated => return Ok(None),
                Answer::Foreign => {}
            }
        }
    }

    fn by_stream(&self, text: &[u8], id: u16, asked: &Name<'_>, deadline: Instant) -> io::Result<Reply> {
        let mut stream = TcpStream::connect_timeout(&self.address, left(deadline)?)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), text].concat())?;
        let mut length = [0; 2];
        fill(&mut stream, &mut length, deadline)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        fill(&mut stream, &mut message, deadline)?;
        match read(&message, id, asked)? {
            Answer::Reply(reply) => Ok(reply),
            Answer::Truncated | Answer::Foreign => Err(io::Error::other("server misbehaving")),
        }
    }
}

/// `read_exact` with an end, however slowly the other side trickles.
fn fill(stream: &mut TcpStream, buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut buffer[done..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(number) => done += number,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn read(message: &[u8], id: u16, asked: &Name<'_>) -> io::Result<Answer> {
    let Ok(packet) = Packet::parse(message) else { return Ok(Answer::Foreign) };
    let is_answer = packet.id() == id && packet.has_flags(PacketFlag::RESPONSE);
    if !is_answer || packet.questions.first().is_none_or(|question| !same(&question.qname, asked)) {
        return Ok(Answer::Foreign);
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Ok(Answer::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError => Ok(Answer::Reply(Reply::Addresses(addresses(&packet, asked)))),
        RCODE::NameError => Ok(Answer::Reply(Reply::NoSuchName)),
        _ => Err(io::Error::other("server misbehaving")),
    }
}

/// The addresses at the end of the chain of aliases, in the server's order.
fn addresses(packet: &Packet<'_>, asked: &Name<'_>) -> Vec<IpAddr> {
    let mut name = asked;
    // A chain is no longer than the list: a circle ends too.
    for _ in 0..=packet.answers.len() {
        let mine = packet.answers.iter().filter(|record| same(&record.name, name));
        let found: Vec<IpAddr> = mine
            .clone()
            .filter_map(|record| match &record.rdata {
                RData::A(a) => Some(IpAddr::V4(a.address.into())),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
                _ => None,
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
        let alias = mine.into_iter().find_map(|record| match &record.rdata {
            RData::CNAME(alias) => Some(&alias.0),
            _ => None,
        });
        match alias {
            Some(alias) => name = alias,
            None => break,
        }
    }
    Vec::new()
}

fn same(one: &Name<'_>, other: &Name<'_>) -> bool {
    let labels = |name: &Name<'_>| name.as_bytes().map(<[u8]>::to_ascii_lowercase).collect::<Vec<_>>();
    labels(one) == labels(other)
}
