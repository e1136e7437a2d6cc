//! Shows what a manifest will do, without doing it. The engine that runs pods runs in virtual time, on a box that behaves as a
//! script says. Pure functions: a pod and a script in, a timeline out.
//!
//! This module opens no file, reads no clock, and knows nothing of images, mounts or networks. It says only when something
//! happens, and why. The script says what a probe or hook returns.
//!
//! Start reading at [`run`]. [`script`] reads the script, [`timeline`] is the result, `docs/simulate.md` tells users about both.

pub mod script;
pub mod timeline;

use std::time::Duration;

use barepod_engine::event::Event;
use barepod_engine::spec::PodSpec;
use barepod_engine::status::PodStatus;
use barepod_engine::time::Instant;
use barepod_engine::world::Simulation;

pub use script::{Play, decode};
pub use timeline::{Entry, EntryKind, json, table};

/// How far a simulation goes that the script sets no end.
pub const DEFAULT_UNTIL: Duration = Duration::from_secs(24 * 60 * 60);
/// A timeline that nobody reads to its end any more.
const MOST_ENTRIES: usize = 200_000;
/// So many things at one moment: a pod without any back-off whose containers take no time at all.
const MOST_AT_ONCE: u32 = 100_000;

/// What would happen.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In order of time.
    pub entries: Vec<Entry>,
    /// The pod's status in the end.
    pub status: PodStatus,
    /// When that is, counted from the beginning.
    pub at: Duration,
    /// Why the simulation is over.
    pub end: End,
}

/// Why a simulation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The pod has ended with this exit code.
    Finished(u8),
    /// Nothing more would ever happen by itself.
    Quiet,
    /// The script's `until`.
    Until,
    /// There is too much to tell.
    TooMuch,
}

/// Lets a pod live on the script's box until it has ended, nothing more would happen, or the script's end.
pub fn run(pod: PodSpec, play: &Play) -> Outcome {
    let mut recorder = timeline::Recorder::new(&pod);
    let mut simulation = Simulation::new(pod, play.script.clone());
    simulation.tell(&Event::Begin, |engine, moment| recorder.witness(engine, moment));
    let until = Instant::default().after(play.until);
    let mut requests = play.requests.iter().peekable();
    let (mut last, mut at_once) = (simulation.now, 0);
    let end = loop {
        if let Some(exit_code) = recorder.finished() {
            break End::Finished(exit_code);
        }
        if recorder.count() > MOST_ENTRIES || at_once > MOST_AT_ONCE {
            break End::TooMuch;
        }
        let request = requests.peek().map(|request| Instant::default().after(request.at));
        let Some(next) = [request, simulation.next()].into_iter().flatten().min() else { break End::Quiet };
        if next > until {
            simulation.now = until;
            break End::Until;
        }
        if request == Some(next) {
            simulation.now = simulation.now.max(next);
            if let Some(request) = requests.next() {
                recorder.request(simulation.now, request);
                simulation.tell(&request.event, |engine, moment| recorder.witness(engine, moment));
            }
        } else {
            simulation.step(|engine, moment| recorder.witness(engine, moment));
        }
        at_once = if simulation.now == last { at_once + 1 } else { 0 };
        last = simulation.now;
    };
    let at = simulation.now.since(Instant::default());
    recorder.end(at, end);
    Outcome { entries: recorder.into_entries(), status: simulation.engine.status(), at, end }
}
