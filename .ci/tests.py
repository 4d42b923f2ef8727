#!/usr/bin/env python3
"""What `cargo test --workspace --locked` runs, two programs at a time: most of them wait for brokers and clocks.

What a program said is printed when it has ended. All run, whatever fails; ends with 1 if one did.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

AT_ONCE = 2
# They begin first, else the last one would run alone for minutes. The others in Cargo's order.
LONG = ["enter", "exactly_once", "rows", "surroundings", "commands", "released", "alerts", "pipes", "faults", "store"]


def cargo(*arguments):
    return ["cargo", "test", "--workspace", "--locked", *arguments]


def programs():
    """The name and path of each test program, and the folder of its package."""
    build = cargo("--no-run", "--message-format=json-render-diagnostics")
    with subprocess.Popen(build, stdout=subprocess.PIPE, text=True) as building:
        messages = [json.loads(line) for line in building.stdout]
    if building.returncode != 0:
        sys.exit(building.returncode)
    return [
        (message["target"]["name"], message["executable"], os.path.dirname(message["manifest_path"]))
        for message in messages
        if message["reason"] == "compiler-artifact" and message["profile"]["test"] and message["executable"]
    ]


def environment():
    """As Cargo sets it: tests of procedural macros need the compiler's libraries."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True)
    paths = [os.path.join(sysroot.stdout.strip(), "lib"), os.environ.get("LD_LIBRARY_PATH")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(path for path in paths if path)}


def run(program, variables):
    name, path, folder = program
    began = time.monotonic()
    ended = subprocess.run(
        [path], cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    took = time.monotonic() - began
    package = pathlib.Path(folder).name
    title = f"{package}/{name}: {'ok' if ended.returncode == 0 else f'FAILED ({ended.returncode})'} in {took:.0f} s"
    sys.stdout.buffer.write(f"\n-- {title}\n".encode() + ended.stdout)
    sys.stdout.flush()
    return title if ended.returncode != 0 else None


def main():
    began = time.monotonic()
    found = sorted(programs(), key=lambda program: LONG.index(program[0]) if program[0] in LONG else len(LONG))
    print(f"{len(found)} programs after {time.monotonic() - began:.0f} s", flush=True)
    variables = environment()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [title for title in pool.map(lambda program: run(program, variables), found) if title]
    if subprocess.run(cargo("--doc")).returncode != 0:
        failed.append("the examples in docs")
    print("\n".join(["", *failed, f"{len(failed)} failed, {time.monotonic() - began:.0f} s"]))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
