//! A registry for tests: an OCI layout in a folder, over HTTP in clear text, with logins by name and password. Any repository
//! has what the layout has, and what was put beside it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use barepod::images::digest::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Case, said_by};

/// What was asked of it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `GET`, `HEAD`.
    pub method: String,
    /// `/v2/team/app/manifests/1.0`
    pub path: String,
    /// The login, as USER:PASSWORD.
    pub login: String,
    /// Header `Range`.
    pub range: String,
}

/// It ends with the test's process.
pub struct Registry {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    layout: PathBuf,
    /// USER:PASSWORD; none: everybody may read.
    login: Option<String>,
    state: Mutex<State>,
    let_go: Condvar,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// Words that were in the arguments of any process while something was asked.
    overheard: BTreeSet<String>,
    /// By the end of a path: media type and content.
    put: HashMap<String, (String, Vec<u8>)>,
    /// The end of a path of which half is sent, and the rest once it is let go on.
    held: Option<String>,
}

impl Registry {
    /// One that anybody reads. A tag is the name of an image in the layout, whatever the repository.
    pub fn open(layout: &Path) -> Self {
        Self::start(layout, None)
    }

    /// One that is read with this login alone.
    pub fn closed(layout: &Path, user: &str, password: &str) -> Self {
        Self::start(layout, Some(format!("{user}:{password}")))
    }

    fn start(layout: &Path, login: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Shared { layout: layout.to_owned(), login, state: Mutex::default(), let_go: Condvar::default() };
        let registry = Self { port: listener.local_addr().unwrap().port(), shared: Arc::new(shared) };
        let shared = registry.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        registry
    }

    /// HOST:PORT/REPOSITORY:TAG
    pub fn image(&self, repository: &str, tag: &str) -> String {
        format!("{}/{repository}:{tag}", self.host())
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All that was asked so far, but for how it is spoken to.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state.lock().unwrap().asked.iter().filter(|one| one.path != "/v2/").cloned().collect()
    }

    /// Passwords that were to be seen in arguments of processes.
    pub fn overheard(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().overheard.iter().cloned().collect()
    }

    /// Puts something beside what the layout has; `path`: `manifests/TAG`, `blobs/DIGEST`.
    pub fn put(&self, path: &str, media_type: &str, content: &[u8]) {
        let entry = (media_type.to_owned(), content.to_owned());
        self.shared.state.lock().unwrap().put.insert(path.to_owned(), entry);
    }

    /// From now on only half of it is sent, and then nothing until [`Self::let_go`].
    pub fn hold(&self, path: &str) {
        self.shared.state.lock().unwrap().held = Some(path.to_owned());
    }

    pub fn let_go(&self) {
        self.shared.state.lock().unwrap().held = None;
        self.shared.let_go.notify_all();
    }

    /// A command of this case that reaches it, and has no logins of this box.
    pub fn command(&self, case: &Case, args: &[&str]) -> Command {
        let file = case.dir().join("registries.conf");
        fs::write(&file, format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.host())).unwrap();
        let mut command = case.command(args);
        command.env("CONTAINERS_REGISTRIES_CONF", file).env("HOME", case.dir()).env("NO_PROXY", "127.0.0.1");
        for name in ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"] {
            command.env_remove(name);
        }
        command
    }

    /// What that says until its end: its exit code, standard output and standard error.
    pub fn said(&self, case: &Case, args: &[&str]) -> (Option<i32>, String, String) {
        said_by(&mut self.command(case, args))
    }
}

/// A file of logins as podman and docker write it; of each a key, user and password.
pub fn logins(all: &[(&str, &str, &str)]) -> String {
    let entry = |(key, user, password): &(&str, &str, &str)| {
        ((*key).to_owned(), serde_json::json!({"auth": STANDARD.encode(format!("{user}:{password}"))}))
    };
    let auths: serde_json::Map<String, Value> = all.iter().map(entry).collect();
    serde_json::json!({"auths": auths}).to_string()
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        // Who begins to speak TLS hears that nobody does here.
        if stream.fill_buf()?.first() == Some(&0x16) {
            return stream.get_mut().write_all(head("400 Bad Request", "", 0).as_bytes());
        }
        let Some(request) = read(&mut stream)? else { return Ok(()) };
        let password = request.login.split_once(':').filter(|_| is_in_arguments(&request.login));
        let mut state = self.state.lock().unwrap();
        state.overheard.extend(password.map(|(_, password)| password.to_owned()));
        state.asked.push(request.clone());
        drop(state);
        let stream = stream.get_mut();
        if self.login.as_ref().is_some_and(|wanted| *wanted != request.login) {
            let basic = "WWW-Authenticate: Basic realm=\"tests\"\r\n";
            return stream.write_all(head("401 Unauthorized", basic, 0).as_bytes());
        }
        match self.content(&request.path) {
            None => stream.write_all(head("404 Not Found", "", 0).as_bytes()),
            Some((kind, bytes)) => self.answer(stream, &request, &kind, &bytes),
        }
    }

    fn answer(&self, stream: &mut TcpStream, request: &Asked, kind: &str, bytes: &[u8]) -> io::Result<()> {
        let more = format!("Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\n", Digest::of(bytes));
        let range = request.range.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
        let (status, sent, more) = match range {
            None => ("200 OK", bytes, more),
            Some((first, last)) => {
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", bytes.len());
                ("206 Partial Content", &bytes[first..=last], more + &range)
            }
        };
        stream.write_all(head(status, &more, sent.len()).as_bytes())?;
        if request.method == "HEAD" {
            return Ok(());
        }
        let is_held = |state: &mut State| state.held.as_ref().is_some_and(|held| is_end(&request.path, held));
        let half = if is_held(&mut self.state.lock().unwrap()) { sent.len() / 2 } else { sent.len() };
        stream.write_all(&sent[..half])?;
        drop(self.let_go.wait_while(self.state.lock().unwrap(), is_held).unwrap());
        stream.write_all(&sent[half..])
    }

    /// With its media type.
    fn content(&self, path: &str) -> Option<(String, Vec<u8>)> {
        if path == "/v2/" {
            return Some(("application/json".to_owned(), b"{}".to_vec()));
        }
        if let Some((_, put)) = self.state.lock().unwrap().put.iter().find(|(end, _)| is_end(path, end)) {
            return Some(put.clone());
        }
        let blob = |digest: &str| fs::read(self.layout.join("blobs/sha256").join(digest.strip_prefix("sha256:")?)).ok();
        if let Some((_, digest)) = path.split_once("/blobs/") {
            return Some(("application/octet-stream".to_owned(), blob(digest)?));
        }
        let (_, wanted) = path.split_once("/manifests/")?;
        let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
        if wanted.starts_with("sha256:") {
            return Some((kind, blob(wanted)?));
        }
        let index: Value = serde_json::from_slice(&fs::read(self.layout.join("index.json")).ok()?).ok()?;
        let named = |one: &&Value| one["annotations"]["org.opencontainers.image.ref.name"] == wanted;
        let found = index["manifests"].as_array()?.iter().find(named)?;
        Some((kind, blob(found["digest"].as_str()?)?))
    }
}

fn is_end(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.ends_with('/'))
}

/// `more`: further headers, with their ends.
fn head(status: &str, more: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn read(stream: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.by_ref().take(1 << 16).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let find = |line: &String| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        lines.iter().find_map(find).unwrap_or_default()
    };
    let login = header("authorization");
    let login = login.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let mut words = lines[0].split(' ').map(str::to_owned);
    Ok(Some(Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        login: String::from_utf8(login).unwrap_or_default(),
        range: header("range"),
    }))
}

/// Whether a password, plain or as headers have it, is in the arguments of a process.
fn is_in_arguments(login: &str) -> bool {
    let words = [login.split(':').nth(1).unwrap_or_default().to_owned(), STANDARD.encode(login)];
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|one| one.path().join("cmdline"));
    processes.filter_map(|path: PathBuf| fs::read(path).ok()).any(|line| {
        let line = String::from_utf8_lossy(&line);
        words.iter().any(|word| line.contains(word.as_str()))
    })
}
