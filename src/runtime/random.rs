//! Random numbers, from the kernel each time: getrandom(2), which needs no descriptor. A library that keeps /dev/urandom open where it
//! can't find its C library's function, as in a static binary, reads nothing or another file's bytes once a process that
//! detaches has closed what it had open.
#![allow(unsafe_code)]

use std::io;

use uuid::{Builder, Uuid};

/// A new UUID of version 4 (RFC 9562).
///
/// # Panics
/// Where the kernel has no such call: Linux has it since 3.17.
#[must_use]
pub fn uuid() -> Uuid {
    let mut bytes = [0u8; 16];
    loop {
        // SAFETY: the buffer is as long as is said. So few bytes come whole or not at all.
        if unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } >= 0 {
            return Builder::from_random_bytes(bytes).into_uuid();
        }
        let error = io::Error::last_os_error();
        assert!(error.kind() == io::ErrorKind::Interrupted, "the kernel has no random numbers: {error}");
    }
}

/// For the ends of names.
#[must_use]
#[allow(clippy::cast_possible_truncation)]
pub fn number() -> u32 {
    // The lowest bits: version and variant are in others.
    uuid().as_u128() as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_are_different_and_of_version_4() {
        let all: BTreeSet<Uuid> = (0..1_000).map(|_| uuid()).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|one| one.get_version_num() == 4 && one.get_variant() == uuid::Variant::RFC4122));
        let numbers: BTreeSet<u32> = (0..100).map(|_| number()).collect();
        assert!(numbers.len() > 90);
    }
}
