//! `barepod top`: what pods use, by two looks at what the kernel counts of their cgroups. Nobody is asked, and nothing is changed.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::args::{Global, TopArgs, TopOutput, TopSort};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::exit_of_all;
use super::screen::{self, Screen, Stream};
use super::{chosen, container, given, recover, terminal};
use crate::report::top::{self, PodSample, Sample, Shown, SortBy};
use crate::runtime::cgroup::Hierarchies;
use crate::store::identity::Identity;
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};

/// Shows what the pods use that are named, or all of those that the selector chooses.
pub fn top(args: &TopArgs, global: &Global) -> Result<Exit, CliError> {
    if args.sum && args.output == Some(TopOutput::Json) {
        return Err(CliError::Usage("--sum is a line of the table; it isn't for -o json"));
    }
    let layout = global.layout()?;
    // Where there are none, nobody counts: each pod says so.
    let hierarchies = Hierarchies::discover().unwrap_or_else(|_| Hierarchies::none());
    let names = given::names(&args.pods)?;
    let eye = Eye { args, names: &names, layout: &layout, hierarchies, began: Instant::now() };
    let mut page = Page { args, has_names: !names.is_empty(), screen: Screen::on(Stream::Stdout) };
    let mut before = eye.look()?;
    // Of several pods those are shown that there are.
    let exit = exit_of_all(std::mem::take(&mut before.failures).into_iter().map(Err))?;
    page.tell(&before, &[]);
    while !before.pods.is_empty() || names.is_empty() {
        if !pass(args.interval)? {
            return Ok(exit);
        }
        let after = eye.look()?;
        page.tell(&after, &before.notes);
        match page.draw(&before, &after) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(exit),
            drawn => drawn.map_err(CliError::Output)?,
        }
        if !args.watch {
            return Ok(exit);
        }
        before = after;
    }
    // Of pods that were watched to their end it is no failure.
    before.failures.iter().for_each(|ended| tell!("note: {ended}"));
    Ok(exit)
}

/// Lets time pass, in which what is used is counted: it is the measurement, and no wait for something to happen. False:
/// nobody reads any more what would be shown.
fn pass(interval: Duration) -> Result<bool, CliError> {
    let began = Instant::now();
    let out = io::stdout();
    loop {
        let left = interval.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(true);
        }
        // Asked for nothing, it says that the other end of a pipe or terminal has gone.
        let mut reader = [PollFd::new(&out, PollFlags::empty())];
        match poll(&mut reader, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(false),
            Err(errno) => return Err(CliError::Output(errno.into())),
        }
    }
}

/// What all pods are at one moment.
struct Seen {
    at: Duration,
    pods: Vec<PodSample>,
    /// What is to be known of them beside that.
    notes: Vec<String>,
    /// Why others that are named aren't among them.
    failures: Vec<CliError>,
}

/// What becomes of one pod.
enum Look {
    /// It runs, and this is counted.
    Counted(PodSample),
    /// It runs, and what it uses is not counted, or can't be found.
    Uncounted(PodSample, String),
    /// Nothing of it runs.
    Over(String),
}

/// Looks at pods.
struct Eye<'a> {
    args: &'a TopArgs,
    /// Of pods that are named, also by their manifests; none: all.
    names: &'a [String],
    layout: &'a Layout,
    hierarchies: Hierarchies,
    began: Instant,
}

impl Eye<'_> {
    fn look(&self) -> Result<Seen, CliError> {
        let (pods, notes, failures) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = Seen { at: self.began.elapsed(), pods, notes, failures };
        for name in self.names {
            let looked = recover::look(self.layout, name).and_then(|found| {
                let look = self.look_at(&found, &mut seen.notes)?;
                Ok((recover::full_name(&found), look))
            });
            match looked {
                Ok((_, Look::Counted(pod))) => seen.pods.push(pod),
                // Who watches waits for what comes: a cgroup, or the end.
                Ok((name, Look::Uncounted(pod, why))) if self.args.watch => {
                    seen.notes.push(format!("pod {name}: {why}"));
                    seen.pods.push(pod);
                }
                Ok((pod, Look::Uncounted(_, why) | Look::Over(why))) => {
                    seen.failures.push(CliError::NotRunning { pod, why });
                }
                Err(error) => seen.failures.push(error),
            }
        }
        if self.names.is_empty() {
            self.look_at_all(&mut seen)?;
        }
        Ok(seen)
    }

    /// One that can't be looked at doesn't hide the others.
    fn look_at_all(&self, seen: &mut Seen) -> Result<(), CliError> {
        for found in read::list(self.layout)? {
            let chosen = chosen::is_chosen(&found, &self.args.pods).map_err(|cause| recover::unreadable(&found, cause));
            match chosen.and_then(|chosen| match chosen {
                true => self.look_at(&found, &mut seen.notes).map(Some),
                false => Ok(None),
            }) {
                Ok(Some(Look::Counted(pod))) => seen.pods.push(pod),
                Ok(Some(Look::Uncounted(pod, why))) => {
                    seen.notes.push(format!("pod {}/{}: {why}", pod.namespace, pod.name));
                    seen.pods.push(pod);
                }
                Ok(Some(Look::Over(_)) | None) => {}
                Err(error) => seen.notes.push(error.to_string()),
            }
        }
        Ok(())
    }

    fn look_at(&self, found: &Found, notes: &mut Vec<String>) -> Result<Look, CliError> {
        let unreadable = |cause| recover::unreadable(found, cause);
        let (name, life) = (recover::full_name(found), recover::life(found)?);
        let pod = found.pod().map_err(unreadable)?.unwrap_or_default();
        if matches!(life, Life::Ended | Life::Left) {
            let phase =
                pod.status.and_then(|status| status.phase).map(|phase| format!(" ({phase})")).unwrap_or_default();
            return Ok(Look::Over(format!("it has ended{phase} and uses nothing any more")));
        }
        let ledger = found.ledger().map_err(unreadable)?;
        let identity = |uid: &str| Identity::new(self.layout, &found.namespace, &found.name, uid);
        let cgroup = ledger.as_ref().map(|ledger| ledger.cgroup_to_sweep(&identity(&ledger.uid)).to_owned());
        let cgroup = cgroup.unwrap_or_default();
        let whole = self.count(&cgroup);
        let containers = container::all(&pod).into_iter().filter_map(|name| {
            let own = cgroup.join(&name);
            // What has ended and isn't removed yet uses nothing.
            let runs = whole.is_some() && self.hierarchies.members(&own).is_ok_and(|members| !members.is_empty());
            Some((name, self.count(&own).filter(|_| runs)?))
        });
        let containers = containers.collect();
        let sample = PodSample { namespace: found.namespace.clone(), name: found.name.clone(), whole, containers };
        Ok(match (life, sample.whole) {
            (Life::Lost, None) => Look::Over(format!(
                "its supervisor is gone, and nothing is counted of it; `barepod rm {name}` ends what is left"
            )),
            (_, None) => Look::Uncounted(sample, why_uncounted(&cgroup, ledger.is_some())),
            (Life::Lost, Some(_)) => {
                notes.push(CliError::Unsupervised(name).to_string());
                Look::Counted(sample)
            }
            (_, Some(_)) => Look::Counted(sample),
        })
    }

    fn count(&self, cgroup: &Path) -> Option<Sample> {
        let at = self.began.elapsed();
        let counters = self.hierarchies.counters(cgroup).filter(|_| !cgroup.as_os_str().is_empty())?;
        Some(Sample { at, counters })
    }
}

/// Of a pod that runs.
fn why_uncounted(cgroup: &Path, has_ledger: bool) -> String {
    let why = match (has_ledger, cgroup.as_os_str().is_empty()) {
        (true, true) => {
            "it has no cgroup, so that nobody counts what it uses (docs/rootless.md says how a user's pod gets one)"
        }
        (true, false) => "its cgroup can't be found here: it begins or ends just now, or was run in a container",
        (false, _) => "it is about to start",
    };
    why.to_owned()
}

/// Where what was seen is shown.
struct Page<'a> {
    args: &'a TopArgs,
    has_names: bool,
    screen: Screen,
}

impl Page<'_> {
    /// Whether what comes takes the place of what is there.
    fn is_redrawn(&self) -> bool {
        self.args.watch && self.args.output != Some(TopOutput::Json) && self.screen.is_terminal()
    }

    /// What is new; where all is redrawn, notes are a part of it.
    fn tell(&self, seen: &Seen, known: &[String]) {
        if !self.is_redrawn() {
            seen.notes.iter().filter(|note| !known.contains(note)).for_each(|note| tell!("note: {note}"));
        }
    }

    fn draw(&mut self, before: &Seen, after: &Seen) -> io::Result<()> {
        let mut uses = top::uses(&before.pods, &after.pods);
        // Of those that are named none is there any more.
        if uses.is_empty() && self.has_names {
            return Ok(());
        }
        match self.args.sort_by {
            Some(TopSort::Cpu) => top::sort(&mut uses, SortBy::Cpu),
            Some(TopSort::Memory) => top::sort(&mut uses, SortBy::Memory),
            None => {}
        }
        if self.args.output == Some(TopOutput::Json) {
            let value = top::json(&uses, jiff::Timestamp::now(), after.at.saturating_sub(before.at));
            // Of several each is a line.
            return screen::append(&if self.args.watch { format!("{value}\n") } else { format!("{value:#}\n") });
        }
        let (wide, width) = (self.args.output == Some(TopOutput::Wide), terminal::width());
        let shown = Shown {
            containers: self.args.containers,
            wide,
            sum: self.args.sum,
            namespaces: self.args.pods.all_namespaces,
            header: !self.args.no_headers,
            width,
        };
        let text = match top::table(&uses, shown) {
            Some(text) => text,
            None if self.args.watch => "nothing runs\n".to_owned(),
            None => {
                tell!("nothing runs");
                return Ok(());
            }
        };
        let notes = after.notes.iter().filter(|_| self.is_redrawn());
        let notes = notes.map(|note| terminal::harmless_line("note:", note));
        self.screen.show(&notes.fold(text, |text, note| text + &note))
    }
}
