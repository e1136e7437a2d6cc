"""Pulls of one image from Debian's docker-registry on loopback, by barepod, by podman, and by skopeo with umoci: from the first
question until all of it is on the disk. Beside them what decompressing its layers alone takes. And starts of the image once it is
there, beside starts of the same files from a folder."""

import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from runtimes import MS
from stage import TOP, Failed, in_private_mounts

MIB = 2**20
# Bytes of the disk, most of which are never written.
DISK = 64 * 2**30
# Seconds for one command.
PATIENCE = 900
# What the layers have of all files, in parts of it: images have one or two large ones.
LAYERS = (0.45, 0.25, 0.15, 0.1, 0.05)
PACKED = {"gzip": ["gzip", "-6", "-n"], "zstd": ["zstd", "-3", "-q"]}
# How the layers are decompressed to nowhere: by one process at a time, and by as many as there are processors.
ALONE = ("one by one", "on all processors")
# What only writing the files takes.
COPY = "cp -a of the unpacked layers"
UNPACK = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dcq"]}


def missing():
    """Programs that aren't here."""
    return [name for name in ("skopeo", "umoci", "gzip", "zstd") if shutil.which(name) is None] + (
        [] if registry_program() else ["docker-registry"]
    )


def registry_program():
    unpacked = TOP / "target/tools/docker-registry/usr/bin/docker-registry"
    return shutil.which("docker-registry") or (unpacked if unpacked.exists() else None)


class Disk:
    """A new ext4 as mkfs makes it, in a file below $BAREPOD_BENCH_DISK, by default /var/tmp. The stage itself is in memory.

    Of its own: where ext4 has no journal, as on some machines' only disk, it doesn't give an inode away again for a minute, and looks at
    all that were deleted since each time that a file is made. Whoever pulled after an image was removed took three times as long."""

    def __init__(self, stage):
        parent = Path(tempfile.mkdtemp(prefix="barepod-bench.", dir=os.environ.get("BAREPOD_BENCH_DISK", "/var/tmp")))
        stage.undo.append(lambda: shutil.rmtree(parent))
        self.dir, image = parent / "disk", parent / "disk.img"
        self.dir.mkdir()
        self.log = parent / "log"
        with open(image, "wb") as file:
            file.truncate(DISK)
        self.must(["mkfs.ext4", "-q", image])
        # scripts/bench has given us a mount namespace. Nothing is written behind our back.
        self.must(["mount", "-o", "loop,noinit_itable", image, self.dir])
        stage.undo.append(lambda: self.must(["umount", self.dir]))

    def must(self, command, **how):
        """Runs a command to its end, which must be good."""
        with open(self.log, "wb") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=log, timeout=PATIENCE, **{"stdout": log, **how})
        if done.returncode != 0:
            said = self.log.read_text(errors="replace").strip().splitlines() or ["(silently)"]
            raise Failed(f"{' '.join(map(str, command))}: ended with {done.returncode}: {said[-1]}")

    def sync(self):
        self.must(["sync", "--file-system", self.dir])

    def timed(self, *commands):
        """Seconds that commands take, one after the other, until all that they wrote is on the disk; and what of the processor."""
        self.sync()
        began, used = time.monotonic(), cpu()
        for command in commands:
            self.must(command)
        self.sync()
        return time.monotonic() - began, cpu() - used


def cpu():
    """Seconds that all children had of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Image:
    """An image of files of this box, in a layout: under the tags gzip and zstd, by which its layers are packed."""

    def __init__(self, disk, root, megabytes):
        """`root`: a folder that is its first layer, and has /bin/stamp."""
        self.layout, self.root = disk.dir / "layout", root
        self.blobs = self.layout / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        self.layers = {kind: [] for kind in PACKED}
        self.diff_ids, self.bytes = [], 0
        self._layer(disk, ["-C", root, "."])
        for number, part in enumerate(parts(megabytes * MIB)):
            names = disk.dir / f"names-{number}"
            names.write_bytes(b"\0".join(os.fsencode(name) for name in part))
            self._layer(disk, ["-C", "/", "--no-recursion", "--null", "--files-from", names])
        for kind in PACKED:
            self._name(kind)
        (self.layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def _layer(self, disk, words):
        tar = disk.dir / "layer.tar"
        disk.must(["tar", "--numeric-owner", "--sort=name", "-cf", tar, *words])
        self.diff_ids.append("sha256:" + digest(tar))
        self.bytes += tar.stat().st_size
        for kind, words in PACKED.items():
            packed = disk.dir / f"layer.{kind}"
            with open(packed, "wb") as file:
                disk.must([*words, "-c", tar], stdout=file)
            self.layers[kind].append(self._keep(packed, f"application/vnd.oci.image.layer.v1.tar+{kind}"))
        tar.unlink()

    def _keep(self, path, media_type):
        """Makes a blob of a file; gives what describes it."""
        name, size = digest(path), path.stat().st_size
        path.rename(self.blobs / name)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": size}

    def _document(self, document, media_type):
        path = self.layout / "document"
        path.write_text(json.dumps(document))
        return self._keep(path, media_type)

    def _name(self, kind):
        processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        config = {"os": "linux", "architecture": processor, "config": {}, "rootfs": rootfs}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._document(config, "application/vnd.oci.image.config.v1+json"),
            "layers": self.layers[kind],
        }
        found = self._document(manifest, manifest["mediaType"]) | {"annotations": {"org.opencontainers.image.ref.name": kind}}
        path = self.layout / "index.json"
        index = json.loads(path.read_text()) if path.exists() else {"schemaVersion": 2, "manifests": []}
        index["manifests"].append(found)
        path.write_text(json.dumps(index))

    def packed(self, kind):
        """Its layers' files, the largest first, and the bytes of all."""
        layers = sorted(self.layers[kind], key=lambda layer: -layer["size"])
        return [self.blobs / layer["digest"].removeprefix("sha256:") for layer in layers], sum(one["size"] for one in layers)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts(total):
    """Names of files of this box, without the slash before them: so many bytes, spread over /usr by chance but always alike; with the
    folders that they are in. One list for each layer."""
    found = []
    for top in ("/usr/bin", "/usr/lib", "/usr/share"):
        for folder, _, names in os.walk(top):
            found += [f"{folder}/{name}"[1:] for name in names]
    found.sort(key=lambda name: hashlib.sha1(os.fsencode(name)).digest())
    files = iter(found)
    for share in LAYERS:
        left, part = total * share, set()
        while left > 0:
            name = next(files, None)
            if name is None:
                raise Failed(f"/usr has fewer than {total // MIB} MiB")
            data = os.lstat(f"/{name}")
            # What is larger than the layer is another image's.
            if data.st_size > left + MIB or not (os.path.islink(f"/{name}") or os.path.isfile(f"/{name}")):
                continue
            left -= data.st_size
            part |= {name} | {str(parent) for parent in Path(name).parents if str(parent) != "."}
        yield sorted(part)


class Registry:
    """docker-registry, without TLS and logins."""

    def __init__(self, stage, disk):
        self.log = disk.dir / "registry.log"
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(disk.dir / "registry")}},
            "http": {"addr": "127.0.0.1:0", "secret": "secret"},
        }
        path = disk.dir / "registry.yml"
        # JSON is YAML.
        path.write_text(json.dumps(config))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([registry_program(), "serve", path], stdout=log, stderr=log)
        stage.undo.append(self.stop)
        self.host = self._host()

    def _host(self):
        ends = time.monotonic() + 30
        while time.monotonic() < ends and self.process.poll() is None:
            _, found, rest = self.log.read_text().partition("listening on ")
            if found and '"' in rest:
                return rest.partition('"')[0]
            time.sleep(0.05)
        raise Failed(f"docker-registry doesn't serve: {self.log.read_text()}")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Barepod:
    name = "barepod image pull"

    def __init__(self, disk, registry, binary):
        self.dir = disk.dir / "barepod"
        conf = disk.dir / "registries.conf"
        conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
        self.words = ["env", f"CONTAINERS_REGISTRIES_CONF={conf}", binary, "--root", self.dir]

    def commands(self, name):
        return [[*self.words, "image", "pull", "--quiet", name]]


class Podman:
    name = "podman pull"

    def __init__(self, disk, podman):
        self.dir = disk.dir / "podman"
        self.words = ["podman", "--root", self.dir / "store", "--runroot", self.dir / "run", "--tmpdir", self.dir / "tmp"]
        self.words += ["--storage-driver", "overlay"]

    def commands(self, name):
        return [in_private_mounts([*self.words, "pull", "--quiet", "--tls-verify=false", name])]


class Umoci:
    name = "skopeo copy, umoci unpack"

    def __init__(self, disk):
        self.dir = disk.dir / "umoci"
        self.rootfs = self.dir / "bundle/rootfs"

    def commands(self, name):
        layout = f"{self.dir / 'layout'}:image"
        self.dir.mkdir()
        copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}"]
        return [copy, ["umoci", "unpack", "--image", layout, self.dir / "bundle"]]


class Pulls:
    """The image in the registry, and who pulls it."""

    def __init__(self, stage, barepod, podman, megabytes):
        self.stage, self.barepod = stage, barepod
        self.disk = Disk(stage)
        self.image = Image(self.disk, stage.root, megabytes)
        self.registry = Registry(stage, self.disk)
        self.umoci = Umoci(self.disk)
        self.trees = self.disk.dir / "trees"
        self.pullers = [Barepod(self.disk, self.registry, barepod.binary)] + ([Podman(self.disk, podman)] if podman else [])
        self.pullers.append(self.umoci)
        for kind in PACKED:
            self.disk.must(
                ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]
                + [f"oci:{self.image.layout}:{kind}", f"docker://{self.name(kind)}"]
            )

    def name(self, kind):
        return f"{self.registry.host}/bench:{kind}"

    def figures(self, kind, rounds):
        """Medians of seconds, and of those of the processor, by the name of who pulls; in turns, so that what disturbs the box disturbs
        all. Who can't is left out; what decompressing alone takes is among them."""
        found, notes = {}, []
        pullers = list(self.pullers)
        for _ in range(rounds):
            for puller in list(pullers):
                try:
                    figures = self.disk.timed(*puller.commands(self.name(kind)))
                    found.setdefault(puller.name, []).append(figures)
                    if puller is self.pullers[0]:
                        self.keep()
                except Failed as error:
                    if puller is self.pullers[0]:
                        raise
                    pullers.remove(puller)
                    notes.append(f"{puller.name} can't have the image by {kind}: {error}")
                finally:
                    shutil.rmtree(puller.dir, ignore_errors=True)
            for name, processes in zip(ALONE, (1, os.cpu_count())):
                found.setdefault(name, []).append(self.decompressed(kind, processes))
            found.setdefault(COPY, []).append(self.copied())
        medians = {name: tuple(map(statistics.median, zip(*all_of_it))) for name, all_of_it in found.items()}
        return medians, notes

    def keep(self):
        """The first pull's layers stay, to be copied."""
        if not self.trees.exists():
            (self.pullers[0].dir / "data/images/layers").rename(self.trees)

    def copied(self):
        """The unpacked layers, which are in memory, once more onto the disk."""
        copy = self.disk.dir / "copy"
        try:
            return self.disk.timed(["cp", "-a", self.trees, copy])
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def decompressed(self, kind, processes):
        """The layers' files, by so many processes at a time, to nowhere."""
        files, _ = self.image.packed(kind)
        began, used = time.monotonic(), cpu()
        words = ["xargs", "--null", "--max-args=1", f"--max-procs={processes}", *UNPACK[kind]]
        text = b"\0".join(os.fsencode(file) for file in files)
        done = subprocess.run(words, input=text, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: ended with {done.returncode}")
        return time.monotonic() - began, cpu() - used

    def starts(self, rounds):
        """Milliseconds to the first instruction and to the end of a pod, of the image when it is there, and of the same files as a
        folder. The registry has ended."""
        puller = self.pullers[0]
        for command in puller.commands(self.name("gzip")) + self.umoci.commands(self.name("gzip")):
            self.disk.must(command)
        self.registry.stop()
        images = {"image": self.name("gzip"), "rootfs": f"rootfs:{self.umoci.rootfs}"}
        found = {name: [] for name in images}
        for number in range(rounds + 1):
            for name, image in images.items():
                figures = self._start(puller, f"bench-{name}", image)
                # Once without counting: page cache.
                if number > 0:
                    found[name].append(figures)
        return {name: {key: statistics.median(one[key] for one in all_of_it) for key in all_of_it[0]} for name, all_of_it in found.items()}

    def _start(self, puller, name, image):
        main = self.barepod.container("main", "once") | {"image": image, "imagePullPolicy": "IfNotPresent"}
        manifest = self.barepod.manifest(name, main=[main])
        pod = json.loads(manifest.read_text())
        del pod["spec"]["initContainers"]
        manifest.write_text(json.dumps(pod))
        self.stage.run([*puller.words, "run", "--quiet", manifest])
        at = self.stage.read()
        self.stage.must([*puller.words, "rm", "--force", name])
        began = at["run", "exec"]
        return {"start": (at["main", "first"] - began) / MS, "end": (at["run", "end"] - began) / MS}
