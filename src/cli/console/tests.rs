//! What is held back, dropped and told of an output stream.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;

#[test]
fn what_is_not_taken_is_kept_and_comes_later() {
    let (mut reader, writer) = UnixStream::pair().unwrap();
    let mut console = Console::open(writer.as_fd()).unwrap();
    let line = [b'x'; 1000];
    while console.has_room() {
        console.write(&line);
    }
    assert!(console.holds_back());
    let mut taken = 0;
    let mut buffer = vec![0; 64 * 1024];
    while console.holds_back() {
        taken += reader.read(&mut buffer).unwrap();
        console.flush();
    }
    drop((console, writer));
    taken += reader.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(taken % line.len(), 0);
    assert!(taken > HELD_BACK);
}

/// A full disk is no reader that has gone: what finds no room is counted, what comes later is written.
#[test]
fn a_full_disk_is_told_of_and_tried_again() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut console = Console::open(full.as_fd()).unwrap();
    console.write(b"lost");
    console.flush();
    assert_eq!(console.unread(), 4);
    assert_eq!(console.refused().unwrap().raw_os_error(), Some(libc::ENOSPC));
    console.outlet = Outlet::open(tempfile::tempfile().unwrap().as_fd()).unwrap();
    console.write(b"kept");
    console.flush();
    assert_eq!((console.unread(), console.closed), (4, false));
}
