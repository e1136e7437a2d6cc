//! One request over HTTP/2 (RFC 9113), on a connection of its own. Written out, as the libraries for it need an asynchronous
//! runtime and weigh more than all of the rest: the client sends three frames that are known beforehand, and reads frames
//! until it has the answer. Header compression of the answer is decoded by a library.

use std::borrow::Cow;
use std::io::{self, Read, Write};

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

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    headers: Vec<(String, String)>,
    pub(super) message: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How much of an answer's body is wanted, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// All of it; more than this is an error.
    Whole(usize),
    /// The beginning.
    First(usize),
}

/// Asks with these fields, `message` behind them where there is one, and reads the answer.
pub(super) fn call(
    stream: &mut (impl Read + Write),
    fields: &[(&str, &str)],
    message: Option<&[u8]>,
    wanted: Body,
) -> io::Result<Answer> {
    let mut text = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut text, SETTINGS, 0, 0, &[]);
    let end = if message.is_none() { END_STREAM } else { 0 };
    let block = block_of(fields);
    if block.len() > LARGEST {
        return Err(io::Error::other("the request's headers are too long"));
    }
    frame(&mut text, HEADERS, END_HEADERS | end, STREAM, &block);
    if let Some(message) = message {
        frame(&mut text, DATA, END_STREAM, STREAM, message);
    }
    stream.write_all(&text)?;
    stream.flush()?;
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
        let length = answer.message.len();
        if block.len() > LARGEST || matches!(wanted, Body::Whole(most) if length > most) {
            return Err(io::Error::other("the answer is too long"));
        }
        if matches!(wanted, Body::First(most) if length >= most) {
            return Ok(answer);
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
fn block_of(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 0x7f;
    if length < PREFIX {
        return block.push(length as u8);
    }
    block.push(PREFIX as u8);
    let mut rest = length - PREFIX;
    while rest > 0x7f {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}

fn frame(text: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    text.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    text.extend_from_slice(&[kind, flags]);
    text.extend_from_slice(&stream.to_be_bytes());
    text.extend_from_slice(payload);
}

fn send(stream: &mut (impl Read + Write), kind: u8, flags: u8, payload: &[u8]) -> io::Result<()> {
    let mut text = Vec::new();
    frame(&mut text, kind, flags, 0, payload);
    stream.write_all(&text)?;
    stream.flush()
}

fn read_frame(stream: &mut (impl Read + Write)) -> io::Result<(u8, u8, u32, Vec<u8>)> {
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
