"""Reads the files of a run directory. Computes nothing that bench has computed already: ratios, intervals and verdicts come
from summary.csv and means.csv as they are."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path


# In the order in which tables and charts show them, as in bench/model/kind.hpp. Runs published before there were kinds have "".
KINDS = ["programs", "libraries", "traces", "synthetic", "own", ""]

# What summary.csv's verdict says where nothing differs; the last two are of runs published before there were three verdicts.
NO_DIFFERENCE = {"", "baseline", "same", "not decided", "indicative", "indistinguishable"}


class RunError(Exception):
    """A run directory that lacks something or holds something unreadable; one line that says what to do."""


@dataclass(frozen=True)
class Cell:
    workload: str
    threads: int

    def label(self) -> str:
        return f"{self.workload} · {self.threads}"


@dataclass(frozen=True)
class Row:
    """A row of summary.csv. Figures are None where the file has none."""

    cell: Cell
    kind: str
    metric: str
    unit: str
    allocator: str
    n: int
    median: float | None
    low: float | None
    high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str
    status: str


@dataclass(frozen=True)
class Mean:
    """A row of means.csv: over one kind of work, a family of cells one vote."""

    kind: str
    metric: str
    allocator: str
    families: int
    cells: int
    cells_left_out: int
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    without_family: str = ""
    without_ratio: float | None = None


@dataclass(frozen=True)
class TimelinePoint:
    cell: Cell
    allocator: str
    time_s: float
    rss_bytes: float
    live_bytes: float


@dataclass(frozen=True)
class Histogram:
    """Of the times of one function's calls in one process."""

    cell: Cell
    allocator: str
    function: str
    buckets: tuple[tuple[float, int], ...]  # where it begins in ns, and its count; ascending


@dataclass
class Run:
    directory: Path
    rows: list[Row]
    means: list[Mean]
    environment: dict
    timelines: list[TimelinePoint] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)

    @property
    def allocators(self) -> list[str]:
        """In the order of the table's columns, the baseline among them."""
        return list(dict.fromkeys(row.allocator for row in self.rows))

    @property
    def baseline(self) -> str:
        named = self.environment.get("baseline")
        if isinstance(named, str):
            return named
        return next((row.allocator for row in self.rows if row.verdict == "baseline"), "")

    @property
    def subjects(self) -> list[str]:
        return [name for name in self.allocators if name != self.baseline]

    @property
    def references(self) -> list[str]:
        return list(self.environment.get("references", []))

    def metrics(self) -> list[str]:
        return list(dict.fromkeys(row.metric for row in self.rows))

    def cells(self, metric: str, kind: str | None = None) -> list[Cell]:
        return list(dict.fromkeys(row.cell for row in self.rows if row.metric == metric and kind in (None, row.kind)))

    def kinds(self, metric: str) -> list[str]:
        """Those that have a cell with that metric."""
        present = {row.kind for row in self.rows if row.metric == metric}
        return [kind for kind in KINDS if kind in present]

    def row(self, cell: Cell, metric: str, allocator: str) -> Row | None:
        for row in self.rows:
            if (row.cell, row.metric, row.allocator) == (cell, metric, allocator):
                return row
        return None

    def mean(self, kind: str, metric: str, allocator: str) -> Mean | None:
        for mean in self.means:
            if (mean.kind, mean.metric, mean.allocator) == (kind, metric, allocator):
                return mean
        return None

    def repetitions(self, metric: str) -> str:
        """"10", or "8 to 10" where cells differ."""
        counts = sorted({row.n for row in self.rows if row.metric == metric and row.median is not None})
        if not counts:
            return "0"
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    def machine(self) -> str:
        """One line that says where, when and from what the figures come."""
        cpu = self.environment.get("cpu", {})
        parts = [f"{cpu.get('model', 'unknown CPU')}, {cpu.get('count', '?')} CPUs"]
        parts += [str(self.environment[key]) for key in ("kernel", "libc", "compiler") if key in self.environment]
        if "commit" in self.environment:
            dirty = " with changes" if self.environment.get("dirty") else ""
            parts.append(f"commit {str(self.environment['commit'])[:12]}{dirty}")
        if "date" in self.environment:
            parts.append(str(self.environment["date"])[:10])
        return " · ".join(parts)


def number(text: str) -> float | None:
    return float(text) if text else None


def packed(path: Path) -> Path:
    """Published runs hold their longest files packed."""
    return path.with_name(f"{path.name}.gz")


def read_table(path: Path) -> list[dict[str, str]]:
    try:
        if not path.exists() and packed(path).exists():
            with gzip.open(packed(path), "rt", newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}; give the directory that bench named at its end") from error


def read_summary(path: Path) -> list[Row]:
    return [
        Row(Cell(line["workload"], int(line["threads"])), line.get("kind", ""), line["metric"], line["unit"], line["allocator"],
            int(line["n"]), number(line["median"]), number(line["low"]), number(line["high"]),
            number(line["ratio"]), number(line["ratio_low"]), number(line["ratio_high"]),
            line["verdict"], line["status"])
        for line in read_table(path)
    ]


def read_means(path: Path) -> list[Mean]:
    return [
        Mean(line.get("kind", ""), line["metric"], line["allocator"], int(line.get("families") or line["cells"]),
             int(line["cells"]), int(line["cells_left_out"]), number(line["ratio"]), number(line["ratio_low"]),
             number(line["ratio_high"]), line.get("without_family", ""), number(line.get("without_ratio", "")))
        for line in read_table(path)
    ]


def read_timelines(path: Path) -> list[TimelinePoint]:
    """The first block of each cell and allocator: later blocks repeat it."""
    if not path.exists() and not packed(path).exists():
        return []
    lines = read_table(path)
    first: dict[tuple, str] = {}
    for line in lines:
        key = (line["workload"], line["threads"], line["allocator"])
        first[key] = min(first.get(key, line["block"]), line["block"], key=int)
    points = [
        TimelinePoint(Cell(line["workload"], int(line["threads"])), line["allocator"], float(line["time_s"]),
                      float(line["rss_bytes"]) - float(line["start_rss_bytes"]), float(line["live_bytes"] or 0))
        for line in lines
        if line["block"] == first[(line["workload"], line["threads"], line["allocator"])]
    ]
    return sorted(points, key=lambda point: (point.allocator, point.time_s))


def read_histograms(path: Path) -> list[Histogram]:
    """The first block of each cell, function and allocator."""
    if not path.exists() and not packed(path).exists():
        return []
    found: dict[tuple, list[tuple[float, int]]] = {}
    block_of: dict[tuple, str] = {}
    for line in read_table(path):
        key = (line["workload"], line["threads"], line["function"], line["allocator"])
        if block_of.setdefault(key, line["block"]) == line["block"]:
            found.setdefault(key, []).append((float(line["from_ns"]), int(line["count"])))
    return [Histogram(Cell(workload, int(threads)), allocator, function, tuple(sorted(buckets)))
            for (workload, threads, function, allocator), buckets in sorted(found.items())]


def check_complete(run: Run) -> None:
    """A summary.csv that was cut off holds fewer cells than means.csv counts."""
    for mean in run.means:
        cells = len(run.cells(mean.metric, mean.kind))
        if cells < mean.cells + mean.cells_left_out:
            raise RunError(f"{run.directory}/summary.csv has {cells} cells with {mean.metric}, means.csv counts "
                           f"{mean.cells + mean.cells_left_out}; it was cut off: copy the run again")


def read_run(directory: Path) -> Run:
    try:
        environment = json.loads((directory / "environment.json").read_text(encoding="utf-8"))
        return Run(directory, read_summary(directory / "summary.csv"), read_means(directory / "means.csv"),
                   environment, read_timelines(directory / "timelines.csv"), read_histograms(directory / "latency.csv"))
    except OSError as error:
        raise RunError(f"cannot read {error.filename}: {error.strerror}; "
                       "give the directory that bench named at its end") from error
    except (KeyError, ValueError) as error:
        raise RunError(f"{directory} does not hold a run of this version of bench: {error!r}; run bench again") from error
