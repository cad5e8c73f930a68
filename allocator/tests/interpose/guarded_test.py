#!/usr/bin/env python3
"""Proves that each misuse of a guarded block (OSMEM_GUARD_SAMPLE) is reported with the stacks of its allocation and its free, that right
use is not, and that faults of other kinds and a handler of the program's own are left alone. Does not prove how often blocks are guarded.

usage: guarded_test.py LIBRARY PROGRAM
"""

import os
import signal
import subprocess
import sys

LIBRARY, PROGRAM = sys.argv[1:3]
FAILURES = []


def run(mode: str, **more: str) -> subprocess.CompletedProcess:
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, OSMEM_GUARD_SAMPLE="1", **more)
    return subprocess.run([PROGRAM, mode], env=environment, capture_output=True, text=True, timeout=120)


def expect(mode: str, condition: bool, what: str, done: subprocess.CompletedProcess) -> None:
    if not condition:
        FAILURES.append(f"{mode}: {what}; exit {done.returncode}, said\n{done.stdout}{done.stderr}")


def expect_reported(mode: str, message: str, was_freed: bool) -> None:
    done = run(mode)
    expect(mode, done.returncode == -signal.SIGABRT, "did not end by SIGABRT", done)
    expect(mode, message in done.stderr, f"no line with '{message}'", done)
    allocated, _, freed = done.stderr.partition("freed by thread")
    expect(mode, "allocated by thread" in allocated and "allocate_here" in allocated, "no stack of the allocation", done)
    expect(mode, ("free_here" in freed) == was_freed, "the stack of the free", done)
    expect(mode, all(line.startswith("osmem: ") for line in done.stderr.splitlines()), "a line without its name", done)


def main() -> None:
    expect_reported("overflow", "access behind the end", False)
    expect_reported("overread", "access behind the end", False)
    expect_reported("underflow", "written before its start", False)
    expect_reported("after-free", "access after the free", True)
    expect_reported("twice", "freed before", True)
    expect_reported("interior", "not to its start", False)
    for mode in ("right", "realloc"):
        done = run(mode)
        expect(mode, done.returncode == 0 and done.stderr == "" and "lives" in done.stdout, "right use was taken for a misuse", done)
    done = run("elsewhere")
    expect("elsewhere", done.returncode == -signal.SIGSEGV and done.stderr == "", "a fault elsewhere does not end as it would have", done)
    done = run("handler")
    expect("handler", done.returncode == 7 and "own handler" in done.stdout, "the program's own handler was not called", done)
    done = run("after-free", OSMEM_ON_ERROR="report")
    expect("report", done.returncode == 0 and "access after the free" in done.stderr and "lives" in done.stdout, "did not go on", done)
    if FAILURES:
        sys.exit("\n".join(FAILURES))


if __name__ == "__main__":
    main()
