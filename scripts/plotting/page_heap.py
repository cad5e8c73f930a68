"""A page heap as a map: a square for each page, row by row along the address, coloured by what it holds.

The hue of a slab's page is its size class, its strength the share of the page that is in live blocks.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .heap_dump import Run, Snapshot
from .style import save_figure

COLOURS = {"run": "#D55E00", "dirty": "#B8B8B8", "free": "#EFEFEF", "none": "#FFFFFF"}
BLOCK_SIZES = LogNorm(16, 32768)  # bytes
# Without the yellow end, whose paler shades are too near to white.
CLASS_COLOURS = LinearSegmentedColormap.from_list("classes", plt.get_cmap("viridis")(numpy.linspace(0, 0.82, 64)))
PALEST_SLAB = 0.22  # of the slab's colour, for a page with no live block
PAGES_PER_ROW = 128
INCHES_PER_ROW, WIDTH_INCHES = 0.115, 11.0


def live_by_page(slab: Run, page_size: int) -> numpy.ndarray:
    """The share of each page's bytes in live blocks."""
    share = numpy.zeros(slab.pages)
    for index, live in enumerate(slab.live):
        start, end = index * slab.block_size, (index + 1) * slab.block_size
        while live and start < end:
            page = start // page_size
            stop = min(end, (page + 1) * page_size)
            if page < slab.pages:
                share[page] += (stop - start) / page_size
            start = stop
    return numpy.minimum(share, 1)


def class_colour(block_size: int) -> numpy.ndarray:
    return numpy.array(CLASS_COLOURS(BLOCK_SIZES(block_size))[:3])


def colours_of(snapshot: Snapshot) -> numpy.ndarray:
    """One RGB triple a page of the heap."""
    colours = numpy.tile(to_rgb(COLOURS["none"]), (snapshot.page_count, 1))
    for run in snapshot.runs:
        pages = slice(run.page, run.page + run.pages)
        if run.kind == "slab":
            strength = (PALEST_SLAB + (1 - PALEST_SLAB) * live_by_page(run, snapshot.page_size))[:, None]
            full = 1 - (1 - class_colour(run.block_size)) * strength
            colours[pages] = full[: colours[pages].shape[0]]
        else:
            colours[pages] = to_rgb(COLOURS[run.kind])
    return colours


def draw_map(axes: Axes, snapshot: Snapshot) -> None:
    rows = -(-snapshot.page_count // PAGES_PER_ROW)
    image = numpy.ones((rows * PAGES_PER_ROW, 3))
    image[: snapshot.page_count] = colours_of(snapshot)
    axes.imshow(image.reshape(rows, PAGES_PER_ROW, 3), interpolation="nearest", aspect="auto",
                extent=(0, PAGES_PER_ROW, rows, 0))
    axes.set_xticks(range(0, PAGES_PER_ROW + 1, 16))
    step = max(1, rows // 8)
    axes.set_yticks(range(0, rows + 1, step))
    row_size = PAGES_PER_ROW * snapshot.page_size
    axes.set_yticklabels([f"{row * row_size / 2**20:.1f} MiB" for row in range(0, rows + 1, step)], fontsize=7.5)
    axes.grid(axis="x", color="white", linewidth=1.2)
    axes.set_axisbelow(False)
    axes.set_xlabel(f"pages of {snapshot.page_size} bytes", fontsize=8, color="#444444")
    slabs = sum(run.kind == "slab" for run in snapshot.runs)
    mapped = sum(mapping.size for mapping in snapshot.mappings) / 2**20
    title = f"{snapshot.label or snapshot.allocator}: {slabs} slabs"
    count = len(snapshot.mappings)
    axes.set_title(title + (f"; mappings beside the heap: {count}, {mapped:.1f} MiB in all" if count else ""), loc="left")


def draw_legend(figure: Figure, height: float) -> None:
    handles = [Patch(facecolor=COLOURS["run"], label="run of pages in use"),
               Patch(facecolor=COLOURS["dirty"], label="free, perhaps resident"),
               Patch(facecolor=COLOURS["free"], label="free, given back or never used")]
    figure.legend(handles=handles, loc="upper left", ncol=len(handles), fontsize=8.5,
                  bbox_to_anchor=(0.003, 1 - 0.38 / height))
    scale = figure.add_axes((0.66, 1 - 0.45 / height, 0.3, 0.14 / height))
    bar = figure.colorbar(ScalarMappable(BLOCK_SIZES, CLASS_COLOURS), cax=scale, orientation="horizontal")
    bar.set_ticks([16, 128, 1024, 8192, 32768], labels=["16 B", "128 B", "1 KiB", "8 KiB", "32 KiB"], fontsize=7.5)
    bar.ax.minorticks_off()
    bar.ax.set_title("slab page by block size; paler: fewer of its bytes live", fontsize=8.5, loc="left", pad=3,
                     fontweight="normal")


def draw(snapshots: list[Snapshot], title: str, stem: Path) -> list[Path]:
    rows = [-(-snapshot.page_count // PAGES_PER_ROW) for snapshot in snapshots]
    height = 1.25 + sum(max(6, count) * INCHES_PER_ROW + 0.75 for count in rows)
    figure, panels = plt.subplots(len(snapshots), 1, figsize=(WIDTH_INCHES, height), squeeze=False,
                                  gridspec_kw={"height_ratios": [max(6, count) for count in rows]})
    figure.subplots_adjust(left=0.08, right=0.99, top=1 - 1.25 / height, bottom=0.5 / height, hspace=0.45)
    for axes, snapshot in zip(panels.flat, snapshots):
        draw_map(axes, snapshot)
    figure.suptitle(title, x=0.01, y=1 - 0.12 / height, ha="left", va="top", fontsize=13, fontweight="bold")
    draw_legend(figure, height)
    return save_figure(figure, stem)
