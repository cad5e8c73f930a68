"""Throughput against peak RSS, a panel a kind of work: who is both faster and leaner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
from matplotlib.transforms import Bbox

from .run_data import Mean, Run
from .style import colours, finish, markers, ratio_ticks, three_digits

PLACES = [(9, 5, "left", "bottom"), (9, -5, "left", "top"), (-9, 5, "right", "bottom"), (-9, -5, "right", "top"),
          (9, 30, "left", "bottom"), (9, -30, "left", "top")]


@dataclass(frozen=True)
class Point:
    allocator: str
    throughput: Mean
    peak_rss: Mean
    reference: bool

    @property
    def x(self) -> float:
        return self.peak_rss.ratio

    @property
    def y(self) -> float:
        return self.throughput.ratio


def points_of(run: Run, kind: str) -> list[Point]:
    points = []
    for name in run.allocators:
        speed, size = run.mean(kind, "throughput", name), run.mean(kind, "peak_rss", name)
        if speed and size and speed.ratio is not None and size.ratio is not None:
            points.append(Point(name, speed, size, name in run.references))
    return points


def front_of(points: list[Point]) -> list[Point]:
    """The candidates that no other candidate beats in one figure without losing in the other, from lean to fast."""
    candidates = [point for point in points if not point.reference]
    front = [
        point for point in candidates
        if not any(other.x <= point.x and other.y >= point.y and (other.x < point.x or other.y > point.y)
                   for other in candidates)
    ]
    return sorted(front, key=lambda point: point.x)


def draw_front(axes: Axes, front: list[Point], right: float, bottom: float) -> None:
    """The steps that bound all that some candidate on the front beats."""
    x, y = [front[0].x], [bottom]
    for point, following in zip(front, [*front[1:], None]):
        x += [point.x, following.x if following else right]
        y += [point.y, point.y]
    axes.plot(x, y, color="#777777", linestyle="--", linewidth=1.1, zorder=1)
    axes.fill_between(x, y, bottom, color="#000000", alpha=0.04, linewidth=0, zorder=0)


def draw_point(axes: Axes, point: Point, colour: str, marker: str) -> None:
    for mean, horizontal in ((point.peak_rss, True), (point.throughput, False)):
        if mean.ratio_low is not None and mean.ratio_high is not None:
            ends = [mean.ratio_low, mean.ratio_high]
            axes.plot(ends if horizontal else [point.x] * 2, [point.y] * 2 if horizontal else ends, color=colour,
                      linewidth=1.4, zorder=2)
    axes.plot([point.x], [point.y], marker=marker, markersize=9, color=colour, zorder=3,
              markerfacecolor="white" if point.reference else colour, linestyle="none", markeredgewidth=1.6)


def label(axes: Axes, point: Point, colour: str, taken: list[Bbox]) -> None:
    """Beside the point, in the first place where it hides no label and no point."""
    name = point.allocator + (" (reference)" if point.reference else "")
    text = f"{name} {three_digits(point.y)} / {three_digits(point.x)}"
    renderer = axes.figure.canvas.get_renderer()
    for dx, dy, side, base in PLACES:
        note = axes.annotate(text, (point.x, point.y), xytext=(dx, dy), textcoords="offset points", fontsize=8,
                             color=colour, fontweight="bold", ha=side, va=base, zorder=4,
                             bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6})
        box = note.get_window_extent(renderer)
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1 - 4
        if inside and not any(box.overlaps(other) for other in taken):
            break
        if (dx, dy, side, base) != PLACES[-1]:
            note.remove()
    taken.append(box)


def ends(means: list[Mean]) -> list[float]:
    values = [value for mean in means for value in (mean.ratio, mean.ratio_low, mean.ratio_high)]
    return [value for value in values if value is not None]


def padded(values: list[float], before: float, after: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    return low / before, high * after


def ratio_axes(axes: Axes, points: list[Point]) -> None:
    x_low, x_high = padded(ends([point.peak_rss for point in points]), 1.08, 1.30)
    y_low, y_high = padded(ends([point.throughput for point in points]), 1.08, 1.12)
    axes.set(xscale="log", yscale="log", xlim=(x_low, x_high), ylim=(y_low, y_high))
    axes.set_xticks(ratio_ticks(x_low, x_high))
    axes.set_yticks(ratio_ticks(y_low, y_high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def draw_kind(axes: Axes, run: Run, kind: str, points: list[Point]) -> None:
    ratio_axes(axes, points)
    axes.grid()
    axes.axvline(1, color="#BBBBBB", linewidth=1)
    axes.axhline(1, color="#BBBBBB", linewidth=1)
    draw_front(axes, front_of(points), axes.get_xlim()[1], axes.get_ylim()[0])
    palette, shapes = colours(run.allocators), markers(run.allocators)
    for point in points:
        draw_point(axes, point, palette[point.allocator], shapes[point.allocator])
    taken = obstacles(axes, points)
    for point in points:
        label(axes, point, palette[point.allocator], taken)
    families = max(mean.families for point in points for mean in (point.throughput, point.peak_rss))
    axes.set_title(f"{kind or 'all'} ({families} {'family' if families == 1 else 'families'})", loc="left")
    axes.set_xlabel(f"← peak RSS, ratio to {run.baseline}")
    axes.set_ylabel(f"throughput, ratio to {run.baseline} →")


def obstacles(axes: Axes, points: list[Point]) -> list[Bbox]:
    """What no label may hide: markers and interval lines."""
    boxes = []
    for point in points:
        centre = axes.transData.transform((point.x, point.y))
        boxes.append(Bbox.from_bounds(centre[0] - 7, centre[1] - 7, 14, 14))
        for mean, horizontal in ((point.peak_rss, True), (point.throughput, False)):
            if mean.ratio_low is not None and mean.ratio_high is not None:
                first, last = ((mean.ratio_low, point.y), (mean.ratio_high, point.y)) if horizontal else \
                    ((point.x, mean.ratio_low), (point.x, mean.ratio_high))
                (x0, y0), (x1, y1) = axes.transData.transform(first), axes.transData.transform(last)
                boxes.append(Bbox.from_extents(x0 - 1, y0 - 1, x1 + 1, y1 + 1))
    return boxes


def scatter(run: Run, directory: Path) -> list[Path]:
    """Nothing is drawn unless two allocators have both figures in some kind."""
    kinds = {kind: points_of(run, kind) for kind in run.kinds("throughput")}
    kinds = {kind: points for kind, points in kinds.items() if len(points) > 1 and front_of(points)}
    if not kinds:
        return []
    columns = min(2, len(kinds))
    rows = -(-len(kinds) // columns)
    width, height = (8.2 if columns == 1 else 11.5), (0.4 + 0.8 + (5.0 if rows == 1 else 4.2 * rows))
    figure, panels = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    figure.subplots_adjust(left=0.07, right=0.985, top=1 - 0.75 / height, bottom=1.15 / height, hspace=0.32, wspace=0.18)
    for axes, (kind, points) in zip(panels.flat, kinds.items()):
        draw_kind(axes, run, kind, points)
    for axes in list(panels.flat)[len(kinds):]:
        axes.set_visible(False)
    figure.suptitle("Throughput against peak RSS: top left is best", x=0.012, ha="left", y=1 - 0.10 / height, va="top", fontsize=13,
                    fontweight="bold")
    note = (f"Geometric means, a family one vote; figures: throughput / peak RSS; lines: 95 % intervals, "
            f"n = {run.repetitions('throughput')} blocks. Dashed: the front; whoever lies in the shade is beaten in one figure and not "
            "better in the other, by the points.")
    return finish(figure, run, note, directory / "throughput_against_rss")
