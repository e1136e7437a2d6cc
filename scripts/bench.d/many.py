"""Many pods at once, each in the background with a supervisor of its own: what one more costs, what all of them take, how fast they
are listed, stopped and gone."""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from stage import Failed
from supervisor import MIB, field

LABEL = "bench=many"
# Seconds for one command about all of them.
PATIENCE = 900
# So many starts in a row are compared: one alone says little.
SAMPLE = 5
LOOKS = 5


def figures(stage, barepod, count):
    """Of `count` pods of an init container and two mains that stay: seconds, MiB, and what is left when they are gone."""
    many = Many(stage, barepod)
    stage.undo.append(many.forget)
    starts = [many.start(number) for number in range(count)]
    few, all_there = (statistics.median(some) for some in (starts[:SAMPLE], starts[-SAMPLE:]))
    looks = [many.look(count) for _ in range(LOOKS)]
    pss = many.pss(count)
    stopped = many.timed("stop", "-l", LABEL)
    removed = many.timed("rm", "-l", LABEL)
    return {
        "first starts": few,
        "last starts": all_there,
        "get": statistics.median(looks),
        "pss": pss,
        "stop": stopped,
        "rm": removed,
        "left": many.left(),
    }


class Many:
    """The pods, in a state folder of their own."""

    def __init__(self, stage, barepod):
        self.stage, self.barepod = stage, barepod
        self.state = stage.dir / "many"

    def command(self, *words):
        """Runs one to its end; gives what it prints."""
        command = [self.barepod.binary, "--root", self.state, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, words))}: ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def timed(self, *words):
        """Seconds that a command takes."""
        began = time.monotonic()
        self.command(*words)
        return time.monotonic() - began

    def start(self, number):
        """Starts one and waits until it is ready: in seconds."""
        name = f"many-{number}"
        sidecar = self.barepod.container("sidecar", "stay", restartPolicy="Always")
        mains = [self.barepod.container(main, "stay") for main in ("one", "two")]
        path = self.barepod.manifest(name, init=[sidecar], main=mains)
        pod = json.loads(path.read_text())
        pod["metadata"]["labels"] = dict([LABEL.split("=")])
        path.write_text(json.dumps(pod))
        took = self.timed("run", "-d", "--wait", path)
        # Stamps of no interest: a FIFO that is full would keep containers waiting.
        self.stage.read()
        path.unlink()
        return took

    def look(self, count):
        """Lists them all: in seconds."""
        began = time.monotonic()
        lines = self.command("get", "--no-headers").splitlines()
        took = time.monotonic() - began
        running = sum("Running" in line for line in lines)
        if running != count:
            raise Failed(f"{running} of {count} pods are running")
        return took

    def supervisors(self):
        """The /proc folders of their processes."""
        ledgers = (self.state / "pods").glob("*/ledger.json")
        return [Path("/proc") / str(json.loads(ledger.read_text())["supervisor_pid"]) for ledger in ledgers]

    def pss(self, count):
        """What all supervisors have in memory, in MiB, pages that they share counted once."""
        all_of_them = self.supervisors()
        if len(all_of_them) != count:
            raise Failed(f"{len(all_of_them)} of {count} supervisors are there")
        return sum(field(proc / "smaps_rollup", "Pss:") for proc in all_of_them) / MIB

    def left(self):
        """What there is of them after `rm`: folders, mounts, cgroups, processes."""
        found = [str(path) for path in (self.state / "pods").glob("*")]
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [line.split()[4] for line in mounts if line.split()[4].startswith(f"{self.state}/")]
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            found += [f"{folder}/{name}" for name in names if "many-" in name]
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                words = (proc / "cmdline").read_bytes()
            except OSError:
                continue
            if str(self.state).encode() in words:
                found.append(str(proc))
        return found

    def forget(self):
        """Whatever of them there is."""
        command = [self.barepod.binary, "--root", self.state, "rm", "--force", "--all"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE)
