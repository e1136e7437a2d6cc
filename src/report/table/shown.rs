//! What a table of pods has in and beside its usual columns.

use k8s_openapi::api::core::v1;

/// How much of a pod is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// kubectl's usual columns.
    #[default]
    Normal,
    /// `-o wide`: address, node and effective resources too.
    Wide,
}

/// How much of pods a table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Which of the usual columns.
    pub width: Width,
    /// Labels that have a column each (`-L`).
    pub label_columns: Vec<String>,
    /// A column with all labels (`--show-labels`).
    pub labels: bool,
    /// `pod/` before names (`--show-kind`).
    pub kind: bool,
}

impl From<Width> for Shown {
    fn from(width: Width) -> Self {
        Self { width, ..Self::default() }
    }
}

impl Shown {
    pub(super) fn name(&self, name: &str) -> String {
        if self.kind { format!("pod/{name}") } else { name.to_owned() }
    }

    /// As kubectl: of a label's name what stands behind the slash, in capitals.
    pub(super) fn names_of_labels(&self) -> impl Iterator<Item = String> {
        let name = |label: &String| label.rsplit('/').next().unwrap_or(label).to_uppercase();
        self.label_columns.iter().map(name).chain(self.labels.then(|| "LABELS".to_owned()))
    }

    pub(super) fn labels_of(&self, pod: &v1::Pod) -> impl Iterator<Item = String> {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let all = self.labels.then(|| match labels.is_empty() {
            true => "<none>".to_owned(),
            false => labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
        });
        let of = move |name: &String| labels.get(name).cloned().unwrap_or_default();
        self.label_columns.iter().map(of).chain(all)
    }
}
