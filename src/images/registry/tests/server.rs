//! A registry that does what a test tells it to, over TLS or in clear text, one request a connection.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A file of the tests' certificates, which are of one authority.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/registry").join(name)
}

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// By names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
    /// How many were before it.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What the header says; `None`: there is none, and the end of the connection is the body's.
    length: Option<usize>,
    /// So much is sent of the body, then the connection ends, or nothing more comes.
    sent: Option<(usize, Then)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Cut,
    Stall,
}

impl Answer {
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        Self { status, headers: Vec::new(), length: Some(body.len()), body, sent: None }
    }

    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, body)
    }

    /// The connection ends without an answer.
    pub fn nothing() -> Self {
        Self::new(0, "")
    }

    /// A part of a content, as the header `Range` asks for it; all of it without that.
    pub fn part(content: &[u8], request: &Request) -> Self {
        let Some((start, end)) = request.header("range").strip_prefix("bytes=").and_then(|text| text.split_once('-'))
        else {
            return Self::ok(content);
        };
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        Self::new(206, &content[start..=end]).with("Content-Range", &format!("bytes {start}-{end}/{}", content.len()))
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without_length(self) -> Self {
        Self { length: None, ..self }
    }

    pub fn cut_after(self, bytes: usize) -> Self {
        Self { sent: Some((bytes, Then::Cut)), ..self }
    }

    pub fn stall_after(self, bytes: usize) -> Self {
        Self { sent: Some((bytes, Then::Stall)), ..self }
    }

    fn head(&self) -> String {
        let mut text = format!("HTTP/1.1 {} Whatever\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = self.length {
            text += &format!("Content-Length: {length}\r\n");
        }
        text + "\r\n"
    }
}

type Says = dyn Fn(&Request) -> Answer + Send + Sync;

pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Request>>>,
    tls: Option<Arc<ServerConfig>>,
    says: Arc<Says>,
    /// What lets people in; `None`: nobody is let in.
    door: Mutex<Option<Door>>,
}

struct Door {
    is_shut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Server {
    pub fn tls(says: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Some(config("server", false)), Arc::new(says))
    }

    /// One with this pair of certificate and key of the tests' own.
    pub fn with_pair(pair: &str, says: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Some(config(pair, false)), Arc::new(says))
    }

    /// One that lets nobody in without a certificate of the tests' authority.
    pub fn strict(says: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Some(config("server", true)), Arc::new(says))
    }

    pub fn clear(says: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(says))
    }

    fn start(tls: Option<Arc<ServerConfig>>, says: Arc<Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { port, asked, tls, says, door: Mutex::default() };
        server.open(listener);
        server
    }

    fn open(&self, listener: TcpListener) {
        let (tls, says, noted) = (self.tls.clone(), self.says.clone(), self.asked.clone());
        let is_shut = Arc::new(AtomicBool::new(false));
        let is_over = is_shut.clone();
        // They end with the test's process.
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (tls, says, noted) = (tls.clone(), says.clone(), noted.clone());
                std::thread::spawn(move || {
                    let _ = match tls {
                        None => serve(stream, &*says, &noted),
                        Some(config) => {
                            serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &*says, &noted)
                        }
                    };
                });
            }
        });
        *self.door.lock().unwrap() = Some(Door { is_shut, thread });
    }

    /// Who connects from now on is refused. What is being answered goes on.
    pub fn leave(&self) {
        let Some(door) = self.door.lock().unwrap().take() else { return };
        door.is_shut.store(true, Ordering::SeqCst);
        // It looks up for that.
        drop(TcpStream::connect(self.host()));
        door.thread.join().unwrap();
    }

    /// Lets people in again.
    pub fn come_back(&self) {
        loop {
            // Somebody may have the port for the moment.
            if let Ok(listener) = TcpListener::bind(self.host()) {
                return self.open(listener);
            }
            std::thread::yield_now();
        }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn config(pair: &str, wants_certificate: bool) -> Arc<ServerConfig> {
    let certificates = |name: &str| CertificateDer::pem_file_iter(fixture(name)).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture(&format!("{pair}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let config = if wants_certificate {
        let mut roots = RootCertStore::empty();
        let authority: Vec<CertificateDer<'_>> = certificates("authority.crt");
        roots.add(authority[0].clone()).unwrap();
        config.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
        )
    } else {
        config.with_no_client_auth()
    };
    Arc::new(config.with_single_cert(certificates(&format!("{pair}.cert")), key).unwrap())
}

/// A connection that says when it is over.
pub trait Closes: Read + Write {
    fn close(&mut self) -> io::Result<()>;
}

impl Closes for TcpStream {
    fn close(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Closes for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(std::net::Shutdown::Write)
    }
}

fn serve(stream: impl Closes, says: &Says, noted: &Mutex<Vec<Request>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    // The begin of TLS, for a server of clear text.
    if stream.fill_buf()?.first() == Some(&0x16) {
        stream.get_mut().write_all(Answer::new(400, "").head().as_bytes())?;
        return stream.get_mut().close();
    }
    let mut request = read(&mut stream)?;
    {
        let mut noted = noted.lock().unwrap();
        request.number = noted.len();
        noted.push(request.clone());
    }
    let answer = says(&request);
    let stream = stream.get_mut();
    if answer.status != 0 {
        stream.write_all(answer.head().as_bytes())?;
        let sent = answer.sent.map_or(answer.body.len(), |(bytes, _)| bytes);
        stream.write_all(&answer.body[..sent])?;
        stream.flush()?;
    }
    if !matches!(answer.sent, Some((_, Then::Stall))) {
        stream.close()?;
    }
    // Until the other side has enough.
    io::copy(stream, &mut io::sink())?;
    Ok(())
}

fn read(stream: &mut impl BufRead) -> io::Result<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines[0].split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    let pair = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: HashMap<String, String> = lines[1..].iter().filter_map(pair).collect();
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body)?;
    Ok(Request { method, path, headers, body, number: 0 })
}
