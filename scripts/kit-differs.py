"""Which cases of one conformance kit another one hasn't got word for word.

usage: kit-differs.py OWN JUDGE
Prints the names of JUDGE's cases that OWN lacks or has otherwise, one a line: those that a run of OWN doesn't stand for. Where
what runs the cases differs (run.py, the worker, the adapters; comments and the first string apart), that is all: `*`.
"""

import ast
import importlib.util
import os
import sys


def code(path):
    """What a file does: of Python its syntax without the first string, of others the lines that are no comments."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if not path.endswith(".py"):
        return [line for line in text.splitlines() if not line.startswith("#") or line.startswith("#!")]
    tree = ast.parse(text)
    if ast.get_docstring(tree) is not None:
        tree.body.pop(0)
    return ast.dump(tree)


def programs(kit):
    """Path below the kit -> what that file does."""
    names = ["run.py", "worker"]
    names += [os.path.join("adapters", name) for name in os.listdir(os.path.join(kit, "adapters")) if name.endswith(".py")]
    return {name: code(os.path.join(kit, name)) for name in names}


def cases(kit):
    """Name -> case, as the kit itself reads them."""
    spec = importlib.util.spec_from_file_location("kit", os.path.join(kit, "run.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {case["name"]: case for case in module.load("*", None)}


def main():
    own, judge = sys.argv[1:]
    if programs(own) != programs(judge):
        print("*")
        return
    known = cases(own)
    for name, case in cases(judge).items():
        if known.get(name) != case:
            print(name)


if __name__ == "__main__":
    main()
