"""What the tests that drive bench as a user does have in common: how it is started, and what it left."""
from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

ARGUMENTS = argparse.Namespace()
QUICKLY = ["--min-time=0.002", "--repetitions=1", "--threads=1"]


def fixture(name: str) -> str:
    return str(Path(ARGUMENTS.fixtures) / f"fixture_{name}.so")


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "samples.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def statuses(out: Path) -> dict[tuple[str, str], str]:
    """The status of each workload and allocator; a failure wins over figures of the same cell."""
    found: dict[tuple[str, str], str] = {}
    for row in rows(out):
        key = (row["workload"], row["allocator"])
        if found.get(key, "ok") == "ok":
            found[key] = row["status"]
    return found


class BenchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name) / "out"

    def bench(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, *words], capture_output=True, text=True, timeout=120,
                              cwd=self.folder.name, **options)  # type: ignore[call-overload]

    def run_bench(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.bench("run", f"--out={self.out}", *QUICKLY, *words)

    def refused(self, *words: str) -> str:
        """The one line with which bench refuses the words, before it measures anything."""
        done = self.bench(*words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("bench: "), lines[0])
        self.assertFalse(self.out.exists())
        return lines[0]


def children_of(process: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def until(test: unittest.TestCase, condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    test.fail("it did not come about within 30 s")


def is_alive(process: int) -> bool:
    try:
        return not re.search(r"\) Z", Path(f"/proc/{process}/stat").read_text())
    except OSError:
        return False


def run_tests(description: str | None) -> None:
    """Runs the tests of the program that calls this; the words of its command line choose some by name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bench", required=True, help="the program")
    parser.add_argument("--fixtures", required=True, help="folder of the shared objects of fixtures/")
    parser.add_argument("tests", nargs="*", help="names of tests; default: all")
    parser.parse_args(namespace=ARGUMENTS)
    ARGUMENTS.bench = Path(ARGUMENTS.bench).resolve()  # tests run it in folders of their own
    ARGUMENTS.fixtures = Path(ARGUMENTS.fixtures).resolve()
    os.environ.pop("LD_PRELOAD", None)
    unittest.main(module="__main__", argv=[sys.argv[0], *ARGUMENTS.tests])
