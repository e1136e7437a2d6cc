"""Lists the tests that were skipped or tried something again, and says which shouldn't have been skipped.

usage: skips.py BOX RECORDS [--all]
RECORDS is a file with lines `skipped: TEST: REASON` and `retried: TEST: REASON` among others, as tests/skips/mod.rs writes them. BOX is a section of
tests/skips/allowed.txt, or empty: then nothing is judged. Ends with 1 where something was skipped that BOX doesn't allow.
--all: every test of the box was run, so that what is allowed and wasn't skipped is told, to be struck. Last line:
`N skipped ...`.
"""

import collections
import fnmatch
import os
import re
import sys

ALLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/skips/allowed.txt")


def allowed(path, box):
    """`TEST: REASON` patterns of a box; where it says `like OTHER`, OTHER's as well."""
    sections, section = {}, None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            if line.startswith("["):
                section = sections.setdefault(line.strip("[]"), [])
            elif line and section is None:
                sys.exit(f"{path}:{number}: before the first [BOX]")
            elif line.startswith("like "):
                section += sections[line.removeprefix("like ")]
            elif line:
                section.append(line)
    if box not in sections:
        sys.exit(f"{path} has no box {box!r}: {', '.join(sections)}")
    return sections[box]


def records(path, what):
    """(test, reason) -> how often, of what was `skipped` or `retried`."""
    found = collections.Counter()
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # Another line may stand in front on a console: `test e2e::x ... skipped: `.
            match = re.search(rf"\b{what}: (\S+::\S+): (.+)", line.rstrip())
            if match:
                found[match.groups()] += 1
    return found


def main():
    box, path, *more = sys.argv[1:]
    found, again = records(path, "skipped"), records(path, "retried")
    patterns = allowed(ALLOWED, box) if box else None
    by_reason = collections.defaultdict(list)
    for test, reason in found:
        by_reason[reason].append(test)
    for reason, tests in sorted(by_reason.items()):
        print(f"skipped, {reason}: {' '.join(sorted(tests))}")

    wrong, used = [], set()
    for test, reason in sorted(found):
        matches = [one for one in patterns or [] if fnmatch.fnmatchcase(f"{test}: {reason}", one)]
        used.update(matches)
        if patterns is not None and not matches:
            wrong.append(f"{test}: {reason}")
    if "--all" in more:
        for one in patterns or []:
            if one not in used:
                print(f"allowed on {box} and not skipped, strike it from tests/skips/allowed.txt: {one}")
    for one in wrong:
        print(f"SKIPPED, AND MUST NOT BE on {box}: {one}")
    for (test, reason), count in sorted(again.items()):
        print(f"tried again, {test}{f' x{count}' if count > 1 else ''}: {reason[:300]}")
    if again:
        print(f"{sum(again.values())} tried again")
    where = f" on {box}, {len(wrong)} of them not allowed" if box else ""
    print(f"{len(found)} skipped{where}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
