"""barepod: the commands and the formats of README.md and docs/."""
import json, os, signal, subprocess


class Adapter:
    def __init__(self, binary, base, rootfs):
        self.binary, self.base, self.rootfs = os.path.abspath(binary) if os.path.exists(binary) else binary, base, rootfs
        self.procs = {}

    def image(self):
        return "rootfs:" + self.rootfs

    def unsupported(self, case):
        return None

    def _root(self, run):
        return os.path.join(run.dir, "root")

    def _cmd(self, run, *args):
        return [self.binary, "--root", self._root(run), *args]

    def _name(self, run):
        return run.case.get("pod", {}).get("metadata", {}).get("name", run.name)

    def start(self, run):
        out = open(os.path.join(run.dir, "out.txt"), "wb")
        flags = run.case.get("flags", ["--backoff-initial", "300ms", "--backoff-max", "1200ms"])
        self.procs[run.dir] = subprocess.Popen(self._cmd(run, "run", *flags, run.file), stdin=subprocess.DEVNULL,
                                               stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def poll(self, run):
        return self.procs[run.dir].poll()

    def stop(self, run, arg):
        grace = [] if arg is None else ["--grace-period", str(arg)]
        subprocess.Popen(self._cmd(run, "stop", *grace, self._name(run)), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def signal(self, run, name):
        self.procs[run.dir].send_signal(getattr(signal, "SIG" + name))

    def _out(self, run, *args):
        r = subprocess.run(self._cmd(run, *args), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20)
        return r.stdout if r.returncode == 0 else ""

    def get(self, run):
        text = self._out(run, "get", self._name(run), "-o", "json")
        return json.loads(text) if text.strip() else None

    def events(self, run):
        return [json.loads(l) for l in self._out(run, "events", self._name(run), "-o", "json").splitlines() if l.strip()]

    def logs(self, run, name, *opts):
        return self._out(run, "logs", self._name(run), "-c", name, *opts)

    def leftovers(self, run):
        left = []
        for line in open("/proc/self/mountinfo"):
            if run.dir in line:
                left.append("mount " + line.split()[4])
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                cmd = open(f"/proc/{pid}/cmdline").read().replace("\0", " ")
                env = open(f"/proc/{pid}/root/trace/trace.log").name if os.path.samefile(f"/proc/{pid}/root/trace", run.trace) else None
            except OSError:
                continue
            if env:
                left.append(f"process {pid} {cmd[:60]}")
        return left

    def cleanup(self, run):
        p = self.procs.pop(run.dir)
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        subprocess.run(self._cmd(run, "rm", "--force", self._name(run)), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)

    def close(self):
        pass
