"""Reading heap dumps: lines of JSON, a snapshot from each "heap" record to the next.

A list heap's records: heap (layout "list", header_bytes, label), block (offset, size, status, name), mapping (bytes, name); see
allocator/classic/dump.hpp. A page heap's: heap (page_bytes, pages), slab (page, pages, block_bytes, capacity, carved, live), run,
dirty and free (page, pages), mapping (bytes); they come from os_heap_dump.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class DumpError(Exception):
    """What is wrong with a dump, in one line."""


@dataclass(frozen=True)
class Block:
    offset: int  # of the header, from the first block's
    size: int  # payload bytes
    status: str  # free, allocated or fence
    name: str | None


@dataclass(frozen=True)
class Mapping:
    size: int  # bytes
    name: str | None


@dataclass(frozen=True)
class Run:
    """Pages side by side of one kind: slab, run, dirty or free."""

    kind: str
    page: int
    pages: int
    block_size: int = 0  # slab: bytes of a block
    capacity: int = 0  # slab: blocks that fit
    live: tuple[bool, ...] = ()  # slab: of each block handed out at least once


@dataclass
class Snapshot:
    allocator: str
    label: str
    header_size: int = 0  # list heaps
    page_size: int = 0  # page heaps
    page_count: int = 0
    blocks: list[Block] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)

    @property
    def is_list(self) -> bool:
        return self.header_size > 0


def slab_of(record: dict[str, Any]) -> Run:
    digits = [int(digit, 16) for digit in record["live"]]
    bits = [bool(digit >> bit & 1) for digit in digits for bit in range(4)]
    return Run("slab", record["page"], record["pages"], record["block_bytes"], record["capacity"],
               tuple(bits[:record["carved"]]))


def snapshot_of(record: dict[str, Any]) -> Snapshot:
    snapshot = Snapshot(record["allocator"], record.get("label", ""))
    if record.get("layout") == "list":
        snapshot.header_size = record["header_bytes"]
    else:
        snapshot.page_size, snapshot.page_count = record["page_bytes"], record["pages"]
    return snapshot


def add(snapshot: Snapshot, record: dict[str, Any]) -> None:
    kind = record["record"]
    if kind == "block":
        snapshot.blocks.append(Block(record["offset"], record["size"], record["status"], record.get("name")))
    elif kind == "mapping":
        snapshot.mappings.append(Mapping(record["bytes"], record.get("name")))
    elif kind == "slab":
        snapshot.runs.append(slab_of(record))
    elif kind in ("run", "dirty", "free"):
        snapshot.runs.append(Run(kind, record["page"], record["pages"]))
    else:
        raise DumpError(f"unknown record '{kind}'")


def read_dump(path: Path) -> list[Snapshot]:
    """Every snapshot in the file; DumpError names the line that cannot be read."""
    snapshots: list[Snapshot] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DumpError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if record["record"] == "heap":
                snapshots.append(snapshot_of(record))
            elif not snapshots:
                raise DumpError("the first record must be of a heap")
            else:
                add(snapshots[-1], record)
        except (ValueError, KeyError, TypeError, DumpError) as error:
            raise DumpError(f"{path}:{number}: not a heap dump: {error}") from error
    if not snapshots:
        raise DumpError(f"{path}: no heap in it")
    return snapshots
