//! Archives for tests: each field of each header as the test wants it.

/// An archive that is made.
#[derive(Clone)]
pub struct Tar {
    bytes: Vec<u8>,
    uid: u32,
    gid: u32,
}

/// When all that tests make was changed.
pub const MODIFIED: u64 = 1_700_000_000;

impl Tar {
    /// With entries of this process's user.
    pub fn new() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { bytes: Vec::new(), uid, gid }
    }

    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name, "", 0o644, content)
    }

    pub fn folder(self, name: &str) -> Self {
        self.entry(b'5', name, "", 0o755, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, 0o777, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target, 0o644, b"")
    }

    pub fn entry(self, kind: u8, name: &str, link: &str, mode: u32, content: &[u8]) -> Self {
        let header = self.header(kind, name.as_bytes(), link, mode, content.len() as u64);
        self.raw(&header).raw(content).pad()
    }

    /// Records of PAX for the entry that follows.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut all = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest + 1..).find(|length| length - length.to_string().len() == rest).unwrap_or_default();
            all.extend(format!("{length} {key}=").bytes().chain(value.iter().copied()).chain(*b"\n"));
        }
        self.entry(b'x', "PaxHeaders/x", "", 0o644, &all)
    }

    pub fn header(&self, kind: u8, name: &[u8], link: &str, mode: u32, size: u64) -> [u8; 512] {
        let mut header = [0; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, name);
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, format!("{:07o}\0", self.uid).as_bytes());
        put(116, format!("{:07o}\0", self.gid).as_bytes());
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, format!("{MODIFIED:011o}\0").as_bytes());
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, b"0000000\x000000000\0");
        sum(&mut header);
        header
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    pub fn pad(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// With its end.
    pub fn finish(self) -> Vec<u8> {
        self.raw(&[0; 1024]).bytes
    }

    /// Without one.
    pub fn cut(self) -> Vec<u8> {
        self.bytes
    }
}

/// Writes a header's checksum.
pub fn sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
