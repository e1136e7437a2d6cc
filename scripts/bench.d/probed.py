"""Whether probing delays anything: reactions to exits in a pod whose containers are all probed every second by a
program of theirs, the dearest kind of probe."""

from births import Births
from stage import Failed

SIDECARS, INITS = 50, 41
NEXT_CREATE, NEXT_TERM = "init exit -> exec of the next create", "sidecar exit -> SIGTERM in the one before"
# The helper that brings a program into a container calls itself so.
EXEC = "barepod-exec"


def resting(container):
    """The same, a tenth of a second later: what it took to start it is over then, and the probes go on."""
    words = " ".join(container["command"])
    return container | {"command": ["/bin/sh", "-c", f"usleep 100000; exec {words}"]}


def manifest(barepod):
    """Sidecars with probes, then inits that end by themselves, then such a main: each end is followed by one action."""
    probe = {"exec": {"command": ["/bin/true"]}, "periodSeconds": 1}
    sidecars = [
        barepod.container(f"sidecar-{number}", "stay", restartPolicy="Always", livenessProbe=probe)
        for number in range(SIDECARS)
    ]
    inits = [resting(barepod.container(f"init-{number}", "once")) for number in range(INITS)]
    return barepod.manifest("bench-probed", init=sidecars + inits)


def reactions(stage, barepod, count):
    """Nanoseconds from an exit to the reaction to it, `count` or more: name -> list. And how many probes ran."""
    file = manifest(barepod)
    stage.undo.append(lambda: barepod.forget("bench-probed", may_be_gone=True))
    words = [barepod.binary, "--root", barepod.state, "run", "--quiet", file]
    found = {NEXT_CREATE: [], NEXT_TERM: []}
    probes = 0
    while min(map(len, found.values())) < count:
        with Births() as births:
            stage.run(words)
            at = stage.read()
            executed = births.all()
        barepod.forget("bench-probed")
        creates = executed["barepod:create"]
        for number in range(INITS - 1):
            exited = at[f"init-{number}", "last"]
            created = min(at_ for at_ in creates if at_ >= exited)
            if created >= at[f"init-{number + 1}", "first"]:
                raise Failed(f"no create was seen between init-{number} and the next")
            found[NEXT_CREATE].append(created - exited)
        terms = [at[f"sidecar-{number}", "term"] for number in reversed(range(SIDECARS))]
        found[NEXT_TERM] += [after - before for before, after in zip(terms, terms[1:])]
        probes += len(executed[EXEC])
    if probes < SIDECARS:
        raise Failed(f"only {probes} probes ran")
    return found, probes
