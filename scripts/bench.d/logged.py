"""The way of a container's output into its log, by barepod's supervisor and by podman's conmon: bytes a second, and what of the
processor they take. Both rotate their logs at 10 MiB, on the same file system: on the disk, where logs are, and in memory."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from stage import DEADLINE, Failed, in_private_mounts
from supervisor import field

LINE = b"x" * 99 + b"\n"
MIB = 2**20
# One file is printed again and again: it stays in the page cache.
CHUNK = 8 * MIB


def figures(stage, barepod, podman, megabytes):
    """For each place, and there for each of them {"speed": MiB a second, "cpu": milliseconds of the processor for a MiB}."""
    text = CHUNK // len(LINE) * LINE
    (stage.stamps / "text").write_bytes(text)
    times = max(1, megabytes * MIB // len(text))
    script = (
        "/bin/stamp once /stamps/fifo begin; "
        f"for i in $(seq {times}); do cat /stamps/text; done; "
        "/bin/stamp once /stamps/fifo done; exec /bin/stamp stay /stamps/fifo rest"
    )
    written = times * len(text) / MIB
    found = {}
    for place in (on_disk(stage), stage.dir):
        loggers = [Supervisor(stage, barepod, place, script)] + ([Conmon(stage, podman, place, script)] if podman else [])
        found[file_system(place)] = {logger.name: measured(stage, logger, written) for logger in loggers}
    return found


def on_disk(stage):
    """A folder where a box has its logs."""
    place = Path(tempfile.mkdtemp(prefix="barepod-bench.", dir="/var/tmp"))
    stage.undo.append(lambda: shutil.rmtree(place))
    return place


def file_system(place):
    """The name of its kind."""
    words = ["stat", "--file-system", "--format", "%T", place]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    return "ext4" if name == "ext2/ext3" else name


def alone(stage, megabytes):
    """What prints, without anybody who writes a log, in MiB a second: to nowhere, and by a pipe and cat into a file."""
    text, file = stage.stamps / "text", stage.dir / "copy"
    times = max(1, megabytes * MIB // text.stat().st_size)
    prints = f"for i in $(seq {times}); do cat {text}; done"
    found = {}
    for name, script in (("to /dev/null", f"{prints} >/dev/null"), ("by cat to a file", f"({prints}) | cat >{file}")):
        began = time.monotonic()
        stage.must([stage.root / "bin/sh", "-c", script])
        found[name] = times * text.stat().st_size / MIB / (time.monotonic() - began)
    file.unlink()
    return found


def measured(stage, logger, written):
    """Runs the container and looks at who writes its log."""
    logger.start()
    try:
        process = logger.process()
        stage_has = stage.wait_for({("done", "first"), ("rest", "first")})
        # Who writes may be behind by what a pipe holds.
        until_idle(process)
        cpu = used(process)
    finally:
        logger.end()
    seconds = (stage_has["done", "first"] - stage_has["begin", "first"]) / 1e9
    return {"speed": written / seconds, "cpu": cpu / 1e6 / written}


def until_idle(process):
    """Waits until a process has nothing to do: it sleeps, and twice in a row has used no time."""
    ends, before = time.monotonic() + DEADLINE, None
    while time.monotonic() < ends:
        now = used(process), field(process / "status", "voluntary_ctxt_switches:")
        if now == before:
            return
        before = now
        time.sleep(0.2)
    raise Failed(f"{process} never comes to rest")


def used(process):
    """Nanoseconds of the processor, in user and kernel mode, of all threads that it has."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in (process / "task").iterdir())


class Supervisor:
    """barepod, in the background: the log is all that it writes."""

    name = "barepod"

    def __init__(self, stage, barepod, place, script):
        self.stage, self.barepod, self.state = stage, barepod, place / "logging"
        main = barepod.container("main", "once") | {"command": ["/bin/sh", "-c", script.replace("$(", "$$(")]}
        sidecar = barepod.container("sidecar", "stay", restartPolicy="Always")
        self.file = barepod.manifest("bench-log", init=[sidecar], main=[main])
        stage.undo.append(self.end)

    def start(self):
        self.stage.must([self.barepod.binary, "--root", self.state, "run", "-d", self.file])

    def process(self):
        ledger = self.state / "pods/default_bench-log/ledger.json"
        return Path("/proc") / str(json.loads(ledger.read_text())["supervisor_pid"])

    def end(self):
        command = [self.barepod.binary, "--root", self.state, "rm", "--force", "bench-log"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE)


class Conmon:
    """podman, whose conmon writes the same format (k8s-file)."""

    name = "conmon"

    def __init__(self, stage, podman, place, script):
        self.stage, self.podman, self.place, self.script = stage, podman, place, script
        stage.undo.append(self.end)

    def words(self, *words):
        return in_private_mounts([*self.podman.words, *words])

    def start(self):
        options = ["--name", "bench-log", "--network", "none", "--log-driver", "k8s-file"]
        options += ["--log-opt", "max-size=10mb", "--log-opt", f"path={self.place / 'conmon.log'}"]
        options += ["--volume", f"{self.stage.stamps}:/stamps", "--entrypoint", "/bin/sh"]
        self.stage.must(self.words("run", "--detach", *options, self.podman.IMAGE, "-c", self.script))

    def process(self):
        asked = self.words("inspect", "--format", "{{.State.ConmonPid}}", "bench-log")
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=DEADLINE)
        return Path("/proc") / done.stdout.strip()

    def end(self):
        command = self.words("rm", "--force", "--time", "0", "bench-log")
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE)
