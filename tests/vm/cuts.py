"""A box whose power goes at any moment: what it has of images after each cut.

usage: cuts.py FOLDER BAREPOD MOMENTS SEED
FOLDER has vmlinuz and initramfs (tests/vm/kernel), BAREPOD is static. One disk is booted MOMENTS + 1 times; QEMU is killed
at a random moment of each boot but the last, while the guest (tests/vm/cuts-init) pulls, unpacks, runs, removes and prunes. After each boot: every image that is shown is whole and starts without its source, no image is gone
that had been pulled and wasn't being removed, and after the next command nothing half-done is left. Last line: `N passed, M failed`,
in the words that scripts/test counts.

A cut loses what the guest's kernel hadn't written to its disk yet. What the disk has accepted stays, flushed or not, as this box
keeps it: a disk that loses or reorders what is in its own cache isn't tried here.
"""

import hashlib
import io
import json
import os
import pathlib
import random
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BOOT = 120
LAYER = "application/vnd.oci.image.layer.v1.tar"


def layer(files):
    """A tar archive of (name, mode, content); a text as content is a link's target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, mode, content in files:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = mode, 1_600_000_000.25
            if content is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def layout(folder, source):
    """An OCI layout with the images; gives the digests of layers, and what a pod of each prints."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def keep(content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
    base = layer([("bin", 0o755, None), ("bin/busybox", 0o755, busybox)])

    def image(name, megabytes, number):
        large = source.randbytes(megabytes << 20)
        many = [(f"many/{each}", 0o644, source.randbytes(source.randrange(3000))) for each in range(number)]
        own = layer([("many", 0o755, None), *many, ("link", 0o777, "name"), ("large", 0o600, large)])
        top = layer([("name", 0o644, name.encode())])
        layers = [base, own, top]
        ids = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
        config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
        described = {"mediaType": "application/vnd.oci.image.config.v1+json", **keep(json.dumps(config).encode())}
        manifest = {"schemaVersion": 2, "config": described, "layers": [{"mediaType": LAYER, **keep(one)} for one in layers]}
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **keep(json.dumps(manifest).encode())}
        entry["annotations"] = {"org.opencontainers.image.ref.name": name.split("-")[0]}
        return entry, {one.removeprefix("sha256:") for one in ids}, hashlib.sha256(name.encode() + large).hexdigest()

    made = {name: image(name, *size) for name, size in {"a": (1, 20), "b": (1, 60), "c": (4, 200), "web-1": (1, 30), "web-2": (1, 30)}.items()}
    for number in "12":
        entries = [made[name][0] for name in ["a", "b", "c", f"web-{number}"]]
        (folder / f"index-{number}.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return {name: (ids, shown) for name, (_, ids, shown) in made.items()}


def disk(path, barepod, source):
    """The guest's root disk, an ext4 with a journal, as boxes have it."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        for name in ["bin", "dev", "proc", "sys", "run", "tmp", "root", "etc", "source", "var/lib", "var/log"]:
            (root / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        for name in subprocess.run(["busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        shutil.copy(barepod, root / "bin/barepod")
        subprocess.run(["strip", "--strip-debug", root / "bin/barepod"], check=True)
        shutil.copy(HERE / "cuts-init", root / "init")
        (root / "init").chmod(0o755)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\n")
        images = layout(root / "layout", source)
        with open(path, "wb") as file:
            file.truncate(768 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", "-m", "0", "-d", root, path], check=True)
    return images


class Box:
    """One boot of the box."""

    def __init__(self, folder, path, seed):
        words = f"console=ttyS0 quiet loglevel=4 panic=-1 cgroup_no_v1=all mitigations=off random.trust_cpu=on cuts={seed}"
        # Of the processor scripts/vm-test says why.
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=128", "-cpu", "qemu64,+rdrand,+fsgsbase,+rdtscp,+ssse3,+sse4.1,+sse4.2,+popcnt",
             "-smp", "2", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", folder / "vmlinuz",
             "-initrd", folder / "initramfs", "-append", words, "-drive", f"file={path},format=raw,if=virtio,cache=writeback", "-serial", "stdio"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.rest, self.log = b"", []

    def lines(self, until):
        """What the guest says up to a moment, or to the end of the box."""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.qemu.stdout], [], [], left)[0]:
                return
            said = os.read(self.qemu.stdout.fileno(), 65536)
            if not said:
                return
            *lines, self.rest = (self.rest + said).split(b"\n")
            for line in lines:
                line = line.decode(errors="replace").strip("\r")
                self.log.append(line)
                if line.startswith("cut: "):
                    yield line.removeprefix("cut: ")

    def cut(self):
        """Ends it; what it had said by then."""
        self.qemu.kill()
        said = list(self.lines(time.monotonic() + 5))
        self.qemu.wait()
        return said


class Known:
    """What is known of the box's images from what it has said."""

    def __init__(self):
        self.there, self.doing = set(), ""

    def hear(self, line):
        step, _, what = line.partition(" ")
        if step == "begin":
            self.doing = what
            removed = {"rm": what.partition(" ")[2], "prune": None}.get(what.split()[0], "")
            # From here on each of them may be gone.
            self.there = set() if removed is None else self.there - {removed}
        elif step == "end":
            self.doing = ""
            if what.startswith("pull "):
                self.there.add(what.removeprefix("pull "))
            elif what == "run":
                self.there.add("b")


def look(box, images, known):
    """What is wrong after a boot; what the box shows is known from then on."""
    wrong, has, ran, verified, layers, ready = [], set(), {}, 0, set(), False
    for line in box.lines(time.monotonic() + BOOT):
        kind, _, rest = line.partition(" ")
        if kind == "has":
            has.add(rest.removeprefix("oci:/source:"))
        elif kind == "verify" and rest.endswith(" is whole"):
            verified += 1
        elif kind == "layer":
            layers.add(rest)
        elif kind == "ran":
            name, _, shown = rest.removeprefix("oci:/source:").partition(" ")
            ran[name] = shown
        elif kind in ("verify", "half", "failed:", "why"):
            wrong.append(line)
        elif kind == "ready":
            ready = True
            break
    if not ready:
        return wrong + ["the box didn't come up; the end of its console:", *box.log[-15:]], has
    if gone := known.there - has:
        wrong.append(f"gone, though pulled before: {', '.join(sorted(gone))}")
    if verified != len(has):
        wrong.append(f"{len(has)} images, of which {verified} are whole")
    wanted = set()
    for name in has:
        which = [one for one in images if one.split("-")[0] == name and images[one][1] == ran.get(name)]
        if not which:
            wrong.append(f"a pod of {name} shows {ran.get(name)!r}")
            continue
        wanted |= images[which[0]][0]
    if not wrong and layers != wanted:
        wrong.append(f"layers of no image: {sorted(layers - wanted)}, missing: {sorted(wanted - layers)}")
    return wrong, has


def main():
    folder, barepod, moments, seed = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    source = random.Random(seed)
    passed, failed, doing, last = 0, 0, {}, "nothing"
    known, began = Known(), time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        path = pathlib.Path(work) / "disk"
        images = disk(path, barepod, source)
        for moment in range(moments + 1):
            box = Box(folder, path, source.randrange(1 << 30))
            try:
                wrong, has = look(box, images, known)
                known.there, known.doing = set(has), ""
                if wrong:
                    failed += 1
                    print(f"after cut {moment}, in {last}: FAILED\n  " + "\n  ".join(wrong), flush=True)
                    if "the box didn't come up" in " ".join(wrong):
                        break
                elif moment:
                    passed += 1
                said = [] if moment == moments else list(box.lines(time.monotonic() + source.uniform(0, 4)))
            finally:
                rest = box.cut()
            for line in said + rest:
                known.hear(line)
                if line.startswith(("failed", "why")):
                    failed += line.startswith("failed")
                    print(f"before cut {moment + 1}: {line}")
            last = known.doing or "nothing"
            doing[last] = doing.get(last, 0) + (moment < moments)
    print("cut in " + ", ".join(f"{what} ({number})" for what, number in sorted(doing.items()) if number))
    print(f"seed {seed}, {time.monotonic() - began:.0f} s")
    print(f"test result: {passed} passed; {failed} failed")
    return bool(failed) or passed < moments


if __name__ == "__main__":
    sys.exit(main())
