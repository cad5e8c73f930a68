"""Ratios to the baseline: the forest plot (every cell with its interval) and grouped bars."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .run_data import Cell, Row, Run
from .style import (BETTER, HIGHER_IS_BETTER, TITLES, UNDECIDED, WORSE, better_arrow, colours, finish, quantity,
                    ratio_axis, three_digits)

ROW_INCHES = 0.21
HEAD_INCHES = 0.80
FOOT_INCHES = 1.05
LABEL_INCHES = 2.2


def limits(run: Run, metric: str) -> tuple[float, float]:
    """One scale for all panels, with room on both sides."""
    values = [1.0]
    for row in run.rows:
        if row.metric == metric and row.ratio is not None:
            values += [row.ratio, row.ratio_low or row.ratio, row.ratio_high or row.ratio]
    return min(values) / 1.12, max(values) * 1.12


def verdict_colour(row: Row) -> str:
    if row.verdict in ("", "indicative", "indistinguishable") or row.ratio is None:
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


def draw_cell(axes: Axes, y: float, row: Row | None) -> None:
    """A point with its interval and its figure; a failure by its name."""
    if row is None:
        return
    if row.ratio is None:
        axes.annotate(row.status if row.status != "ok" else "no ratio", xy=(0.5, y), va="center", ha="center",
                      xycoords=("axes fraction", "data"), fontsize=7.5, fontweight="bold", color=WORSE,
                      bbox={"facecolor": "white", "linewidth": 0, "pad": 1})
        return
    colour = verdict_colour(row)
    if row.ratio_low is not None and row.ratio_high is not None:
        axes.plot([row.ratio_low, row.ratio_high], [y, y], color=colour, linewidth=1.3, marker="|", markersize=5.5,
                  markeredgewidth=1.1)
    filled = row.verdict not in ("", "indicative", "indistinguishable")
    axes.plot([row.ratio], [y], marker="o", markersize=3.6, color=colour, markerfacecolor=colour if filled else "white")
    axes.annotate(three_digits(row.ratio), xy=(1.04, y), xycoords=("axes fraction", "data"), va="center", ha="left",
                  fontsize=7.5, color="#333333")


def draw_mean(axes: Axes, y: float, run: Run, metric: str, allocator: str) -> None:
    mean = run.mean(metric, allocator)
    if mean is None or mean.ratio is None:
        return
    if mean.ratio_low is not None and mean.ratio_high is not None:
        axes.plot([mean.ratio_low, mean.ratio_high], [y, y], color="black", linewidth=1.6)
    axes.plot([mean.ratio], [y], marker="D", markersize=5.5, color="black")
    axes.annotate(three_digits(mean.ratio), xy=(1.04, y), xycoords=("axes fraction", "data"), va="center",
                  fontsize=8, fontweight="bold")


def forest(run: Run, metric: str, directory: Path) -> list[Path]:
    """A panel an allocator, a row a cell."""
    cells = run.cells(metric)
    subjects = run.subjects
    height = HEAD_INCHES + FOOT_INCHES + ROW_INCHES * (len(cells) + 2)
    label_inches = label_column_inches(cells)
    width = max(8.0, label_inches + 1.75 * len(subjects) + 0.2)
    figure, panels = plt.subplots(1, len(subjects), figsize=(width, height), sharey=True, squeeze=False)
    figure.subplots_adjust(left=label_inches / width, right=1 - 0.55 / width, top=1 - HEAD_INCHES / height,
                           bottom=FOOT_INCHES / height, wspace=0.32)
    low, high = limits(run, metric)
    for axes, subject in zip(panels[0], subjects):
        ratio_axis(axes, low, high)
        axes.grid(axis="x")
        axes.axvline(1, color="black", linewidth=1)
        axes.axhline(-1.0, color="#999999", linewidth=0.8)
        for index, cell in enumerate(cells):
            draw_cell(axes, -(index + 2.0), run.row(cell, metric, subject))
        draw_mean(axes, 0.0, run, metric, subject)
        axes.set_title(subject)
        axes.tick_params(axis="y", length=0)
    name_cells(panels[0][0], run, metric, cells, [-(index + 2.0) for index in range(len(cells))], label_inches - 0.1)
    mean = run.mean(metric, run.baseline)
    panels[0][0].annotate(f"geometric mean of {mean.cells if mean else 0} cells", xy=(0, 0.0), fontsize=8,
                          xycoords=("axes fraction", "data"), xytext=(-72 * (label_inches - 0.1), 0),
                          textcoords="offset points", va="center", ha="left", fontweight="bold")
    panels[0][0].set_ylim(-(len(cells) + 1.7), 0.8)
    figure.suptitle(f"{TITLES.get(metric, metric)}: ratio to {run.baseline}, {better_arrow(metric)}", x=0.01, ha="left",
                    y=1 - 0.14 / height, va="top", fontsize=13, fontweight="bold")
    figure.legend(handles=legend_of_verdicts(), loc="upper right", ncol=3, fontsize=8,
                  bbox_to_anchor=(0.995, 1 - 0.06 / height), handletextpad=0.4, columnspacing=1.2)
    figure.supxlabel(f"ratio to {run.baseline} (logarithmic)", fontsize=9, y=0.58 / height)
    note = (f"Rows: workload · threads, and what {run.baseline} did (median). Lines: 95 % interval, paired by block, "
            f"n = {run.repetitions(metric)}.")
    return finish(figure, run, note, directory / f"{metric}_ratios")


def legend_of_verdicts() -> list[Line2D]:
    def entry(colour: str, label: str, filled: bool) -> Line2D:
        return Line2D([], [], color=colour, marker="o", linewidth=1.6, markersize=4.5, label=label,
                      markerfacecolor=colour if filled else "white")
    return [entry(BETTER, "better", True), entry(WORSE, "worse", True), entry(UNDECIDED, "no verdict", False)]


def draw_bars(axes: Axes, run: Run, metric: str, cells: list[Cell]) -> None:
    """Bars start at 1, the baseline: what is better or worse goes to opposite sides."""
    palette = colours(run.allocators)
    subjects = run.subjects
    thickness = 0.82 / max(1, len(subjects))
    for row_index, cell in enumerate(cells):
        if row_index % 2 == 0:
            axes.axhspan(-row_index - 0.5, -row_index + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
        for bar_index, subject in enumerate(subjects):
            row = run.row(cell, metric, subject)
            y = -(row_index + (bar_index - (len(subjects) - 1) / 2) * thickness)
            if row is None:
                continue
            if row.ratio is None:
                axes.text(1.0, y, " " + (row.status if row.status != "ok" else "no ratio"), fontsize=6.5, va="center",
                          color=palette[subject])
                continue
            axes.barh(y, row.ratio - 1, left=1, height=thickness * 0.92, color=palette[subject],
                      hatch="////" if subject in run.references else None, edgecolor="white", linewidth=0.3)
            if row.ratio_low is not None and row.ratio_high is not None:
                axes.plot([row.ratio_low, row.ratio_high], [y, y], color="#333333", linewidth=0.9)
    axes.axvline(1, color=palette[run.baseline], linewidth=1.2)
    name_cells(axes, run, metric, cells, [-float(index) for index in range(len(cells))],
               label_column_inches(run.cells(metric)) - 0.1)
    axes.grid(axis="x")


def bars(run: Run, metric: str, directory: Path) -> list[Path]:
    """Grouped bars, two columns of cells where there are many; the same scale in both."""
    cells = run.cells(metric)
    columns = 2 if len(cells) > 12 else 1
    rows = -(-len(cells) // columns)
    row_inches = max(0.26, 0.105 * (len(run.subjects) + 0.8))
    head, foot = 0.85, 1.05
    height = head + foot + rows * row_inches
    label_inches = label_column_inches(cells)
    plain_width = 5.6 * columns + (0.4 if columns > 1 else 2.6)
    figure, panels = plt.subplots(1, columns, figsize=(plain_width + columns * (label_inches - LABEL_INCHES), height),
                                  squeeze=False)
    width = figure.get_size_inches()[0]
    panel_inches = (width - columns * (label_inches + 0.15)) / columns
    figure.subplots_adjust(left=label_inches / width, right=1 - 0.15 / width, top=1 - head / height,
                           bottom=foot / height, wspace=(label_inches + 0.15) / panel_inches)
    low, high = limits(run, metric)
    for column, axes in enumerate(panels[0]):
        ratio_axis(axes, low, high)
        part = cells[column * rows:(column + 1) * rows]
        draw_bars(axes, run, metric, part)
        axes.set_ylim(-rows + 0.45, 0.55)
    palette = colours(run.allocators)
    handles = [plt.Rectangle((0, 0), 1, 1, color=palette[name], hatch="////" if name in run.references else None,
                             label=name + (" (reference)" if name in run.references else "")) for name in run.subjects]
    handles.append(Line2D([], [], color=palette[run.baseline], label=f"{run.baseline} = 1"))
    figure.suptitle(f"{TITLES.get(metric, metric)}: ratio to {run.baseline}, {better_arrow(metric)}", x=0.01, ha="left",
                    y=1 - 0.14 / height, va="top", fontsize=13, fontweight="bold")
    figure.legend(handles=handles, loc="upper left", ncol=len(handles), fontsize=8.5,
                  bbox_to_anchor=(0.003, 1 - 0.42 / height), handlelength=1.2, columnspacing=1.4)
    figure.supxlabel(f"ratio to {run.baseline} (logarithmic)", fontsize=9, y=0.60 / height)
    note = (f"Rows: workload · threads, and what {run.baseline} did (median). Thin lines: 95 % interval, paired by "
            f"block, n = {run.repetitions(metric)}.")
    return finish(figure, run, note, directory / f"{metric}_bars")
