#!/usr/bin/env python3
"""Can bench's verdicts be believed on this machine? Three questions, each answered by measuring what is known beforehand.

  A/A       each allocator in turn against a copy of its own library, over suite quick, 20 tables in all. Every "differs" is false.
  slowed    glibc's malloc slowed by 5 % and by 2 % of all that a thread does (bench/tests/fixtures/slowed_malloc.c) against the same library
            slowed by nothing, single-thread cells: how many say so?
  coverage  in how many of all these ratios the 95 % interval holds the truth: 1, 1/1.05, 1/1.02

It asks for: at most one A/A table with a false difference, of any metric that gets a verdict; 99 % and 50 % of single-thread cells that see 5 % and
2 %; coverage between 93 and 97 %. About an hour; --minutes shortens it: fewer tables, and the report says how many of 20 they are.

Writes report.md, environment.json, tables.csv (a row a table) and ratios.csv (a row a ratio) to --out. Exit 1 if an answer is no, 3 if a run failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALL_TABLES = 20
LEAST_FOR_COVERAGE = 200  # ratios; of fewer, 93 to 97 % is luck
TRUTH_KNOWN = ("throughput", "peak_rss")  # of the slowed libraries
NO_DIFFERENCE = ("", "baseline", "same", "not decided")
LIBRARIES = ["osmem", "jemalloc", "mimalloc", "tcmalloc"]


class AcceptanceError(Exception):
    """Why nothing can be said, in one line."""


@dataclass(frozen=True)
class Ratio:
    table: str
    workload: str
    threads: int
    metric: str
    truth: float
    ratio: float
    low: float
    high: float
    verdict: str

    @property
    def differs(self) -> bool:
        return self.verdict not in NO_DIFFERENCE

    @property
    def covered(self) -> bool:
        return self.low <= self.truth <= self.high


@dataclass
class Answers:
    ratios: list[Ratio] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)


def library_of(bench: Path, allocator: str) -> Path | None:
    """As `bench list allocators` finds it: a name, and behind it or in the indented lines below it a path."""
    done = subprocess.run([bench, "list", "allocators"], capture_output=True, text=True, check=True)
    name = ""
    for line in done.stdout.splitlines():
        words = line.split()
        if words and not line.startswith(" "):
            name = words[0]
        paths = [word for word in words if word.startswith("/") and ".so" in word]
        if name == allocator and paths:
            return Path(paths[0])
    return None


def measure(bench: Path, words: list[str], out: Path) -> None:
    command = [str(bench), "run", *words, f"--out={out}", "--format=csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3) or not (out / "summary.csv").is_file():
        raise AcceptanceError(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr.splitlines() or ['no word'])[-1]}")


def ratios_of(table: str, out: Path, truths: dict[str, float]) -> list[Ratio]:
    """All judged ratios of a run; `truths` are the throughputs' by allocator, 1 for those not named. A peak is the same whatever the speed."""
    found = []
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["ratio_low"] and row["verdict"]:
                truth = truths.get(row["allocator"], 1.0) if row["metric"] == "throughput" else 1.0
                found.append(Ratio(f"{table} {row['allocator']}", row["workload"], int(row["threads"]), row["metric"], truth,
                                   float(row["ratio"]), float(row["ratio_low"]), float(row["ratio_high"]), row["verdict"]))
    return found


def copies_of(library: Path, folder: Path) -> tuple[Path, Path]:
    """Two copies beside each other under names of one length. A byte behind the end of one gives it another digest, without which bench takes
    it for the baseline itself and gives no verdict."""
    pair = (folder / f"a-{library.stem}.so", folder / f"b-{library.stem}.so")
    for path in pair:
        shutil.copyfile(library, path)
    with pair[1].open("ab") as file:
        file.write(b"\0")
    return pair


def aa_table(arguments: argparse.Namespace, library: Path, name: str, seed: int, folder: Path) -> list[Ratio]:
    first, second = copies_of(library, folder)
    out = folder / f"aa-{name}-{seed}"
    measure(arguments.bench, [f"--allocator=copy={second}", f"--against=self={first}", "--baseline=self", f"--suite={arguments.suite}",
                              f"--repetitions={arguments.repetitions}", f"--seed={seed}"], out)
    return ratios_of(f"A/A {name} {seed}", out, {})


def slowed_tables(arguments: argparse.Namespace, seed: int, folder: Path) -> list[Ratio]:
    out = folder / f"slowed-{seed}"
    fixtures = arguments.fixtures
    subjects = ",".join(f"slower{share}={fixtures}/fixture_slowed_{share}.so" for share in ("20", "50"))
    measure(arguments.bench, [f"--allocator={subjects}", f"--against=plain={fixtures}/fixture_slowed_00.so", "--baseline=plain",
                              "--threads=1", f"--suite={arguments.suite}", f"--repetitions={arguments.repetitions}", f"--seed={seed}"], out)
    return ratios_of(f"slowed {seed}", out, {"slower20": 1 / 1.02, "slower50": 1 / 1.05})


def keep(answers: Answers, name: str, ratios: list[Ratio], began: float) -> None:
    judged = [ratio for ratio in ratios if name.startswith("A/A") or ratio.metric in TRUTH_KNOWN]
    answers.ratios += ratios
    answers.tables.append({"table": name, "ratios": len(judged), "differ": sum(ratio.differs for ratio in judged),
                           "covered": sum(ratio.covered for ratio in judged), "seconds": round(time.monotonic() - began)})
    print(f"{name}: {answers.tables[-1]['differ']} of {len(judged)} ratios differ", file=sys.stderr)


def measure_all(arguments: argparse.Namespace, folder: Path) -> Answers:
    """The slowed libraries first, as one run answers two questions; then A/A tables, allocators in turn, while there is time."""
    answers = Answers()
    end = time.monotonic() + 60 * arguments.minutes
    began = time.monotonic()
    keep(answers, "slowed", slowed_tables(arguments, 1, folder), began)
    libraries = {name: library_of(arguments.bench, name) for name in LIBRARIES}
    present = [name for name in LIBRARIES if libraries[name]]
    if not present:
        raise AcceptanceError("no allocator with a library of its own is there; build osmem or install libjemalloc2")
    longest = 0.0
    for index in range(ALL_TABLES):
        began = time.monotonic()
        if began + longest > end:
            break
        name = present[index % len(present)]
        keep(answers, f"A/A {name} {index + 1}",
             aa_table(arguments, libraries[name], name, index + 1, folder), began)
        longest = max(longest, time.monotonic() - began)
    return answers


def spread(ratios: list[Ratio], repetitions: int) -> str:
    """The SD of an A/A log-ratio a block, back from the intervals' widths; the median over cells."""
    widths = sorted((math.log(ratio.high) - math.log(ratio.low)) / 2 for ratio in ratios)
    if not widths:
        return "-"
    return f"{widths[len(widths) // 2] * math.sqrt(repetitions) / 2.26:.3f}"


@dataclass(frozen=True)
class Question:
    text: str
    answer: str
    holds: bool | None  # None: not asked


def percent(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "0 of 0"


def questions(answers: Answers) -> list[Question]:
    aa = [table for table in answers.tables if table["table"].startswith("A/A")]
    false_tables = [table["table"] for table in aa if table["differ"]]
    listed = [Question(f"A/A tables with a false difference, of {len(aa)} measured ({ALL_TABLES} wanted): at most 1",
                       f"{len(false_tables)}{': ' + ', '.join(false_tables) if false_tables else ''}",
                       None if not aa else len(false_tables) <= 1)]
    speeds = [ratio for ratio in answers.ratios if ratio.metric == "throughput"]
    for share, wanted in (("50", 0.99), ("20", 0.50)):
        own = [ratio for ratio in speeds if ratio.table.endswith(f"slower{share}")]
        seen = sum(ratio.verdict == "slower" for ratio in own)
        listed.append(Question(f"single-thread cells that see a slowdown by {int(share) // 10} %: {100 * wanted:.0f} %",
                               percent(seen, len(own)), seen >= wanted * len(own) if own else None))
    covered = sum(ratio.covered for ratio in speeds)
    listed.append(Question("throughput intervals that hold the truth: 93 to 97 %", percent(covered, len(speeds)),
                           0.93 <= covered / len(speeds) <= 0.97 if len(speeds) >= LEAST_FOR_COVERAGE else None))
    narrow = [ratio for ratio in speeds if ratio.threads == 1]
    within = sum(max(ratio.high / ratio.ratio, ratio.ratio / ratio.low) <= 1.03 for ratio in narrow)
    listed.append(Question("single-thread intervals no wider than +-3 %: 80 %", percent(within, len(narrow)),
                           within >= 0.8 * len(narrow) if narrow else None))
    return listed


def report(answers: Answers, arguments: argparse.Namespace, environment: dict) -> str:
    tables = sum(table["table"].startswith("A/A") for table in answers.tables)
    whole = "the whole of it" if tables == ALL_TABLES else f"cut short by --minutes={arguments.minutes:g}: {tables} of {ALL_TABLES} A/A tables"
    cpu = environment.get("cpu", {})
    lines = ["# Acceptance: can the verdicts be believed?", "",
             f"{whole}; suite {arguments.suite}; {arguments.repetitions} blocks a table; {cpu.get('model', '?')}, {cpu.get('count', '?')} CPUs, "
             f"{environment.get('kernel', '?')}, commit {str(environment.get('commit', '?'))[:12]}"
             f"{' with changes' if environment.get('dirty') else ''}, {str(environment.get('date', '?'))[:10]}, "
             f"load {environment.get('load_average', '?')}. How: scripts/acceptance.py --help.", "",
             "| question | seen | holds |", "|---|---|---|"]
    for question in questions(answers):
        lines.append(f"| {question.text} | {question.answer} | {'-' if question.holds is None else 'yes' if question.holds else '**no**'} |")
    aa_speeds = [ratio for ratio in answers.ratios if ratio.table.startswith("A/A") and ratio.metric == "throughput"]
    lines += ["", f"SD of an A/A log-ratio of throughput a block, median over cells: {spread(aa_speeds, arguments.repetitions)}.", "",
              "| table | ratios | differ | covered | seconds |", "|---|---:|---:|---:|---:|"]
    lines += ["| {table} | {ratios} | {differ} | {covered} | {seconds} |".format(**table) for table in answers.tables]
    false = [ratio for ratio in answers.ratios if ratio.table.startswith("A/A") and ratio.differs]
    lines += ["", "False differences, of any metric:" if false else "No false difference of any metric."]
    lines += [f"- {ratio.table}: {ratio.workload}, {ratio.threads} threads, {ratio.metric} {ratio.verdict}, "
              f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})" for ratio in false]
    return "\n".join(lines) + "\n"


def write(answers: Answers, arguments: argparse.Namespace, environment: dict) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "report.md").write_text(report(answers, arguments, environment), encoding="utf-8")
    (arguments.out / "environment.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")
    with (arguments.out / "tables.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(answers.tables[0]), lineterminator="\n")
        rows.writeheader()
        rows.writerows(answers.tables)
    with (arguments.out / "ratios.csv").open("w", newline="", encoding="utf-8") as file:
        names = list(Ratio.__dataclass_fields__)
        plain = csv.writer(file, lineterminator="\n")
        plain.writerow(names)
        plain.writerows([getattr(ratio, name) for name in names] for ratio in answers.ratios)


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def blocks(text: str) -> int:
    if not text.isdigit() or int(text) < 5:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 5 on: fewer blocks give no verdict")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=positive, default=90, help="start no table that would not end within these (default 90)")
    parser.add_argument("--repetitions", type=blocks, default=10, help="blocks of each table (default 10)")
    parser.add_argument("--suite", default="quick", help="of bench; another than quick answers another question, and the report says so")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "acceptance")
    parser.add_argument("--bench", type=Path, default=ROOT / "build" / "release" / "bin" / "bench")
    parser.add_argument("--fixtures", type=Path, default=ROOT / "build" / "release" / "tests" / "fixtures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="acceptance-") as scratch:
        try:
            answers = measure_all(arguments, Path(scratch))
        except (AcceptanceError, OSError, subprocess.CalledProcessError) as error:
            print(f"acceptance.py: {error}", file=sys.stderr)
            return 3
        environment = json.loads((Path(scratch) / "slowed-1" / "environment.json").read_text(encoding="utf-8"))
    write(answers, arguments, environment)
    print(report(answers, arguments, environment))
    return 1 if any(question.holds is False for question in questions(answers)) else 0


if __name__ == "__main__":
    sys.exit(main())
