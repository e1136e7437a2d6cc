"""A program in a container that runs: `barepod exec` and `crun exec` in turn, each as a whole process; and bytes into it."""

import shutil
import signal
import statistics
import subprocess
from pathlib import Path

from runtimes import MS, OciRuntime
from stage import DEADLINE, in_private_mounts

POD = "bench-entered"
MIB = 256
# Fed by a pipe of the box's, read to its end in the container.
FEED = f'head -c {MIB}M /dev/zero | "$@"'
SINK = ["/bin/sh", "-c", "cat > /dev/null"]


class InPod:
    """A pod of one main that stays."""

    name = "barepod"

    def __init__(self, stage, barepod):
        self.stage, self.barepod = stage, barepod
        words = [barepod.binary, "--root", barepod.state]
        file = barepod.manifest(POD, init=[barepod.container("before", "once")], main=[barepod.container("entered", "stay")])
        stage.undo.append(lambda: barepod.forget(POD, may_be_gone=True))
        run = [*words, "run", "--quiet", file]
        with open(stage.log, "wb") as log:
            self.supervisor = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stage.wait_for({("entered", "first")})
        self.exec, self.exec_fed = [*words, "exec", POD, "--"], [*words, "exec", "-i", POD, "--"]

    def run(self, words):
        """A command of the box."""
        self.stage.run(words)

    def ticks(self):
        """Processor time of the supervisor, in ticks: proc(5), utime and stime."""
        fields = Path(f"/proc/{self.supervisor.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def end(self):
        """Ends and forgets it."""
        self.supervisor.send_signal(signal.SIGTERM)
        self.supervisor.wait(DEADLINE)
        self.barepod.forget(POD)


class InCrun:
    """A container of crun's that stays."""

    name = "crun"

    def __init__(self, stage):
        self.stage = stage
        self.runtime = OciRuntime(stage, "crun", private=True, folder="entered", program=("stay", "entered-crun"))
        run = self.runtime.words("run", "--detach", "--bundle", self.runtime.bundle, "bench-0")
        stage.must(in_private_mounts(run))
        stage.wait_for({("entered-crun", "first")})
        self.exec = self.exec_fed = self.runtime.words("exec", "bench-0")

    def run(self, words):
        """A command of the box, where crun finds its way."""
        self.stage.run(words, private=True)

    def end(self):
        """Ends and forgets it."""
        self.runtime.forget()


def figures(stage, barepod, rounds):
    """By name: milliseconds of `exec -- true`, MiB/s of bytes into `exec`; medians. And ticks of the supervisor for the bytes."""
    pod = InPod(stage, barepod)
    all_of_them = [pod] + ([InCrun(stage)] if shutil.which("crun") else [])
    took = {(one.name, what): [] for one in all_of_them for what in ("true", "bytes")}
    ticks = 0
    try:
        for number in range(rounds + 1):
            for one in all_of_them:
                one.run([*one.exec, "/bin/true"])
                spent = lasted(stage)
                # The first ones find nothing in any cache.
                if number > 0:
                    took[one.name, "true"].append(spent / MS)
        for _ in range(max(3, rounds // 4)):
            for one in all_of_them:
                before = pod.ticks()
                one.run(["sh", "-c", FEED, "sh", *one.exec_fed, *SINK])
                ticks += pod.ticks() - before
                took[one.name, "bytes"].append(MIB / (lasted(stage) / MS / 1000))
    finally:
        for one in all_of_them:
            one.end()
    stage.read()
    return {key: statistics.median(values) for key, values in took.items()}, ticks


def lasted(stage):
    """Nanoseconds of the command that was run last."""
    at = stage.read()
    return at["run", "end"] - at["run", "exec"]
