//! What barepod, and the box, tell of a case's pod.

use serde_json::Value;

use super::{Case, leftovers};

impl Case {
    /// `get POD -o json`.
    pub fn get(&self) -> Value {
        let output = self.barepod(&["get", &self.name, "-o", "json"]);
        assert!(output.status.success(), "get: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// `.status.phase`, once there is one.
    pub fn phase(&self) -> String {
        let output = self.barepod(&["get", &self.name, "-o", "json"]);
        let pod: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        pod["status"]["phase"].as_str().unwrap_or_default().to_owned()
    }

    /// A container's entry in the status; null while the pod has none.
    pub fn container(&self, name: &str) -> Value {
        let output = self.barepod(&["get", &self.name, "-o", "json"]);
        let pod: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
        let mut all = lists.iter().filter_map(|list| pod["status"][list].as_array()).flatten();
        all.find(|one| one["name"] == name).cloned().unwrap_or_default()
    }

    /// `(exitCode, reason)` of a container that ended.
    pub fn ended(&self, name: &str) -> (i64, String) {
        let state = &self.container(name)["state"]["terminated"];
        (state["exitCode"].as_i64().unwrap_or(-1), state["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// A condition of the pod; null while there is none.
    pub fn condition(&self, kind: &str) -> Value {
        let output = self.barepod(&["get", &self.name, "-o", "json"]);
        let pod: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut all = pod["status"]["conditions"].as_array().into_iter().flatten();
        all.find(|one| one["type"] == kind).cloned().unwrap_or_default()
    }

    /// What of the pod runs now and has `word` in its command line.
    pub fn processes(&self, word: &str) -> Vec<String> {
        leftovers::commands(self).into_iter().filter(|command| command.contains(word)).collect()
    }

    /// Command lines of all processes of the case: barepod's, its helpers' and what barepod was run by.
    pub fn marked(&self) -> Vec<String> {
        leftovers::marked(self)
    }

    /// The pid, outside, of the process that all others of the pod have as pid 1.
    pub fn pid_1(&self) -> i32 {
        self.pid_of("barepod:pause")
    }

    /// The pid, outside, of a process of the pod whose command line begins with this.
    pub fn pid_of(&self, command: &str) -> i32 {
        let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
        let found = processes.find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            (read("cgroup").contains(self.uid()) && read("cmdline").replace('\0', " ").starts_with(command))
                .then_some(pid)
        });
        found.unwrap_or_else(|| panic!("no process of the pod is {command}"))
    }

    /// `events POD -o json`.
    pub fn events(&self) -> Vec<Value> {
        let output = self.barepod(&["events", &self.name, "-o", "json"]);
        assert!(output.status.success(), "events: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Messages of the events of this reason; none as long as there is no pod.
    pub fn messages(&self, reason: &str) -> Vec<String> {
        self.messages_of(None, reason)
    }

    /// As [`Self::messages`], of one container.
    pub fn messages_of<'a>(&self, container: impl Into<Option<&'a str>>, reason: &str) -> Vec<String> {
        if !self.state().join("events.jsonl").exists() {
            return Vec::new();
        }
        let container = container.into();
        let of_it =
            |event: &Value| event["reason"] == reason && container.is_none_or(|name| event["container"] == name);
        let all = self.events().into_iter().filter(of_it);
        all.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `logs POD -c CONTAINER`.
    pub fn logs(&self, container: &str, options: &[&str]) -> String {
        let output = self.barepod(&[&["logs", &self.name, "-c", container], options].concat());
        assert!(output.status.success(), "logs: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
