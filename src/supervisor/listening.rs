//! Whether containers' output is read: as long as whoever watches takes what was read before.

use barepod_engine::spec::ContainerIndex;

use super::Supervisor;
use super::sources::{Interest, Token};

impl Supervisor<'_> {
    /// Leaves containers' output in their pipes as long as nobody takes what was read.
    pub(super) fn listen_as_there_is_room(&mut self) {
        self.audience.flush();
        for (index, fd) in self.audience.waits_for().into_iter().enumerate() {
            let token = Token::Audience(u16::try_from(index).unwrap_or(u16::MAX));
            // A regular file is always ready; where there is no room to wait for another, it is tried again by then.
            let added = self.sources.add_once(fd, token, Interest::Writable);
            if let Err(rustix::io::Errno::NOMEM | rustix::io::Errno::NOSPC) = added {
                self.unwatched.add(token);
            }
        }
        let room = self.audience.has_room() || !self.engine.output_may_wait();
        if room == self.listening {
            return;
        }
        self.listening = room;
        for (index, slot) in (0..=u16::MAX).zip(0..self.slots.len()) {
            if room {
                self.watch_output(ContainerIndex(index));
            } else if let Some(output) = self.slots[slot].output() {
                output.pipes().for_each(|(_, pipe)| self.sources.remove(pipe));
            }
        }
    }
}
