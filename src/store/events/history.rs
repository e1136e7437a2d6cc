//! Which of a pod's events are told apart and how many are kept (R8.8). Pure: the time is what the events say.
//!
//! Equal events are counted and similar ones combined as the kubelet's clients know it (client-go
//! tools/record/events_cache.go, `EventAggregator`). Two things are done otherwise, because nobody here protects a
//! server from a thousand nodes, and a box has no second place to look at:
//!
//! - Events are never dropped. client-go's spam filter lets an object have 25 events at once and then one in five
//!   minutes; an apiserver forgets each after an hour. Here what is too much is combined with its like: its words go, not
//!   that it happened. The kind of event that has most gives first, so that a probe that has failed for months
//!   doesn't push out how the pod began.
//! - Similar events are of one container. client-go's key lacks the container, and so the tenth container's start would
//!   be hidden in an event about the first one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::line::EventLine;

/// What client-go puts before the message of an event that stands for several.
pub const COMBINED: &str = "(combined from similar events): ";

/// From this many different messages on similar events are combined (client-go `defaultAggregateMaxEvents`).
const DIFFERENT: usize = 10;

/// After so long without similar ones they are told apart again (client-go `defaultAggregateIntervalInSeconds`). By the
/// wall clock: one that is set forward costs a few events more.
const INTERVAL: SignedDuration = SignedDuration::from_mins(10);

/// How many events are kept, as long as no kind of event has but one.
const KEPT: usize = 512;

/// Longest message in bytes: twice what probes may say.
const LONGEST: usize = 2048;
const ELLIPSIS: &str = "...";

/// What is known of a pod's events.
#[derive(Debug, Default)]
pub struct History {
    /// In the order in which they last happened.
    events: Vec<EventLine>,
    similar: BTreeMap<Kin, Similar>,
}

/// Type, reason and container: what similar events share.
type Kin = (String, String, Option<String>);

/// What is known of similar events.
#[derive(Debug)]
struct Similar {
    last: Timestamp,
    /// Different ones of those that came one soon after the other, less than [`DIFFERENT`].
    messages: Vec<String>,
    /// How many of [`History::events`] they are.
    kept: usize,
}

impl History {
    /// What lines that [`Self::observe`] gave tell, in their order.
    pub fn restore(lines: impl Iterator<Item = EventLine>) -> Self {
        let mut history = Self::default();
        for line in lines {
            // That was decided when it was written.
            let _ = history.is_one_too_many(&line);
            history.add(line);
            history.shrink();
        }
        history
    }

    /// Something happened. Gives it as it is to be written down: with its own message, or as one of several.
    pub fn observe(&mut self, mut event: EventLine) -> EventLine {
        shorten(&mut event.message);
        if self.is_one_too_many(&event) {
            event.message.insert_str(0, COMBINED);
        }
        self.add(event.clone());
        self.shrink();
        event
    }

    /// Each with its count, standing where it last happened.
    pub fn events(&self) -> &[EventLine] {
        &self.events
    }

    /// As [`Self::events`].
    pub fn into_events(self) -> Vec<EventLine> {
        self.events
    }

    fn is_one_too_many(&mut self, event: &EventLine) -> bool {
        let similar = self.similar(event);
        if event.time.duration_since(similar.last) > INTERVAL {
            similar.messages.clear();
        }
        similar.last = event.time;
        if event.is_combined() || similar.messages.contains(&event.message) {
            return false;
        }
        let too_many = similar.messages.len() + 1 >= DIFFERENT;
        if !too_many {
            similar.messages.push(event.message.clone());
        }
        too_many
    }

    fn similar(&mut self, event: &EventLine) -> &mut Similar {
        let kin = (event.kind.clone(), event.reason.clone(), event.container.clone());
        self.similar.entry(kin).or_insert(Similar { last: event.time, messages: Vec::new(), kept: 0 })
    }

    fn add(&mut self, mut event: EventLine) {
        match self.events.iter().rposition(|earlier| earlier.is_same(&event)) {
            Some(at) => event.absorb(&self.events.remove(at)),
            None => self.similar(&event).kept += 1,
        }
        self.events.push(event);
    }

    /// Combines the oldest events of the kind that has most, one by one, until there are few enough.
    fn shrink(&mut self) {
        while self.events.len() > KEPT {
            let Some((kin, most)) = self.similar.iter().max_by_key(|(_, similar)| similar.kept) else { return };
            let is_kin = |event: &EventLine| event.kin() == (&kin.0, &kin.1, kin.2.as_deref());
            let oldest = self.events.iter().position(|event| is_kin(event) && !event.is_combined());
            match oldest {
                Some(oldest) if most.kept > 1 => self.combine(oldest),
                Some(_) | None => return,
            }
        }
    }

    fn combine(&mut self, at: usize) {
        let others = self.events.iter().position(|other| other.is_combined() && other.kin() == self.events[at].kin());
        self.events[at].message.insert_str(0, COMBINED);
        if let Some(others) = others {
            let earlier = self.events.remove(at.min(others));
            self.similar(&earlier).kept -= 1;
            self.events[at.max(others) - 1].absorb(&earlier);
        }
    }
}

impl EventLine {
    /// Whether it stands for several with different messages.
    fn is_combined(&self) -> bool {
        self.message.starts_with(COMBINED)
    }

    fn kin(&self) -> (&str, &str, Option<&str>) {
        (&self.kind, &self.reason, self.container.as_deref())
    }

    fn is_same(&self, other: &Self) -> bool {
        let says_the_same = self.message == other.message || self.is_combined() && other.is_combined();
        says_the_same && self.kin() == other.kin()
    }

    fn absorb(&mut self, earlier: &Self) {
        self.count = self.count.saturating_add(earlier.count);
        self.first = Some(self.first().min(earlier.first()));
    }
}

/// Cuts what is longer than [`LONGEST`], and says so by an ellipsis.
fn shorten(message: &mut String) {
    if message.len() > LONGEST {
        let fits = (0..=LONGEST - ELLIPSIS.len()).rev().find(|&at| message.is_char_boundary(at));
        message.truncate(fits.unwrap_or_default());
        message.push_str(ELLIPSIS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap_or_default()
    }

    fn event(seconds: i64, container: &str, message: &str) -> EventLine {
        EventLine {
            time: at(seconds),
            first: None,
            kind: "Warning".into(),
            reason: "Unhealthy".into(),
            container: Some(container.into()),
            message: message.into(),
            count: 1,
        }
    }

    fn shown(history: &History) -> Vec<String> {
        let show = |event: &EventLine| {
            let (first, last) = (event.first().as_second(), event.time.as_second());
            let container = event.container.as_deref().unwrap_or("pod");
            format!("{container} {first}..{last} x{}: {}", event.count, event.message)
        };
        history.events().iter().map(show).collect()
    }

    /// R8.8; events_cache_test.go `TestEventCorrelator` has the like.
    #[test]
    fn equal_events_are_counted_and_stand_where_they_last_happened() {
        let mut history = History::default();
        for (seconds, message) in [(1, "a"), (2, "b"), (5000, "a")] {
            assert_eq!(history.observe(event(seconds, "web", message)).message, message);
        }
        assert_eq!(shown(&history), ["web 2..2 x1: b", "web 1..5000 x2: a"]);
    }

    #[test]
    fn the_tenth_different_message_in_ten_minutes_is_combined() {
        let mut history = History::default();
        for seconds in 0..12 {
            let line = history.observe(event(seconds, "web", &format!("m{seconds}")));
            assert_eq!(line.is_combined(), seconds >= 9, "{line:?}");
            assert_eq!(line.count, 1);
        }
        // Those that had their own words before keep them.
        assert_eq!(history.observe(event(12, "web", "m3")).message, "m3");
        assert_eq!(
            shown(&history)[7..],
            ["web 8..8 x1: m8", "web 9..11 x3: (combined from similar events): m11", "web 3..12 x2: m3",]
        );
    }

    #[test]
    fn other_containers_types_and_reasons_are_not_similar() {
        let mut history = History::default();
        for seconds in 0..9 {
            history.observe(event(seconds, "web", &format!("m{seconds}")));
        }
        let others = [
            event(9, "other", "x"),
            EventLine { container: None, ..event(9, "", "x") },
            EventLine { kind: "Normal".into(), ..event(9, "web", "x") },
            EventLine { reason: "Failed".into(), ..event(9, "web", "x") },
        ];
        for other in others {
            assert_eq!(history.observe(other).message, "x");
        }
        assert!(history.observe(event(9, "web", "x")).is_combined());
    }

    /// The ten minutes count from the last similar event, not from the first.
    #[test]
    fn after_ten_quiet_minutes_messages_are_told_apart_again() {
        let mut history = History::default();
        for number in 0..20 {
            history.observe(event(number * 600, "web", &format!("m{number}")));
        }
        assert_eq!(
            shown(&history).last().map(String::as_str),
            Some("web 5400..11400 x11: (combined from similar events): m19")
        );
        assert_eq!(history.observe(event(12_001, "web", "later")).message, "later");
        for number in 0..8 {
            history.observe(event(12_002, "web", &format!("n{number}")));
        }
        assert!(history.observe(event(12_003, "web", "one more")).is_combined());
        // One combined event it stays.
        assert_eq!(
            shown(&history).last().map(String::as_str),
            Some("web 5400..12003 x12: (combined from similar events): one more")
        );
    }

    /// A clock that is set back doesn't make similar events look far apart.
    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let mut history = History::default();
        for number in 0..12 {
            history.observe(event(-number * 10_000, "web", &format!("m{number}")));
        }
        assert_eq!(shown(&history)[9], "web -110000..-110000 x3: (combined from similar events): m11");
    }

    /// Once there are too many, the kind of which there are most gives up its oldest words; the count stays.
    #[test]
    fn too_many_events_are_combined_and_none_is_lost() {
        let mut history = History::default();
        history.observe(event(0, "db", "how it began"));
        history.observe(event(1, "db", "how it went on"));
        let pours = 3 * KEPT as i64;
        for number in 0..pours {
            let line = history.observe(event(1000 * (number + 1), "web", &format!("m{number}")));
            assert!(!line.is_combined());
            assert!(history.events().len() <= KEPT);
        }
        let shown = shown(&history);
        assert_eq!(shown[..2], ["db 0..0 x1: how it began", "db 1..1 x1: how it went on"]);
        let singles = KEPT as i64 - 3;
        let combined = pours - singles;
        assert_eq!(
            shown[2],
            format!("web 1000..{} x{combined}: (combined from similar events): m{}", 1000 * combined, combined - 1)
        );
        assert_eq!(shown.len(), KEPT);
        assert_eq!(history.similar.values().map(|similar| similar.messages.len()).max(), Some(2));
    }

    /// A pod of very many containers: each kind of event has one left.
    #[test]
    fn one_event_of_each_kind_is_always_kept() {
        let mut history = History::default();
        for round in 0..2 {
            for container in 0..2 * KEPT {
                history.observe(event(round, &container.to_string(), &round.to_string()));
            }
        }
        assert_eq!(history.events().len(), 2 * KEPT);
        assert!(history.events().iter().all(|event| event.count == 2));
    }

    #[test]
    fn what_was_written_is_restored_and_goes_on() {
        let mut history = History::default();
        let lines: Vec<_> =
            (0..15).map(|number| history.observe(event(number, "web", &format!("m{number}")))).collect();
        let mut restored = History::restore(lines.into_iter());
        assert_eq!(restored.events(), history.events());
        for one in [&mut history, &mut restored] {
            one.observe(event(16, "web", "m15"));
        }
        assert_eq!(restored.events(), history.events());
        assert_eq!(
            shown(&restored).last().map(String::as_str),
            Some("web 9..16 x7: (combined from similar events): m15")
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut history = History::default();
        let line = history.observe(event(0, "web", &"ü".repeat(LONGEST)));
        assert!(line.message.len() <= LONGEST && line.message.ends_with("ü..."), "{}", line.message.len());
    }
}
