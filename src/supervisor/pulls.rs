//! How far pulls are, for who watches the pod. Their helpers say it in files of the pod's state folder; nothing is decided here.

use std::path::PathBuf;
use std::time::Duration;

use barepod_engine::spec::ContainerIndex;

use super::audience::PullsShown;
use super::clock::Alarm;
use super::slot::{Image, Order};
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::runtime::image::{PullProgress, Want};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);

impl Supervisor<'_> {
    /// Where a pull for a container is to say how far it is; `None`: nobody wants to know.
    pub(super) fn pull_file(&self, container: ContainerIndex) -> Option<PathBuf> {
        match self.audience.pulls_shown() {
            PullsShown::Nowhere => None,
            PullsShown::Here | PullsShown::Elsewhere => Some(PullProgress::file(self.store.dir(), container.0)),
        }
    }

    /// One has begun.
    pub(super) fn watch_pulls(&mut self) {
        if self.pulls_alarm.is_some() || self.audience.pulls_shown() != PullsShown::Here {
            return;
        }
        let alarm = Alarm::new().and_then(|mut alarm| {
            self.sources.add(&alarm, Token::Pulls, Interest::Readable)?;
            alarm.set(Some(now().monotonic.after(EVERY)))?;
            Ok(alarm)
        });
        // Where there is none it isn't shown: the events say that it is pulled.
        self.pulls_alarm = alarm.ok();
    }

    /// It is time to look again.
    pub(super) fn look_at_pulls(&mut self) {
        let Some(alarm) = &mut self.pulls_alarm else { return };
        alarm.acknowledge();
        let is_pull = |image: &Image| matches!(image, Image::Sought(Order { want: Want::Pull, .. }, _));
        let numbered = self.slots.iter().zip(0..).filter(|(slot, _)| is_pull(&slot.image));
        let files: Vec<PathBuf> = numbered.map(|(_, number)| PullProgress::file(self.store.dir(), number)).collect();
        let pulls: Vec<PullProgress> = files.iter().filter_map(|file| PullProgress::read(file)).collect();
        self.audience.pulls(&pulls);
        let is_over = files.is_empty();
        if is_over || alarm.set(Some(now().monotonic.after(EVERY))).is_err() {
            self.sources.remove(&*alarm);
            self.pulls_alarm = None;
            self.audience.pulls(&[]);
        }
    }
}
