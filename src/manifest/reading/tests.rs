#![allow(clippy::unwrap_used)]
//! Files of several objects: lists, what is left out, what is refused, and where that is said to be.

use super::super::{ObjectKind, Text, render};
use super::*;

const SPEC: &str = "spec: {containers: [{name: c, image: \"rootfs:r\"}]}";

fn pod(name: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n{SPEC}\n")
}

fn object(version: &str, kind: &str, name: &str) -> String {
    format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n")
}

fn texts(all: &[&str]) -> Vec<Text> {
    let text = |(at, text): (usize, &&str)| Text { name: format!("{at}.yaml"), bytes: text.as_bytes().to_vec() };
    all.iter().enumerate().map(text).collect()
}

fn read_with(all: &[&str], reading: &Reading<'_>) -> Result<Manifests, String> {
    let said = |reports: Vec<Report>| reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    read_all(&texts(all), reading).map_err(said)
}

fn read(all: &[&str]) -> Result<Manifests, String> {
    let claims = BTreeSet::new();
    read_with(all, &Reading { claims: Some(&claims), ..Reading::default() })
}

fn names(all: &Manifests) -> Vec<&str> {
    all.pods.iter().map(|one| one.pod.metadata.name.as_deref().unwrap_or_default()).collect()
}

/// As kubectl writes them, as an API server gives them out, in each other, and with nothing in them.
#[test]
fn items_of_lists_are_documents() {
    let item = |name: &str| format!("- metadata: {{name: {name}}}\n  {SPEC}\n");
    let indented = |text: &str| format!("- {}", text.trim_end().replace('\n', "\n  "));
    for (text, expected) in [
        (format!("apiVersion: v1\nkind: List\nitems:\n{}\n{}\n", indented(&pod("a")), indented(&pod("b"))), "a b"),
        (format!("apiVersion: v1\nkind: PodList\nmetadata: {{}}\nitems:\n{}{}", item("a"), item("b")), "a b"),
        (format!("apiVersion: v1\nkind: List\nitems: [null]\n---\n{}", pod("a")), "a"),
        (format!("kind: ConfigMapList\napiVersion: v1\nitems:\n---\n{}", pod("a")), "a"),
        (
            format!(
                "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: PodList\n  items:\n  {}",
                item("a").replace('\n', "\n  ")
            ),
            "a",
        ),
        (format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": []}}\n---\n{}", pod("a")), "a"),
    ] {
        let all = read(&[&text]).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(names(&all).join(" "), expected, "{text}");
    }
    let maps = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: web}\n  data: {mode: fast}\n";
    let all = read(&[maps, &pod("a")]).unwrap();
    assert!(all.objects.get(ObjectKind::ConfigMap, "default", "web").is_some());
}

/// Whatever stands first, in whichever file.
#[test]
fn objects_and_pods_in_any_order() {
    let map = object("v1", "ConfigMap", "web") + "data: {mode: fast}\n";
    let user = pod("a").replace("\"rootfs:r\"", "\"rootfs:r\", envFrom: [{configMapRef: {name: web}}]");
    for order in [[&*map, "# nothing\n", &*user], [&*user, &*map, "---\n"]] {
        let all = read(&order).unwrap();
        assert_eq!((names(&all), all.warnings.len()), (vec!["a"], 3), "{order:?}");
    }
    assert!(read(&[&user]).unwrap_err().contains("Not found: \"web\""));
    let twice = read(&[&map, &user, &map]).unwrap_err();
    assert!(twice.contains("Duplicate value: \"web\"") && twice.contains("--> 2.yaml:3:"), "{twice}");
}

#[test]
fn what_one_box_has_no_use_for_is_left_out() {
    let odd = "metadata: {name: a, name: b}\nspec: [nobody, reads, this]\n";
    let text = [
        format!("apiVersion: v1\nkind: Service\n{odd}"),
        object("networking.k8s.io/v1", "Ingress", "i"),
        object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "'system:x'"),
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "crontabs.example"),
        object("monitoring.coreos.com/v1", "ServiceMonitor", "m"),
        object("policy/v1", "PodDisruptionBudget", "p"),
        object("autoscaling/v2", "HorizontalPodAutoscaler", "h"),
        object("extensions/v1beta1", "NetworkPolicy", "n"),
        "apiVersion: v1\nkind: ServiceAccountList\nitems: [{metadata: {name: robot}}]\n".to_owned(),
        object("batch.volcano.sh/v1alpha1", "Job", "j"),
        pod("web"),
    ]
    .join("---\n");
    let all = read(&[&text]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names(&all), ["web"]);
    assert_eq!(
        all.left_out,
        [
            "Service a",
            "Ingress i",
            "ClusterRoleBinding system:x",
            "CustomResourceDefinition crontabs.example",
            "ServiceMonitor.monitoring.coreos.com m",
            "PodDisruptionBudget p",
            "HorizontalPodAutoscaler h",
            "NetworkPolicy n",
            "ServiceAccount robot",
            "Job.batch.volcano.sh j",
        ]
    );
    assert!(all.warnings.iter().all(Vec::is_empty), "{:?}", all.warnings);
    let strict = Reading { meaningless: Meaningless::Refused, ..Reading::default() };
    let refused = read_with(&[&text], &strict).unwrap_err();
    assert_eq!(refused.matches("Forbidden: means nothing on one box: ").count(), 10, "{refused}");
    assert!(refused.contains("0.yaml:2:1   kind (document 1)\n"), "{refused}");
    // A pod's logins are its own.
    let account = object("v1", "ServiceAccount", "robot") + "imagePullSecrets: [{name: login}]\n";
    let all = read(&[&account, &pod("web")]).unwrap();
    assert_eq!(all.warnings[0][0].message, "pods get no logins from a ServiceAccount here");
}

/// As the Pods of a cluster get it; a Namespace of another group is none.
#[test]
fn the_only_namespace_is_the_pods() {
    let (dev, other) = (object("v1", "Namespace", "dev"), object("tenancy.example.org/v1", "Namespace", "other"));
    for (beside, expected) in [
        (vec![&*dev], Some("dev")),
        (vec![&*other], None),
        (vec![&*dev, &*other], Some("dev")),
        (vec![&*dev, &*object("v1", "Namespace", "test")], None),
        (vec!["apiVersion: v1\nkind: Namespace\n"], None),
    ] {
        let all = read(&[&[&*pod("web")], &*beside].concat()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(all.pods[0].pod.metadata.namespace.as_deref(), expected, "{beside:?}");
        // What gives it isn't left out.
        let is_used = |left: &String| expected.is_some_and(|name| *left == format!("Namespace {name}"));
        let used = usize::from(expected.is_some());
        assert_eq!((all.left_out.iter().any(is_used), all.left_out.len()), (false, beside.len() - used), "{beside:?}");
    }
    let strict = |namespace| Reading { meaningless: Meaningless::Refused, namespace, ..Reading::default() };
    for namespace in [None, Some("dev")] {
        let all = read_with(&[&pod("web"), &dev], &strict(namespace)).unwrap();
        assert_eq!(all.pods[0].pod.metadata.namespace.as_deref(), Some("dev"));
    }
    let refused = read_with(&[&pod("web"), &dev], &strict(Some("ops"))).unwrap_err();
    assert!(refused.contains("Forbidden: means nothing on one box: Namespace"), "{refused}");
}

/// What makes or changes pods, and what nobody knows.
#[test]
fn other_kinds_are_refused() {
    for (version, kind, said) in [
        ("apps/v1", "Deployment", "take what is below its spec.template"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template"),
        ("v1", "LimitRange", "it gives containers requests and limits"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "a webhook may change pods"),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization", "kubectl kustomize DIR | barepod run -"),
        ("v1", "DeploymentConfig", "Unsupported value: \"DeploymentConfig\": supported values: \"Pod\""),
        ("apps/v1", "Deploymnet", "help: did you mean Deployment?"),
        ("v1", "Pdo", "help: did you mean Pod?"),
        ("v1", "pod", "help: did you mean Pod?"),
        ("v1", "Configmap", "help: did you mean ConfigMap?"),
        ("example.org/v1", "Pod", "Unsupported value: \"example.org/v1\""),
        ("v1", "List", "this is a list without its items"),
    ] {
        let report = read(&[&pod("web"), &object(version, kind, "x")]).unwrap_err();
        assert!(report.contains(said) && report.contains("--> 1.yaml:"), "{kind}: {report}");
    }
}

#[test]
fn texts_without_a_pod() {
    let (map, service) = (object("v1", "ConfigMap", "m"), object("v1", "Service", "s"));
    for (all, said) in [
        (vec![&*map, &*service], "no Pod: a manifest holds at least one"),
        (vec![&*map, &*service], "these mean nothing on one box: Service s"),
        (vec![&*map, &*map.replace("m}", "n}")], "with --config"),
        (vec!["", "# no\n"], "--> 0.yaml, 1.yaml"),
        (vec![&*service], "only a cluster has a use for"),
        (vec![&*map], "Unsupported value: \"ConfigMap\""),
        (vec![&*map], "help: this is a ConfigMap, which Pods refer to: give the Pod's manifest too"),
    ] {
        let report = read(&all).unwrap_err();
        assert!(report.contains(said), "{all:?}\n{report}");
    }
}

/// Of the Pods for which that is asked, as their namespace is known.
#[test]
fn references_of_some_pods_are_looked_for() {
    let wants = "\"rootfs:r\", envFrom: [{configMapRef: {name: web}}]";
    let user = |name: &str| pod(name).replace("\"rootfs:r\"", wants);
    let (asked, claims) = (std::cell::RefCell::new(Vec::new()), BTreeSet::new());
    let is_b = |pod: &v1::Pod| {
        let [namespace, name] = [&pod.metadata.namespace, &pod.metadata.name].map(|name| name.clone().unwrap());
        asked.borrow_mut().push(format!("{namespace}/{name}"));
        name == "b"
    };
    let reading = Reading { claims: Some(&claims), whose: Some(&is_b), namespace: Some("ops"), ..Reading::default() };
    let report = read_with(&[&user("a"), &user("b")], &reading).unwrap_err();
    assert!(report.matches("Not found").count() == 1 && report.contains("--> 1.yaml:"), "{report}");
    assert_eq!(asked.take(), ["ops/a", "ops/b"]);
    assert_eq!(names(&read_with(&[&user("a"), &pod("b")], &reading).unwrap()), ["a", "b"]);
}

/// All texts' at once, each with its file, its document and its line.
#[test]
fn errors_say_where() {
    let wrong = pod("b").replace("name: c", "nme: c");
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: d}}\n";
    let report = read(&[&format!("{}---\n{wrong}", pod("a")), "a: [", &pod("b"), &format!("{}---\n{list}", pod("a"))])
        .unwrap_err();
    for said in [
        "--> 0.yaml:9:22   spec.containers[0].nme (document 2)\n",
        "--> 1.yaml:1:4\n",
        "--> 2.yaml:3:18   metadata.name\n",
        "--> 3.yaml:3:18   metadata.name (document 1)\n",
        "spec (document 2, items[0])\n",
        "there is a Pod of that name already, in document 2 of 0.yaml",
        "there is a Pod of that name already, in document 1 of 0.yaml",
    ] {
        assert!(report.contains(said), "{said:?} isn't in\n{report}");
    }
    let order: Vec<usize> = (0..4).map(|at| report.find(&format!("--> {at}.yaml")).unwrap()).collect();
    assert!(order.is_sorted(), "{report}");
    let twice = read(&[&pod("a"), &pod("a")]).unwrap_err();
    assert!(twice.contains("there is a Pod of that name already, in 0.yaml\n"), "{twice}");
}

/// Also of Secrets in lists, and in one text's report about another object.
#[test]
fn lists_keep_secrets() {
    let text = "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: a}\n  stringData: {key: hunter2}\n- {metadata: {name: b}, stringData: {x: hunter2}, typ: 1}\n";
    let report = read(&[text, &pod("a")]).unwrap_err();
    assert!(report.contains("items[1]") && !report.contains("hunter2"), "{report}");
}

/// A Pod that has passed is found again in its text.
#[test]
fn later_findings_have_their_place() {
    use super::super::{Colour, Finding, Wrong, refuse};
    // What was left out and isn't read is no matter for the report either.
    let service = object("v1", "Service", "s").replace("name: s", "name: s, name: t");
    let text = format!("{service}---\n{}---\n{}", pod("a"), pod("b"));
    let all = read(&[&text]).unwrap();
    let one = &all.pods[1];
    let field = FieldPath::root().child("spec.containers").index(0).child("image");
    let finding = Finding { field, wrong: Wrong::Absent { value: "rootfs:r".to_owned() }, help: None };
    let report = refuse(&texts(&[&text])[0], one.document, &[finding]).unwrap_err();
    let shown = render(&report.name, &report.text, &report.diagnostics, Colour::Plain);
    assert!(shown.contains("--> 0.yaml:13:38   spec.containers[0].image (document 3)"), "{shown}");
    assert_eq!((report.errors(), report.diagnostics.len()), (1, 1), "{shown}");
}
