//! One HTTP/1.1 request and its answer on a connection of their own. Written out, as HTTP libraries write all names of
//! headers in lower case, where the kubelet's servers see `User-Agent`.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Bytes of an answer's head (Go's default: 10 MB; nobody's health needs that) and of its body's framing.
const MOST_HEAD: u64 = 256 * 1024;

/// An answer, of whose body at most so much as was asked for is read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Why the body ended before it was whole, where it did.
    pub(super) cut: Option<io::Error>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Asks and reads the answer: `head` is the request up to its empty line; of the body no more than `most` bytes.
pub(super) fn exchange(stream: impl Read + Write, head: &str, most: u64) -> io::Result<Answer> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(head.as_bytes())?;
    stream.get_mut().flush()?;
    let mut left = MOST_HEAD;
    loop {
        let status = status(&line(&mut stream, &mut left)?)?;
        let headers = headers(&mut stream, &mut left)?;
        // What goes before the answer itself.
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let mut answer = Answer { status, headers, body: Vec::new(), cut: None };
        answer.cut = body(&mut stream, &mut answer, most, left).err();
        return Ok(answer);
    }
}

fn malformed(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed HTTP {what} {text:?}"))
}

/// A line without its end.
fn line(stream: &mut impl BufRead, left: &mut u64) -> io::Result<String> {
    let mut text = Vec::new();
    let count = stream.take(*left).read_until(b'\n', &mut text)? as u64;
    *left -= count;
    if !text.ends_with(b"\n") {
        let (kind, why) = match (*left, count) {
            (0, _) => (io::ErrorKind::InvalidData, "the answer's head is too long"),
            (_, 0) => (io::ErrorKind::UnexpectedEof, "EOF"),
            _ => (io::ErrorKind::UnexpectedEof, "unexpected EOF"),
        };
        return Err(io::Error::new(kind, why));
    }
    text.pop();
    if text.ends_with(b"\r") {
        text.pop();
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// `HTTP/1.1 200 OK`
fn status(line: &str) -> io::Result<u16> {
    let mut words = line.splitn(3, ' ');
    let (version, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = version.strip_prefix("HTTP/1.").is_some_and(|minor| matches!(minor, "0" | "1"));
    match code.parse() {
        Ok(status) if known && code.len() == 3 => Ok(status),
        _ if version.starts_with("HTTP/") => Err(malformed("status line", line)),
        _ => Err(malformed("response", line)),
    }
}

fn headers(stream: &mut impl BufRead, left: &mut u64) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(stream, left)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header", &line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// RFC 9112, section 6.3.
fn body(stream: &mut impl BufRead, answer: &mut Answer, most: u64, mut left: u64) -> io::Result<()> {
    if matches!(answer.status, 204 | 304) {
        return Ok(());
    }
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return chunks(stream, &mut answer.body, most, &mut left);
    }
    let Some(length) = answer.header("content-length") else {
        return match stream.take(most).read_to_end(&mut answer.body) {
            // The connection's end is the body's; over TLS few say farewell.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            other => other.map(|_| ()),
        };
    };
    let length: u64 = length.parse().map_err(|_| malformed("Content-Length", length))?;
    exactly(stream, &mut answer.body, length.min(most))
}

fn exactly(stream: &mut impl Read, body: &mut Vec<u8>, length: u64) -> io::Result<()> {
    match stream.take(length).read_to_end(body)? as u64 {
        read if read < length => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")),
        _ => Ok(()),
    }
}

fn chunks(stream: &mut impl BufRead, body: &mut Vec<u8>, most: u64, left: &mut u64) -> io::Result<()> {
    loop {
        let head = line(stream, left)?;
        let digits = head.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16).map_err(|_| malformed("chunk", &head))?;
        if length == 0 {
            return Ok(());
        }
        let room = most.saturating_sub(body.len() as u64);
        exactly(stream, body, length.min(room))?;
        if length >= room {
            return Ok(());
        }
        if !line(stream, left)?.is_empty() {
            return Err(malformed("chunk", "no end"));
        }
    }
}
