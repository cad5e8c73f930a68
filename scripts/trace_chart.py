#!/usr/bin/env python3
"""Draw the profile of a trace: live bytes over the calls, and objects by size and lifetime.

The input is what `bench trace inspect FILE --format=json` prints; `bench trace inspect FILE --chart=OUT` runs this.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, MultipleLocator
except ImportError as error:
    sys.exit(f"trace_chart.py: {error}; apt-get install python3-matplotlib")

KINDS = (".svg", ".png", ".pdf")


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


def human_time(time_us: int, most_us: int) -> str:
    """With a unit and digits that fit the longest time of the axis."""
    unit, us = next(((name, us) for name, us in (("s", 1_000_000), ("ms", 1000)) if most_us >= 2 * us), ("µs", 1))
    value = time_us / us
    return f"{value:.0f} {unit}" if most_us >= 20 * us or value == 0 else f"{value:.1f} {unit}"


def byte_step(peak_bytes: int) -> int:
    """Between two marks of an axis: the power of two that gives four to eight of them."""
    return 1 << max(0, (max(peak_bytes, 1) - 1).bit_length() - 3)


def mark_times(axes: Axes, events: list[int], times_us: list[int]) -> None:
    """The time at six places of the axis of calls: both ends and evenly between, as the program's speed was."""
    places = [round(i * (len(events) - 1) / 5) for i in range(6)]
    top = axes.secondary_xaxis("top")
    top.set_xticks([events[place] for place in places], [human_time(times_us[place], times_us[-1]) for place in places], fontsize=7)


def draw_timeline(axes: Axes, profile: dict[str, Any]) -> None:
    """Live bytes over calls, with the time at the top."""
    columns = {name: [point[i] for point in profile["timeline"]] for i, name in enumerate(profile["timeline_columns"])}
    if columns["event"]:
        mark_times(axes, columns["event"], columns["time_us"])
    axes.fill_between(columns["event"], columns["live_bytes"], step="post", alpha=0.35, color="#1f6fb2")
    axes.step(columns["event"], columns["live_bytes"], where="post", color="#1f6fb2", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.yaxis.set_major_locator(MultipleLocator(byte_step(profile["peak_live_bytes"])))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: human_bytes(value)))
    axes.set_xlabel("calls of the program")
    axes.set_ylabel("live bytes (requested, not yet freed)")
    axes.set_title(
        f"{profile['name']}: {profile['events']:,} events, {profile['threads']} thread{'' if profile['threads'] == 1 else 's'}, "
        f"{profile['duration_us'] / 1e6:.2f} s, peak {human_bytes(profile['peak_live_bytes'])}",
        fontsize=10,
    )


def heat_table(profile: dict[str, Any]) -> tuple[range, range, list[list[int]]]:
    """The buckets of sizes and of lifetimes that are in use, and objects by both; a last column for those not freed."""
    by_size, never = profile["lifetimes_by_size"], profile["never_freed_by_size"]
    sizes = used_range([sum(row) + kept for row, kept in zip(by_size, never)])
    lifetimes = used_range([sum(column) for column in zip(*by_size)])
    return sizes, lifetimes, [[by_size[size][life] for life in lifetimes] + [never[size]] for size in sizes]


def draw_heat_map(figure: plt.Figure, axes: Axes, profile: dict[str, Any]) -> None:
    """Objects by size (up) and lifetime (right)."""
    sizes, lifetimes, table = heat_table(profile)
    most = max(max(row) for row in table)
    image = axes.imshow(
        [[count if count > 0 else float("nan") for count in row] for row in table],
        origin="lower", aspect="auto", cmap="viridis", norm=LogNorm(vmin=1, vmax=max(most, 2)),
    )
    axes.set_xticks(range(len(lifetimes) + 1), [f"{bucket_start(life):,}" for life in lifetimes] + ["never"],
                    rotation=60, fontsize=7)
    axes.set_yticks(range(len(sizes)), [human_bytes(bucket_start(size)) for size in sizes], fontsize=7)
    axes.set_xlabel("lifetime: calls between allocation and free, from ... on")
    axes.set_ylabel("size, from ... on")
    axes.set_title("objects by size and lifetime", fontsize=10)
    figure.colorbar(image, ax=axes, label="objects")


def draw(profile: dict[str, Any]) -> plt.Figure:
    """Both pictures, one above the other."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 9), constrained_layout=True)
    draw_timeline(upper, profile)
    draw_heat_map(figure, lower, profile)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path, help="JSON of bench trace inspect")
    parser.add_argument("-o", "--out", type=Path, required=True, help=f"the picture: {', '.join(KINDS)}")
    arguments = parser.parse_args()
    if arguments.out.suffix not in KINDS:
        print(f"trace_chart.py: {arguments.out}: a picture ends in one of {', '.join(KINDS)}", file=sys.stderr)
        return 2
    try:
        draw(json.loads(arguments.profile.read_text())).savefig(arguments.out, dpi=120)
    except OSError as error:
        print(f"trace_chart.py: {error.filename}: cannot write it: {error.strerror}", file=sys.stderr)
        return 1
    except (ValueError, KeyError) as error:
        print(f"trace_chart.py: {arguments.profile}: not what bench trace inspect --format=json prints: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
