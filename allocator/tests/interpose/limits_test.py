#!/usr/bin/env python3
"""Runs /usr/bin/sort under a drop-in with ever less address space or data segment.

From --from MiB on, sort must say what it says without a limit. Below, down to 1 MiB, it may also fail, but cleanly: by
an exit code and a message, never by a signal and never with other output and exit code 0. Does not prove anything
of programs that need more memory themselves.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

LIMITS_MIB = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32, 40, 48, 56, 64, 128, 1024)
RESOURCES = {"address-space": resource.RLIMIT_AS, "data": resource.RLIMIT_DATA}


def sort(library: Path, text: str, kind: int | None = None, mebibytes: int = 0) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if kind is not None:
            resource.setrlimit(kind, (mebibytes << 20, mebibytes << 20))

    return subprocess.run(["/usr/bin/sort", "--buffer-size=256K"], input=text, capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, LC_ALL="C", LD_PRELOAD=str(library)), preexec_fn=limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("resource", choices=RESOURCES)
    parser.add_argument("library", type=Path, help="the drop-in, e.g. build/release/lib/libosmem.so")
    parser.add_argument("--from", dest="least", type=int, required=True, help="MiB from which on sort must succeed")
    arguments = parser.parse_args()
    text = "".join(f"{i * 7919 % 10007}\n" for i in range(5000))
    expected = "".join(sorted(text.splitlines(keepends=True)))
    failures = []
    for mebibytes in LIMITS_MIB:
        done = sort(arguments.library.resolve(), text, RESOURCES[arguments.resource], mebibytes)
        succeeded = done.returncode == 0 and done.stdout == expected
        clean = done.returncode > 0 and done.stderr.strip() != ""
        print(f"{mebibytes} MiB: {'the same output' if succeeded else f'exit {done.returncode}: {done.stderr.strip()[:100]}'}")
        if not succeeded and (mebibytes >= arguments.least or not clean):
            failures.append(mebibytes)
    if failures:
        sys.exit(f"under limits of {failures} MiB sort neither worked nor failed as it may")


if __name__ == "__main__":
    main()
