//! The interfaces of the network namespace that this process is in.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::ifaddrs::InterfaceAddressIterator;
use nix::net::if_::InterfaceFlags;

/// Of a namespace's addresses those that others can send to.
pub(super) fn addresses(all: nix::Result<InterfaceAddressIterator>) -> io::Result<Vec<IpAddr>> {
    let outside = all?.filter(|interface| !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    let ip = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
            (_, Some(v6)) if !v6.ip().is_unicast_link_local() => Some(IpAddr::V6(v6.ip())),
            _ => None,
        }
    };
    Ok(outside.filter_map(ip).collect())
}

/// Brings up the loopback interface of the namespace that this process is in.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: ifreq is plain data for which zeros are valid; both ioctls read the name and read or write the flags in
    // it, within its size. No safe wrapper exists for these two.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = *from as libc::c_char;
        }
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
