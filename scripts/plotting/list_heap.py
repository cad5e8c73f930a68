"""List heaps step by step: a row for each step, a column for each allocator, blocks to scale along the address."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from .heap_dump import Block, Snapshot
from .style import save_figure

IN_USE, TOUCHED, FREE, EDGE, MAPPED, FENCE = "#A9CCE8", "#E69F00", "#F4F4F4", "#6E6E6E", "#C9E5D5", "#BBBBBB"
KIB = 1024
ROW_INCHES, COLUMN_INCHES, LABEL_INCHES = 0.42, 4.7, 1.75
HEAD_INCHES, FOOT_INCHES = 1.05, 0.6
BAR_HEIGHT = 0.62


def columns_of(snapshots: list[Snapshot]) -> dict[str, list[Snapshot]]:
    columns: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        columns.setdefault(snapshot.allocator, []).append(snapshot)
    return columns


def end_of(snapshot: Snapshot) -> int:
    return max((block.offset + snapshot.header_size + block.size for block in snapshot.blocks), default=0)


def touched(snapshot: Snapshot, before: Snapshot | None) -> set[str]:
    """The names whose block is new, moved or resized in this step."""
    old = {(block.name, block.offset, block.size) for block in before.blocks} if before else set()
    return {block.name for block in snapshot.blocks if block.name and (block.name, block.offset, block.size) not in old}


def size_text(size: int) -> str:
    return f"{size / KIB:.0f} KiB" if size >= KIB else f"{size} B"


def draw_block(axes: Axes, block: Block, header: int, y: float, is_touched: bool, room: float) -> None:
    left, width = block.offset / KIB, (block.size + header) / KIB
    colour = {"free": FREE, "fence": FENCE}.get(block.status, TOUCHED if is_touched else IN_USE)
    axes.add_patch(Rectangle((left, y - BAR_HEIGHT / 2), width, BAR_HEIGHT, facecolor=colour, edgecolor=EDGE,
                             linewidth=0.8, hatch="////" if block.status == "free" else None))
    axes.plot([left, left], [y - BAR_HEIGHT / 2, y + BAR_HEIGHT / 2], color="#222222", linewidth=1.8,
              solid_capstyle="butt", zorder=4)
    if block.name and width / room > 0.03:
        axes.text(left + width / 2, y, block.name, ha="center", va="center", fontsize=9, fontweight="bold", zorder=5)
    elif block.status == "free" and width / room > 0.045:
        axes.text(left + width / 2, y, f"{block.size / KIB:.0f}", ha="center", va="center", fontsize=7.5, zorder=5,
                  color="#333333", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.9})


def draw_step(axes: Axes, snapshot: Snapshot, before: Snapshot | None, y: float, room: float) -> None:
    names = touched(snapshot, before)
    for block in snapshot.blocks:
        draw_block(axes, block, snapshot.header_size, y, block.name in names, room)
    for index, mapping in enumerate(snapshot.mappings):
        is_new = before is None or mapping not in before.mappings
        left = room * (1.02 + 0.15 * index)
        axes.add_patch(Rectangle((left, y - BAR_HEIGHT / 2), room * 0.13, BAR_HEIGHT, linestyle="--", linewidth=0.9,
                                 facecolor=TOUCHED if is_new else MAPPED, edgecolor=EDGE))
        axes.text(left + room * 0.065, y, mapping.name or size_text(mapping.size), ha="center", va="center",
                  fontsize=9, fontweight="bold")


def draw_column(axes: Axes, name: str, steps: list[Snapshot], room: float, mappings: int) -> None:
    before = None
    for row, snapshot in enumerate(steps):
        draw_step(axes, snapshot, before, row, room)
        before = snapshot
    axes.set_title(name, loc="left", fontsize=11)
    axes.set_xlim(-room * 0.004, room * (1.02 + 0.15 * mappings))
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.set_yticks([])
    step = 32 if room <= 320 else 256
    axes.set_xticks([tick for tick in range(0, int(room) + 1, step)])
    axes.set_xlabel("KiB from the start of the heap", fontsize=8, color="#444444")
    axes.grid(axis="x", zorder=0)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=7.5)


def add_labels(axes: Axes, columns: list[list[Snapshot]]) -> None:
    """A row is named at the left if all allocators did the same, else by each step's number."""
    for row in range(max(map(len, columns))):
        labels = {steps[row].label for steps in columns if row < len(steps)}
        axes.text(-0.02, row, labels.pop() if len(labels) == 1 else f"step {row + 1}", ha="right", va="center",
                  fontsize=8.5, family="monospace", transform=axes.get_yaxis_transform())


def legend(figure: Figure, has_mappings: bool, has_fences: bool) -> None:
    handles = [Patch(facecolor=TOUCHED, edgecolor=EDGE, label="new, moved or resized in this step"),
               Patch(facecolor=IN_USE, edgecolor=EDGE, label="in use"),
               Patch(facecolor=FREE, edgecolor=EDGE, hatch="////", label="free, with its KiB"),
               Patch(facecolor="#222222", label="header (not to scale)")]
    if has_fences:
        handles.append(Patch(facecolor=FENCE, edgecolor=EDGE, label="fence at a gap"))
    if has_mappings:
        handles.append(Patch(facecolor=MAPPED, edgecolor=EDGE, linestyle="--", label="mapping of its own (not to scale)"))
    height = figure.get_size_inches()[1]
    figure.legend(handles=handles, loc="upper left", ncol=len(handles), fontsize=8.5,
                  bbox_to_anchor=(0.005, 1 - 0.42 / height))


def draw(snapshots: list[Snapshot], title: str, stem: Path) -> list[Path]:
    columns = columns_of(snapshots)
    rows = max(map(len, columns.values()))
    room = max(map(end_of, snapshots)) / KIB
    mappings = max(len(snapshot.mappings) for snapshot in snapshots)
    width = LABEL_INCHES + COLUMN_INCHES * len(columns)
    height = HEAD_INCHES + ROW_INCHES * rows + FOOT_INCHES
    figure, panels = plt.subplots(1, len(columns), figsize=(width, height), squeeze=False)
    figure.subplots_adjust(left=LABEL_INCHES / width, right=1 - 0.1 / width, top=1 - HEAD_INCHES / height,
                           bottom=FOOT_INCHES / height, wspace=0.07)
    for axes, (name, steps) in zip(panels.flat, columns.items()):
        draw_column(axes, name, steps, room, mappings)
    add_labels(panels.flat[0], list(columns.values()))
    figure.suptitle(title, x=0.01, y=1 - 0.14 / height, ha="left", va="top", fontsize=13, fontweight="bold")
    legend(figure, mappings > 0, any(block.status == "fence" for snapshot in snapshots for block in snapshot.blocks))
    return save_figure(figure, stem)
