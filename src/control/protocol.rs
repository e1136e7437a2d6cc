//! What both sides know before they have said a word.

/// Name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Version of the protocol.
pub(super) const VERSION: u64 = 1;
