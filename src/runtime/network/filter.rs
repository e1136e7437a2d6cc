//! Keeps the pod from the box's own loopback. pasta opens a connection on the box for whatever address a packet of the
//! pod's is for, and those before 2024 don't except 127.0.0.1: whoever may send raw packets (CAP_NET_RAW, a default) or
//! set up routes reaches what listens for the box alone. So the device itself is given a filter that drops such packets
//! before pasta sees them: it hangs on pasta's end of the device, out of reach of whatever is in the pod.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::process::PidfdGetfdFlags;

use super::error::NetworkError;
use super::pasta::Pasta;

/// The number of /dev/net/tun.
const TUN: (u32, u32) = (10, 200);

/// Offsets in an Ethernet frame.
const ETHERTYPE: u32 = 12;
const IPV4_SOURCE: u32 = 26;
const IPV4_DESTINATION: u32 = 30;
const IPV6_DESTINATION: u32 = 38;

/// Gives the filter to each of pasta's tap devices.
pub(super) fn attach(pasta: &Pasta) -> Result<(), NetworkError> {
    let failed = |call| move |cause| NetworkError::Filter { call, cause };
    let devices = devices(pasta).map_err(failed("look for pasta's device"))?;
    if devices.is_empty() {
        return Err(failed("look for pasta's device")(io::ErrorKind::NotFound.into()));
    }
    devices.iter().try_for_each(attach_to).map_err(failed("ioctl TUNATTACHFILTER"))
}

fn devices(pasta: &Pasta) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{}/fd", pasta.pid()))? {
        let entry = entry?;
        // Opened and closed meanwhile: none that lasts.
        let Ok(data) = fs::metadata(entry.path()) else { continue };
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if data.rdev() == libc::makedev(TUN.0, TUN.1) {
            found.push(rustix::process::pidfd_getfd(pasta.pidfd(), number, PidfdGetfdFlags::empty())?);
        }
    }
    Ok(found)
}

fn attach_to(device: &OwnedFd) -> io::Result<()> {
    let mut code = program();
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which lives until it has. No safe wrapper knows this call.
    match unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNATTACHFILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What is no ARP, IPv4 or IPv6 is dropped, and of these what is from or for 127.0.0.0/8, or for 0.0.0.0/8 or ::/64 (::1,
/// and IPv4 in IPv6's clothes). What is too short as well: a load from behind its end drops it.
fn program() -> [libc::sock_filter; 17] {
    use libc::{BPF_ABS, BPF_ALU, BPF_H, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_RSH, BPF_W};
    const IPV4: u8 = 4;
    const IPV6: u8 = 11;
    const DROP: u8 = 15;
    const PASS: u8 = 16;
    let one = |code: u32, k, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |size: u32, offset| one(BPF_LD | size | BPF_ABS, offset, 0, 0);
    // To the instructions of these numbers, from the one that has this number itself.
    let jump =
        |test: u32, at: u8, value, yes: u8, no: u8| one(BPF_JMP | test | BPF_K, value, yes - at - 1, no - at - 1);
    let is = |at, value, yes, no| jump(BPF_JEQ, at, value, yes, no);
    let any_bit = |at, yes, no| jump(BPF_JSET, at, u32::MAX, yes, no);
    let first_byte = one(BPF_ALU | BPF_RSH | BPF_K, 24, 0, 0);
    [
        load(BPF_H, ETHERTYPE),
        is(1, libc::ETH_P_ARP.cast_unsigned(), PASS, 2),
        is(2, libc::ETH_P_IPV6.cast_unsigned(), IPV6, 3),
        is(3, libc::ETH_P_IP.cast_unsigned(), IPV4, DROP),
        load(BPF_W, IPV4_SOURCE),
        first_byte,
        is(6, 127, DROP, 7),
        load(BPF_W, IPV4_DESTINATION),
        first_byte,
        is(9, 127, DROP, 10),
        is(10, 0, DROP, PASS),
        load(BPF_W, IPV6_DESTINATION),
        any_bit(12, PASS, 13),
        load(BPF_W, IPV6_DESTINATION + 4),
        any_bit(14, PASS, DROP),
        one(BPF_RET | BPF_K, 0, 0, 0),
        one(BPF_RET | BPF_K, u32::MAX, 0, 0),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

    use super::*;

    fn frame(ethertype: u16, packet: &[u8]) -> Vec<u8> {
        [&[0; 12][..], &ethertype.to_be_bytes(), packet].concat()
    }

    fn v4(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        frame(0x0800, &[&[0x45; 12][..], &source, &destination, b"payload"].concat())
    }

    fn v6(destination: Ipv6Addr) -> Vec<u8> {
        frame(0x86dd, &[&[0x60; 8][..], &Ipv6Addr::UNSPECIFIED.octets(), &destination.octets()].concat())
    }

    /// The kernel itself says what passes: a datagram socket takes the same program.
    #[test]
    fn what_is_for_the_loopback_is_dropped() {
        let flags = SocketFlags::NONBLOCK;
        let (from, to) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None).unwrap();
        let mut code = program();
        let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
        // SAFETY: the kernel copies the program, which lives until it has.
        let attached = unsafe {
            let value = (&raw const program).cast();
            let length = size_of_val(&program) as libc::socklen_t;
            libc::setsockopt(to.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, value, length)
        };
        assert_eq!(attached, 0);
        let own = [192, 0, 2, 2];
        let mapped = |address: [u8; 4]| Ipv4Addr::from(address).to_ipv6_mapped();
        for (name, frame, passes) in [
            ("ARP", frame(0x0806, &[0; 28]), true),
            ("VLAN", frame(0x8100, &[0; 40]), false),
            ("a host", v4(own, [192, 0, 2, 127]), true),
            ("a host whose number begins like it", v4(own, [126, 127, 0, 1]), true),
            ("loopback", v4(own, [127, 0, 0, 1]), false),
            ("all of loopback", v4(own, [127, 255, 0, 53]), false),
            ("nobody", v4(own, [0, 0, 0, 0]), false),
            ("from loopback", v4([127, 0, 0, 1], [192, 0, 2, 1]), false),
            ("DNS", v4(own, [169, 254, 1, 1]), true),
            ("too short", v4(own, [192, 0, 2, 1])[..30].to_vec(), false),
            ("a host by IPv6", v6("2001:db8::1".parse().unwrap()), true),
            ("all nodes", v6("ff02::1".parse().unwrap()), true),
            ("a neighbour", v6("fe80::1".parse().unwrap()), true),
            ("loopback by IPv6", v6(Ipv6Addr::LOCALHOST), false),
            ("nobody by IPv6", v6(Ipv6Addr::UNSPECIFIED), false),
            ("mapped loopback", v6(mapped([127, 0, 0, 1])), false),
            ("mapped host", v6(mapped(own)), false),
        ] {
            // A dropped datagram may be told to its sender; whether it came is what counts.
            let _ = send(&from, &frame, SendFlags::empty());
            let came = recv(&to, &mut [0; 100], RecvFlags::empty()).is_ok();
            assert_eq!(came, passes, "{name}");
        }
    }
}
