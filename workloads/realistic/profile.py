#!/usr/bin/env python3
"""Prints what each realistic workload asks of an allocator, as a Markdown table.

Calls and the share of instructions come from callgrind under the C library's malloc: the difference between
two runs of different length, so that loading and filling do not count. Peak live bytes come from the counting
allocator, libosmem-live-bytes.so. Needs a release build and the Debian package valgrind; takes minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ALLOCATING = {"malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc"}
SHORT_RUN, LONG_RUN = 2, 5


@dataclass
class Profile:
    """Instructions and calls of one run."""

    total: int
    inside: int  # instructions in the entry points of malloc and free, and all that they call
    calls: dict[str, int]


def is_entry_point(function: str) -> bool:
    return function in ALLOCATING or function == "free" or function.startswith(("operator new", "operator delete"))


def read_callgrind(path: Path) -> Profile:
    """Adds up the calls that enter the allocator from outside it."""
    names: dict[str, str] = {}
    caller, callee, total, inside = "", "", 0, 0
    calls: dict[str, int] = defaultdict(int)
    count = None  # of the calls whose cost the next line tells
    for line in path.read_text(errors="replace").splitlines():
        if match := re.match(r"(c?)fn=(\(\d+\))(?: (.*))?", line):
            name = re.sub(r"'\d+$", "", names.setdefault(match[2], match[3] or ""))
            if match[1]:
                callee = name
            else:
                caller = name
        elif match := re.match(r"calls=(\d+)", line):
            count = int(match[1])
        elif match := re.match(r"[+\-*\d]\S* (\d+)$", line):
            if count is None:
                total += int(match[1])
            elif is_entry_point(callee):
                # malloc under operator new is counted as a call, its instructions as operator new's.
                calls[callee] += count
                inside += 0 if is_entry_point(caller) else int(match[1])
            count = None
    return Profile(total, inside, calls)


def callgrind(command: list[str]) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", *command],
                       check=True, stdout=subprocess.DEVNULL, timeout=900)
        return read_callgrind(out)


def allocations(profile: Profile) -> int:
    return sum(count for name, count in profile.calls.items() if name in ALLOCATING)


def peak_live_bytes(build: Path, command: list[str]) -> int:
    environment = os.environ | {"LD_PRELOAD": str(build / "lib/libosmem-live-bytes.so")}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=300)
    return int(output.stdout.split()[5])


def row(build: Path, workload: str) -> str:
    module = build / "lib/workloads" / (workload.split(":")[0] + ".so")
    head = [str(build / "tests/realistic_runner"), str(module), workload, "1"]
    short, long = (callgrind([*head, str(n), "1"]) for n in (SHORT_RUN, LONG_RUN))
    iterations = 2 * (LONG_RUN - SHORT_RUN)  # the runner runs twice
    calls = (allocations(long) - allocations(short)) / iterations
    instructions = (long.total - short.total) / iterations
    share = (long.inside - short.inside) / (long.total - short.total)
    peak = peak_live_bytes(build, [*head, "40", "1"])
    return f"| {workload} | {calls:,.0f} | {instructions / 1e6:,.1f} | {share:.1%} | {peak / 2**20:,.2f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", help="NAME[:PARAMETER=VALUE,...]; default: every module")
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="the build tree")
    arguments = parser.parse_args()
    modules = sorted(path.stem for path in (arguments.build / "lib/workloads").glob("*.so"))
    print("| workload | allocations an iteration | million instructions | in malloc and free | peak live MiB |")
    print("|---|---|---|---|---|")
    for workload in arguments.workloads or modules:
        print(row(arguments.build, workload), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
