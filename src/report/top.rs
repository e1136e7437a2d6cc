//! `top`: what pods and their containers use, from two looks at what the kernel counts of them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::table::{blocks, columns, within};
use crate::plan::{Bytes, Counters, MilliCpu, Stall};

/// What was counted, and when: since a moment that all looks of a command share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Duration,
    /// What.
    pub counters: Counters,
}

/// One pod at one look.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSample {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The whole pod; `None`: nobody counts what it uses.
    pub whole: Option<Sample>,
    /// Those of its containers that run, by name, in the order of the manifest.
    pub containers: Vec<(String, Sample)>,
}

/// What a pod uses.
#[derive(Clone, Debug, PartialEq)]
pub struct PodUse {
    namespace: String,
    name: String,
    whole: Use,
    containers: Vec<(String, Use)>,
}

/// What a pod or a container uses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Use {
    /// Nobody counts it.
    Unknown,
    /// It ended between the two looks.
    Ended,
    /// That.
    Known {
        /// Thousandths of a core; `None`: it can't be told yet.
        cpu: Option<f64>,
        counters: Counters,
    },
}

impl Use {
    fn of(before: Option<&Sample>, after: Option<&Sample>) -> Self {
        let Some(after) = after else { return if before.is_some() { Self::Ended } else { Self::Unknown } };
        Self::Known { cpu: before.and_then(|before| millicores(before, after)), counters: after.counters }
    }

    /// For an order from the highest to the lowest; what isn't known comes last.
    fn rank(&self, by: SortBy) -> f64 {
        match (self, by) {
            (Self::Known { cpu: Some(cpu), .. }, SortBy::Cpu) => *cpu,
            (Self::Known { counters: Counters { working_set: Some(bytes), .. }, .. }, SortBy::Memory) => bytes.0 as f64,
            (Self::Unknown | Self::Ended | Self::Known { .. }, _) => -1.0,
        }
    }
}

/// The mean between two looks at the same cgroup. A later one of the same name has counted from nothing.
fn millicores(before: &Sample, after: &Sample) -> Option<f64> {
    let used = after.counters.cpu?.checked_sub(before.counters.cpu?)?;
    let passed = after.at.checked_sub(before.at).filter(|passed| !passed.is_zero())?;
    let is_same = before.counters.identity == after.counters.identity;
    is_same.then(|| used.as_secs_f64() * 1000.0 / passed.as_secs_f64())
}

/// From two looks. Pods and containers that only the first one knows have ended since.
pub fn uses(before: &[PodSample], after: &[PodSample]) -> Vec<PodUse> {
    let gone = before.iter().filter(|pod| pod.whole.is_some() && pod.find_in(after).is_none());
    let mut uses: Vec<PodUse> = gone.map(|pod| of_pod(Some(pod), None, pod)).collect();
    uses.extend(after.iter().map(|pod| of_pod(pod.find_in(before), Some(pod), pod)));
    uses.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    uses
}

impl PodSample {
    fn find_in<'a>(&self, pods: &'a [Self]) -> Option<&'a Self> {
        pods.iter().find(|pod| (&pod.namespace, &pod.name) == (&self.namespace, &self.name))
    }

    fn container(&self, name: &str) -> Option<&Sample> {
        self.containers.iter().find(|(own, _)| own == name).map(|(_, sample)| sample)
    }
}

fn of_pod(before: Option<&PodSample>, after: Option<&PodSample>, named: &PodSample) -> PodUse {
    let whole = |pod: Option<&PodSample>| pod.and_then(|pod| pod.whole);
    let in_after = after.into_iter().flat_map(|pod| &pod.containers);
    let in_before = before.into_iter().flat_map(|pod| &pod.containers);
    let gone = in_before.filter(|(name, _)| after.is_none_or(|after| after.container(name).is_none()));
    let all: Vec<String> = in_after.chain(gone).map(|(name, _)| name.clone()).collect();
    let of = |name: String| {
        let [before, after] = [before, after].map(|pod| pod.and_then(|pod| pod.container(&name)));
        let used = Use::of(before, after);
        (name, used)
    };
    PodUse {
        namespace: named.namespace.clone(),
        name: named.name.clone(),
        whole: Use::of(whole(before).as_ref(), whole(after).as_ref()),
        containers: all.into_iter().map(of).collect(),
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Who uses most CPU.
    Cpu,
    /// Who uses most memory.
    Memory,
}

/// Sorts pods, and containers within their pods.
pub fn sort(uses: &mut [PodUse], by: SortBy) {
    uses.sort_by(|a, b| b.whole.rank(by).total_cmp(&a.whole.rank(by)));
    for pod in uses {
        pod.containers.sort_by(|(_, a), (_, b)| b.rank(by).total_cmp(&a.rank(by)));
    }
}

/// What a table has.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// A line for each container instead of one for each pod.
    pub containers: bool,
    /// More columns: limits, disks, stalls.
    pub wide: bool,
    /// Whether the last line is the sum of the others.
    pub sum: bool,
    /// Whether the namespace is a column also where there is only one.
    pub namespaces: bool,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Columns of the terminal; `None`: lines are as long as they are.
    pub width: Option<usize>,
}

/// `kubectl top pod`, with lines as blocks where one is longer than the terminal is wide. `None`: there is nothing to be shown.
pub fn table(uses: &[PodUse], shown: Shown) -> Option<String> {
    let namespaces = shown.namespaces || uses.iter().any(|pod| pod.namespace != uses[0].namespace);
    let mut header: Vec<&str> = if shown.containers { vec!["POD", "NAME"] } else { vec!["NAME"] };
    header.extend(if shown.wide { &WIDE[..] } else { &["CPU(cores)", "MEMORY(bytes)"] });
    if namespaces {
        header.insert(0, "NAMESPACE");
    }
    let line = |pod: &PodUse, container: Option<&str>, used: &Use| {
        let namespace = namespaces.then(|| pod.namespace.clone());
        let names = namespace.into_iter().chain([pod.name.clone()]).chain(container.map(str::to_owned));
        names.chain(cells(used, shown.wide)).collect::<Vec<String>>()
    };
    let lines = uses.iter().flat_map(|pod| match shown.containers {
        true => pod.containers.iter().map(|(name, used)| line(pod, Some(name), used)).collect(),
        false => vec![line(pod, None, &pod.whole)],
    });
    let lines: Vec<Vec<String>> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let all: Vec<&Use> = uses
        .iter()
        .flat_map(|pod| match shown.containers {
            true => pod.containers.iter().map(|(_, used)| used).collect(),
            false => vec![&pod.whole],
        })
        .collect();
    let sum = shown.sum.then(|| Sum::of(&all, header.len(), shown.wide));
    let below = sum.iter().flat_map(|sum| [sum.rule(), sum.line("")]);
    let text = columns(&header, lines.iter().cloned().chain(below));
    let lines: Vec<Vec<String>> = lines.into_iter().chain(sum.iter().map(|sum| sum.line("(sum)"))).collect();
    Some(match shown.header {
        true => within(shown.width, text, || blocks(&header, &lines, shown.width)),
        false => text.lines().skip(1).map(|line| format!("{line}\n")).collect(),
    })
}

/// The cells below those of a table.
struct Sum {
    /// How many columns are names.
    names: usize,
    cells: Vec<String>,
}

impl Sum {
    /// Of a table with so many `columns`. What isn't known of one counts as nothing; what isn't known of any isn't known.
    fn of(all: &[&Use], columns: usize, wide: bool) -> Self {
        let known_ones = || {
            all.iter().filter_map(|used| match used {
                Use::Known { cpu, counters } => Some((*cpu, counters)),
                Use::Unknown | Use::Ended => None,
            })
        };
        let cpu = known_ones().filter_map(|(cpu, _)| cpu).reduce(|sum, cpu| sum + cpu);
        let bytes = |of: fn(&Counters) -> Option<Bytes>| {
            let all = known_ones().filter_map(|(_, counters)| of(counters));
            known(all.reduce(|sum, one| Bytes(sum.0.saturating_add(one.0))).map(amount))
        };
        let cpu = known(cpu.map(|cpu| format!("{}m", cpu.ceil() as u64)));
        let memory = bytes(|counters| counters.working_set);
        let cells = if wide {
            let tasks = known_ones().filter_map(|(_, counters)| counters.tasks).reduce(u64::saturating_add);
            let tasks = known(tasks.map(|tasks| tasks.to_string()));
            let (read, written) = (bytes(|counters| counters.read), bytes(|counters| counters.written));
            let none = String::new; // Limits and stalls aren't added up.
            vec![cpu, none(), memory, none(), tasks, none(), read, written, none(), none(), none()]
        } else {
            vec![cpu, memory]
        };
        Self { names: columns - cells.len(), cells }
    }

    fn rule(&self) -> Vec<String> {
        let rule = |cell: &String| if cell.is_empty() { String::new() } else { "________".to_owned() };
        vec![String::new(); self.names].into_iter().chain(self.cells.iter().map(rule)).collect()
    }

    /// Its line, with a name in the first column.
    fn line(&self, name: &str) -> Vec<String> {
        let mut names = vec![String::new(); self.names];
        names[0] = name.to_owned();
        names.into_iter().chain(self.cells.iter().cloned()).collect()
    }
}

const WIDE: [&str; 11] = [
    "CPU(cores)",
    "CPU LIMIT",
    "MEMORY(bytes)",
    "MEMORY LIMIT",
    "PIDS",
    "PIDS LIMIT",
    "READ",
    "WRITTEN",
    "CPU STALL",
    "MEMORY STALL",
    "IO STALL",
];
const UNKNOWN: &str = "<unknown>";
const NO_LIMIT: &str = "<none>";

fn cells(used: &Use, wide: bool) -> Vec<String> {
    let count = if wide { WIDE.len() } else { 2 };
    let (cpu, counters) = match used {
        Use::Known { cpu, counters } => (*cpu, counters),
        Use::Unknown => return vec![UNKNOWN.to_owned(); count],
        Use::Ended => return vec!["<ended>".to_owned(); count],
    };
    let Counters { working_set, tasks, .. } = *counters;
    let shown_cpu = known(cpu.map(|cpu| format!("{}m", cpu.ceil() as u64)));
    let shown_memory = known(working_set.map(amount));
    if !wide {
        return vec![shown_cpu, shown_memory];
    }
    let memory = working_set.map(|bytes| bytes.0 as f64);
    let stall = |stall: Option<Stall>| known(stall.map(|Stall(percent)| format!("{percent:.2}%")));
    vec![
        shown_cpu,
        limit(counters.cpu_limit, cpu, |MilliCpu(limit)| limit),
        shown_memory,
        limit(counters.memory_limit, memory, |Bytes(limit)| limit),
        known(tasks.map(|tasks| tasks.to_string())),
        limit(counters.tasks_limit, tasks.map(|tasks| tasks as f64), |limit| limit),
        known(counters.read.map(amount)),
        known(counters.written.map(amount)),
        stall(counters.cpu_stall),
        stall(counters.memory_stall),
        stall(counters.io_stall),
    ]
}

fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// `64Mi (12%)`: a limit, and how much of it is used.
fn limit<T: Copy + ToString>(limit: Option<T>, used: Option<f64>, number: impl Fn(T) -> u64) -> String {
    let Some(limit) = limit else { return NO_LIMIT.to_owned() };
    match used.filter(|_| number(limit) > 0) {
        Some(used) => format!("{} ({:.0}%)", limit.to_string(), used * 100.0 / number(limit) as f64),
        None => limit.to_string(),
    }
}

/// In the unit of `kubectl top`, Mi, or in a smaller one: a pod can be so small.
fn amount(bytes: Bytes) -> String {
    match bytes.0 {
        few @ 0..1024 => few.to_string(),
        some @ 1024..0x10_0000 => format!("{}Ki", some >> 10),
        many => format!("{}Mi", many >> 20),
    }
}

/// For programs: docs/top.md says what each field is.
pub fn json(uses: &[PodUse], time: jiff::Timestamp, interval: Duration) -> Value {
    let pods = uses.iter().map(|pod| {
        let containers = pod.containers.iter().map(|(name, used)| fields([("name", name)], used));
        let containers = containers.map(Value::Object).collect();
        let mut fields = fields([("namespace", &pod.namespace), ("name", &pod.name)], &pod.whole);
        fields.insert("containers".to_owned(), Value::Array(containers));
        Value::Object(fields)
    });
    let pods: Vec<Value> = pods.collect();
    json!({"time": time.to_string(), "intervalSeconds": interval.as_secs_f64(), "pods": pods})
}

fn fields<'a>(names: impl IntoIterator<Item = (&'a str, &'a String)>, used: &Use) -> Map<String, Value> {
    let (cpu, counters) = match used {
        Use::Known { cpu, counters } => (*cpu, *counters),
        Use::Unknown | Use::Ended => (None, Counters::default()),
    };
    let bytes = |bytes: Option<Bytes>| bytes.map(|Bytes(bytes)| bytes);
    let percent = |stall: Option<Stall>| stall.map(|Stall(percent)| percent);
    let numbers = json!({
        "ended": matches!(used, Use::Ended),
        "cpuMillicores": cpu,
        "cpuLimitMillicores": counters.cpu_limit.map(|MilliCpu(limit)| limit),
        "cpuSeconds": counters.cpu.map(|time| time.as_secs_f64()),
        "memoryWorkingSetBytes": bytes(counters.working_set),
        "memoryLimitBytes": bytes(counters.memory_limit),
        "pids": counters.tasks,
        "pidsLimit": counters.tasks_limit,
        "readBytes": bytes(counters.read),
        "writtenBytes": bytes(counters.written),
        "cpuStallPercent": percent(counters.cpu_stall),
        "memoryStallPercent": percent(counters.memory_stall),
        "ioStallPercent": percent(counters.io_stall),
    });
    let mut fields: Map<String, Value> = names.into_iter().map(|(key, name)| (key.to_owned(), json!(name))).collect();
    if let Value::Object(numbers) = numbers {
        fields.extend(numbers);
    }
    fields
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
