"""Curves: throughput against threads, and RSS over time with live bytes under it."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from .run_data import Cell, Run
from .style import colours, finish, markers, tick_text

PANEL_INCHES = (3.4, 2.5)
LEAST_WIDTH_INCHES = 8.0
LEAST_THREAD_COUNTS = 3


def scaling_workloads(run: Run) -> list[str]:
    counts: dict[str, set[int]] = {}
    for cell in run.cells("throughput"):
        counts.setdefault(cell.workload, set()).add(cell.threads)
    return [workload for workload, threads in counts.items() if len(threads) >= LEAST_THREAD_COUNTS]


def grid_of(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(4, count)
    rows = -(-count // columns)
    # Title, legend and caption need their room, however few panels there are.
    width, height = max(LEAST_WIDTH_INCHES, PANEL_INCHES[0] * columns + 0.3), PANEL_INCHES[1] * rows + 1.6
    figure, panels = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    figure.subplots_adjust(left=0.62 / width, right=1 - 0.12 / width, top=1 - 1.05 / height, bottom=1.0 / height,
                           wspace=0.28, hspace=0.38)
    flat = list(panels.flat)
    for spare in flat[count:]:
        spare.remove()
    return figure, flat[:count]


def panel_title(text: str) -> str:
    """A long name goes on in a second line, behind its colon: panels are about 34 characters wide."""
    return text if len(text) <= 34 else text.replace(":", ":\n", 1)


def head(figure: Figure, title: str, handles: list[Line2D]) -> None:
    height = figure.get_size_inches()[1]
    figure.suptitle(title, x=0.01, y=1 - 0.14 / height, ha="left", va="top", fontsize=13, fontweight="bold")
    figure.legend(handles=handles, loc="upper left", ncol=len(handles), bbox_to_anchor=(0.003, 1 - 0.42 / height),
                  fontsize=8.5)


def draw_scaling(axes: Axes, run: Run, workload: str) -> None:
    palette, shapes = colours(run.allocators), markers(run.allocators)
    cells = sorted((cell for cell in run.cells("throughput") if cell.workload == workload),
                   key=lambda cell: cell.threads)
    for name in run.allocators:
        rows = [row for cell in cells if (row := run.row(cell, "throughput", name)) and row.median is not None]
        threads = [row.cell.threads for row in rows]
        axes.plot(threads, [row.median for row in rows], color=palette[name], marker=shapes[name], markersize=4,
                  linestyle=":" if name in run.references else "-", linewidth=1.4)
        banded = [row for row in rows if row.low is not None]
        axes.fill_between([row.cell.threads for row in banded], [row.low for row in banded],
                          [row.high for row in banded], color=palette[name], alpha=0.15, linewidth=0)
    axes.set_title(panel_title(workload))
    axes.set_xticks([cell.threads for cell in cells])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: tick_text(value, "ops/s"))
    axes.tick_params(labelsize=7.5)
    axes.grid()


def scaling(run: Run, directory: Path) -> list[Path]:
    """Drawn for workloads with at least three thread counts."""
    workloads = scaling_workloads(run)
    if not workloads:
        return []
    figure, panels = grid_of(len(workloads))
    for axes, workload in zip(panels, workloads):
        draw_scaling(axes, run, workload)
    palette, shapes = colours(run.allocators), markers(run.allocators)
    head(figure, "Throughput against threads (higher is better)",
         [Line2D([], [], color=palette[name], marker=shapes[name], label=name) for name in run.allocators])
    figure.supxlabel("threads", fontsize=9, y=0.5 / figure.get_size_inches()[1])
    note = f"Medians with their 95 % intervals as bands, n = {run.repetitions('throughput')}. Each panel has its own scale."
    return finish(figure, run, note, directory / "throughput_against_threads")


def draw_timeline(axes: Axes, run: Run, cell: Cell) -> None:
    palette = colours(run.allocators)
    points = [point for point in run.timelines if point.cell == cell]
    live = [point for point in points if point.live_bytes > 0]
    if live:
        source = live[0].allocator
        shown = [point for point in live if point.allocator == source]
        axes.fill_between([point.time_s for point in shown], [point.live_bytes for point in shown], color="#CCCCCC",
                          linewidth=0, step="post")
    for name in run.allocators:
        mine = [point for point in points if point.allocator == name]
        axes.plot([point.time_s for point in mine], [point.rss_bytes for point in mine], color=palette[name],
                  linewidth=1.2, linestyle=":" if name in run.references else "-")
    axes.set_title(panel_title(f"{cell.workload} · {cell.threads}"))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MultipleLocator(2.0 ** math.ceil(math.log2(max(1.0, axes.get_ylim()[1]) / 6))))
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(lambda value, _: tick_text(value, "bytes"))
    axes.tick_params(labelsize=7.5)
    axes.grid()


def rss_over_time(run: Run, directory: Path) -> list[Path]:
    """Drawn where the run kept timelines."""
    cells = list(dict.fromkeys(point.cell for point in run.timelines))
    if not cells:
        return []
    figure, panels = grid_of(len(cells))
    for axes, cell in zip(panels, cells):
        draw_timeline(axes, run, cell)
    palette = colours(run.allocators)
    handles = [Line2D([], [], color=palette[name], linestyle=":" if name in run.references else "-", label=name)
               for name in run.allocators if any(point.allocator == name for point in run.timelines)]
    if any(point.live_bytes > 0 for point in run.timelines):
        handles.append(Line2D([], [], color="#CCCCCC", linewidth=6, label="live bytes requested"))
    head(figure, "Resident set over time (lower is better)", handles)
    figure.supxlabel("seconds since the start of the work", fontsize=9, y=0.5 / figure.get_size_inches()[1])
    note = "One run of each, above the resident set before it started. Titles: workload · threads. Each panel has its own scale."
    return finish(figure, run, note, directory / "rss_over_time")
