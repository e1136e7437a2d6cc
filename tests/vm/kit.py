"""Runs the conformance kit in the test VM and judges it as scripts/kit does.

usage: kit.py KIT BAREPOD [ARGUMENT...]   (arguments go to the kit's run.py)
Without KVM a machine takes ten times as long for everything, and some cases are about fractions of a second: a case
that fails beside others gets a second try by itself, with nothing else running, and a third. Without the VM no case is tried
again, so that this hides no fault that doesn't need such a slow machine; each is listed (`retried: kit::NAME: WHY`) and counted
at the end of scripts/vm-test. The cases in kit-expected-failures.txt fail on the VM's kernel for the reason given there;
without the VM they must pass.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
JUDGE = os.path.join(HERE, "../../scripts/kit-judge.py")
LISTS = [os.path.join(HERE, "../conformance-expected-failures.txt"), os.path.join(HERE, "kit-expected-failures.txt")]
# How often a case that fails is tried again by itself.
TRIES = 2


def run(kit, binary, results, arguments):
    command = [sys.executable, os.path.join(kit, "run.py"), "--runtime", binary, "--json", results, *arguments]
    subprocess.run(command, check=False)
    with open(results, encoding="utf-8") as file:
        return json.load(file)


def expected_to_fail():
    found = {}
    for path in LISTS:
        with open(path, encoding="utf-8") as lines:
            found.update({line.partition("#")[0].strip(): line for line in lines})
    return found


def main():
    kit, binary, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        results = os.path.join(folder, "results.json")
        cases = {case["name"]: case for case in run(kit, binary, results, ["--jobs", "2", *arguments])}
        again = [name for name, case in cases.items() if not case["ok"] and name not in expected_to_fail()]
        if again:
            print(f"\na second try, one by one, of {len(again)}:", flush=True)
        for name in again * TRIES:
            if not cases[name]["ok"]:
                print(f"retried: kit::{name}: {'; '.join(cases[name]['failures'])}", flush=True)
                for case in run(kit, binary, results, ["--jobs", "1", "--case", name]):
                    cases[name] = case
        with open(results, "w", encoding="utf-8") as file:
            json.dump(list(cases.values()), file)
        may_fail = os.path.join(folder, "may-fail.txt")
        with open(may_fail, "w", encoding="utf-8") as file:
            file.writelines(expected_to_fail().values())
        return subprocess.run([sys.executable, JUDGE, results, may_fail], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
