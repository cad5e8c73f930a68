#!/usr/bin/env python3
"""Draws a heap dump as a picture, as SVG and PNG.

DUMP is a file of JSON lines: what os_heap_dump(fd) writes, or examples/trace_heap. List heaps are drawn step by step, a row for
each snapshot and a column for each allocator; a page heap as a map of its pages, one below the other if there are several
snapshots. For instance:

  build/release/examples/trace_heap > lists.jsonl && scripts/heap_map.py lists.jsonl --out lists
  LD_PRELOAD=build/release/lib/libosmem.so python3 -c 'import ctypes; ctypes.CDLL(None).os_heap_dump(1)' > pages.jsonl

Needs matplotlib (Debian: python3-matplotlib); if the python3 in PATH has none, the system's own is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plotting.heap_dump import DumpError, Snapshot, read_dump
from plotting.interpreter import ensure_matplotlib


def draw(snapshots: list[Snapshot], title: str | None, stem: Path) -> list[Path]:
    from plotting import list_heap, page_heap

    if all(snapshot.is_list for snapshot in snapshots):
        return list_heap.draw(snapshots, title or "The same trace on each list heap", stem)
    if any(snapshot.is_list for snapshot in snapshots):
        raise DumpError("list heaps and page heaps in one dump: draw them apart")
    return page_heap.draw(snapshots, title or "Pages of the heap", stem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", metavar="DUMP", type=Path)
    parser.add_argument("--out", metavar="STEM", type=Path, help="pictures are STEM.svg and STEM.png; default: beside DUMP")
    parser.add_argument("--title", help="the picture's title")
    arguments = parser.parse_args()
    ensure_matplotlib()
    try:
        drawn = draw(read_dump(arguments.dump), arguments.title, arguments.out or arguments.dump.with_suffix(""))
    except DumpError as error:
        sys.exit(f"heap_map.py: {error}")
    except OSError as error:
        sys.exit(f"heap_map.py: cannot write {error.filename}: {error.strerror}")
    for path in drawn:
        print(path)


if __name__ == "__main__":
    main()
