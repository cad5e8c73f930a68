#!/usr/bin/env python3
"""Checks that every folder includes only what stands below it.

Reads the `#include "..."` lines of all C and C++ files of allocator/, workloads/ and bench/ but their tests and prints each that
breaks a rule, as FILE: includes HEADER: WHY. Exit code 1 if there is one, 2 if nothing was found to check.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

# Lowest first: a folder may include itself and those before it.
LAYERS = {
    "allocator/osmem": ["base", "os", "pages", "slabs", "threads", "api", "hardened"],
    "bench": ["allocators", "measure", "model", "stats", "output", "process", "protocol", "plan", "record", "cells", "worker", "run",
              "advise", "verify", "cli"],
    "workloads/trace": ["format", "record", "replay", "analyse"],
}
# Folder: what its files may not include.
FORBIDDEN = {
    "allocator/osmem": ["allocator/classic", "allocator/limit", "workloads", "bench"],
    "allocator/classic": ["allocator/osmem", "allocator/limit", "workloads", "bench"],
    "allocator/limit": ["allocator/osmem", "allocator/classic", "workloads", "bench"],
    "allocator/interpose": ["allocator/osmem", "allocator/classic", "allocator/limit", "workloads", "bench"],
    "workloads": ["allocator", "bench"],
    "bench": ["allocator/classic", "allocator/limit"],
}
SOURCE = {".c", ".cc", ".cpp", ".h", ".hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def folder_in(path: str, root: str) -> str | None:
    """The folder of `path` directly below `root`; None if it is not in one."""
    if not path.startswith(root + "/"):
        return None
    parts = path[len(root) + 1:].split("/")
    return parts[0] if len(parts) > 1 else None


def broken_rule(source: str, header: str) -> str | None:
    """Why `source` may not include `header`; None if it may."""
    for root, order in LAYERS.items():
        mine, other = folder_in(source, root), folder_in(header, root)
        if mine is None or other is None:
            continue
        unknown = [name for name in (mine, other) if name not in order]
        if unknown:
            return f"{root}/{unknown[0]} has no place in the order of scripts/check_layers.py"
        if order.index(other) > order.index(mine):
            return f"{other} stands above {mine}"
    for root, forbidden in FORBIDDEN.items():
        if source.startswith(root + "/"):
            for name in forbidden:
                if header.startswith(name + "/"):
                    return f"{root} knows nothing of {name}"
    return None


def sources(root: Path) -> list[Path]:
    """Every source file of the project but tests, which may include anything."""
    found = [path for top in ("allocator", "workloads", "bench") for path in (root / top).rglob("*") if path.suffix in SOURCE]
    return sorted(path for path in found if "tests" not in path.relative_to(root).parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent, help="the project's root")
    root = parser.parse_args().root
    checked = broken = 0
    for path in sources(root):
        source = path.relative_to(root).as_posix()
        for header in INCLUDE.findall(path.read_text(encoding="utf-8")):
            checked += 1
            why = broken_rule(source, header)
            if why is not None:
                broken += 1
                print(f"{source}: includes {header}: {why}")
    if checked == 0:
        print(f"{root}: no source file with an include found", file=sys.stderr)
        return 2
    print(f"{checked} includes checked, {broken} break a rule", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
