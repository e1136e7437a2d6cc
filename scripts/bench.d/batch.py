"""Many Jobs at once, of ten pods each: what a pod of them costs beside one that is run alone, and whether anything of them stays."""

import json
import os
import statistics
import time
from pathlib import Path

from many import Many
from stage import Failed
from supervisor import MIB, field

PODS = 10
# Pods that are run alone, for comparison.
ALONE = 10
# Seconds until all must run, for each Job.
PATIENCE = 30


def figures(stage, barepod, count):
    """Of `count` Jobs, begun by one `run -d`: seconds, and for each pod MiB and ms of the processor."""
    alone = Batch(stage, barepod, "alone")
    alone.begin([alone.pod(f"alone-{number}") for number in range(ALONE)])
    single = alone.cost(ALONE, [])
    alone.command("rm", "--force", "--all")
    batch = Batch(stage, barepod, "batch")
    names = [f"batch-{number}" for number in range(count)]
    began = time.monotonic()
    batch.begin([batch.job(name) for name in names])
    batch.wait(names)
    running = time.monotonic() - began
    found = batch.cost(count * PODS, names)
    jobs = [f"job/{name}" for name in names]
    stopped = batch.timed("stop", *jobs)
    removed = batch.timed("rm", *jobs)
    left = batch.left() + alone.left() + [str(path) for path in (batch.state / "jobs").glob("*")]
    return {"running": running, "single": single, "batch": found, "stop": stopped, "rm": removed, "left": left}


class Batch(Many):
    """Jobs or pods, in a state folder of their own."""

    def __init__(self, stage, barepod, name):
        super().__init__(stage, barepod)
        self.state = stage.dir / name
        stage.undo.append(self.forget)

    def pod(self, name):
        path = self.barepod.manifest(name, main=[self.barepod.container("main", "stay")])
        pod = json.loads(path.read_text())
        path.unlink()
        del pod["spec"]["initContainers"]
        return pod

    def job(self, name):
        spec = {"parallelism": PODS, "completions": PODS, "template": {"spec": self.pod(name)["spec"]}}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}

    def begin(self, objects):
        path = self.state.with_suffix(".json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.command("run", "-d", path)
        self.stage.read()

    def jobs(self):
        return json.loads(self.command("get", "jobs", "-o", "json"))["items"]

    def wait(self, names):
        """Until all pods of all Jobs are Ready."""
        ends = time.monotonic() + PATIENCE * max(1, len(names))
        while True:
            # Stamps of no interest: a FIFO that is full would keep containers waiting.
            self.stage.read()
            ready = sum(job["status"]["ready"] for job in self.jobs())
            if ready == len(names) * PODS:
                return
            if time.monotonic() > ends:
                raise Failed(f"{ready} of {len(names) * PODS} pods are ready")
            time.sleep(0.2)

    def processes(self, names):
        """Those that run these Jobs."""
        found = []
        for name in names:
            lock = (self.state / "jobs" / f"default_{name}" / "lock").resolve()
            found += [proc for proc in Path("/proc").glob("[0-9]*") if holds(proc, lock)]
        return found

    def cost(self, pods, names):
        """Of each pod: memory in MiB with its share of the Job's process, and what its supervisor has taken of the processor until it
        ran, in ms."""
        supervisors = self.supervisors()
        if len(supervisors) != pods:
            raise Failed(f"{len(supervisors)} of {pods} supervisors are there")
        controllers = set(self.processes(names))
        if len(controllers) != len(names):
            raise Failed(f"{len(controllers)} of {len(names)} Jobs' processes are there")
        pss = sum(field(proc / "smaps_rollup", "Pss:") for proc in [*supervisors, *controllers]) / MIB
        return {"pss": pss / pods, "cpu": statistics.mean(cpu(proc) for proc in supervisors)}

    def forget(self):
        super().forget()
        names = [path.name.split("_", 1)[1] for path in (self.state / "jobs").glob("*")]
        for name in names:
            self.command("rm", "--force", f"job/{name}")


def holds(proc, path):
    """Whether a process has this file open."""
    try:
        return any(os.readlink(fd) == str(path) for fd in (proc / "fd").iterdir())
    except OSError:
        return False


def cpu(proc):
    """What a process has taken of the processor, in ms, to the nanosecond."""
    threads = (proc / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6
