"""Runs the conformance kit in the test VM and judges it as scripts/kit does.

usage: kit.py KIT BAREPOD [ARGUMENT...]   (arguments go to the kit's run.py)
Without KVM a machine takes ten times as long for everything, and some cases are about fractions of a second: a case
that fails beside others gets a second try by itself, with nothing else running. Only what fails twice has failed.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
JUDGE = os.path.join(HERE, "../../scripts/kit-judge.py")
LIST = os.path.join(HERE, "../conformance-expected-failures.txt")


def run(kit, binary, results, arguments):
    command = [sys.executable, os.path.join(kit, "run.py"), "--runtime", binary, "--json", results, *arguments]
    subprocess.run(command, check=False)
    with open(results, encoding="utf-8") as file:
        return json.load(file)


def expected_to_fail():
    with open(LIST, encoding="utf-8") as lines:
        return {line.partition("#")[0].strip() for line in lines}


def main():
    kit, binary, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        results = os.path.join(folder, "results.json")
        cases = {case["name"]: case for case in run(kit, binary, results, ["--jobs", "2", *arguments])}
        again = [name for name, case in cases.items() if not case["ok"] and name not in expected_to_fail()]
        if again:
            print(f"\na second try, one by one, of {len(again)}: {' '.join(again)}", flush=True)
        for name in again:
            for case in run(kit, binary, results, ["--jobs", "1", "--case", name]):
                cases[name] = case
        with open(results, "w", encoding="utf-8") as file:
            json.dump(list(cases.values()), file)
        return subprocess.run([sys.executable, JUDGE, results, LIST], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
