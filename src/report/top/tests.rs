//! From numbers to rows.

use super::*;

fn sample(millis: u64, counters: Counters) -> Sample {
    Sample { at: Duration::from_millis(millis), counters }
}

fn counters(cpu_millis: u64, memory: u64) -> Counters {
    let cpu = Some(Duration::from_millis(cpu_millis));
    Counters { identity: 7, cpu, working_set: Some(Bytes(memory)), ..Counters::default() }
}

fn pod(namespace: &str, name: &str, whole: Option<Sample>, containers: &[(&str, Sample)]) -> PodSample {
    let containers = containers.iter().map(|(name, sample)| ((*name).to_owned(), *sample)).collect();
    PodSample { namespace: namespace.to_owned(), name: name.to_owned(), whole, containers }
}

/// A table that has lines.
fn text_of(uses: &[PodUse], shown: Shown) -> String {
    table(uses, shown).unwrap()
}

const NORMAL: Shown =
    Shown { containers: false, wide: false, sum: false, namespaces: false, header: true, width: None };

/// Two pods: `web` uses a quarter of a core, `db` next to nothing.
fn two() -> Vec<PodUse> {
    let at = |millis, web, db| {
        let web = sample(millis, counters(web, 3 << 20));
        let db = sample(millis, counters(db, 9 << 20));
        [pod("default", "web", Some(web), &[("main", web)]), pod("default", "db", Some(db), &[("main", db)])]
    };
    uses(&at(1000, 500, 900), &at(3000, 1000, 901))
}

#[test]
fn a_table_as_kubectls() {
    let text = "NAME   CPU(cores)   MEMORY(bytes)\ndb     1m           9Mi\nweb    250m         3Mi\n";
    assert_eq!(text_of(&two(), NORMAL), text);
    let bare = text_of(&two(), Shown { header: false, ..NORMAL });
    assert_eq!(bare, text.split_once('\n').unwrap().1);
    let all = text_of(&two(), Shown { namespaces: true, ..NORMAL });
    assert!(all.starts_with("NAMESPACE   NAME   CPU(cores)"), "{all}");
    let containers = text_of(&two(), Shown { containers: true, ..NORMAL });
    assert_eq!(containers.lines().nth(2), Some("web   main   250m         3Mi"));
    let mut sorted = two();
    sort(&mut sorted, SortBy::Cpu);
    assert_eq!(sorted.iter().map(|pod| &*pod.name).collect::<Vec<_>>(), ["web", "db"]);
    sort(&mut sorted, SortBy::Memory);
    assert_eq!(sorted[0].name, "db");
}

#[test]
fn a_sum() {
    let text = "NAME   CPU(cores)   MEMORY(bytes)\ndb     1m           9Mi\nweb    250m         3Mi\n";
    let sum = Shown { sum: true, ..NORMAL };
    assert_eq!(text_of(&two(), sum), format!("{text}       ________     ________\n       251m         12Mi\n"));
    let wide = text_of(&limited(), Shown { wide: true, ..sum });
    let last = wide.lines().last().unwrap();
    assert!(!last.contains('%') && !last.contains("<none>"), "{wide}");
    // What nobody counts isn't said to be nothing, and doesn't hide what is counted.
    let unknown = |counted: Option<Sample>| {
        let pods = [pod("default", "web", None, &[]), pod("default", "db", counted, &[])];
        text_of(&uses(&pods, &pods), sum).lines().last().unwrap().split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(unknown(None), "<unknown>");
    assert_eq!(unknown(Some(sample(0, counters(0, 2048)))), "2Ki");
    let narrow = text_of(&two(), Shown { wide: true, width: Some(40), ..sum });
    assert!(narrow.contains("NAME:           (sum)\n"), "{narrow}");
}

/// On a terminal that is too narrow each pod is a block.
#[test]
fn a_narrow_table() {
    let shown = Shown { width: Some(40), ..NORMAL };
    assert!(text_of(&two(), shown).starts_with("NAME   CPU(cores)   MEMORY(bytes)\n"));
    let wide = text_of(&two(), Shown { wide: true, ..shown });
    assert!(wide.lines().all(|line| line.chars().count() <= 40), "{wide}");
    assert!(wide.contains("CPU LIMIT:      <none>\n"), "{wide}");
}

/// What is unknown, new or gone is never said to use nothing.
#[test]
fn no_wrong_zero() {
    let one = |before: Option<Counters>, after: Option<Counters>| {
        let at = |millis, counters: Option<Counters>| {
            let containers: Vec<_> = counters.map(|counters| ("main", sample(millis, counters))).into_iter().collect();
            pod("default", "web", Some(sample(millis, Counters::default())), &containers)
        };
        let text =
            text_of(&uses(&[at(0, before)], &[at(1000, after)]), Shown { containers: true, header: false, ..NORMAL });
        text.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    let now = Some(counters(500, 2048));
    assert_eq!(one(now, Some(counters(600, 2048))), "100m 2Ki");
    assert_eq!(one(now, None), "<ended> <ended>");
    assert_eq!(one(None, now), "<unknown> 2Ki", "it has just begun");
    let later = Counters { identity: 8, ..counters(501, 2048) };
    assert_eq!(one(now, Some(later)), "<unknown> 2Ki", "another instance");
    assert_eq!(one(now, Some(Counters { identity: 7, ..Counters::default() })), "<unknown> <unknown>");
    assert_eq!(one(now, Some(counters(500, 0))), "0m 0", "it has slept, and uses nothing");
    assert_eq!(one(now, Some(counters(501, 1023))), "1m 1023", "hardly anything is not nothing");
    // Pods as well.
    let gone = uses(&[pod("default", "web", Some(sample(0, counters(1, 1))), &[])], &[]);
    assert_eq!(text_of(&gone, Shown { header: false, ..NORMAL }).split_whitespace().nth(1), Some("<ended>"));
    let uncounted = [pod("default", "web", None, &[])];
    let unknown = uses(&uncounted, &uncounted);
    assert_eq!(text_of(&unknown, Shown { header: false, ..NORMAL }).split_whitespace().nth(2), Some("<unknown>"));
    assert!(uses(&uncounted, &[]).is_empty());
}

fn limited() -> Vec<PodUse> {
    let counters = |cpu| Counters {
        cpu_limit: Some(MilliCpu(500)),
        memory_limit: Some(Bytes(64 << 20)),
        tasks: Some(3),
        tasks_limit: Some(12),
        read: Some(Bytes(5000)),
        written: Some(Bytes(0)),
        cpu_stall: Some(Stall(1.5)),
        ..counters(cpu, 16 << 20)
    };
    let at = |millis, cpu| [pod("ops", "web", Some(sample(millis, counters(cpu))), &[])];
    uses(&at(0, 0), &at(1000, 50))
}

#[test]
fn limits_and_how_close_they_are() {
    let text = text_of(&limited(), Shown { wide: true, header: false, ..NORMAL });
    let cells: Vec<&str> = text.trim().split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let numbers = ["50m", "500m (10%)", "16Mi", "64Mi (25%)", "3", "12 (25%)", "4Ki", "0"];
    assert_eq!(cells, [&["web"], &numbers[..], &["1.50%", "<unknown>", "<unknown>"]].concat());
}

#[test]
fn json_for_programs() {
    let time = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let mut value = json(&limited(), time, Duration::from_millis(1000));
    let other = json(&two(), time, Duration::from_millis(2000));
    assert_eq!(other["pods"][1]["containers"][0]["cpuMillicores"], 250.0);
    let pod = value["pods"][0].take();
    assert_eq!(value, json!({"time": "2023-11-14T22:13:20Z", "intervalSeconds": 1.0, "pods": [null]}));
    let expected = json!({
        "namespace": "ops", "name": "web", "ended": false, "cpuMillicores": 50.0, "cpuLimitMillicores": 500, "cpuSeconds": 0.05,
        "memoryWorkingSetBytes": 16 << 20, "memoryLimitBytes": 64 << 20, "pids": 3, "pidsLimit": 12, "readBytes": 5000,
        "writtenBytes": 0, "cpuStallPercent": 1.5, "memoryStallPercent": null, "ioStallPercent": null, "containers": []
    });
    assert_eq!(pod, expected);
}

/// The namespace is a column where there are several.
#[test]
fn namespaces() {
    let at = |millis| {
        let some = Some(sample(millis, counters(millis, 1 << 20)));
        [pod("ops", "web", some, &[]), pod("default", "web", some, &[])]
    };
    let text = text_of(&uses(&at(0), &at(1000)), NORMAL);
    assert_eq!(text.lines().next(), Some("NAMESPACE   NAME   CPU(cores)   MEMORY(bytes)"));
    assert_eq!(text.lines().nth(1), Some("default     web    1000m        1Mi"));
}
