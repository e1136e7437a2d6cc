//! Pods in the shapes that Kubernetes' documentation has made known, and one that a service mesh was injected into, with the image names
//! that people write: a mirror (registries.conf) stands for docker.io and registry.k8s.io, and has what tests have made of
//! busybox. Their texts, in tests/fixtures/pods, are our own; docs/quality.md tells of those of strangers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::registry::Registry;
use crate::harness::umoci::{self, Layout};
use crate::harness::{Case, good, wait};

/// Programs of the images in place of the real ones, as shell scripts.
const PROGRAMS: [(&str, &str); 4] = [
    (
        "usr/sbin/nginx",
        "[ \"$1\" != -s ] || exec killall httpd; httpd -f -p 80 -h /usr/share/nginx/html & trap \"kill $!\" TERM QUIT; wait",
    ),
    ("agnhost", "mkdir /www; touch /www/healthz; [ \"$1\" = liveness ] && exec httpd -f -p 8080 -h /www"),
    ("goproxy", "exec httpd -f -p 8080"),
    (
        "usr/local/bin/pilot-agent",
        "case $1 in istio-iptables) exec ip link set lo up ;; drain) touch /etc/istio/proxy/drained ;; \
         proxy) mkdir -p /etc/istio/proxy/www/healthz; grep -q canonical-name /etc/istio/pod/labels && \
         [ $(id -u) = 1337 ] && [ \"$4\" = default.svc.cluster.local ] && echo LIVE > /etc/istio/proxy/www/healthz/ready; \
         trap exit TERM; httpd -p 127.0.0.1:15021 -h /etc/istio/proxy/www; while :; do sleep 0.1; done ;; esac",
    ),
];

/// Images by the names that the manifests use, and what they run.
const IMAGES: [(&str, &[&str]); 8] = [
    ("library/busybox:1.28", &["--config.cmd", "sh"]),
    ("busybox:1.27.2", &["--config.cmd", "sh"]),
    ("library/alpine:latest", &["--config.cmd", "/bin/sh"]),
    ("library/debian:latest", &["--config.cmd", "bash"]),
    (
        "library/nginx:latest",
        &["--config.cmd", "nginx", "--config.exposedports", "80/tcp", "--config.stopsignal", "SIGQUIT"],
    ),
    ("e2e-test-images/agnhost:2.40", &["--config.entrypoint", "/agnhost"]),
    ("goproxy:0.1", &["--config.entrypoint", "/goproxy"]),
    ("istio/proxyv2:1.24.0", &["--config.entrypoint", "/usr/local/bin/pilot-agent"]),
];

/// A registry with the images, which the case's commands take for the registries of the manifests' names.
fn mirror(case: &mut Case) -> Option<Registry> {
    let registry = Registry::new(case)?;
    let layout = Layout::new(case.dir().join("layout"));
    let tree = case.dir().join("tree");
    umoci::busybox(&tree);
    fs::create_dir_all(tree.join("usr/share/nginx/html")).unwrap();
    fs::create_dir_all(tree.join("tmp")).unwrap();
    for (path, script) in PROGRAMS {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    layout.image("base").layer(&tree).config(&["--config.env", path]);
    for (name, config) in IMAGES {
        layout.tagged("base", "one").config(config);
        registry.push(&layout.path, "one", name, &[]);
    }
    let here = registry.image("");
    let mirrors = ["docker.io", "registry.k8s.io"].map(|name| {
        format!(
            "[[registry]]\nprefix = {name:?}\nlocation = {name:?}\n[[registry.mirror]]\nlocation = {:?}\n",
            here.trim_end_matches('/')
        )
    });
    let config = case.dir().join("registries.conf");
    fs::write(&config, mirrors.concat()).unwrap();
    registry.reach(case, &[&format!("CONTAINERS_REGISTRIES_CONF={}", config.display())]);
    Some(registry)
}

fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/pods/{name}.yaml"))
}

/// Runs a pod to its end, and gives what a container of it has printed.
#[track_caller]
fn printed(case: &Case, name: &str, container: &str) -> Vec<String> {
    println!("{name}");
    good(case, &["run", "--quiet", "--timeout", "60s", &manifest(name).display().to_string()]);
    let said = good(case, &["logs", name, "-c", container]);
    good(case, &["rm", name]);
    said.lines().map(str::to_owned).collect()
}

/// Starts a pod, waits until it is so, looks, and ends it.
#[track_caller]
fn up(case: &Case, name: &str, until: &str, look: impl FnOnce()) {
    println!("{name}");
    good(case, &["run", "-d", &format!("--wait={until}"), "--timeout", "120s", &manifest(name).display().to_string()]);
    look();
    good(case, &["rm", "--force", name]);
}

#[test]
fn pods_that_everybody_knows() {
    let Some(mut case) = Case::new("public") else { return };
    let Some(mut registry) = mirror(&mut case) else { return };
    let case = &case;
    // Whatever is wrong while it isn't there yet.
    let page =
        |pod: &str| case.barepod(&["exec", pod, "--", "wget", "-q", "-O", "-", "http://localhost/index.html"]).stdout;
    up(case, "init", "condition=Ready", || assert_eq!(page("init"), b"<p>prepared</p>\n"));
    up(case, "sidecar", "condition=Ready", || {
        wait("the shipped line", || good(case, &["logs", "sidecar", "-c", "shipper"]).contains("logging"));
        good(case, &["exec", "sidecar", "-c", "app", "--", "touch", "/opt/over"]);
        good(case, &["wait", "sidecar", "--for=phase=Succeeded"]);
    });
    up(case, "liveness-exec", "condition=Ready", || {
        wait("the restart", || {
            let pod: Value = serde_json::from_str(&good(case, &["get", "liveness-exec", "-o", "json"])).unwrap();
            pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap() > 0
        });
    });
    up(case, "liveness-http", "condition=Ready", || {});
    up(case, "probe-tcp", "condition=Ready", || {});
    up(case, "lifecycle", "condition=Ready", || {
        let said = good(case, &["exec", "lifecycle", "--", "cat", "/usr/share/message"]);
        assert_eq!(said, "Hello from the postStart handler\n");
        good(case, &["stop", "lifecycle"]);
        let events = good(case, &["events", "lifecycle"]);
        assert!(!events.contains("FailedPreStopHook"), "{events}");
    });
    assert_eq!(printed(case, "config", "test-container"), ["very charm", "keys", "very", "my-app", "400"]);
    let security = ["1000", "3000", "3000 2000 4000", "2000", "NoNewPrivs:\t1"];
    assert_eq!(printed(case, "security-context", "sec-ctx-demo"), security);
    up(case, "two-containers", "condition=Initialized", || {
        wait("the page", || page("two-containers") == b"Hello from the debian container\n");
    });
    let downward = printed(case, "downward", "client-container");
    let wanted = [
        "downward",
        "default",
        "250",
        "cluster=\"test-cluster1\"",
        "zone=\"us-est-coast\"",
        "250",
        "admin",
        "cpu_limit",
        "labels",
        "my-config",
        "my-group",
    ];
    assert_eq!(downward, wanted);
    assert_eq!(printed(case, "mesh", "reviews"), ["LIVE"]);
    registry.stop();
    assert_eq!(printed(case, "mesh", "reviews"), ["LIVE"], "the second time nobody is asked");
    case.nothing_left();
}
