//! A connection to a host, by whatever of its addresses answers.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::plan::Names;
use crate::runtime::names::{Families, Files, look_up};
use crate::runtime::program::words;

/// Tries the addresses of a host one after the other; what is told is why the first could not be reached, as Go does.
pub(super) fn connect(host: &str, port: u16, names: &Names) -> Result<TcpStream, String> {
    let files = Files { hosts: &names.hosts, resolv_conf: &names.resolv_conf };
    let addresses = look_up(host, files, Families::First).map_err(|cause| format!("dial tcp: {cause}"))?;
    let mut trouble = None;
    for ip in addresses {
        match TcpStream::connect((ip, port)) {
            Ok(stream) => return Ok(stream),
            Err(cause) => {
                trouble.get_or_insert_with(|| refused(ip, port, &cause));
            }
        }
    }
    Err(trouble.unwrap_or_else(|| format!("dial tcp: lookup {host}: no such host")))
}

/// Go's words, which people search for.
fn refused(ip: IpAddr, port: u16, cause: &io::Error) -> String {
    let text = cause.raw_os_error().map_or_else(|| cause.to_string(), words);
    format!("dial tcp {}: connect: {text}", SocketAddr::new(ip, port))
}
