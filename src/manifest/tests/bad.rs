//! Manifests with something wrong in them, each with a name that says what.

/// A Pod with one container, `spec` before and `container` in it; indented as a spec's and a container's fields.
macro_rules! pod {
    ($spec:literal, $container:literal) => {
        concat!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n",
            $spec,
            "  containers:\n  - name: main\n    image: bundle:main\n",
            $container
        )
    };
}

/// Name and text.
pub(super) const CASES: &[(&str, &str)] = &[
    // The text.
    ("text-empty", ""),
    ("text-only-comments", "# nothing\n---\n"),
    ("text-not-yaml", "apiVersion: v1\nkind: [Pod\n"),
    ("text-tab", "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: x\n"),
    ("text-nul", "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\0b\"}\n"),
    ("text-a-list", "- apiVersion: v1\n- kind: Pod\n"),
    ("text-a-scalar", "hello\n"),
    ("text-two-documents", concat!(pod!("", ""), "---\napiVersion: v1\nkind: Pod\n")),
    ("text-unknown-alias", pod!("  hostname: *name\n", "")),
    ("text-recursive-alias", pod!("  volumes: &v\n  - *v\n", "")),
    ("text-custom-tag", pod!("  hostname: !secret db\n", "")),
    ("text-merge-of-scalar", pod!("  <<: 3\n", "")),
    ("text-list-as-key", pod!("  [a, b]: c\n", "")),
    ("text-boolean-as-key", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  labels:\n    on: x\n"),
    ("kind-service", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {}\n"),
    ("kind-deployment", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"),
    ("kind-missing", "metadata: {name: x}\n"),
    // Fields and types.
    ("unknown-field-near", pod!("", "    comand: [sh]\n")),
    ("unknown-field-far", pod!("  frobnicate: true\n", "")),
    ("unknown-field-small-struct", pod!("", "    ports: [{containerPort: 80, portt: 3, xyz: 1}]\n")),
    ("misspelt-required", "apiVersion: v1\nkind: Pod\nmetadata: {nme: x}\nspec:\n  continers: []\n"),
    ("duplicate-key", pod!("  restartPolicy: Never\n  restartPolicy: Always\n", "")),
    (
        "duplicate-label",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  labels: {a: b, a: c}\nspec:\n  containers: [{name: b, image: \"bundle:b\"}]\n",
    ),
    ("type-integer", pod!("  terminationGracePeriodSeconds: soon\n", "")),
    ("type-quoted-integer", pod!("  terminationGracePeriodSeconds: \"30\"\n", "")),
    ("type-fraction", pod!("  terminationGracePeriodSeconds: 1.5\n", "")),
    (
        "type-huge-integer",
        pod!(
            "  terminationGracePeriodSeconds: 99999999999999999999\n  activeDeadlineSeconds: 999999999999999999999999999999999999999999999\n",
            ""
        ),
    ),
    ("type-integer-32", pod!("", "    ports: [{containerPort: 4294967296}]\n")),
    ("type-boolean", pod!("  hostNetwork: sure\n", "")),
    ("type-string-is-boolean", pod!("", "    env: [{name: A, value: yes}]\n")),
    ("type-string-is-number", pod!("", "    env: [{name: A, value: 1.20}]\n")),
    ("type-string-is-null", pod!("", "    args: [sh, ~]\n")),
    ("type-list", pod!("", "    command: sh\n")),
    ("type-map", pod!("  securityContext: none\n", "")),
    ("type-container-is-text", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: [sh]\n"),
    ("type-port-or-name", pod!("", "    livenessProbe: {tcpSocket: {port: [1]}}\n")),
    (
        "type-time",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x, creationTimestamp: soon}\nspec:\n  containers: [{name: b, image: \"bundle:b\"}]\n",
    ),
    // Names (R1.1).
    ("no-name", "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: b, image: \"bundle:b\"}]\n"),
    (
        "generate-name",
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: X_-}\nspec:\n  containers: [{name: b, image: \"bundle:b\"}]\n",
    ),
    (
        "bad-metadata",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: My_Pod\n  namespace: a.b\n  uid: ../../etc\n  labels: {-a: b, ok: not ok}\n  annotations: {a/b/c: d, barepod.dev/sidecar-prestop: at-trun, barepod.dev/sidecar-grace-seconds: 1m, barepod.dev/sidecars: b}\nspec:\n  containers: [{name: b, image: \"bundle:b\"}]\n",
    ),
    ("no-spec", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"),
    ("no-containers", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}\n"),
    (
        "duplicate-names",
        pod!(
            "  initContainers:\n  - {name: main, image: \"bundle:a\"}\n  - {name: a, image: \"bundle:a\"}\n  - {name: a, image: \"bundle:a\", restartPolicy: Always}\n",
            ""
        ),
    ),
    (
        "bad-container-names",
        pod!("  initContainers:\n  - {name: B_B, image: \"bundle:a\"}\n  - {image: \"bundle:a\"}\n", ""),
    ),
    ("name-too-long", pod!("  hostname: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "")),
    // Restart policies (R1.3, R1.4).
    ("restart-policy", pod!("  restartPolicy: Maybe\n", "")),
    ("restart-policy-case", pod!("  restartPolicy: onFailure\n", "")),
    (
        "restart-policy-init",
        pod!("  initContainers:\n  - name: a\n    image: bundle:a\n    restartPolicy: Sometimes\n", ""),
    ),
    (
        "restart-rules",
        pod!(
            "",
            "    restartPolicyRules:\n    - {action: Restart}\n    - {action: Explode, exitCodes: {operator: Is, values: [256]}}\n    - {exitCodes: {operator: In, values: []}}\n"
        ),
    ),
    // Probes and hooks (R1.2, R1.5, R1.6).
    (
        "probe-on-init",
        pod!(
            "  initContainers:\n  - name: a\n    image: bundle:a\n    readinessProbe: {exec: {command: [\"true\"]}}\n    livenessProbe: {tcpSocket: {port: 1}}\n    startupProbe: {tcpSocket: {port: 1}}\n    lifecycle: {preStop: {sleep: {seconds: 1}}}\n  - name: b\n    image: bundle:b\n    lifecycle: {postStart: {sleep: {seconds: 1}}}\n",
            ""
        ),
    ),
    (
        "probe-port-names",
        pod!(
            "",
            "    ports: [{name: http, containerPort: 80}, {name: admin, containerPort: 81}]\n    startupProbe: {httpGet: {port: htttp}}\n    livenessProbe: {tcpSocket: {port: metrics}}\n    lifecycle: {preStop: {httpGet: {port: http}}, postStart: {tcpSocket: {port: other}}}\n  - name: b\n    image: bundle:b\n    readinessProbe: {httpGet: {port: http}}\n"
        ),
    ),
    (
        "probe-protocols",
        pod!(
            "",
            "    startupProbe: {grpc: {port: 1, mode: tls}}\n    livenessProbe: {httpGet: {port: 1, protocol: HTTP2, scheme: HTTPS, host: other}}\n    readinessProbe: {httpGet: {port: 1, protocol: h2c}}\n"
        ),
    ),
    ("working-dir", pod!("", "    workingDir: srv/app\n")),
    (
        "probe-thresholds",
        pod!(
            "",
            "    startupProbe: {exec: {command: [a]}, successThreshold: 2, periodSeconds: -1}\n    livenessProbe: {exec: {command: [a]}, successThreshold: 2, timeoutSeconds: -1, failureThreshold: -1, initialDelaySeconds: -1}\n    readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 3}\n"
        ),
    ),
    (
        "probe-handlers",
        pod!(
            "",
            "    livenessProbe: {periodSeconds: 3, terminationGracePeriodSeconds: 0}\n    startupProbe: {exec: {}, tcpSocket: {port: 1}}\n    readinessProbe: {httpGet: {port: Http--x, scheme: FTP, httpHeaders: [{name: 'a b', value: c}]}}\n"
        ),
    ),
    (
        "hooks",
        pod!(
            "  terminationGracePeriodSeconds: 5\n",
            "    lifecycle: {preStop: {sleep: {seconds: 6}}, postStart: {}}\n  - name: exact\n    image: bundle:b\n    lifecycle: {preStop: {sleep: {seconds: 5}}, postStart: {sleep: {seconds: -1}}}\n  - name: two\n    image: bundle:b\n    lifecycle: {preStop: {exec: {command: [a]}, httpGet: {port: 80}}}\n"
        ),
    ),
    ("stop-signal", pod!("", "    lifecycle: {stopSignal: SIGFOO}\n")),
    // Ports and network (R1.7).
    (
        "ports",
        pod!(
            "",
            "    ports:\n    - {containerPort: 99999}\n    - {containerPort: 80, name: HTTP}\n    - {containerPort: 81, name: a, protocol: tcp}\n    - {containerPort: 82, name: a}\n    - {name: b}\n"
        ),
    ),
    (
        "host-ports",
        pod!(
            "  hostNetwork: true\n",
            "    ports: [{containerPort: 80, hostPort: 81}, {containerPort: 81, hostPort: 81}]\n"
        ),
    ),
    ("host-port-forwarding", pod!("", "    ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}]\n")),
    ("host-aliases", pod!("  hostAliases: [{ip: localhost, hostnames: [a_b]}]\n  subdomain: A\n", "")),
    ("hostname-override", pod!("  hostnameOverride: A_b\n  setHostnameAsFQDN: true\n", "")),
    ("dns", pod!("  dnsPolicy: None\n", "")),
    (
        "dns-config",
        pod!(
            "  dnsPolicy: Cluster\n  dnsConfig: {nameservers: [a, 1.1.1.1, 1.1.1.2, 1.1.1.3], searches: [-a], options: [{value: x}]}\n",
            ""
        ),
    ),
    // Volumes (R1.8).
    (
        "volume-mounts",
        pod!(
            "  volumes: [{name: data, emptyDir: {}}]\n",
            "    volumeMounts:\n    - {name: dat, mountPath: /x}\n    - {name: data, mountPath: /x}\n    - {name: data, mountPath: \"/a:b\", subPath: ../x}\n    - {name: data, mountPath: /y, subPath: /a, subPathExpr: $(B)}\n    - {name: data, mountPropagation: Bidirectional, recursiveReadOnly: Enabled}\n"
        ),
    ),
    ("volume-unknown", pod!("", "    volumeMounts: [{name: gone, mountPath: /x}]\n")),
    (
        "volumes",
        pod!(
            "  volumes:\n  - {name: a, emptyDir: {medium: memory, sizeLimit: -1}}\n  - {name: a, hostPath: {path: /a/../b, type: Dir}}\n  - {name: b, emptyDir: {}, hostPath: {path: /x}}\n  - {name: c, hostPath: {}}\n  - {emptyDir: {medium: HugePages}}\n  - {name: m, emptyDir: {mode: 02777}}\n  - {name: o, emptyDir: {mode: -1}}\n",
            ""
        ),
    ),
    (
        "volume-owners-and-options",
        pod!(
            "  volumes:\n  - {name: a, downwardAPI: {defaultUser: -1, items: [{path: name, user: 2147483648, fieldRef: {fieldPath: metadata.name}}]}}\n  - {name: i, image: {reference: \"rootfs:x\"}}\n",
            "    volumeMounts:\n    - {name: a, mountPath: /a, bindMountOptions: [noexec, ro, noexec]}\n    - {name: i, mountPath: /i, bindMountOptions: [nodev]}\n"
        ),
    ),
    ("volumes-broken", pod!("  volumes: {data: {}}\n", "    volumeMounts: [{name: data, mountPath: /x}]\n")),
    (
        "volumes-unsupported",
        pod!(
            "  volumes:\n  - {name: a, configMap: {name: x}}\n  - {name: b, secret: {secretName: x, optinal: true}}\n  - {name: c, nfs: {server: a, path: /}}\n",
            ""
        ),
    ),
    // Resources (R1.9).
    ("quantity", pod!("", "    resources: {limits: {memory: 12Quux, cpu: 1e400}, requests: {cpu: [1]}}\n")),
    (
        "resources",
        pod!(
            "",
            "    resources:\n      limits: {cpu: 1, memory: 100m, mem: 1Gi, hugepages-2Mi: 2Mi, ephemeral-storage: 1Gi}\n      requests: {cpu: 1500m, memory: -1}\n      claims: [{name: a}]\n"
        ),
    ),
    (
        "huge-pages",
        pod!(
            "  initContainers:\n  - {name: alone, image: 'bundle:b', resources: {limits: {hugepages-2Mi: 3Mi}}}\n",
            "    resources:\n      limits: {cpu: 1, hugepages-2Mi: 4Mi, hugepages-x: 1}\n      requests: {hugepages-2Mi: 2Mi, hugepages-1Gi: 1Gi}\n    env:\n    - {name: A, valueFrom: {resourceFieldRef: {resource: limits.hugepages-2Mi, divisor: 1m}}}\n    - {name: B, valueFrom: {resourceFieldRef: {resource: limits.hugepages-2x}}}\n"
        ),
    ),
    (
        "pod-resources",
        pod!(
            "  resources: {requests: {cpu: 1}, limits: {memory: 1Mi, ephemeral-storage: 1Gi}}\n",
            "    resources: {requests: {cpu: 2}, limits: {memory: 2Mi}}\n"
        ),
    ),
    // Security (R1.10).
    (
        "security",
        pod!(
            "  hostUsers: false\n  hostNetwork: true\n  hostPID: true\n  hostIPC: true\n  securityContext: {runAsUser: -1, supplementalGroups: [4294967296], supplementalGroupsPolicy: Mix, seLinuxChangePolicy: Never}\n",
            "    securityContext: {privileged: true, allowPrivilegeEscalation: false, capabilities: {add: [SYS_ADMIN, NET_ADMN, CAP_ALL], drop: [all, chown, cap_kill]}, procMount: Unmasked}\n  - name: prefixed\n    image: bundle:b\n    securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [cap_sys_admin]}}\n"
        ),
    ),
    (
        "profiles",
        pod!(
            "  securityContext: {seccompProfile: {type: RuntimeDefault}, appArmorProfile: {type: Localhost}}\n",
            "    securityContext: {seccompProfile: {type: unconfined}, appArmorProfile: {type: Unconfined, localhostProfile: x}}\n"
        ),
    ),
    (
        "apparmor-annotations",
        "apiVersion: v1
kind: Pod
metadata:
  name: x
  annotations:
    container.apparmor.security.beta.kubernetes.io/main: mine
    container.apparmor.security.beta.kubernetes.io/other: unconfined
    container.apparmor.security.beta.kubernetes.io/twice: localhost/a
    container.apparmor.security.beta.kubernetes.io/same: localhost/a
spec:
  containers:
  - {name: main, image: 'bundle:b'}
  - {name: twice, image: 'bundle:b', securityContext: {appArmorProfile: {type: Unconfined}}}
  - {name: same, image: 'bundle:b', securityContext: {appArmorProfile: {type: Localhost, localhostProfile: a}}}
",
    ),
    (
        "sysctls",
        pod!(
            "  hostNetwork: true\n  securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: kernel/shm_rmid_forced, value: '1'}, {name: net.ipv4.tcp_syncookies, value: '1'}, {name: vm.swappiness, value: '1'}, {name: A, value: '1'}]}\n",
            ""
        ),
    ),
    ("share-process-namespace", pod!("  shareProcessNamespace: true\n  hostPID: true\n", "")),
    // Environment (R10.3, R10.4).
    (
        "env",
        pod!(
            "",
            "    env:\n    - {name: 'A=B', value: x}\n    - {value: x}\n    - {name: C, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n    - {name: D, valueFrom: {}}\n    - {name: E, valueFrom: {fieldRef: {fieldPath: metadata.nam}}}\n    - {name: F, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}\n    - {name: G, valueFrom: {fieldRef: {fieldPath: \"spec.x['a']\"}}}\n    - {name: H, valueFrom: {resourceFieldRef: {resource: limits.gpu, containerName: man, divisor: 3}}}\n    - {name: I, valueFrom: {secretKeyRef: {name: a, key: b}}}\n    envFrom: [{configMapRef: {name: a}}]\n"
        ),
    ),
    (
        "env-files",
        pod!(
            "  volumes: [{name: data, emptyDir: {}}, {name: bare}, {name: host, hostPath: {path: /x}}]\n",
            "    env:\n    - {name: A, valueFrom: {fileKeyRef: {volumeName: data, path: ../x, key: 'A=B'}}}\n    - {name: B, valueFrom: {fileKeyRef: {volumeName: dat, path: /x, key: B}}}\n    - {name: C, valueFrom: {fileKeyRef: {volumeName: host, path: x, key: C}}}\n    - {name: D, valueFrom: {fileKeyRef: {volumeName: bare, path: x, key: D, optional: true}}}\n    - {name: E, valueFrom: {fileKeyRef: {volumeName: '', path: '', key: ''}}}\n"
        ),
    ),
    // The rest.
    ("times", pod!("  activeDeadlineSeconds: 0\n  terminationGracePeriodSeconds: -1\n", "")),
    ("windows", pod!("  os: {name: windows}\n", "")),
    (
        "images",
        pod!(
            "  initContainers:\n  - {name: a, image: nginx:1.27}\n  - {name: b, image: \"oci:dir\"}\n  - {name: c, image: \"docker://alpine\"}\n  - {name: d, image: ./dir}\n  - {name: e, image: \"bundle:\"}\n  - {name: f, image: \"bundel:x\"}\n  - {name: g}\n  - {name: h, image: \" rootfs:x\", imagePullPolicy: Sometimes}\n",
            ""
        ),
    ),
    (
        "unsupported-fields",
        pod!(
            "  runtimeClassName: gvisor\n  ephemeralContainers: [{name: a}]\n  schedulingGates: [{name: a}]\n",
            "    volumeDevices: [{name: a, devicePath: /dev/x}]\n"
        ),
    ),
    (
        "warnings",
        pod!(
            "  nodeName: a\n  tolerations: [{key: a, operater: Exists}]\n  priority: 3\n  dnsPolicy: ClusterFirst\n",
            ""
        ),
    ),
    (
        "warnings-only",
        concat!(
            pod!(
                "  schedulerName: mine\n  tolerations: []\n  hostUsers: true\n  affinity: {nodeAffinity: {}}\n",
                "    stdin: false\n"
            ),
            "status: {phase: Running, unheardOf: 1}\n"
        ),
    ),
    (
        "all-at-once",
        pod!(
            "  restartPolicy: Maybe\n",
            "    ports: [{containerPort: 99999}]\n  - name: B_B\n    image: bundle:b\n    imagee: x\n    tty: maybe\n"
        ),
    ),
    (
        "json",
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\": {\"name\": \"x\", \"name\": \"y\"},\n \"spec\": {\"containers\": [{\"name\": \"a\", \"image\": \"bundle:a\", \"tyt\": true}]}}\n",
    ),
    (
        "windows-line-ends",
        "apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: x\r\nspec:\r\n  restartPolicy: Maybe\r\n  containers: []\r\n",
    ),
    ("byte-order-mark", "\u{feff}apiVersion: v1\nkind: Pd\n"),
    ("wide-characters", pod!("", "    env: [{name: '\u{4f60}\u{597d}', value: x}, {nam\u{e9}: y}]\n")),
    (
        "resize-policy",
        pod!(
            "  restartPolicy: Never\n  initContainers:\n  - name: once\n    image: bundle:once\n    resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]\n",
            "    resizePolicy:\n    - {resourceName: cpu, restartPolicy: RestartContainer}\n    - {resourceName: cpu, restartPolicy: Sometimes}\n    - {resourceName: disk, restartPolicy: NotRequired}\n"
        ),
    ),
];
