#!/usr/bin/env python3
"""Makes src/plan/security/seccomp/default.json from containerd's contrib/seccomp/seccomp_default.go.

usage: scripts/seccomp-default.py PATH/TO/seccomp_default.go COMMIT > src/plan/security/seccomp/default.json

Takes the facts (which calls, on which conditions) and writes them down in the form that Docker's profiles have, with
includes and excludes. It stops where the source has something that it doesn't know, so that nothing is lost quietly.
"""

import json
import re
import sys

CONSTANTS = {
    "unix.AF_ALG": 38, "unix.AF_VSOCK": 40,
    "unix.CLONE_NEWNS": 0x00020000, "unix.CLONE_NEWCGROUP": 0x02000000, "unix.CLONE_NEWUTS": 0x04000000,
    "unix.CLONE_NEWIPC": 0x08000000, "unix.CLONE_NEWUSER": 0x10000000, "unix.CLONE_NEWPID": 0x20000000,
    "unix.CLONE_NEWNET": 0x40000000,
}
OPERATORS = {
    "OpNotEqual": "NE", "OpLessThan": "LT", "OpLessEqual": "LE", "OpEqualTo": "EQ", "OpGreaterEqual": "GE",
    "OpGreaterThan": "GT", "OpMaskedEqual": "MASKED_EQ",
}
ARCHES = {"ArchX86_64": "X86_64", "ArchX86": "X86", "ArchX32": "X32", "ArchARM": "ARM", "ArchAARCH64": "AARCH64",
          "ArchRISCV64": "RISCV64", "ArchS390": "S390", "ArchS390X": "S390X"}
NATIVE = {"amd64": "ArchX86_64", "arm64": "ArchAARCH64", "riscv64": "ArchRISCV64", "s390x": "ArchS390X"}


def number(text):
    total = 0
    for part in text.split("|"):
        terms = [CONSTANTS[term] if term in CONSTANTS else int(term, 0) for term in part.replace(" ", "").split("+")]
        total |= sum(terms)
    return total


def rule(block):
    """One specs.LinuxSyscall as text."""
    names = re.findall(r'"(\w+)"', re.search(r"Names:\s*\[\]string\{(.*?)\}", block, re.S).group(1))
    action = re.search(r"Action:\s*specs\.Act(\w+)", block).group(1)
    made = {"names": names, "action": {"Allow": "SCMP_ACT_ALLOW", "Errno": "SCMP_ACT_ERRNO"}[action]}
    if "ErrnoRet" in block:
        assert "&nosys" in block, block
        made["errnoRet"] = 38
    arguments = []
    for one in re.findall(r"\{\s*Index:(.*?)\n\s*\},?", block, re.S):
        fields = dict(re.findall(r"(\w+):\s*([^\n]+?),?\n", "Index:" + one + "\n"))
        argument = {"index": int(fields["Index"]), "value": number(fields["Value"])}
        if "ValueTwo" in fields:
            argument["valueTwo"] = number(fields["ValueTwo"])
        argument["op"] = "SCMP_CMP_" + OPERATORS[fields["Op"].removeprefix("specs.")]
        arguments.append(argument)
    if arguments:
        made["args"] = arguments
    return made


def literals(text):
    """All specs.LinuxSyscall literals of a text, told by their braces."""
    for start in re.finditer(r"\{\s*Names:", text):
        depth, at = 0, start.start()
        while True:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
            if depth == 0:
                break
        yield start.start(), text[start.start():at]


def condition(before):
    """Which conditions of the source hold where its text ends at `before`."""
    includes, excludes = {}, {}
    part = before[before.index("s := &specs.LinuxSeccomp{"):] if "s := &specs.LinuxSeccomp{" in before else ""
    if not part:
        return includes, excludes
    if "if !admin" in part:
        excludes["caps"] = ["CAP_SYS_ADMIN"]
        part = part[part.index("if !admin"):]
    elif "sp.Process.Capabilities.Bounding" in part:
        includes["caps"] = re.findall(r'case ("CAP_\w+"):', part)[-1:]
        includes["caps"] = [one.strip('"') for one in includes["caps"]]
        return includes, excludes
    elif "include by arch" not in part:
        kernel = re.findall(r"KernelVersion\{Kernel: (\d+), Major: (\d+)\}", part)[-1]
        includes["minKernel"] = ".".join(kernel)
        return includes, excludes
    cases = re.findall(r"\n\t+(?:case ([^\n]+)|(default)):\n", part)
    # Behind a closed switch nothing of it holds any more.
    if "clone3 is explicitly requested" in part or not cases:
        return includes, excludes
    named, is_default = cases[-1]
    if is_default:
        others = [one for case, _ in cases[:-1] for one in re.findall(r'"(\w+)"', case)]
        excludes["arches"] = others
    else:
        includes["arches"] = re.findall(r'"(\w+)"', named)
    return includes, excludes


def main():
    text, commit = open(sys.argv[1], encoding="utf-8").read(), sys.argv[2]
    function = text[text.index("func DefaultProfile"):]
    rules, names = [], 0
    for at, block in literals(function):
        made = rule(block)
        includes, excludes = condition(function[:at])
        if includes:
            made["includes"] = includes
        if excludes:
            made["excludes"] = excludes
        names += len(made["names"])
        rules.append(made)
    assert len(rules) == len(re.findall(r"\bNames:", function)), "a rule was overlooked"
    assert "DefaultAction: specs.ActErrno" in function
    arches = []
    for go, listed in re.findall(r'case "(\w+)":\n\t\treturn \[\]specs\.Arch\{([^}]*)\}', text):
        if go in NATIVE:
            others = [one.removeprefix("specs.") for one in listed.split(", ") if one != "specs." + NATIVE[go]]
            subs = ["SCMP_ARCH_" + ARCHES[one] for one in others]
            arches.append({"architecture": "SCMP_ARCH_" + ARCHES[NATIVE[go]], "subArchitectures": subs})
    lines = ",\n  ".join(json.dumps(one) for one in rules)
    source = f"containerd contrib/seccomp/seccomp_default.go at {commit}; made by scripts/seccomp-default.py"
    print('{"comment": ' + json.dumps(source) + ',\n "defaultAction": "SCMP_ACT_ERRNO",\n "archMap": '
          + json.dumps(arches) + ',\n "syscalls": [\n  ' + lines + "\n]}")
    print(f"{len(rules)} rules, {names} names", file=sys.stderr)


main()
