#!/usr/bin/env python3
"""Publishes a run: copies it to results/NAME/ and rewrites what is generated from it.

It copies report.md, summary.csv, means.csv and environment.json, packs samples.csv, timelines.csv and latency.csv (where there are these), writes
report.html and the seal, and keeps of charts/ (drawn if they are missing) the one that README.md shows: what can be drawn again is not
published. Then it rewrites the index in results/README.md and, between the lines

  <!-- results:begin -->
  <!-- results:end -->

of the top README.md: a table by kind of work, each from the published run that has most families of it, the fronts in words and a
chart. With --no-readme the top README.md stays as it is.

A run is refused if a file is missing, if it was cut off, or if it comes from a changed tree, from a build that is not Release or from
an unknown commit. --allow-dirty and --allow-debug accept the latter; the index then says so.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from plotting.run_data import KINDS, Mean, Run, RunError, read_run

PLAIN = ["report.md", "summary.csv", "means.csv", "environment.json"]
PACKED = ["samples.csv"]
PACKED_IF_THERE = ["timelines.csv", "latency.csv"]
LARGEST_BYTES = 1 << 20
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
INDEX_BEGIN, INDEX_END = "<!-- index:begin -->", "<!-- index:end -->"
CHART = "throughput_against_rss"
HEADLINES = [("throughput", "throughput"), ("peak_rss", "peak RSS"), ("mean_rss", "mean RSS"), ("cost", "cost")]


class PublishError(Exception):
    """Why a run is not published, in one line that says what to do."""


def check(directory: Path, environment: dict, allow_dirty: bool, allow_debug: bool) -> None:
    missing = [name for name in PLAIN + PACKED if not (directory / name).is_file()]
    if missing:
        raise PublishError(f"{directory} lacks {', '.join(missing)}; publish a run that bench has finished")
    if environment.get("cut_off"):
        raise PublishError(f"{directory} was cut off; finish it with: bench --resume {directory}")
    if not allow_dirty and (environment.get("dirty") is not False or not environment.get("commit")):
        raise PublishError("the run comes from a tree with changes that are not committed, or from no known commit; "
                           "commit, build and run again, or give --allow-dirty")
    if not allow_debug and environment.get("build_type") != "Release":
        raise PublishError(f"the run comes from a build of type {environment.get('build_type')!r}; "
                           "run the release preset, or give --allow-debug")


def draw_charts(directory: Path) -> None:
    if any((directory / "charts").glob("*.svg")):
        return
    charts = Path(__file__).resolve().parent / "charts.py"
    done = subprocess.run([sys.executable, str(charts), str(directory)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PublishError(done.stderr.strip() or "charts.py failed")


def checkout_of(directory: Path) -> Path | None:
    """The checkout of the project that a run lies in, which may be another than the one it is published into."""
    return next((parent for parent in directory.resolve().parents if (parent / "CMakePresets.json").is_file()), None)


def without_own_folder(text: str, root: Path) -> str:
    """Paths into the project become relative to it: where it was checked out is nobody's business."""
    return text.replace(f"{root.resolve()}/", "").replace(str(root.resolve()), ".")


def copy(directory: Path, target: Path, root: Path) -> None:
    if target.exists():
        raise PublishError(f"{target} exists already; choose another NAME or remove it")
    target.mkdir(parents=True)
    checkouts = {root, checkout_of(directory) or root}
    packed = PACKED + [name for name in PACKED_IF_THERE if (directory / name).exists()]
    for name in PLAIN + packed:
        text = (directory / name).read_text(encoding="utf-8")
        for checkout in checkouts:
            text = without_own_folder(text, checkout)
        if name in packed:  # without a date of its own, so that packing again gives the same bytes
            (target / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            (target / name).write_text(text, encoding="utf-8")
    (target / "charts").mkdir()
    shutil.copyfile(directory / "charts" / f"{CHART}.svg", target / "charts" / f"{CHART}.svg")


def bench(binary: Path, *arguments: str) -> None:
    try:
        done = subprocess.run([str(binary), *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise PublishError(f"cannot run {binary}: {error.strerror}; build it (scripts/build.sh), or name one by --bench") from error
    if done.returncode != 0:
        raise PublishError(done.stderr.strip() or f"bench {arguments[0]} failed")


def add_page_and_seal(binary: Path, target: Path) -> None:
    bench(binary, "report", str(target), "-o", str(target / "report.html"))
    for path in sorted(target.rglob("*")):
        if path.is_file() and path.stat().st_size > LARGEST_BYTES:
            raise PublishError(f"{path} has {path.stat().st_size} bytes, more than {LARGEST_BYTES}; publish a smaller suite")
    bench(binary, "results", "seal", str(target))


def mean_text(mean: Mean | None) -> str:
    """A mean with its interval, and what it is without the family that moves it most."""
    if mean is None or mean.ratio is None:
        return "-"
    interval = f" ({mean.ratio_low:.2f} to {mean.ratio_high:.2f})" if mean.ratio_low is not None else ""
    without = f"; {mean.without_ratio:.2f}" if mean.without_ratio is not None else ""
    return f"{mean.ratio:.2f}{interval}{without}"


@dataclass(frozen=True)
class KindOfRun:
    """A kind of work and the published run that has most families of it; of equals the newest."""

    kind: str
    run: Run
    families: int


def families_of(run: Run, kind: str) -> int:
    mean = run.mean(kind, "throughput", run.baseline)
    return mean.families if mean else 0


def best_runs(results: Path) -> list[KindOfRun]:
    """For each kind that a published run has means of, in the order of KINDS. Runs without kinds are older than these and left out."""
    runs = [read_run(path.parent) for path in sorted(results.glob("*/means.csv")) if path.parent.name != "local"]
    chosen = []
    for kind in KINDS[:-1]:
        having = [run for run in runs if families_of(run, kind) > 0]
        if having:
            run = max(having, key=lambda run: (families_of(run, kind), str(run.environment.get("date", "")), run.directory.name))
            chosen.append(KindOfRun(kind, run, families_of(run, kind)))
    return chosen


def readme_table(chosen: list[KindOfRun]) -> list[str]:
    """A row a kind and figure, programs first."""
    subjects = list(dict.fromkeys(name for item in chosen for name in item.run.subjects if name not in item.run.references))
    lines = ["| | figure | " + " | ".join(subjects) + " |", "|---|---|" + "---:|" * len(subjects)]
    for item in chosen:
        first = f"**[{item.kind}](results/{item.run.directory.name}/report.md)**, {item.families} families"
        for metric, name in HEADLINES:
            if item.run.mean(item.kind, metric, item.run.baseline) is not None:
                texts = " | ".join(mean_text(item.run.mean(item.kind, metric, subject)) for subject in subjects)
                lines.append(f"| {first} | {name} | {texts} |")
                first = ""
    return lines


def headlines_of_report(report: str) -> list[str]:
    """The sentences of report.md on who is on the throughput-RSS front of each kind."""
    found = re.search(r"^## In words\n\n((?:- .*\n)+)", report, re.MULTILINE)
    lines = found.group(1).splitlines() if found else []
    return [line for line in lines if "on the throughput-RSS front of" in line]


def sentence_of(item: KindOfRun) -> list[str]:
    report = (item.run.directory / "report.md").read_text(encoding="utf-8")
    return [line for line in headlines_of_report(report) if line.startswith(f"- {item.kind}: ")]


def readme_section(results: Path) -> str:
    """What stands between the markers of README.md: a table by kind, the fronts in words, a chart, where it all comes from."""
    chosen = best_runs(results)
    if not chosen:
        raise PublishError("no published run has means by kind; run bench again and publish that")
    main_run = max(chosen, key=lambda item: item.families).run
    lines = [
        f"Ratios to {main_run.baseline}, geometric means with 95 % intervals; throughput: higher is better, all else: lower. A workload at "
        "several sizes or thread counts has one vote; after the semicolon stands the mean without the family that moves it most. Cost: "
        "CPU seconds + memory held, 4 GiB for one CPU.", "",
        *readme_table(chosen), "",
        *[line for item in chosen for line in sentence_of(item)], "",
    ]
    if (main_run.directory / "charts" / f"{CHART}.svg").exists():
        lines += [f"![Throughput against peak RSS](results/{main_run.directory.name}/charts/{CHART}.svg)", ""]
    for run in dict.fromkeys(item.run.directory.name for item in chosen):
        found = next(item.run for item in chosen if item.run.directory.name == run)
        lines += [f"[{run}](results/{run}/report.md): `{found.environment.get('command', '')}` on {found.machine()}, "
                  f"n = {found.repetitions('throughput')} blocks.", ""]
    return "\n".join(lines[:-1])


def parts_around(path: Path, begin: str, end: str) -> tuple[str, str]:
    """What stands before and after the generated part."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise PublishError(f"{path} must hold the line {begin} and after it the line {end}, once each; add them")
    return text.split(begin)[0], text.split(end)[1]


def replace_between(path: Path, begin: str, end: str, text: str) -> None:
    before, after = parts_around(path, begin, end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def index_line(directory: Path) -> str:
    run = read_run(directory)
    remarks = [remark for remark, said in (("changed tree", run.environment.get("dirty") is not False),
                                           ("not a Release build", run.environment.get("build_type") != "Release")) if said]
    suite = run.environment.get("suite") or "-"
    return (f"| [{directory.name}]({directory.name}/report.md) | {str(run.environment.get('date', '-'))[:10]} | {suite} | "
            f"{', '.join(run.allocators)} | {run.repetitions('throughput')} | "
            f"{run.environment.get('cpu', {}).get('model', '-')} | {', '.join(remarks) or '-'} |")


def index(results: Path) -> str:
    runs = sorted(path.parent for path in results.glob("*/summary.csv") if path.parent.name != "local")
    lines = ["| run | date | suite | allocators | blocks | CPU | remarks |", "|---|---|---|---|---|---|---|"]
    return "\n".join(lines + [index_line(run) for run in runs])


def publish(arguments: argparse.Namespace) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", arguments.name) or arguments.name == "local":
        raise PublishError(f"{arguments.name!r} is no name for a published run; use letters, digits, '.', '_' and '-'")
    try:
        environment = json.loads((arguments.run_dir / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishError(f"{arguments.run_dir} holds no readable environment.json ({error}); "
                           "give the directory that bench named at its end") from error
    check(arguments.run_dir, environment, arguments.allow_dirty, arguments.allow_debug)
    results, readme = arguments.root / "results", arguments.root / "README.md"
    parts_around(results / "README.md", INDEX_BEGIN, INDEX_END)  # before anything is copied
    if not arguments.no_readme:
        parts_around(readme, BEGIN, END)
    draw_charts(arguments.run_dir)
    target = results / arguments.name
    copy(arguments.run_dir, target, arguments.root)
    try:
        add_page_and_seal(arguments.bench, target)
    except PublishError:
        shutil.rmtree(target)
        raise
    replace_between(results / "README.md", INDEX_BEGIN, INDEX_END, index(results))
    if not arguments.no_readme:
        replace_between(readme, BEGIN, END, readme_section(results))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", metavar="RUN_DIR", type=Path)
    parser.add_argument("name", metavar="NAME", help="folder in results/")
    parser.add_argument("--allow-dirty", action="store_true", help="accept a tree with uncommitted changes")
    parser.add_argument("--allow-debug", action="store_true", help="accept a build that is not Release")
    parser.add_argument("--no-readme", action="store_true", help="leave the top README.md as it is")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="the project's folder (default: the one of this script)")
    parser.add_argument("--bench", type=Path, default=Path(__file__).resolve().parent.parent / "build" / "release" / "bin" / "bench",
                        help="the bench that writes report.html and the seal (default: the one of the release build)")
    try:
        print(publish(parser.parse_args()))
    except (PublishError, RunError) as error:
        sys.exit(f"publish.py: {error}")
    except OSError as error:
        sys.exit(f"publish.py: cannot write {error.filename}: {error.strerror}; free some space or fix its permissions")


if __name__ == "__main__":
    main()
