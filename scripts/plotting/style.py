"""What all charts share: colours, markers, figures as text, the caption, saving."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator  # noqa: E402

from .run_data import Run  # noqa: E402

# Okabe and Ito's palette, told apart with every common colour blindness; markers differ too.
KNOWN_COLOURS = {
    "osmem": "#D55E00", "glibc": "#000000", "jemalloc": "#0072B2", "mimalloc": "#009E73",
    "tcmalloc": "#CC79A7", "limit": "#6E6E6E",
}
SPARE_COLOURS = ["#56B4E9", "#E69F00", "#882255", "#44AA99", "#332288", "#AA4499", "#117733", "#DDCC77"]
KNOWN_MARKERS = {"osmem": "o", "glibc": "s", "jemalloc": "^", "mimalloc": "D", "tcmalloc": "v", "limit": "P"}
SPARE_MARKERS = ["X", "<", ">", "h", "p", "*", "8", "d"]
BETTER, WORSE, UNDECIDED = "#0072B2", "#D55E00", "#8C8C8C"
TITLES = {"throughput": "Throughput", "wall_time": "Wall time", "peak_rss": "Peak RSS", "mean_rss": "Mean RSS", "cost": "Cost"}
HIGHER_IS_BETTER = {"throughput"}
POINTS_PER_INCH = 150
CAPTION_CHARS_PER_INCH = 15.5

plt.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.axisbelow": True, "axes.edgecolor": "#666666",
    "grid.color": "#E3E3E3", "grid.linewidth": 0.8, "legend.frameon": False,
    "svg.fonttype": "path", "svg.hashsalt": "osmem", "figure.facecolor": "white",
})


def colours(allocators: list[str]) -> dict[str, str]:
    spare = iter(SPARE_COLOURS * (1 + len(allocators) // len(SPARE_COLOURS)))
    return {name: KNOWN_COLOURS.get(name) or next(spare) for name in allocators}


def markers(allocators: list[str]) -> dict[str, str]:
    """An allocator that is known has the same shape in every chart, whoever else takes part."""
    spare = iter(SPARE_MARKERS * (1 + len(allocators) // len(SPARE_MARKERS)))
    return {name: KNOWN_MARKERS.get(name) or next(spare) for name in allocators}


def better_arrow(metric: str) -> str:
    return "higher is better →" if metric in HIGHER_IS_BETTER else "← lower is better"


def three_digits(value: float) -> str:
    """12.3, 1.23; two digits below a tenth, where decimals would round them away."""
    if 0 < abs(value) < 0.0995:
        return f"{value:.2g}"
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{decimals}f}"


def quantity(value: float, unit: str) -> str:
    """12.3 MiB, 45.2 M/s, 1.50 ms."""
    step, units = {
        "bytes": (1024, ["B", "KiB", "MiB", "GiB", "TiB"]),
        "ops/s": (1000, ["/s", "k/s", "M/s", "G/s"]),
        "s": (1000, ["ns", "us", "ms", "s"]),
    }.get(unit, (1000, ["", "k", "M", "G"]))
    value = value * 1e9 if unit == "s" else value
    index = 0
    while abs(value) >= step and index + 1 < len(units):
        value /= step
        index += 1
    return f"{three_digits(value) if value else 0} {units[index]}".strip()


def tick_text(value: float, unit: str) -> str:
    """A figure on an axis: no more digits than it needs."""
    figure, _, scaled_unit = quantity(value, unit).partition(" ")
    figure = figure.rstrip("0").rstrip(".") if "." in figure else figure
    return "0" if value == 0 else f"{figure} {scaled_unit}"


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis from low to high with plain ratios as ticks: half and double are equally far from 1."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(ratio_ticks(low, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=8)


def ratio_ticks(low: float, high: float) -> list[float]:
    if high / low < 2.5:
        ticks = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0]
    elif high / low < 6:
        ticks = [0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5]
    elif high / low < 40:
        ticks = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32]
    else:
        ticks = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    return [tick for tick in ticks if low <= tick <= high]


def finish(figure: Figure, run: Run, note: str, path_stem: Path) -> list[Path]:
    """Writes the caption under the figure and saves it as SVG and PNG, both the same for the same run."""
    width, height = figure.get_size_inches()
    lines = [line for text in (note, run.machine()) for line in textwrap.wrap(text, int(width * CAPTION_CHARS_PER_INCH))]
    figure.text(0.01, 0.08 / height, "\n".join(lines), fontsize=7.5, color="#444444", va="bottom", ha="left",
                linespacing=1.4)
    return save_figure(figure, path_stem)


def save_figure(figure: Figure, path_stem: Path) -> list[Path]:
    """As SVG and PNG, both the same for the same figure."""
    paths = [path_stem.with_suffix(".svg"), path_stem.with_suffix(".png")]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=POINTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)
    return paths
