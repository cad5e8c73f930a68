#!/usr/bin/env python3
"""Draw the profile of a trace: live bytes over the calls, and objects by size and lifetime.

The input is what `bench trace inspect FILE --format=json` prints; `bench trace inspect FILE --chart=OUT` runs this.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter


def human_bytes(value: float) -> str:
    """1536 as "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def used_range(counts: list[int]) -> range:
    """From the first bucket that is not empty to the last, at least one."""
    used = [i for i, count in enumerate(counts) if count > 0]
    return range(used[0], used[-1] + 1) if used else range(0, 1)


def bucket_start(bucket: int) -> int:
    """The smallest number of a log2 bucket."""
    return 0 if bucket == 0 else 1 << (bucket - 1)


def draw_timeline(axes: Axes, profile: dict[str, Any]) -> None:
    """Live bytes over calls, with the time at the top."""
    columns = {name: [point[i] for point in profile["timeline"]] for i, name in enumerate(profile["timeline_columns"])}
    axes.fill_between(columns["event"], columns["live_bytes"], step="post", alpha=0.35, color="#1f6fb2")
    axes.step(columns["event"], columns["live_bytes"], where="post", color="#1f6fb2", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: human_bytes(value)))
    axes.set_xlabel("calls of the program")
    axes.set_ylabel("live bytes (requested, not yet freed)")
    axes.set_title(
        f"{profile['name']}: {profile['events']:,} events, {profile['threads']} thread(s), "
        f"{profile['duration_us'] / 1e6:.2f} s, peak {human_bytes(profile['peak_live_bytes'])}",
        fontsize=10,
    )


def draw_heat_map(figure: plt.Figure, axes: Axes, profile: dict[str, Any]) -> None:
    """Objects by size (up) and lifetime (right); the last column are those that were not freed."""
    by_size, never = profile["lifetimes_by_size"], profile["never_freed_by_size"]
    sizes = used_range([sum(row) + kept for row, kept in zip(by_size, never)])
    lifetimes = used_range([sum(column) for column in zip(*by_size)])
    table = [[by_size[size][life] for life in lifetimes] + [never[size]] for size in sizes]
    most = max(max(row) for row in table)
    image = axes.imshow(
        [[count if count > 0 else float("nan") for count in row] for row in table],
        origin="lower", aspect="auto", cmap="viridis", norm=LogNorm(vmin=1, vmax=max(most, 2)),
    )
    axes.set_xticks(range(len(lifetimes) + 1), [f"{bucket_start(life):,}" for life in lifetimes] + ["never"],
                    rotation=60, fontsize=7)
    axes.set_yticks(range(len(sizes)), [human_bytes(bucket_start(size)) for size in sizes], fontsize=7)
    axes.set_xlabel("lifetime, calls from ... on")
    axes.set_ylabel("size, from ... on")
    axes.set_title("objects by size and lifetime", fontsize=10)
    figure.colorbar(image, ax=axes, label="objects")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path, help="JSON of bench trace inspect")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the picture: .svg, .png or .pdf")
    arguments = parser.parse_args()
    profile = json.loads(arguments.profile.read_text())
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 9), constrained_layout=True)
    draw_timeline(upper, profile)
    draw_heat_map(figure, lower, profile)
    figure.savefig(arguments.out, dpi=120)


if __name__ == "__main__":
    main()
