"""What only barepod has: an idle supervisor's memory and wake-ups, and how fast it reacts to exits."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from births import Births
from stage import DEADLINE, Failed

MIB = 1024


def idle(stage, barepod, window):
    """A sidecar and two mains that sleep: PSS in MiB, and context switches of the supervisor in `window` seconds."""
    sidecar = barepod.container("sidecar", "stay", restartPolicy="Always")
    mains = [barepod.container(name, "stay") for name in ("one", "two")]
    file = barepod.manifest("bench-idle", init=[sidecar], main=mains)
    stage.undo.append(lambda: barepod.forget("bench-idle", may_be_gone=True))
    words = [barepod.binary, "--root", barepod.state, "run", "--quiet", file]
    with open(stage.log, "wb") as log:
        supervisor = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        stage.wait_for({(name, "first") for name in ("sidecar", "one", "two")})
        until_running(barepod)
        proc = Path("/proc") / str(supervisor.pid)
        pss = field(proc / "smaps_rollup", "Pss:") / MIB
        before = switches(proc)
        time.sleep(window)
        woken = switches(proc) - before
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(DEADLINE)
    stage.read()
    barepod.forget("bench-idle")
    return pss, woken


def until_running(barepod):
    """Waits until the supervisor has written that all three run, the last thing it does before it idles."""
    words = [barepod.binary, "--root", barepod.state, "get", "bench-idle", "-o", "json"]
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        status = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=DEADLINE).stdout)["status"]
        all_of_them = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        if len(all_of_them) == 3 and all(one["ready"] and "running" in one["state"] for one in all_of_them):
            return
    raise Failed("the idle pod never became ready")


def field(path, name):
    """The number behind `name` in a file of /proc."""
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise Failed(f"{path} has no {name}")


def switches(proc):
    """How often any of a process' threads was put on a CPU."""
    names = ("voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")
    return sum(field(task / "status", name) for task in (proc / "task").iterdir() for name in names)


def reactions(stage, barepod, count):
    """Nanoseconds from an exit to the reaction to it, over `count` runs: name -> list.

    An exit is the last instruction of the container's program: what the kernel needs to end the process counts too.
    What it does with the cgroups and namespaces of the pod before, tens of milliseconds later, doesn't: the figures are
    those of an idle machine, so each run waits for one.
    """
    found = {"main exit -> SIGTERM in the sidecar": [], "init exit -> exec of the next create": []}
    found["init exit -> first instruction of the next"] = []
    term, create, first = found.values()
    with Births() as births:
        for _ in range(count):
            until_idle()
            stage.run(barepod.words)
            at = stage.read()
            exited = at["init", "last"]
            term.append(at["sidecar", "term"] - at["main", "last"])
            first.append(at["sidecar", "first"] - exited)
            create.append(births.first_after(exited, "barepod:create") - exited)
    barepod.forget("bench")
    return found


def until_idle():
    """Waits until every CPU has done nothing for a while. Processor time is counted in ticks of some milliseconds."""
    ticks = 3
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        before = busy_ticks()
        time.sleep(ticks / os.sysconf("SC_CLK_TCK"))
        if busy_ticks() == before:
            return
    raise Failed(f"the machine was never idle within {DEADLINE} s: the reaction times need it to be")


def busy_ticks():
    """Ticks all CPUs have spent on anything since the machine started: user, nice, system, irq, softirq, steal."""
    user, nice, system, _idle, _iowait, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return user + nice + system + sum(interrupts[:3])


def percentile(values, percent):
    """The smallest value that `percent` of all don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
