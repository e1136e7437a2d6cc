//! Huge pages: who asks for some has them, others have none, and what this box can't give is said before.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Case, main};

const NUMBER: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

/// Pages of 2 MiB that a test has added to those of the box.
struct Pages(u64);

impl Pages {
    /// Where the box has the hugetlb controller, and the kernel finds as many.
    fn add(number: u64) -> Option<Self> {
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        if !is_v1() && !controllers.split_whitespace().any(|name| name == "hugetlb") {
            crate::skips::skip("needs the hugetlb controller");
            return None;
        }
        let pages = Self(number);
        let before = Self::number();
        fs::write(NUMBER, (before + number).to_string()).unwrap();
        if Self::number() < before + number {
            crate::skips::skip(format_args!("this box has no memory for {number} huge pages"));
            return None;
        }
        Some(pages)
    }

    fn number() -> u64 {
        fs::read_to_string(NUMBER).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = fs::write(NUMBER, Self::number().saturating_sub(self.0).to_string());
    }
}

fn wants(pages: &str) -> Value {
    json!({"resources": {"limits": {"memory": "32Mi", "hugepages-2Mi": pages}}})
}

/// A container with the volume at /v.
fn with_volume(name: &str, script: &str, more: Value) -> Value {
    let mut one = main(name, script, more);
    one["volumeMounts"].as_array_mut().unwrap().push(json!({"name": "v", "mountPath": "/v"}));
    one
}

/// Where cgroup v1 has its hierarchy of huge pages.
const V1: &str = "/sys/fs/cgroup/hugetlb";

fn is_v1() -> bool {
    Path::new(V1).exists()
}

/// The pod's, where its pages are limited.
fn cgroup(case: &Case) -> PathBuf {
    let root = if is_v1() { V1 } else { "/sys/fs/cgroup" };
    Path::new(root).join("barepod").join(case.cgroup())
}

/// The limits of used and of reserved pages of a cgroup.
fn limits(cgroup: &Path) -> [String; 2] {
    let file = if is_v1() { "limit_in_bytes" } else { "max" };
    [format!("hugetlb.2MB.{file}"), format!("hugetlb.2MB.rsvd.{file}")]
        .map(|file| fs::read_to_string(cgroup.join(file)).unwrap().trim().to_owned())
}

/// The pod's cgroup has the sum and the containers' theirs; the volume is of that size of pages; the kernel holds each
/// container to its own, and who asks for none to none. R9.1
#[test]
fn each_has_what_it_asks_for() {
    let Some(_pages) = Pages::add(4) else { return };
    let Some(case) = Case::new("huge") else { return };
    // Taking pages is what counts, not writing to them.
    let script = "grep -q ' /v hugetlbfs .*pagesize=2M' /proc/mounts && say $N $(stat -c %a /v)
                  for size in 2 4 6; do fallocate -l ${size}M /v/$N && say $N has $size; done; rm /v/$N
                  say $N done; hold go";
    let of = |name: &str, before: &str| format!("N={name}; {before} {script}");
    let pod = case
        .pod()
        .spec(json!({"volumes": [{"name": "v", "emptyDir": {"medium": "HugePages"}}]}))
        .container(with_volume("four", &of("four", ""), wants("4Mi")))
        .container(with_volume("two", &of("two", "await four done;"), wants("2Mi")))
        .container(with_volume("none", &of("none", "await two done;"), json!({})));
    let mut run = case.start(&pod);
    case.wait_for("none done");
    let cgroup = cgroup(&case);
    let (sum, four, two) = ((6_u64 << 20).to_string(), (4_u64 << 20).to_string(), (2_u64 << 20).to_string());
    assert_eq!(limits(&cgroup), [sum.clone(), sum]);
    assert_eq!(limits(&cgroup.join("four")), [four.clone(), four]);
    assert_eq!(limits(&cgroup.join("two")), [two.clone(), two]);
    assert_eq!(limits(&cgroup.join("none")), ["0", "0"]);
    let page = String::from_utf8(case.barepod(&["describe", case.name()]).stdout).unwrap();
    let row = page.lines().find(|line| line.trim_start().starts_with("Pod ") && line.contains("6Mi"));
    assert!(row.is_some() && page.contains("hugepages-2Mi"), "{page}");
    let refused = case.barepod(&["resize", case.name(), "-c", "two", "--limits", "hugepages-2Mi=4Mi"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("only cpu and memory resources are mutable"), "{said}");
    case.release("go");
    assert_eq!(run.end(), 0);
    let told = |name: &str, words: &[&str]| {
        let mine: Vec<String> = case.trace().into_iter().filter(|line| line.starts_with(name)).collect();
        let wanted: Vec<String> = words.iter().map(|word| format!("{name} {word}")).collect();
        assert_eq!(mine, wanted);
    };
    told("four", &["777", "has 2", "has 4", "done"]);
    told("two", &["777", "has 2", "done"]);
    told("none", &["777", "done"]);
}

/// A pod that asks for none has none, whatever the box has.
#[test]
fn none_for_who_asks_for_none() {
    let Some(_pages) = Pages::add(1) else { return };
    let Some(case) = Case::new("huge-none") else { return };
    let mut run = case.start(&case.pod().container(main("main", "say up; hold go", json!({}))));
    case.wait_for("up");
    let cgroup = cgroup(&case);
    assert_eq!(limits(&cgroup), ["0", "0"]);
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// Said before anything is made: the pod would get SIGBUS instead.
#[test]
fn more_than_there_are() {
    let Some(case) = Case::new("huge-many") else { return };
    let mut run = case.start(&case.pod().container(main("main", "true", wants("1Pi"))));
    assert_eq!(run.end(), 2);
    let said = run.stderr();
    assert!(said.contains("the pod needs 1Pi of them, the box has ") && said.contains("nr_hugepages"), "{said}");
    case.nothing_left();
}
