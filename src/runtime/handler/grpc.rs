//! `grpc`: one unary call of grpc.health.v1.Health/Check over HTTP/2 in clear text. Written out, as the libraries for it
//! need an asynchronous runtime and weigh more than all of the rest: the client sends three frames that are known
//! beforehand, and reads frames until it has the answer. Header compression of the answer is decoded by a library.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::{Outcome, connect};
use crate::plan::Names;

/// Frame types (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// Flags.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;
/// The one stream there is.
const STREAM: u32 = 1;
/// More than this in a frame or a message and the other side is no health server (the default SETTINGS_MAX_FRAME_SIZE).
const LARGEST: usize = 16 * 1024;
/// Nor if it needs more than this for an answer, or so many frames: time is up to the caller, memory and replies are not.
const MOST_BYTES: usize = 256 * 1024;
const MOST_FRAMES: usize = 1000;
/// Bytes of all header fields together once they are decoded: one byte of a block can stand for 4 KiB.
const MOST_HEADERS: usize = 64 * 1024;
/// google.rpc.Code
const UNIMPLEMENTED: &str = "12";

pub(super) fn check(host: &str, port: u16, service: &str, names: &Names) -> Outcome {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut stream = match connect(host, port, names) {
        Ok(stream) => stream,
        Err(cause) => return Outcome::Failure(format!("error: failed to connect service {authority}: {cause}")),
    };
    match call(&mut stream, &authority, service) {
        Ok(answer) => answer.judge(),
        Err(cause) => Outcome::Failure(format!("error: health rpc failed: {cause}")),
    }
}

/// What came back.
#[derive(Debug, Default)]
struct Answer {
    headers: Vec<(String, String)>,
    message: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn judge(&self) -> Outcome {
        let text = self.header("grpc-message").unwrap_or_default();
        match (self.header("grpc-status"), self.header(":status")) {
            (Some(UNIMPLEMENTED), _) => Outcome::Failure(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {text}"
            )),
            (Some("0"), _) => match self.status() {
                Some(1) => Outcome::Success,
                other => {
                    let name = match other {
                        Some(0) => "UNKNOWN",
                        Some(2) => "NOT_SERVING",
                        Some(3) => "SERVICE_UNKNOWN",
                        _ => "no known status",
                    };
                    Outcome::Failure(format!("service unhealthy (responded with {name:?})"))
                }
            },
            (Some(code), _) => Outcome::Failure(format!("error: health rpc failed: code {code}: {text}")),
            (None, Some(status)) => Outcome::Failure(format!("error: health rpc failed: HTTP status {status}")),
            (None, None) => Outcome::Failure("error: health rpc failed: no answer".to_owned()),
        }
    }

    /// HealthCheckResponse.status: field 1, a varint; absent is 0.
    fn status(&self) -> Option<u64> {
        let [compressed, a, b, c, d, message @ ..] = self.message.as_slice() else { return None };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if *compressed != 0 || message.len() < length {
            return None;
        }
        match &message[..length] {
            [] => Some(0),
            [0x08, value @ 0..=0x7f, ..] => Some(u64::from(*value)),
            _ => None,
        }
    }
}

fn call(stream: &mut TcpStream, authority: &str, service: &str) -> io::Result<Answer> {
    let mut text = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut text, SETTINGS, 0, 0, &[]);
    frame(&mut text, HEADERS, END_HEADERS, STREAM, &request_headers(authority));
    frame(&mut text, DATA, END_STREAM, STREAM, &request_message(service));
    stream.write_all(&text)?;
    let mut decoder = loona_hpack::Decoder::new();
    // What we announce by not saying anything (RFC 9113, SETTINGS_HEADER_TABLE_SIZE).
    decoder.set_max_allowed_table_size(4096);
    let mut answer = Answer::default();
    // Headers that aren't complete yet.
    let mut block = Vec::new();
    let mut ends = false;
    let mut bytes = 0;
    let mut decoded = 0;
    for _ in 0..MOST_FRAMES {
        let (kind, flags, id, payload) = read_frame(stream)?;
        bytes += payload.len();
        if bytes > MOST_BYTES {
            break;
        }
        match kind {
            SETTINGS if flags & ACK == 0 => send(stream, SETTINGS, ACK, &[])?,
            PING if flags & ACK == 0 => send(stream, PING, ACK, &payload)?,
            HEADERS if id == STREAM => block = content(flags, flags & PRIORITY != 0, &payload)?.to_vec(),
            CONTINUATION if id == STREAM => block.extend_from_slice(&payload),
            DATA if id == STREAM => answer.message.extend_from_slice(content(flags, false, &payload)?),
            RST_STREAM if id == STREAM => return Err(io::Error::other("the server reset the stream")),
            GOAWAY => return Err(io::Error::other("the server went away")),
            _ => {}
        }
        if block.len() > LARGEST || answer.message.len() > LARGEST {
            return Err(io::Error::other("the answer is too long"));
        }
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut add = |name: Cow<'_, [u8]>, value: Cow<'_, [u8]>| {
                decoded += name.len() + value.len();
                if decoded <= MOST_HEADERS {
                    answer.headers.push((text(&name), text(&value)));
                }
            };
            decoder.decode_with_cb(&block, &mut add).map_err(|error| io::Error::other(format!("HPACK: {error:?}")))?;
            if decoded > MOST_HEADERS {
                break;
            }
            block.clear();
        }
        // The frame that ends the stream may be headers that go on in CONTINUATION frames.
        ends |= id == STREAM && matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        if ends && block.is_empty() {
            return Ok(answer);
        }
    }
    Err(io::Error::other("the answer is too long"))
}

/// Literal fields without indexing (RFC 7541, section 6.2.2): no table, no Huffman.
fn request_headers(authority: &str) -> Vec<u8> {
    let agent = "kube-probe/1.37";
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", agent),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // All are shorter than 127 bytes: an address and what stands above.
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// HealthCheckRequest { service = 1 } behind gRPC's five bytes.
fn request_message(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length > 0x7f {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut text = vec![0];
    text.extend_from_slice(&(message.len() as u32).to_be_bytes());
    text.extend_from_slice(&message);
    text
}

fn frame(text: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    text.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    text.extend_from_slice(&[kind, flags]);
    text.extend_from_slice(&stream.to_be_bytes());
    text.extend_from_slice(payload);
}

fn send(stream: &mut TcpStream, kind: u8, flags: u8, payload: &[u8]) -> io::Result<()> {
    let mut text = Vec::new();
    frame(&mut text, kind, flags, 0, payload);
    stream.write_all(&text)
}

fn read_frame(stream: &mut TcpStream) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    if length > LARGEST {
        return Err(io::Error::other("this is no HTTP/2 server"));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
    Ok((head[3], head[4], id, payload))
}

/// A payload without padding and priority.
fn content(flags: u8, priority: bool, payload: &[u8]) -> io::Result<&[u8]> {
    let short = || io::Error::other("a frame is too short");
    let mut rest = payload;
    let mut padding = 0;
    if flags & PADDED != 0 {
        let (first, behind) = rest.split_first().ok_or_else(short)?;
        (padding, rest) = (usize::from(*first), behind);
    }
    if priority {
        rest = rest.get(5..).ok_or_else(short)?;
    }
    let length = rest.len().checked_sub(padding).ok_or_else(short)?;
    Ok(&rest[..length])
}
