#!/usr/bin/env python3
"""Shows what a drop-in costs the smallest program: the anonymous memory of `cat` while it waits for input.

Runs cat on a pipe with and without the drop-in preloaded, lets it copy one line, and reads Anonymous from
/proc/PID/smaps_rollup. Fails if the drop-in adds more than --most-added-kb.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path


def anonymous_kb(library: Path | None) -> int:
    environment = dict(os.environ)
    environment.pop("LD_PRELOAD", None)
    if library is not None:
        environment["LD_PRELOAD"] = str(library.resolve())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as cat:
        assert cat.stdin is not None and cat.stdout is not None
        cat.stdin.write(b"one line\n")
        cat.stdin.flush()
        if cat.stdout.readline() != b"one line\n":  # from here on it waits in read()
            sys.exit("cat did not copy its input")
        if library is not None and str(library.resolve()) not in Path(f"/proc/{cat.pid}/maps").read_text():
            sys.exit(f"{library} was not loaded")
        rollup = Path(f"/proc/{cat.pid}/smaps_rollup").read_text()
        cat.stdin.close()
    found = re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M)
    if found is None:
        sys.exit("smaps_rollup has no Anonymous line")
    return int(found.group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--most-added-kb", type=int, default=150)
    arguments = parser.parse_args()
    plain = anonymous_kb(None)
    preloaded = anonymous_kb(arguments.library)
    print(f"cat: {plain} kB anonymous memory with the C library's malloc, {preloaded} kB with {arguments.library.name}")
    if preloaded - plain > arguments.most_added_kb:
        sys.exit(f"{preloaded - plain} kB added, at most {arguments.most_added_kb} are allowed")


if __name__ == "__main__":
    main()
