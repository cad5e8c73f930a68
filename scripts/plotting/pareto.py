"""Throughput against peak RSS: who is both faster and leaner."""

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


def points_of(run: Run) -> list[Point]:
    points = []
    for name in run.allocators:
        speed, size = run.mean("throughput", name), run.mean("peak_rss", name)
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
    name = point.allocator + (" (reference, no candidate)" if point.reference else "")
    text = f"{name}\n{three_digits(point.y)}× throughput, {three_digits(point.x)}× RSS"
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


def scatter(run: Run, directory: Path) -> list[Path]:
    """Nothing is drawn unless two allocators have both figures."""
    points = points_of(run)
    front = front_of(points)
    if len(points) < 2 or not front:
        return []
    figure, axes = plt.subplots(figsize=(8.2, 6.0))
    figure.subplots_adjust(left=0.09, right=0.98, top=0.925, bottom=0.165)
    ratio_axes(axes, points)
    axes.grid()
    axes.axvline(1, color="#BBBBBB", linewidth=1)
    axes.axhline(1, color="#BBBBBB", linewidth=1)
    draw_front(axes, front, axes.get_xlim()[1], axes.get_ylim()[0])
    palette, shapes = colours(run.allocators), markers(run.allocators)
    for point in points:
        draw_point(axes, point, palette[point.allocator], shapes[point.allocator])
    taken = [Bbox.from_bounds(*(axes.transData.transform((point.x, point.y)) - 7), 14, 14) for point in points]
    for point in points:
        label(axes, point, palette[point.allocator], taken)
    axes.set_xlabel(f"← lower is better      peak RSS, ratio to {run.baseline} (logarithmic)")
    axes.set_ylabel(f"throughput, ratio to {run.baseline} (logarithmic)      higher is better →")
    figure.suptitle("Throughput against peak RSS: top left is best", x=0.012, ha="left", fontsize=13,
                    fontweight="bold")
    cells = sorted({mean.cells for point in points for mean in (point.throughput, point.peak_rss)})
    counted = " and ".join(str(count) for count in cells)
    note = (f"Geometric means over {counted} cells; lines: 95 % intervals, n = {run.repetitions('throughput')} blocks. "
            "Dashed: the front; what lies in the shade is beaten in both.")
    return finish(figure, run, note, directory / "throughput_against_rss")
