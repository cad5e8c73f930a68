#!/usr/bin/env python3
"""Draws the charts of a run, as SVG and PNG, into RUN_DIR/charts/.

RUN_DIR is a directory that bench left: it reads summary.csv, means.csv, environment.json and, if there is one,
timelines.csv. It draws

  throughput_cells, peak_rss_cells      every cell's ratio to the baseline as a heat map
  throughput_ratios_KIND, ...           the same with 95 % intervals, a panel an allocator, in pages by kind of work
  throughput_against_rss                geometric means by kind: who is both faster and leaner
  throughput_against_threads            where a workload ran at three thread counts or more
  rss_over_time                         where the run kept timelines
  latency                               where calls or requests were timed: the share that took longer than a time

A run without throughput (bench exec) has wall_time instead. Needs matplotlib (Debian: python3-matplotlib); if the python3 in
PATH has none, the system's own is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plotting.interpreter import ensure_matplotlib


def draw_all(run_directory: Path) -> list[Path]:
    from plotting import latency, lines, pareto, ratios
    from plotting.run_data import RunError, check_complete, read_run

    try:
        run = read_run(run_directory)
    except RunError as error:
        sys.exit(f"charts.py: {error}")
    charts = run_directory / "charts"
    try:
        check_complete(run)
        charts.mkdir(exist_ok=True)
        drawn: list[Path] = []
        speed = "throughput" if "throughput" in run.metrics() else "wall_time"
        for metric in (speed, "peak_rss"):
            if run.subjects and run.cells(metric):
                drawn += ratios.heat(run, metric, charts) + ratios.forest(run, metric, charts)
        return drawn + pareto.scatter(run, charts) + lines.scaling(run, charts) + lines.rss_over_time(run, charts) + latency.ccdf(run, charts)
    except RunError as error:
        sys.exit(f"charts.py: {error}")
    except OSError as error:
        sys.exit(f"charts.py: cannot write {error.filename}: {error.strerror}; free some space or copy the run elsewhere")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", metavar="RUN_DIR", type=Path)
    arguments = parser.parse_args()
    ensure_matplotlib()
    drawn = draw_all(arguments.run_dir)
    if not drawn:
        sys.exit("charts.py: nothing to draw: the run has no figure of two allocators")
    for path in drawn:
        print(path)


if __name__ == "__main__":
    main()
