#!/usr/bin/env python3
"""Public manifest files, run as people would: `tests/public-files.py FOLDER [LIMIT] [--dry]`.

Gives every file of a folder (and of those below it) to `barepod run -d` as it is, with nothing but `image:` replaced by one
bundle and an empty folder for each claim, and waits a moment. Prints how many files were accepted, how many ran (each container
of each pod was started), and why the others were refused: by their first errors, with all that is quoted and all numbers left out.
With --dry nothing runs: a file with one Pod goes through `barepod simulate`.

Other than tests/public-manifests.py it doesn't take pods out of what would make them: what barepod says to the file counts.
Files without apiVersion, templates that are no YAML, and files without a Pod or what makes some are passed over, and counted.

Needs root but for --dry, busybox and python3-yaml; BAREPOD names the binary (default: target/release/barepod), MOMENT the seconds
that each file gets. The files are not part of this repository: docs/quality.md names the sources and the numbers.
"""
import argparse, collections, concurrent.futures, json, os, pathlib, re, shutil, subprocess, tempfile
import yaml

BAREPOD = os.environ.get("BAREPOD", "target/release/barepod")
MOMENT = float(os.environ.get("MOMENT", "3"))
RUNS = {"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"}
PROGRAMS = ["sh", "sleep", "cat", "echo", "true", "test", "ls", "mkdir", "chown", "chmod", "cp", "env"]


def bundle(folder):
    """A bundle whose program waits: images of strangers bring a command, too."""
    rootfs = folder / "rootfs"
    for name in ["bin", "etc", "proc", "sys", "dev", "tmp", "run"]:
        (rootfs / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), rootfs / "bin/busybox")
    for name in PROGRAMS:
        (rootfs / "bin" / name).symlink_to("busybox")
    process = {"args": ["sleep", "60"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
    config = {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "process": process}
    (folder / "config.json").write_text(json.dumps(config))


def objects(node):
    """The objects of a document, those in lists one by one."""
    if isinstance(node, dict) and "apiVersion" in node:
        items = node.get("items")
        if str(node.get("kind", "")).endswith("List") and isinstance(items, list):
            given = {"apiVersion": "v1", "kind": node["kind"].removesuffix("List")}
            return [one for item in items if isinstance(item, dict) for one in objects({**given, **item})]
        return [node]
    return []


def find(node, key):
    """All values of a key, wherever it stands."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from find(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find(value, key)


def with_image(node, image):
    """Puts the image in the place of every container's."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in {"containers", "initContainers"} and isinstance(value, list):
                for container in filter(lambda one: isinstance(one, dict), value):
                    container["image"] = image
            with_image(value, image)
    elif isinstance(node, list):
        for value in node:
            with_image(value, image)


def barepod(root, *words):
    done = subprocess.run([BAREPOD, "--root", str(root), *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def reasons(text):
    """The errors' first words, each once."""
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    return sorted({re.sub(r"\([^)]*\)", "(...)", re.sub(r'"[^"]*"|[0-9]+', "...", line))[:160] for line in lines})


def started(root):
    """Whether each container was started, or lacked nothing but its program in the small image."""
    code, out, _ = barepod(root, "get", "-o", "json")
    if code != 0:
        return False
    got = json.loads(out)
    pods = got.get("items", [got])
    for pod in pods:
        spec, status = pod["spec"], pod.get("status", {})
        names = [one["name"] for one in spec["containers"]]
        told = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
        text = json.dumps(status)
        lacks = "execve" in text or "executable file not found" in text
        ran = {one["name"] for one in told if {"running", "terminated"} & set(one.get("state", {})) or one.get("restartCount")}
        if not lacks and not set(names) <= ran:
            return False
    return bool(pods)


def attempt(path, documents, work, dry):
    """accepted, ran, and why not."""
    with_image(documents, f"bundle:{work / 'bundle'}")
    run = pathlib.Path(tempfile.mkdtemp(dir=work))
    manifest = run / "file.yaml"
    manifest.write_text(yaml.safe_dump_all(documents))
    try:
        if dry:
            code, _, err = barepod(run / "root", "simulate", manifest)
            return code == 0, False, reasons(err)
        options = []
        for claim in sorted({one["claimName"] for one in find(documents, "persistentVolumeClaim") if isinstance(one, dict) and "claimName" in one}):
            (run / "claims" / claim).mkdir(parents=True)
            options.append(f"--volume={claim}={run / 'claims' / claim}")
        code, _, err = barepod(run / "root", "run", "-d", *options, manifest)
        if code == 2:
            return False, False, reasons(err)
        names = json.loads(barepod(run / "root", "get", "-o", "json")[1] or '{"items": []}')
        if names.get("items") != []:
            subprocess.run(["timeout", str(MOMENT), BAREPOD, "--root", str(run / "root"), "wait", "--all", "--for=condition=Ready", "--timeout=1h"], capture_output=True, check=False)
        return True, started(run / "root"), reasons(err) or ["not started in time"]
    finally:
        if not dry:
            barepod(run / "root", "rm", "--force", "--all")
        shutil.rmtree(run, ignore_errors=True)


def found(folder, passed):
    """Every file of Kubernetes objects, read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".yaml", ".yml", ".json"} or not path.is_file():
            continue
        try:
            documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
        except (yaml.YAMLError, UnicodeDecodeError, ValueError):
            passed["no YAML"] += 1
            continue
        if not documents or not all(map(objects, documents)):
            passed["no objects"] += 1
        elif not any(one.get("kind") in RUNS for document in documents for one in objects(document)):
            passed["nothing that runs"] += 1
        else:
            yield path, documents


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("limit", type=int, nargs="?", default=10**9)
    parser.add_argument("--dry", action="store_true")
    asked = parser.parse_args()
    counts, refusals, kinds, passed, waits = (collections.Counter() for _ in range(5))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        work = pathlib.Path(work)
        (work / "bundle").mkdir()
        bundle(work / "bundle")
        files = list(found(asked.folder, passed))[: asked.limit]
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            outcomes = pool.map(lambda one: attempt(*one, work, asked.dry), files)
            for (path, documents), (accepted, ran, why) in zip(files, outcomes):
                held = "+".join(sorted({str(one.get("kind")) for document in documents for one in objects(document)}))
                counts["accepted"] += accepted
                counts["ran"] += ran
                if not accepted:
                    kinds[held] += 1
                    refusals.update(why or ["no error was said"])
                elif not ran and not asked.dry:
                    waits[f"{path.relative_to(asked.folder)}: {why[0]}"] += 1
    told = "simulated" if asked.dry else f"{counts['ran']} ran"
    print(f"{len(files)} files: {counts['accepted']} accepted, {told}; passed over: {dict(passed)}")
    for title, counter in [("refused, by reason", refusals), ("refused, by the kinds in the file", kinds), ("accepted, not started", waits)]:
        if counter:
            print(f"\n{title}:")
        for why, count in counter.most_common():
            print(f"{count:5}  {why}")


if __name__ == "__main__":
    main()
