"""The same three `true`-like containers by each runtime: `round()` runs them once and gives its figures in
milliseconds, named as the table's rows want them."""

import json
import os
import shutil
import subprocess

from stage import in_private_mounts

MS = 1e6


class Barepod:
    """A pod of an init, a sidecar and a main."""

    name = "barepod"

    def __init__(self, stage):
        self.stage = stage
        self.state = stage.dir / "barepod"
        self.binary = os.environ["BAREPOD"]
        self.words = [self.binary, "--root", self.state, "run", "--quiet", self.manifest("bench")]
        stage.undo.append(lambda: self.forget("bench", may_be_gone=True))

    def container(self, name, role, **more):
        """A container that stamps."""
        return {
            "name": name,
            "image": f"rootfs:{self.stage.root}",
            "command": ["/bin/stamp", role, "/stamps/fifo", name],
            "volumeMounts": [{"name": "stamps", "mountPath": "/stamps"}],
            **more,
        }

    def manifest(self, name, init=None, main=None):
        """Writes a manifest: by default an init, a sidecar, a main."""
        init = init or [self.container("init", "once"), self.container("sidecar", "stay", restartPolicy="Always")]
        spec = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "volumes": [{"name": "stamps", "hostPath": {"path": str(self.stage.stamps)}}],
            "initContainers": init,
            "containers": main or [self.container("main", "once")],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        path = self.stage.dir / f"{name}.json"
        path.write_text(json.dumps(pod))
        return path

    def forget(self, name, may_be_gone=False):
        """`barepod rm`, of a pod in whatever state."""
        command = [self.binary, "--root", self.state, "rm", "--force", name]
        if may_be_gone:
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        else:
            self.stage.must(command)

    def round(self):
        """exec of `barepod run` to the main's first instruction, and to its own end."""
        self.stage.run(self.words)
        at = self.stage.read()
        self.forget("bench")
        began = at["run", "exec"]
        return {"start": (at["main", "first"] - began) / MS, "end": (at["run", "end"] - began) / MS}


class OciRuntime:
    """crun or runc: three times `run`, one after the other."""

    def __init__(self, stage, name, private, folder=None, program=("once", "container")):
        """`program`: what stamp does, and its name. A second one of the same runtime needs a folder of its own."""
        self.stage, self.name, self.private = stage, name, private
        folder = folder or name
        self.bundle = stage.dir / f"{folder}-bundle"
        self.state = stage.dir / f"{folder}-state"
        self.bundle.mkdir()
        subprocess.run([name, "spec"], cwd=self.bundle, check=True)
        path = self.bundle / "config.json"
        config = json.loads(path.read_text())
        config["process"] |= {"terminal": False, "args": ["/bin/stamp", program[0], "/stamps/fifo", program[1]]}
        # A box that gives no CAP_SYS_RESOURCE refuses to raise any.
        config["process"].pop("rlimits", None)
        config["root"] = {"path": str(stage.root), "readonly": True}
        bind = {"destination": "/stamps", "type": "bind", "source": str(stage.stamps), "options": ["bind"]}
        config["mounts"].append(bind)
        path.write_text(json.dumps(config))
        stage.undo.append(self.forget)

    def words(self, *words):
        """Of a command of this runtime's."""
        return [self.name, "--root", self.state, *words]

    def forget(self):
        """Whatever of it there is."""
        for index in range(3):
            command = self.words("delete", "--force", f"bench-{index}")
            command = in_private_mounts(command) if self.private else command
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)

    def round(self):
        """The sum over three of: exec of `run` to the container's first instruction, and to the end of `run`."""
        start = end = 0
        for index in range(3):
            self.stage.run(self.words("run", "--bundle", self.bundle, f"bench-{index}"), private=self.private)
            at = self.stage.read()
            end += at["run", "end"] - at["run", "exec"]
            start = end - (at["run", "end"] - at["container", "first"])
        return {"start": start / MS, "end": end / MS}


class Podman:
    """`podman kube play` of a pod with three plain containers, storage and settings of its own."""

    name = "podman"
    IMAGE = "localhost/barepod-bench:latest"

    def __init__(self, stage):
        self.stage = stage
        # By default podman raises these, which a box without CAP_SYS_RESOURCE refuses.
        limits = ["nofile=1024:1024", "nproc=4096:4096"]
        conf = stage.dir / "containers.conf"
        # The infra container is ours too: Debian's podman would build one from a package that may be missing.
        conf.write_text(
            f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n"
            f'[engine]\ninfra_image = "{self.IMAGE}"\ninfra_command = "/bin/stamp stay /dev/null infra"\n'
            'cgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n'
        )
        os.environ["CONTAINERS_CONF"] = str(conf)
        store = stage.dir / "podman"
        self.words = ["podman", "--root", store / "store", "--runroot", store / "run", "--tmpdir", store / "tmp"]
        self.words += ["--storage-driver", "overlay"]
        self.manifest = self._manifest()
        stage.undo.append(self._forget)
        self._import()

    def _import(self):
        archive = self.stage.dir / "root.tar"
        self.stage.must(["tar", "-C", self.stage.root, "-cf", archive, "."])
        # What an infra container runs is the image's own command in some versions.
        command = 'CMD ["/bin/stamp", "stay", "/dev/null", "infra"]'
        self.stage.must(self._private("import", "--quiet", "--change", command, archive, self.IMAGE))
        archive.unlink()

    def _private(self, *words):
        # Also keeps the mounts of its storage to itself.
        return in_private_mounts([*self.words, *words])

    def _manifest(self):
        def container(name):
            return {
                "name": name,
                "image": self.IMAGE,
                "imagePullPolicy": "Never",
                "command": ["/bin/stamp", "once", "/stamps/fifo", name],
                "volumeMounts": [{"name": "stamps", "mountPath": "/stamps"}],
            }

        spec = {
            "restartPolicy": "Never",
            "volumes": [{"name": "stamps", "hostPath": {"path": str(self.stage.stamps)}}],
            "containers": [container(name) for name in ("first", "second", "third")],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bench"}, "spec": spec}
        path = self.stage.dir / "podman.json"
        path.write_text(json.dumps(pod))
        return path

    def _forget(self):
        self.stage.must(self._private("pod", "rm", "--all", "--force", "--time", "0"))

    def round(self):
        """exec of `podman kube play` to the first instruction of the last container; it returns while the pod runs."""
        self.stage.run([*self.words, "kube", "play", "--network", "none", self.manifest], private=True)
        at = self.stage.read()
        names = {(name, "first") for name in ("first", "second", "third")}
        at |= self.stage.wait_for(names - at.keys())
        self._forget()
        return {"start": (max(at[name] for name in names) - at["run", "exec"]) / MS}


def there_are(stage):
    """The runtimes of this box, and what to say about those that are missing."""
    found, missing = [Barepod(stage)], []
    for name in ("crun", "runc", "podman"):
        if shutil.which(name) is None:
            missing.append(f"{name} is not installed: its rows are left out")
        elif name == "podman":
            found.append(Podman(stage))
        else:
            found.append(OciRuntime(stage, name, private=name == "crun"))
    return found, missing
