"""Where the benchmark plays: a folder with the root file system, the FIFO of the stamps, and what is needed to leave
nothing behind. Knows no runtime."""

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import namedtuple
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DEADLINE = 60  # seconds: longer than this nothing here may take

# One line of a FIFO: see stamp.c. `at` is CLOCK_MONOTONIC in nanoseconds.
Stamp = namedtuple("Stamp", "name what at")


class Failed(Exception):
    """Something that was to be measured didn't work."""


class Stage:
    """A folder below /run, as runtimes keep their state there. A context manager: gone at the end.

    In memory, as /run is where systemd or an initramfs has set it up: on a box where it lies on ext4, what is measured
    else is ext4 looking for inodes that nobody has deleted in the last seconds (63% of all time, by perf)."""

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="barepod-bench.", dir="/run"))
        self.undo = []
        self.fifo = None
        # scripts/bench has given us a mount namespace.
        subprocess.run(["mount", "-t", "tmpfs", "barepod-bench", self.dir], check=True)
        try:
            self._furnish()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _furnish(self):
        self.root = self.dir / "root"
        self.stamps = self.dir / "stamps"
        self.stamp = self.root / "bin/stamp"
        self.log = self.dir / "log"
        shutil.copytree(TOP / "rootfs/busybox/root", self.root, symlinks=True)
        source = Path(__file__).with_name("stamp.c")
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-static", "-o", self.stamp, source], check=True)
        (self.root / "stamps").mkdir()
        self.stamps.mkdir()
        os.mkfifo(self.stamps / "fifo")
        # Both directions: never at its end, and writers never wait for a reader.
        self.fifo = os.open(self.stamps / "fifo", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def __exit__(self, *_):
        for step in reversed(self.undo):
            try:
                step()
            except (Failed, OSError, subprocess.SubprocessError) as error:
                print(f"cleaning up: {error}")
        if self.fifo is not None:
            os.close(self.fifo)
        subprocess.run(["umount", "--lazy", self.dir], check=True)
        self.dir.rmdir()

    def stamped(self, words, name="run", private=False):
        """`words` under `stamp run`, with everything it starts in a mount namespace of its own if `private`."""
        command = [self.stamp, "run", self.stamps / "fifo", name, *words]
        return in_private_mounts(command) if private else command

    def run(self, words, **how):
        """Runs a command under `stamp run`; fails if it does."""
        self.must(self.stamped(words, **how))

    def must(self, command):
        """Runs a command, its output to a file that is shown if it fails."""
        with open(self.log, "wb") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=DEADLINE)
        if done.returncode != 0:
            said = self.log.read_text(errors="replace").strip().splitlines() or ["(silently)"]
            tail = " ".join(map(str, command[-4:]))
            raise Failed(f"... {tail}: ended with {done.returncode}: {said[-1]}")

    def read(self):
        """All stamps since the last call: {(name, what): at}, the first where a pair came twice."""
        found = {}
        text = b""
        while chunk := self._chunk():
            text += chunk
        for line in text.decode().splitlines():
            name, what, at = line.split()
            found.setdefault((name, what), int(at))
        return found

    def _chunk(self):
        try:
            return os.read(self.fifo, 65536)
        except BlockingIOError:
            return b""

    def wait_for(self, wanted):
        """Stamps, once all `wanted` pairs have come."""
        found = {}
        ends = time.monotonic() + DEADLINE
        while not wanted <= found.keys():
            if not select.select([self.fifo], [], [], max(0, ends - time.monotonic()))[0]:
                raise Failed(f"no stamp {wanted - found.keys()} within {DEADLINE} s")
            found |= self.read()
        return found


# On a hybrid box old crun stumbles over the v2 hierarchy beside v1; in a mount namespace of its own that can be hidden
# from it without the machine noticing.
HIDE_UNIFIED = """
if [ -e /sys/fs/cgroup/cgroup.controllers ] || ! grep -q ' /sys/fs/cgroup/unified ' /proc/self/mountinfo; then
  exec "$@"
fi
umount /sys/fs/cgroup/unified && exec "$@"
"""


def in_private_mounts(command):
    """`command` where mounts are its own, and a hybrid box looks like cgroup v1."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE_UNIFIED, "sh", *command]
