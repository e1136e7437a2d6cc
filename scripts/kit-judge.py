"""Holds the results of the conformance kit (the JSON of its run.py) against the list of cases that may fail.

usage: kit-judge.py RESULTS LIST
Ends with 1 where a case of a required area fails that isn't in LIST. Last line: `N passed, N failed`, where a failure
that is expected counts as neither.
"""

import json
import sys

# What the issues so far have promised whole.
REQUIRED = ("startup", "restart", "termination", "invalid", "output", "config", "probes", "hooks", "status", "security")


def allowed(path):
    """Case name -> why it may fail; `NAME  # why`, one a line."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, _, why = line.partition("#")
            if name.strip():
                found[name.strip()] = why.strip()
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    may_fail = allowed(sys.argv[2])
    known = {case["name"] for case in results}
    required = [case for case in results if case["area"] in REQUIRED]
    bad = [case for case in required if not case["ok"] and case["name"] not in may_fail]
    passes = [case for case in required if case["ok"]]
    expected = [case for case in required if not case["ok"] and case["name"] in may_fail]

    print("\nconformance, area by area:")
    for area in sorted({case["area"] for case in results}):
        cases = [case for case in results if case["area"] == area]
        good = sum(case["ok"] for case in cases)
        print(f"  {area:14} {good:3} of {len(cases):3}{'' if area in REQUIRED else '   (not required yet)'}")
    for case in passes:
        if case["name"] in may_fail:
            print(f"passes, strike it from the list: {case['name']}")
    if len(results) > 50:  # a run of everything
        for name in sorted(set(may_fail) - known):
            print(f"not a case, strike it from the list: {name}")
    for case in expected:
        print(f"expected to fail: {case['name']}  ({may_fail[case['name']]})")
    for case in bad:
        print(f"FAILS: {case['area']}/{case['name']}: {'; '.join(case['failures'])}")
    print(f"{len(passes)} passed, {len(bad)} failed")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
