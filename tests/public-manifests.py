#!/usr/bin/env python3
"""How many manifests of strangers run: tests/public-manifests.py FOLDER [LIMIT]

Takes every Pod, and the pod of every workload, in the YAML files below FOLDER (as its controller would make it), replaces
nothing but `image:` by a small bundle, and runs it for a moment. Prints how many were accepted, how many ran, and why the
others were refused. ConfigMaps and Secrets in the same file are given along; each claim becomes an empty folder.

Needs root, busybox and python3-yaml; BAREPOD names the binary (default: target/release/barepod). The files are not part of
this repository: docs/quality.md names the sources and the numbers.
"""
import collections, concurrent.futures, copy, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile
import yaml

BAREPOD = os.environ.get("BAREPOD", "target/release/barepod")
MOMENT = float(os.environ.get("MOMENT", "3"))
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}


def bundle(folder):
    """A bundle whose program waits: images of strangers bring a command, too."""
    rootfs = folder / "rootfs"
    for name in ["bin", "etc", "proc", "sys", "dev", "tmp", "run"]:
        (rootfs / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), rootfs / "bin/busybox")
    for name in ["sh", "sleep", "cat", "echo", "true", "test", "ls", "mkdir", "chown", "chmod", "cp", "env"]:
        (rootfs / "bin" / name).symlink_to("busybox")
    process = {"args": ["sleep", "60"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
    config = {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "process": process}
    (folder / "config.json").write_text(json.dumps(config))


def pod_of(document):
    """The Pod that a document stands for; None: it stands for none."""
    kind, metadata = document.get("kind"), document.get("metadata") or {}
    if kind == "Pod":
        return copy.deepcopy(document)
    spec = document.get("spec") or {}
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    if kind not in WORKLOADS | {"CronJob"} or "template" not in spec:
        return None
    template = copy.deepcopy(spec["template"])
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": template.get("metadata") or {}, "spec": template["spec"]}
    for name in ["name", "namespace"]:
        if metadata.get(name):
            pod["metadata"][name] = metadata[name]
    claims = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or []]
    pod["spec"].setdefault("volumes", []).extend(
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims
    )
    return pod


def attempt(pod, beside, work):
    """accepted, ran, and the first word of a refusal."""
    spec = pod["spec"]
    for container in (spec.get("initContainers") or []) + (spec.get("containers") or []):
        container["image"] = f"bundle:{work / 'bundle'}"
    claims = {(v.get("persistentVolumeClaim") or {}).get("claimName") for v in spec.get("volumes") or []} - {None}
    run = pathlib.Path(tempfile.mkdtemp(dir=work))
    options = []
    for claim in claims:
        (run / claim).mkdir()
        options.append(f"--volume={claim}={run / claim}")
    manifest = run / "pod.yaml"
    manifest.write_text(yaml.safe_dump_all([pod] + beside))
    command = [BAREPOD, "--root", str(run / "root"), "run", *options, str(manifest)]
    with open(run / "out", "w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            process.wait(MOMENT)
        except subprocess.TimeoutExpired:
            for _ in range(2):
                process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        out.seek(0)
        text = out.read()
    name = pod["metadata"].get("name")
    if name:
        forget = [BAREPOD, "--root", str(run / "root"), "rm", "--force", str(name)]
        subprocess.run(forget, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(run, ignore_errors=True)
    # A program that the small image lacks was started as far as it goes.
    ran = re.search(r"(?m)^\S+ started$|\(execve\)|executable file not found", text) is not None
    # A container may exit with 2 as well.
    accepted = ran or process.returncode != 2
    why = next((line for line in text.splitlines() if line.startswith("error: ")), text[:120].replace("\n", " "))
    return accepted, ran, re.sub(r'"[^"]*"|[0-9]+', "...", why)


def found(folder):
    """Every pod below the folder, with its file and the objects beside it."""
    for path in sorted(folder.rglob("*.y*ml")):
        try:
            documents = [d for d in yaml.safe_load_all(path.read_text()) if isinstance(d, dict)]
        except yaml.YAMLError:
            continue
        beside = [d for d in documents if d.get("kind") in {"ConfigMap", "Secret"}]
        pods = filter(None, map(pod_of, documents))
        yield from ((path, pod, beside) for pod in pods if isinstance(pod.get("spec"), dict))


def main():
    folder, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10**9
    counts, refusals, waits = collections.Counter(), collections.Counter(), []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        work = pathlib.Path(work)
        (work / "bundle").mkdir()
        bundle(work / "bundle")
        pods = list(found(folder))[:limit]
        with concurrent.futures.ThreadPoolExecutor(max_workers=6) as pool:
            outcomes = pool.map(lambda one: attempt(one[1], one[2], work), pods)
            for (path, _, _), (accepted, ran, why) in zip(pods, outcomes):
                counts["accepted"] += accepted
                counts["ran"] += ran
                if not accepted:
                    refusals[why] += 1
                elif not ran:
                    waits.append(f"{path.relative_to(folder)}: {why}")
    print(f"{len(pods)} pods: {counts['accepted']} accepted, {counts['ran']} ran")
    for why, count in refusals.most_common():
        print(f"{count:4}  {why}")
    for line in waits:
        print(f"      accepted, not started: {line}")


if __name__ == "__main__":
    main()
