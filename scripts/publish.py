#!/usr/bin/env python3
"""Publishes a run: copies it to results/NAME/ and rewrites what is generated from it.

It copies report.md, samples.csv, summary.csv, means.csv, benchmark.json, environment.json, timelines.csv (if there is one) and
charts/ (drawn if they are missing), then rewrites the index in results/README.md and, between the lines

  <!-- results:begin -->
  <!-- results:end -->

of the top README.md, the table and the chart. With --no-readme the top README.md stays as it is.

A run is refused if a file is missing, if it was cut off, or if it comes from a changed tree, from a build that is not Release or from
an unknown commit. --allow-dirty and --allow-debug accept the latter; the index then says so.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from plotting.run_data import Cell, Row, Run, RunError, read_run

REQUIRED = ["report.md", "samples.csv", "summary.csv", "means.csv", "benchmark.json", "environment.json"]
OPTIONAL = ["timelines.csv"]
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
INDEX_BEGIN, INDEX_END = "<!-- index:begin -->", "<!-- index:end -->"
CHART = "throughput_against_rss"
MARKS = {"better": "**{}**", "worse": "*{}*", "none": "{}"}


class PublishError(Exception):
    """Why a run is not published, in one line that says what to do."""


def check(directory: Path, environment: dict, allow_dirty: bool, allow_debug: bool) -> None:
    missing = [name for name in REQUIRED if not (directory / name).is_file()]
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
    for name in REQUIRED + [name for name in OPTIONAL if (directory / name).exists()]:
        text = (directory / name).read_text(encoding="utf-8")
        for checkout in checkouts:
            text = without_own_folder(text, checkout)
        (target / name).write_text(text, encoding="utf-8")
    shutil.copytree(directory / "charts", target / "charts")


def marked(row: Row | None, higher_is_better: bool) -> str:
    """A ratio, bold where it is better and italic where it is worse; a failure by its name."""
    if row is None:
        return "-"
    if row.ratio is None:
        return row.status if row.status != "ok" else "-"
    verdict = "none"
    if row.verdict not in ("", "indicative", "indistinguishable"):
        verdict = "better" if (row.ratio > 1) == higher_is_better else "worse"
    return MARKS[verdict].format(f"{row.ratio:.2f}")


def mean_text(run: Run, metric: str, allocator: str) -> str:
    mean = run.mean(metric, allocator)
    if mean is None or mean.ratio is None:
        return "-"
    if mean.ratio_low is None or mean.ratio_high is None:
        return f"{mean.ratio:.2f}"
    return f"{mean.ratio:.2f} ({mean.ratio_low:.2f} to {mean.ratio_high:.2f})"


def readme_row(run: Run, cell: Cell) -> str:
    texts = []
    for subject in run.subjects:
        speed = marked(run.row(cell, "throughput", subject), True)
        size = marked(run.row(cell, "peak_rss", subject), False)
        texts.append(speed if size == "-" or not size[0].isdigit() and speed == size else f"{speed} / {size}")
    return f"| {cell.workload} | {cell.threads} | " + " | ".join(texts) + " |"


def readme_table(run: Run) -> list[str]:
    lines = ["| workload | threads | " + " | ".join(run.subjects) + " |",
             "|---|---:|" + "---:|" * len(run.subjects)]
    lines += [readme_row(run, cell) for cell in run.cells("throughput")]
    for metric, title in (("throughput", "throughput"), ("peak_rss", "peak RSS")):
        mean = run.mean(metric, run.baseline)
        if mean is not None:
            means = " | ".join(mean_text(run, metric, subject) for subject in run.subjects)
            left_out = f" ({mean.cells_left_out} without a ratio)" if mean.cells_left_out else ""
            lines.append(f"| **{title}, geometric mean of {mean.cells} cells**{left_out} | | {means} |")
    return lines


def words_of_report(report: str) -> list[str]:
    """The sentences of report.md on the throughput-RSS front."""
    found = re.search(r"^## In words\n\n((?:- .*\n)+)", report, re.MULTILINE)
    return found.group(1).splitlines() if found else []


def readme_section(run: Run, name: str) -> str:
    """What stands between the markers of README.md."""
    command = run.environment.get("command", "")
    lines = [
        f"Throughput / peak RSS, each as the ratio to {run.baseline}: throughput higher is better, RSS lower is better. "
        f"**Bold** is better and *italic* worse by the verdict (95 %, corrected for all cells; above 1 %); "
        f"n = {run.repetitions('throughput')} blocks.", "",
        *readme_table(run), "",
        *words_of_report((run.directory / "report.md").read_text(encoding="utf-8")), "",
    ]
    if (run.directory / "charts" / f"{CHART}.svg").exists():
        lines += [f"![Throughput against peak RSS](results/{name}/charts/{CHART}.svg)", ""]
    lines += [f"`{command}` on {run.machine()}. Every figure, its interval and its raw samples: "
              f"[results/{name}](results/{name}/report.md)."]
    return "\n".join(lines)


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
    replace_between(results / "README.md", INDEX_BEGIN, INDEX_END, index(results))
    if not arguments.no_readme:
        replace_between(readme, BEGIN, END, readme_section(read_run(target), arguments.name))
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
    try:
        print(publish(parser.parse_args()))
    except (PublishError, RunError) as error:
        sys.exit(f"publish.py: {error}")
    except OSError as error:
        sys.exit(f"publish.py: cannot write {error.filename}: {error.strerror}; free some space or fix its permissions")


if __name__ == "__main__":
    main()
