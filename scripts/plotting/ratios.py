"""Ratios to the baseline: the forest plot (every cell with its interval, in pages by kind) and the heat map of all cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .run_data import NO_DIFFERENCE, Cell, Mean, Row, Run
from .style import (BETTER, HIGHER_IS_BETTER, TITLES, UNDECIDED, WORSE, better_arrow, finish, quantity,
                    ratio_axis, three_digits)

ROW_INCHES = 0.21
HEAD_INCHES = 0.80
FOOT_INCHES = 1.05
LABEL_INCHES = 2.2
MOST_ROWS = 34  # of a page, so that it fits a screen
MOST_SQUARES = 50  # of a column of the heat map
FULL_COLOUR_RATIO = 2.0


def limits(run: Run, metric: str, kind: str | None = None) -> tuple[float, float]:
    """One scale for all panels of a kind. A few outliers do not squeeze the others: what lies beyond is an arrow at the edge, with its
    figure."""
    logs = sorted(math.log(row.ratio) for row in run.rows if row.metric == metric and row.ratio and kind in (None, row.kind))
    if not logs:
        return 0.9, 1.1
    quartiles = [logs[int(share * (len(logs) - 1))] for share in (0.25, 0.75)]
    reach = max(3 * (quartiles[1] - quartiles[0]), math.log(1.1))
    low = max(logs[0], quartiles[0] - reach)
    high = min(logs[-1], quartiles[1] + reach)
    return math.exp(min(low, 0.0)) / 1.12, math.exp(max(high, 0.0)) * 1.12


def verdict_colour(row: Row) -> str:
    if row.verdict in NO_DIFFERENCE or row.ratio is None:
        return UNDECIDED
    return BETTER if (row.ratio > 1) == (row.metric in HIGHER_IS_BETTER) else WORSE


def baseline_text(run: Run, cell: Cell, metric: str) -> str:
    row = run.row(cell, metric, run.baseline)
    if row is None:
        return "-"
    return quantity(row.median, row.unit) if row.median is not None else row.status


def label_column_inches(cells: list[Cell]) -> float:
    """Room for the longest name at 8 points, and the baseline's figure beside it."""
    longest = max((len(cell.label()) for cell in cells), default=0)
    return max(LABEL_INCHES, 0.063 * longest + 0.75)


def name_cells(axes: Axes, run: Run, metric: str, cells: list[Cell], ys: list[float], column_inches: float) -> None:
    """Workload and threads left-aligned, the baseline's figure right-aligned at the axis."""
    axes.set_yticks(ys)
    axes.set_yticklabels([baseline_text(run, cell, metric) for cell in cells], fontsize=8, color="#444444")
    axes.tick_params(axis="y", length=0)
    for cell, y in zip(cells, ys):
        axes.annotate(cell.label(), xy=(0, y), xycoords=("axes fraction", "data"), xytext=(-72 * column_inches, 0),
                      textcoords="offset points", va="center", ha="left", fontsize=8)


def draw_text(axes: Axes, y: float, row: Row) -> None:
    """A failure by its name; no colour of judgement where there is merely nothing to compare."""
    failed = row.status != "ok"
    axes.annotate(row.status if failed else "no ratio", xy=(0.5, y), va="center", ha="center",
                  xycoords=("axes fraction", "data"), fontsize=7.5, fontweight="bold" if failed else "normal",
                  color=WORSE if failed else UNDECIDED, bbox={"facecolor": "white", "linewidth": 0, "pad": 1})


def draw_cell(axes: Axes, y: float, row: Row | None, low: float, high: float) -> None:
    """A point with its interval and its figure; an arrow at the edge for what lies beyond the scale."""
    if row is None:
        return
    if row.ratio is None:
        draw_text(axes, y, row)
        return
    colour = verdict_colour(row)
    if row.ratio_low is not None and row.ratio_high is not None:
        ends = [max(row.ratio_low, low), min(row.ratio_high, high)]
        axes.plot(ends, [y, y], color=colour, linewidth=1.3)
        inside = [end for end in (row.ratio_low, row.ratio_high) if low <= end <= high]  # a line without an end goes on
        axes.plot(inside, [y] * len(inside), color=colour, linestyle="none", marker="|", markersize=5.5, markeredgewidth=1.1)
    filled = colour != UNDECIDED
    beyond = ">" if row.ratio > high else "<" if row.ratio < low else None
    axes.plot([min(max(row.ratio, low), high)], [y], marker=beyond or "o", markersize=6 if beyond else 3.6, color=colour,
              markerfacecolor=colour if filled else "white", clip_on=False)
    axes.annotate(three_digits(row.ratio), xy=(1.04, y), xycoords=("axes fraction", "data"), va="center", ha="left",
                  fontsize=7.5, color="#333333")


def draw_mean(axes: Axes, y: float, mean: Mean | None) -> None:
    if mean is None or mean.ratio is None:
        return
    if mean.ratio_low is not None and mean.ratio_high is not None:
        axes.plot([mean.ratio_low, mean.ratio_high], [y, y], color="black", linewidth=1.6)
    axes.plot([mean.ratio], [y], marker="D", markersize=5.5, color="black")
    axes.annotate(three_digits(mean.ratio), xy=(1.04, y), xycoords=("axes fraction", "data"), va="center",
                  fontsize=8, fontweight="bold")


@dataclass(frozen=True)
class Page:
    """Part of the cells of one kind."""

    kind: str
    cells: list[Cell]
    number: int
    of: int

    def name(self) -> str:
        kind = self.kind or "all"
        return kind if self.of == 1 else f"{kind}_{self.number}"


def pages_of(run: Run, metric: str) -> list[Page]:
    """Pages of much the same length, none above MOST_ROWS."""
    pages = []
    for kind in run.kinds(metric):
        cells = run.cells(metric, kind)
        count = -(-len(cells) // MOST_ROWS)
        size = -(-len(cells) // count)
        pages += [Page(kind, cells[index * size:(index + 1) * size], index + 1, count) for index in range(count)]
    return pages


def forest(run: Run, metric: str, directory: Path) -> list[Path]:
    """Pages, one kind each: a panel an allocator, a row a cell, the kind's mean on top."""
    drawn = []
    for page in pages_of(run, metric):
        drawn += forest_page(run, metric, page, directory)
    return drawn


def forest_page(run: Run, metric: str, page: Page, directory: Path) -> list[Path]:
    cells, subjects = page.cells, run.subjects
    height = HEAD_INCHES + FOOT_INCHES + ROW_INCHES * (len(cells) + 2)
    label_inches = label_column_inches(run.cells(metric))
    width = max(8.0, label_inches + 1.75 * len(subjects) + 0.2)
    figure, panels = plt.subplots(1, len(subjects), figsize=(width, height), sharey=True, squeeze=False)
    figure.subplots_adjust(left=label_inches / width, right=1 - 0.55 / width, top=1 - HEAD_INCHES / height,
                           bottom=FOOT_INCHES / height, wspace=0.32)
    low, high = limits(run, metric, page.kind)
    for axes, subject in zip(panels[0], subjects):
        ratio_axis(axes, low, high)
        axes.grid(axis="x")
        axes.axvline(1, color="black", linewidth=1)
        axes.axhline(-1.0, color="#999999", linewidth=0.8)
        for index, cell in enumerate(cells):
            draw_cell(axes, -(index + 2.0), run.row(cell, metric, subject), low, high)
        draw_mean(axes, 0.0, run.mean(page.kind, metric, subject))
        axes.set_title(subject)
        axes.tick_params(axis="y", length=0)
    name_cells(panels[0][0], run, metric, cells, [-(index + 2.0) for index in range(len(cells))], label_inches - 0.1)
    mean = run.mean(page.kind, metric, run.baseline)
    panels[0][0].annotate(f"mean of {mean.families if mean else 0} families", xy=(0, 0.0), fontsize=8,
                          xycoords=("axes fraction", "data"), xytext=(-72 * (label_inches - 0.1), 0),
                          textcoords="offset points", va="center", ha="left", fontweight="bold")
    panels[0][0].set_ylim(-(len(cells) + 1.7), 0.8)
    part = f" ({page.number} of {page.of})" if page.of > 1 else ""
    figure.suptitle(f"{TITLES.get(metric, metric)}, {page.kind or 'all'}{part}: ratio to {run.baseline}, {better_arrow(metric)}", x=0.01,
                    ha="left", y=1 - 0.10 / height, va="top", fontsize=13, fontweight="bold")
    figure.legend(handles=legend_of_verdicts(), loc="lower right", ncol=3, fontsize=8,
                  bbox_to_anchor=(0.995, 0.52 / height), handletextpad=0.4, columnspacing=1.2)
    figure.supxlabel(f"ratio to {run.baseline} (logarithmic)", fontsize=9, y=0.58 / height)
    note = (f"Rows: workload · threads, and what {run.baseline} did (median). Lines: 95 % interval, paired by block, "
            f"n = {run.repetitions(metric)}. Arrows: beyond the scale.")
    return finish(figure, run, note, directory / f"{metric}_ratios_{page.name()}")


def legend_of_verdicts() -> list[Line2D]:
    def entry(colour: str, label: str, filled: bool) -> Line2D:
        return Line2D([], [], color=colour, marker="o", linewidth=1.6, markersize=4.5, label=label,
                      markerfacecolor=colour if filled else "white")
    return [entry(BETTER, "better", True), entry(WORSE, "worse", True), entry(UNDECIDED, "same, or not decided", False)]


def heat_text(row: Row | None) -> str:
    if row is None:
        return ""
    if row.ratio is None:
        return row.status if row.status != "ok" else "–"
    return three_digits(row.ratio)


def draw_heat(axes: Axes, run: Run, metric: str, rows: list[tuple[str, Cell]]) -> None:
    """A square a cell and allocator: blue better, orange worse, the deeper the farther from 1; pale where no difference is shown."""
    sign = 1 if metric in HIGHER_IS_BETTER else -1
    for y, (_, cell) in enumerate(rows):
        for x, subject in enumerate(run.subjects):
            row = run.row(cell, metric, subject)
            gain = sign * math.log(row.ratio) if row is not None and row.ratio else 0.0
            depth = min(abs(gain) / math.log(FULL_COLOUR_RATIO), 1.0)
            shown = row is not None and verdict_colour(row) != UNDECIDED
            alpha = (0.12 + 0.78 * depth) if shown else 0.10 * depth
            axes.add_patch(plt.Rectangle((x, -y - 1), 1, 1, facecolor=BETTER if gain > 0 else WORSE, alpha=alpha, linewidth=0))
            axes.text(x + 0.5, -y - 0.5, heat_text(row), ha="center", va="center", fontsize=7,
                      fontweight="bold" if shown else "normal", color="white" if alpha > 0.6 else "#222222")
    axes.set(xlim=(0, len(run.subjects)), ylim=(-len(rows), 0), yticks=[-y - 0.5 for y in range(len(rows))],
             xticks=[x + 0.5 for x in range(len(run.subjects))])
    axes.set_yticklabels([cell.label() for _, cell in rows], fontsize=7.5)
    axes.set_xticklabels(run.subjects, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for y in range(1, len(rows)):
        if rows[y][0] != rows[y - 1][0]:
            axes.axhline(-y, color="black", linewidth=1.2)


def heat(run: Run, metric: str, directory: Path) -> list[Path]:
    """All cells in one picture, in columns where there are many; kinds apart."""
    rows = [(kind, cell) for kind in run.kinds(metric) for cell in run.cells(metric, kind)]
    columns = -(-len(rows) // MOST_SQUARES)
    size = -(-len(rows) // columns)
    label_inches = 0.25 + 0.06 * max(len(cell.label()) for _, cell in rows)
    panel_inches = 0.62 * len(run.subjects)
    width = max(6.5, columns * (label_inches + panel_inches) + 0.2)
    height = HEAD_INCHES + 0.75 + 0.2 * size
    figure, panels = plt.subplots(1, columns, figsize=(width, height), squeeze=False)
    figure.subplots_adjust(left=label_inches / width, right=1 - 0.15 / width, top=1 - HEAD_INCHES / height, bottom=0.75 / height,
                           wspace=label_inches / ((width - 0.15 - columns * label_inches) / columns))
    for index, axes in enumerate(panels[0]):
        part = rows[index * size:(index + 1) * size]
        draw_heat(axes, run, metric, part)
        axes.set_ylim(-size, 0)
    better = "higher is better" if metric in HIGHER_IS_BETTER else "lower is better"
    figure.suptitle(f"{TITLES.get(metric, metric)}: ratio to {run.baseline}, {better}", x=0.01, ha="left", y=1 - 0.10 / height, va="top",
                    fontsize=13, fontweight="bold")
    note = (f"Bold: a difference is shown; blue better, orange worse, full colour at {FULL_COLOUR_RATIO:g} times or more. "
            f"Lines between kinds of work. n = {run.repetitions(metric)}.")
    return finish(figure, run, note, directory / f"{metric}_cells")
