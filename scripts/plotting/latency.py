"""The share of calls that took longer than a time: complementary distributions, log-log, a panel a cell and function."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .lines import grid_of, head, panel_title
from .run_data import Cell, Histogram, Run
from .style import colours, finish

LEAST_CALLS = 1000
LEAST_NS = 1.0  # what is below is the timer's own step
MOST_PANELS = 24


def survivors(histogram: Histogram) -> tuple[list[float], list[float]]:
    """Times, and the share of calls that took at least so long."""
    total = sum(count for _, count in histogram.buckets)
    times, shares, above = [], [], total
    for from_ns, count in histogram.buckets:
        times.append(max(from_ns, LEAST_NS))
        shares.append(above / total)
        above -= count
    return times, shares


def draw(axes: Axes, run: Run, cell: Cell, function: str) -> None:
    palette = colours(run.allocators)
    for histogram in run.histograms:
        if (histogram.cell, histogram.function) == (cell, function):
            times, shares = survivors(histogram)
            axes.step(times, shares, where="post", color=palette[histogram.allocator], linewidth=1.2,
                      linestyle=":" if histogram.allocator in run.references else "-")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(panel_title(f"{function}: {cell.label()}"))
    axes.xaxis.set_major_formatter(lambda ns, _: f"{ns:g} ns" if ns < 1e3 else f"{ns / 1e3:g} us" if ns < 1e6 else f"{ns / 1e6:g} ms"
                                   if ns < 1e9 else f"{ns / 1e9:g} s")
    axes.tick_params(labelsize=7)
    axes.grid()


def ccdf(run: Run, directory: Path) -> list[Path]:
    """Drawn where the run timed calls or requests; functions of fewer than a thousand calls are left out."""
    counts: dict[tuple[Cell, str], int] = {}
    for histogram in run.histograms:
        key = (histogram.cell, histogram.function)
        counts[key] = max(counts.get(key, 0), sum(count for _, count in histogram.buckets))
    panels = [key for key, count in counts.items() if count >= LEAST_CALLS]
    drawn: list[Path] = []
    for page, start in enumerate(range(0, len(panels), MOST_PANELS)):
        shown = panels[start:start + MOST_PANELS]
        figure, all_axes = grid_of(len(shown))
        for axes, (cell, function) in zip(all_axes, shown):
            draw(axes, run, cell, function)
        palette = colours(run.allocators)
        head(figure, "Share of calls that take longer than a time (further left and lower is better)",
             [Line2D([], [], color=palette[name], linestyle=":" if name in run.references else "-", label=name) for name in run.allocators])
        figure.supxlabel("time of a call, or of a request", fontsize=9, y=0.5 / figure.get_size_inches()[1])
        note = "The first block of each; the timer's own time is subtracted, and what is below 1 ns drawn there. Titles: call: workload · threads."
        drawn += finish(figure, run, note, directory / ("latency" if page == 0 else f"latency_{page + 1}"))
    return drawn
