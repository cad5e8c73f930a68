#!/usr/bin/env python3
"""Shows that the shadow model can fail: runs it over a heap with one defect after the other put in (mutant_heap.cpp).

Each defect must end the program by SIGABRT, or by exit code 1 for blocks that never came back, with the message that names
it; the same heap without a defect must pass. Does not prove that the model sees defects of other kinds.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

# What is put in, and what the model must say of it (one of these).
DEFECTS: dict[str, tuple[str, ...]] = {
    "overlap": ("contents changed",),
    "same-block-twice": ("contents changed",),
    "misaligned": ("misaligned block",),
    "unaligned-request": ("misaligned block",),
    "usable-too-small": ("usable size below the request", "usable size changed"),
    "usable-changes": ("usable size changed", "contents changed"),
    "dirty-calloc": ("calloc's memory is not zero",),
    "realloc-loses": ("contents changed",),
    "realloc-loses-the-tail": ("contents changed",),
    "realloc-zero-keeps": ("realloc to 0 gave a block",),
    "memdup-differs": ("memdup's copy differs",),
    "free-sets-errno": ("free changed errno",),
    "free-scribbles": ("contents changed",),
    "leaks": ("bytes are still allocated",),
    "no-memory": ("a request failed", "bad_alloc"),
    "success-sets-errno": ("a request that succeeded changed errno",),
    "wrong-errno": ("a request failed", "bad_alloc"),
    "dump-fails": ("os_heap_dump failed",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="build/release/tests/osmem-stress-mutant")
    arguments = parser.parse_args()
    failures = []
    for defect in (None, *DEFECTS):
        environment = dict(os.environ) if defect is None else dict(os.environ, OSMEM_TEST_DEFECT=defect)
        done = subprocess.run([str(arguments.program), "--operations=400000", "--threads=1", "--seed=3"],
                              env=environment, capture_output=True, text=True, check=False, timeout=100)
        if defect is None:
            seen = done.returncode == 0
        else:
            seen = done.returncode in (-signal.SIGABRT, 1) and any(words in done.stderr for words in DEFECTS[defect])
        print(f"{defect or 'no defect'}: exit {done.returncode}, {done.stderr.strip().splitlines()[-1][:120]}")
        if not seen:
            failures.append(defect or "no defect")
    if failures:
        sys.exit("not as it must be: " + ", ".join(failures))


if __name__ == "__main__":
    main()
