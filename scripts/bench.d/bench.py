"""One run, one table. What is measured is in runtimes.py (start and end of the same containers, side by side),
entered.py (`exec`, likewise), logged.py (logs, beside conmon), many.py (hundreds of pods), batch.py
(Jobs), pulled.py (images from a registry) and
supervisor.py (memory, wake-ups, reactions); here is the order of it and what was promised."""

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys

import batch
import entered
import logged
import many
import probed
import pulled
import runtimes
import supervisor
from stage import Failed, Stage

USUAL = {"rounds": 20, "transitions": 1000, "window": 30, "pods": 300, "jobs": 200, "megabytes": 2000, "pulls": 7, "image": 500}
QUICK = {"rounds": 5, "transitions": 50, "window": 5, "pods": 20, "jobs": 3, "megabytes": 200, "pulls": 3, "image": 60}


class Table:
    """Rows as they come; bars beside them."""

    def __init__(self):
        self.missed = 0

    def head(self, text):
        print(f"\n{text}")

    def row(self, name, figure, bar="", kept=None):
        """`kept`: whether the bar was; None where there is none."""
        verdict = {None: "", True: "PASS", False: "FAIL"}[kept]
        self.missed += kept is False
        print(f"  {name:46} {figure:>22}   {bar:24} {verdict}".rstrip(), flush=True)


def main():
    arguments = parse()
    # As Ctrl-C: what was begun is undone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = Table()
    try:
        with Stage() as stage:
            box(arguments)
            barepod, podman = side_by_side(stage, table, arguments.rounds)
            idle(stage, table, barepod, arguments.window)
            entering(stage, table, barepod, arguments.rounds)
            logging(stage, table, barepod, podman, arguments.megabytes)
            reactions(stage, table, barepod, arguments.transitions)
            reactions_among_probes(stage, table, barepod, arguments.transitions)
            at_once(stage, table, barepod, arguments.pods)
            if arguments.jobs:
                jobs_at_once(stage, table, barepod, arguments.jobs)
            if arguments.pulls:
                pulling(stage, table, barepod, podman, arguments)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{table.missed} bars missed" if table.missed else "\nall bars kept")
    return 1 if table.missed else 0


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it works")
    parser.add_argument("--rounds", type=int, help=f"runs of each runtime [{USUAL['rounds']}]")
    parser.add_argument("--transitions", type=int, help=f"pods for the reaction times [{USUAL['transitions']}]")
    parser.add_argument("--window", type=int, help=f"seconds to watch the idle supervisor [{USUAL['window']}]")
    parser.add_argument("--pods", type=int, help=f"pods at once [{USUAL['pods']}]")
    parser.add_argument("--jobs", type=int, help=f"Jobs of ten pods at once, 0 for none [{USUAL['jobs']}]")
    parser.add_argument("--megabytes", type=int, help=f"MiB that a container prints [{USUAL['megabytes']}]")
    parser.add_argument("--pulls", type=int, help=f"pulls of an image by each tool, 0 for none [{USUAL['pulls']}]")
    parser.add_argument("--image", type=int, help=f"MiB of that image [{USUAL['image']}]")
    arguments = parser.parse_args()
    for name, value in (QUICK if arguments.quick else USUAL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def box(arguments):
    """What the figures belong to."""
    version = subprocess.run([os.environ["BAREPOD"], "--version"], capture_output=True, text=True, check=True)
    size = os.stat(os.environ["BAREPOD"]).st_size / 2**20
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    print(
        f"{version.stdout.strip()} ({size:.2f} MiB), Linux {platform.release()}, {os.cpu_count()} CPUs, "
        f"cgroup {'v2' if unified else 'v1 or hybrid'}, load {os.getloadavg()[0]:.2f}, {arguments.rounds} rounds"
    )


def side_by_side(stage, table, rounds):
    """(a), (b), (c): every runtime once in each round, so that whatever disturbs the box disturbs all."""
    taking_part, notes = runtimes.there_are(stage)
    # Once without counting: page cache, and who doesn't work here.
    for runtime in list(taking_part):
        try:
            runtime.round()
        except (Failed, subprocess.SubprocessError) as error:
            if runtime is taking_part[0]:
                raise
            taking_part.remove(runtime)
            notes.append(f"{runtime.name} does not work on this box: {error}")
    figures = {runtime.name: [] for runtime in taking_part}
    for _ in range(rounds):
        for runtime in taking_part:
            figures[runtime.name].append(runtime.round())
    median = {
        (name, key): statistics.median(one[key] for one in rounds_of)
        for name, rounds_of in figures.items()
        for key in rounds_of[0]
    }
    start_and_end(table, median, rounds)
    for note in notes:
        table.head(f"note: {note}")
    return taking_part[0], next((one for one in taking_part if one.name == "podman"), None)


def start_and_end(table, median, rounds):
    """The rows of side_by_side."""
    show = lambda *key: f"{median[key]:.1f} ms" if key in median else "not here"
    start = median["barepod", "start"]
    table.head(f"three `true`-like containers, medians of {rounds} interleaved rounds")
    table.row("barepod run: exec to main's first instruction", show("barepod", "start"))
    table.row("barepod run: exec to its end", show("barepod", "end"))
    for name in ("crun", "runc"):
        table.row(f"3 x {name} run: to the last first instruction", show(name, "start"))
        table.row(f"3 x {name} run: to the end", show(name, "end"))
    table.row("podman kube play: to the last first instruction", show("podman", "start"))
    if ("crun", "end") in median:
        ratio = start / median["crun", "end"]
        table.row("pod start / three crun run", f"{ratio:.2f}", "at most 1.5", ratio <= 1.5)
    if ("podman", "start") in median:
        ratio = median["podman", "start"] / start
        table.row("podman kube play / pod start", f"{ratio:.1f}", "at least 8", ratio >= 8)


def idle(stage, table, barepod, window):
    """(d), (e)."""
    pss, woken = supervisor.idle(stage, barepod, window)
    table.head("supervisor with 3 containers running, no probes")
    table.row("memory (PSS)", f"{pss:.2f} MiB", "at most 6 MiB", pss <= 6)
    table.row(f"wake-ups in {window} s (context switches)", str(woken), "0", woken == 0)


def entering(stage, table, barepod, rounds):
    """`exec`, beside crun's."""
    median, ticks = entered.figures(stage, barepod, rounds)
    table.head(f"a program in a container that runs, medians of {rounds} interleaved rounds")
    ours = median["barepod", "true"]
    table.row("barepod exec -- true", f"{ours:.1f} ms", "at most 12 ms", ours <= 12)
    table.row(f"barepod exec -i: {entered.MIB} MiB into it", f"{median['barepod', 'bytes']:.0f} MiB/s")
    if ("crun", "true") in median:
        table.row("crun exec true", f"{median['crun', 'true']:.1f} ms")
        table.row(f"crun exec: {entered.MIB} MiB into it", f"{median['crun', 'bytes']:.0f} MiB/s")
        ratio = ours / median["crun", "true"]
        table.row("barepod exec / crun exec", f"{ratio:.2f}", "at most 1", ratio <= 1)
        speed = median["barepod", "bytes"] / median["crun", "bytes"]
        table.row("speed of barepod exec -i / crun exec", f"{speed:.2f}", "at least 0.8", speed >= 0.8)
    table.row("supervisor's CPU for these bytes, in ticks", str(ticks), "at most 2", ticks <= 2)


def logging(stage, table, barepod, podman, megabytes):
    """The log path, beside conmon's."""
    found = logged.figures(stage, barepod, podman, megabytes)
    alone = logged.alone(stage, megabytes)
    table.head(f"the log of a container that prints {megabytes} MiB in lines of 100 bytes")
    for name, speed in alone.items():
        table.row(f"the same without a log, {name}", f"{speed:.0f} MiB/s")
    for number, (place, one) in enumerate(found.items()):
        for name, of in one.items():
            table.row(f"{name}, on {place}", f"{of['speed']:.0f} MiB/s, {of['cpu']:.2f} ms/MiB")
        if "conmon" not in one:
            continue
        speed = one["barepod"]["speed"] / one["conmon"]["speed"]
        # What takes less than the clock can tell takes little.
        cpu = one["conmon"]["cpu"] / max(one["barepod"]["cpu"], 1e-9)
        # The promise is of logs where boxes have them.
        bar = {True: ("at least 3",), False: ()}[number == 0]
        table.row(f"speed of barepod / conmon, on {place}", f"{speed:.1f}", *bar, *(speed >= 3 for _ in bar))
        table.row(f"CPU for a MiB: conmon / barepod, on {place}", f"{cpu:.1f}", *bar, *(cpu >= 3 for _ in bar))


def at_once(stage, table, barepod, count):
    """Many pods, each in the background."""
    found = many.figures(stage, barepod, count)
    ratio = found["last starts"] / found["first starts"]
    table.head(f"{count} pods of 3 containers at once")
    table.row("run -d --wait of the first ones", f"{found['first starts'] * 1000:.1f} ms")
    table.row("run -d --wait of the last ones", f"{found['last starts'] * 1000:.1f} ms")
    table.row("last / first", f"{ratio:.2f}", "at most 1.3", ratio <= 1.3)
    listed = found["get"] * 1000
    table.row("get", f"{listed:.1f} ms", "at most 200 ms", listed <= 200)
    table.row("supervisors' memory (PSS)", f"{found['pss']:.1f} MiB")
    table.row("stop -l", f"{found['stop']:.1f} s")
    table.row("rm -l", f"{found['rm']:.1f} s")
    table.row("left of them", str(len(found["left"])), "nothing", not found["left"])
    for one in found["left"][:5]:
        table.head(f"left: {one}")


def jobs_at_once(stage, table, barepod, count):
    """Many Jobs, of ten pods each."""
    found = batch.figures(stage, barepod, count)
    table.head(f"{count} Jobs of {batch.PODS} pods of one container at once")
    table.row("run -d of all until each pod is ready", f"{found['running']:.1f} s")
    for name, unit, what in (("cpu", "ms", "supervisor's CPU until it runs"), ("pss", "MiB", "memory (PSS)")):
        one, all_of_them = (found[of][name] for of in ("single", "batch"))
        table.row(f"a pod's {what}: of a Job, alone", f"{all_of_them:.2f}, {one:.2f} {unit}")
        ratio = all_of_them / one
        table.row("of a Job / alone", f"{ratio:.2f}", "at most 1.3", ratio <= 1.3)
    table.row("stop", f"{found['stop']:.1f} s")
    table.row("rm", f"{found['rm']:.1f} s")
    table.row("left of them", str(len(found["left"])), "nothing", not found["left"])
    for one in found["left"][:5]:
        table.head(f"left: {one}")


def pulling(stage, table, barepod, podman, arguments):
    """Images from a registry, and their starts."""
    missing = pulled.missing()
    if missing:
        table.head(f"note: no pulls of images without {', '.join(missing)}")
        return
    pulls = pulled.Pulls(stage, barepod, podman, arguments.image)
    size = pulls.image.bytes / pulled.MIB
    for kind in pulled.PACKED:
        _, packed = pulls.image.packed(kind)
        table.head(
            f"an image of {size:.0f} MiB, {packed / pulled.MIB:.0f} by {kind}, in {len(pulls.image.diff_ids)} layers, from a registry "
            f"to the disk, medians of {arguments.pulls} interleaved rounds"
        )
        median, notes = pulls.figures(kind, arguments.pulls)
        for name, (seconds, cpu) in median.items():
            table.row(f"{kind} -dc of the layers, {name}" if name in pulled.ALONE else name, f"{seconds:.2f} s, CPU {cpu:.2f} s")
        ours = median[pulls.pullers[0].name][0]
        if pulled.Podman.name in median:
            ratio = ours / median[pulled.Podman.name][0]
            table.row("barepod / podman", f"{ratio:.2f}", "at most 0.5", ratio <= 0.5)
        if pulls.umoci.name in median:
            table.row("barepod / skopeo and umoci", f"{ours / median[pulls.umoci.name][0]:.2f}")
        speed = median[pulled.ALONE[0]][0] / ours
        table.row(f"speed of barepod / {kind} alone", f"{speed:.2f}", "at least 0.7", speed >= 0.7)
        table.row(f"speed of barepod / {pulled.COPY}", f"{median[pulled.COPY][0] / ours:.2f}")
        for note in notes:
            table.head(f"note: {note}")
    found = pulls.starts(arguments.rounds)
    table.head(f"a pod of an image that is there, without a registry, medians of {arguments.rounds} interleaved rounds")
    for name, one in found.items():
        table.row(f"{name}: to the first instruction, to the end", f"{one['start']:.1f} ms, {one['end']:.1f} ms")
    ratio = found["image"]["end"] / found["rootfs"]["end"]
    table.row("image / rootfs, to the end", f"{ratio:.3f}", "at most 1.05", ratio <= 1.05)


def reactions(stage, table, barepod, count):
    """(f)."""
    table.head(f"reactions, {count} pods: median / p99")
    for name, values in supervisor.reactions(stage, barepod, count).items():
        middle, late = (supervisor.percentile(values, percent) / runtimes.MS for percent in (50, 99))
        # The way to the first instruction holds the whole create: shown, not promised.
        promised = "first" not in name
        bar = ("p99 at most 1 ms", late <= 1) if promised else ()
        table.row(name, f"{middle:.3f} / {late:.3f} ms", *bar)


def reactions_among_probes(stage, table, barepod, count):
    """(g)."""
    found, probes = probed.reactions(stage, barepod, count)
    table.head(
        f"reactions beside {probed.SIDECARS} containers with exec probes of 1 s, {count} exits, {probes} probes: median / p99"
    )
    for name, values in found.items():
        middle, late = (supervisor.percentile(values, percent) / runtimes.MS for percent in (50, 99))
        table.row(name, f"{middle:.3f} / {late:.3f} ms", "p99 below 5 ms", late < 5)


if __name__ == "__main__":
    sys.exit(main())
