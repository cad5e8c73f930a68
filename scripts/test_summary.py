#!/usr/bin/env python3
"""Says how many tests of a level passed, failed and were skipped, and why; with --record also writes it to a file.

Each REPORT is PRESET:SECONDS_OF_BUILD:SECONDS_OF_TESTS:FILE, where FILE is what `ctest --output-junit` wrote. The record
opens with the host: CPU, kernel, and what the first touch of a page costs there, on which most of the time depends.
Exit code 1 where a test failed or a report is missing.
"""

import argparse
import datetime
import mmap
import os
import platform
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """One preset's run of ctest."""

    preset: str
    build_s: int
    test_s: int
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)  # tests by reason
    slowest: list[tuple[float, str]] = field(default_factory=list)


def reason_of(case: xml.Element) -> str:
    """What a skipped test printed about it: GTEST_SKIP's message, or its last line."""
    output = (case.findtext("system-out") or "").strip()
    of_gtest = re.search(r": Skipped\n(.+)", output)
    lines = [line for line in output.splitlines() if line.strip()]
    said = of_gtest.group(1) if of_gtest else lines[-1] if lines else "no reason given"
    return said.strip()[:160]


def read(text: str) -> Report:
    preset, build_s, test_s, name = text.split(":", 3)
    report = Report(preset, int(build_s), int(test_s))
    for case in xml.parse(name).getroot().iter("testcase"):
        test = case.get("name", "?")
        status = case.get("status")
        report.slowest.append((float(case.get("time") or 0), test))
        if status == "run":
            report.passed += 1
        elif status in ("notrun", "disabled"):
            if case.find("skipped") is not None and (case.findtext("system-out") or "").strip():
                report.skipped.setdefault(reason_of(case), []).append(test)
            else:
                report.failed.append(f"{test} (not run)")
        else:
            report.failed.append(test)
    report.slowest = sorted(report.slowest, reverse=True)[:10]
    return report


def first_touch_us() -> float:
    """What the first write to a page costs above a second one, in microseconds; the least of three rounds."""
    pages = 4096
    rounds = []
    for _ in range(3):
        with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
            marks = []
            for _ in range(2):
                start = time.perf_counter()
                for at in range(0, pages * mmap.PAGESIZE, mmap.PAGESIZE):
                    memory[at] = 1
                marks.append(time.perf_counter() - start)
            rounds.append((marks[0] - marks[1]) / pages * 1e6)
    return min(rounds)


def host() -> str:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (f"{os.cpu_count()} CPUs ({model.group(1) if model else platform.machine()}), Linux {platform.release()}, "
            f"{first_touch_us():.1f} us for the first touch of a page")


def commit() -> str:
    asked = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=9"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def lines_of(report: Report) -> list[str]:
    count = sum(map(len, report.skipped.values()))
    lines = [f"{report.preset}: {report.passed} passed, {len(report.failed)} failed, {count} skipped; "
             f"built in {report.build_s} s, tested in {report.test_s} s"]
    lines += [f"  failed: {test}" for test in report.failed]
    for reason, tests in sorted(report.skipped.items()):
        named = ", ".join(tests[:2]) + (f" and {len(tests) - 2} more" if len(tests) > 2 else "")
        lines.append(f"  skipped: {named}: {reason}")
    return lines


def write_record(path: Path, level: str, reports: list[Report], closing: str) -> None:
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    text = [f"# The last run of `scripts/test.sh {level}`", "", f"{date}, commit {commit()}, {host()}.", "", "```"]
    for report in reports:
        text += lines_of(report)
    text += [closing, "```", "", "The tests that took longest:", "", "| preset | test | s |", "|---|---|---|"]
    text += [f"| {report.preset} | {test} | {seconds:.1f} |" for report in reports for seconds, test in report.slowest]
    path.write_text("\n".join(text) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("level", choices=["short", "all", "long"])
    parser.add_argument("report", nargs="+")
    parser.add_argument("--record", type=Path, help="a Markdown file to write")
    arguments = parser.parse_args()
    try:
        reports = [read(text) for text in arguments.report]
    except (OSError, xml.ParseError, ValueError) as error:
        sys.exit(f"test_summary.py: no report of the tests: {error}")
    for report in reports:
        print("\n".join(lines_of(report)))
    failed = sum(len(report.failed) for report in reports)
    closing = (f"{arguments.level}: {sum(report.passed for report in reports)} passed, {failed} failed, "
               f"{sum(len(tests) for report in reports for tests in report.skipped.values())} skipped")
    if arguments.record:
        write_record(arguments.record, arguments.level, reports, closing)
        print(f"recorded in {arguments.record}")
    print(closing)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
