//! Pod plans: names, hosts, resolv.conf, volumes, lifecycle.

use std::time::Duration;

use barepod_engine::spec::{HookSpec, Kind, RestartPolicy, SidecarPreStop};
use serde_json::json;

use super::*;

fn with(mut fields: Value) -> v1::Pod {
    fields["containers"] = json!([{"name": "c", "image": "bundle:b"}]);
    v1_pod(fields)
}

#[test]
fn host_names_are_the_kubelets() {
    for (fields, expected) in [
        (json!({}), "web"),
        (json!({"hostname": "other"}), "other"),
        (json!({"hostname": "other", "subdomain": "sub"}), "other"),
        (json!({"subdomain": "sub", "setHostnameAsFQDN": true}), "web.sub.apps.svc.cluster.local"),
        (json!({"setHostnameAsFQDN": true}), "web"),
        (json!({"hostnameOverride": "mine"}), "mine"),
        (json!({"hostNetwork": true, "hostname": "other"}), "box"),
    ] {
        assert_eq!(planned(&with(fields.clone())).sandbox.hostname, expected, "{fields}");
    }
    let mut long = with(json!({}));
    long.metadata.name = Some(format!("{}-.{}", "a".repeat(61), "b".repeat(20)));
    assert_eq!(planned(&long).sandbox.hostname, "a".repeat(61));
    let mut pod = with(json!({"subdomain": "s", "setHostnameAsFQDN": true}));
    pod.metadata.name = Some("n".repeat(60));
    let errors = super::super::pod(&pod, &node(), &options()).unwrap_err();
    assert!(errors[0].to_string().contains("the kernel takes 64"), "{errors:?}");
}

/// R10.7
#[test]
fn hosts_files_are_the_kubelets() {
    let aliases = json!([{"ip": "10.1.2.3", "hostnames": ["db", "db.local"]}]);
    let own = planned(&with(json!({"subdomain": "sub", "hostAliases": aliases})));
    insta::assert_snapshot!(own.sandbox.hosts.text(&PodNetwork::Loopback.ips()), @r"
    # Kubernetes-managed hosts file.
    127.0.0.1	localhost
    ::1	localhost ip6-localhost ip6-loopback
    fe00::0	ip6-localnet
    fe00::0	ip6-mcastprefix
    fe00::1	ip6-allnodes
    fe00::2	ip6-allrouters
    127.0.0.1	web.sub.apps.svc.cluster.local	web

    # Entries added by HostAliases.
    10.1.2.3	db	db.local
    ");
    let host = planned(&with(json!({"hostNetwork": true, "hostAliases": aliases})));
    insta::assert_snapshot!(host.sandbox.hosts.text(&node().host_ips), @r"
    # Kubernetes-managed hosts file (host network).
    127.0.0.1 localhost
    192.0.2.7 box

    # Entries added by HostAliases.
    10.1.2.3	db	db.local
    ");
}

#[test]
fn resolv_conf_follows_policy_and_config() {
    let config = json!({"nameservers": ["192.0.2.1", "1.1.1.1"], "searches": ["x.y"],
        "options": [{"name": "ndots", "value": "5"}, {"name": "debug"}]});
    let text = |fields| planned(&with(fields)).sandbox.resolv_conf.text(&PodNetwork::Loopback);
    assert_eq!(text(json!({"dnsPolicy": "ClusterFirst"})), node().resolv_conf);
    assert_eq!(
        text(json!({"dnsPolicy": "Default", "dnsConfig": config})),
        "search lan old.lan x.y\nnameserver 192.0.2.1\nnameserver 1.1.1.1\noptions rotate ndots:5 debug\n"
    );
    assert_eq!(
        text(json!({"dnsPolicy": "None", "dnsConfig": config})),
        "search x.y\nnameserver 192.0.2.1\nnameserver 1.1.1.1\noptions ndots:5 debug\n"
    );
}

/// With a network of its own the pod has other addresses than the box's loopback, and can't ask what only hears that.
#[test]
fn a_connected_pod_is_elsewhere() {
    let ips = ["192.0.2.7".to_owned(), "2001:db8::7".to_owned()];
    let network = PodNetwork::Connected { ips: ips.to_vec() };
    let text = |resolv_conf: &str, fields, network: &PodNetwork| {
        let node = NodeFacts { resolv_conf: resolv_conf.to_owned(), ..node() };
        let options = PodOptions { uplink: Uplink::IfPossible, ..options() };
        super::super::pod(&with(fields), &node, &options).unwrap().sandbox.resolv_conf.text(network)
    };
    assert_eq!(network.ips(), ips);
    // The same plan in another sandbox, whose addresses are others.
    let plan = planned(&with(json!({}))).sandbox;
    for (ips, names) in
        [(&ips[..], "192.0.2.7\tweb\n2001:db8::7\tweb\n"), (&ips[1..], "allrouters\n2001:db8::7\tweb\n")]
    {
        assert!(plan.hosts.text(ips).ends_with(names), "{}", plan.hosts.text(ips));
    }
    for (box_has, pod_has) in [
        ("# dhcp\nnameserver 192.0.2.1\n", "# dhcp\nnameserver 192.0.2.1\n"),
        ("nameserver 127.0.0.53\nsearch lan\noptions edns0\n", "search lan\nnameserver 169.254.1.1\noptions edns0\n"),
        // What is at an address that is the pod's as well.
        ("nameserver 192.0.2.7\n", "nameserver 169.254.1.1\n"),
        ("nameserver 0.0.0.0\n", "nameserver 169.254.1.1\n"),
        // Only the first is forwarded to: the others are left out, or stay if they can be asked.
        ("nameserver 1.1.1.1\nnameserver 127.0.0.1\n", "nameserver 1.1.1.1\n"),
        ("nameserver 127.0.0.1\nnameserver 1.1.1.1\n", "nameserver 169.254.1.1\nnameserver 1.1.1.1\n"),
        ("nameserver ::1\nnameserver 127.0.0.1\n", "nameserver 169.254.1.1\n"),
        ("nameserver ::1\n", ""),
    ] {
        assert_eq!(text(box_has, json!({}), &network), pod_has, "{box_has}");
    }
    let own = json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}});
    assert_eq!(text("nameserver 127.0.0.53\n", own, &network), "nameserver 127.0.0.1\n");
    let of_box = PodNetwork::Host { ips: ips.to_vec() };
    for network in [&of_box, &PodNetwork::Loopback] {
        assert_eq!(text("nameserver 127.0.0.53\n", json!({}), network), "nameserver 127.0.0.53\n");
    }
    assert_eq!(of_box.ips(), ips);
    assert_eq!(PodNetwork::Host { ips: Vec::new() }.ips(), ["127.0.0.1"]);
}

/// A pod with the box's network is connected already.
#[test]
fn what_connects_a_pod() {
    let plan = |fields| {
        let options = PodOptions { uplink: Uplink::Required, ..options() };
        super::super::pod(&with(fields), &node(), &options).unwrap().sandbox.uplink
    };
    assert_eq!((plan(json!({})), plan(json!({"hostNetwork": true}))), (Uplink::Required, Uplink::None));
}

#[test]
fn namespaces_and_sysctls_follow_the_pod() {
    let plan = planned(&with(json!({"securityContext": {"sysctls": [
        {"name": "kernel/shm_rmid_forced", "value": "1"}, {"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}})));
    assert_eq!((plan.sandbox.network, plan.sandbox.ipc, plan.sandbox.pid), (Scope::Pod, Scope::Pod, Scope::Container));
    let sysctls: Vec<_> = plan.sandbox.sysctls.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = [
        "kernel.shm_rmid_forced=1",
        "net.ipv4.ip_unprivileged_port_start=80",
        "net.ipv4.ping_group_range=0 2147483647",
    ];
    assert_eq!(sysctls, expected);
    let host =
        planned(&with(json!({"hostNetwork": true, "hostIPC": true, "hostPID": true, "shareProcessNamespace": false})));
    assert_eq!((host.sandbox.network, host.sandbox.ipc, host.sandbox.pid), (Scope::Host, Scope::Host, Scope::Host));
    assert!(host.sandbox.sysctls.is_empty());
    assert_eq!(host.cgroup.path, PathBuf::from("/barepod/podu-1"));
}

/// R10.5
#[test]
fn volumes_are_planned_in_their_order() {
    let plan = planned(&with(json!({"securityContext": {"fsGroup": 7}, "volumes": [
        {"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi", "mode": 448}},
        {"name": "c", "hostPath": {"path": "/srv", "type": "Directory"}}]})));
    let expected = [
        ("a", VolumeSource::EmptyDir { mode: None, size_limit: None }, Some(7)),
        ("b", VolumeSource::Memory { mode: Some(0o700), size_limit: Some(8 << 20) }, Some(7)),
        ("c", VolumeSource::HostPath { path: "/srv".into(), kind: HostPathKind::Directory }, None),
    ];
    let expected = expected.map(|(name, source, fs_group)| VolumePlan { name: name.to_owned(), source, fs_group });
    assert_eq!(plan.volumes, expected);
}

#[test]
fn all_errors_of_a_pod_come_at_once() {
    let mut pod = v1_pod(json!({
        "volumes": [{"name": "a", "configMap": {"name": "m"}}, {"name": "b", "emptyDir": {"medium": "HugePages"}}],
        "containers": [{"name": "c", "image": "oci:"}, {"name": "d"}],
    }));
    pod.metadata.uid = Some("../../etc".to_owned());
    let errors = super::super::pod(&pod, &node(), &options()).unwrap_err();
    let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    metadata.uid: invalid value: "../../etc": must be letters, digits, '-', '_' and '.', and not begin with '.'
    spec.containers[0].image: invalid value: "oci:": must name a path after oci:
    spec.containers[1].image: required value; write an image's name, bundle:PATH or rootfs:PATH
    spec.volumes[0].configMap: invalid value: "m": there is no such ConfigMap; give it by --config FILE
    spec.volumes[1].emptyDir.medium: invalid value: "HugePages": no container requests huge pages; give one hugepages-SIZE in its limits
    "#);
}

/// R1.3, R1.4, R5.12, R5.17, R6.1, R7.4
#[test]
fn lifecycles_keep_what_the_manifest_says() {
    let mut pod = v1_pod(json!({
        "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 9, "activeDeadlineSeconds": 60,
        "initContainers": [
            {"name": "i", "image": "bundle:b", "restartPolicy": "Never"},
            {"name": "s", "image": "bundle:b", "restartPolicy": "Always", "startupProbe": {"periodSeconds": 2, "timeoutSeconds": 0},
             "lifecycle": {"preStop": {"sleep": {"seconds": 3}}, "postStart": {"exec": {"command": ["x"]}}}},
        ],
        "containers": [{"name": "m", "image": "rootfs:/r", "restartPolicy": "Never", "lifecycle": {"stopSignal": "SIGUSR1"},
            "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [1, 2]}}]}],
    }));
    pod.metadata.annotations = Some(
        [("barepod.dev/sidecar-grace-seconds", "4"), ("barepod.dev/sidecar-prestop", "at-turn")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    );
    let life = planned(&pod).lifecycle;
    assert_eq!(life.containers.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::Init, Kind::Sidecar, Kind::Main]);
    let policies: Vec<_> = life.containers.iter().map(|one| one.restart_policy).collect();
    assert_eq!(policies, [Some(RestartPolicy::Never), None, Some(RestartPolicy::Never)]);
    assert_eq!((life.grace_period, life.active_deadline), (Duration::from_secs(9), Some(Duration::from_secs(60))));
    assert_eq!((life.sidecar_grace, life.sidecar_pre_stop), (Some(Duration::from_secs(4)), SidecarPreStop::AtTurn));
    let probe = life.containers[1].startup_probe.clone().unwrap();
    assert_eq!((probe.period.as_secs(), probe.timeout.as_secs(), probe.failure_threshold), (2, 1, 3));
    assert_eq!(life.containers[1].pre_stop, Some(HookSpec::Sleep(Duration::from_secs(3))));
    assert_eq!(life.containers[1].post_start, Some(HookSpec::Handler));
    assert_eq!(life.containers[2].stop_signal, Some(10));
    assert_eq!(life.containers[2].restart_rules[0].exit_codes, [1, 2]);
    for (name, value) in [("barepod.dev/sidecar-grace-seconds", "99"), ("barepod.dev/sidecar-prestop", "later")] {
        pod.metadata.annotations = Some([(name.to_owned(), value.to_owned())].into());
        let errors = super::super::pod(&pod, &node(), &options()).unwrap_err();
        assert!(errors[0].to_string().contains(name), "{errors:?}");
    }
}
