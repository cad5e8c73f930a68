#!/usr/bin/env python3
"""Latency, instruction counts, server workloads and the mode of huge pages, as a user runs them.

Proves: a percentile finds the calls of an allocator that is known to stall; instructions are counted alike twice; server workloads give the
figures that they promise; a mode of huge pages is set back after every end; what cannot be had is refused with its remedy. Does not prove
that any figure is right, and asserts no time but that of the stalls.
"""
from __future__ import annotations

import argparse
import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
STALL_NS = 1_000_000


class ProductionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name) / "out"
        self.huge = Path(self.folder.name) / "huge"
        self.huge.mkdir()
        self.mode.write_text("always [madvise] never\n")

    @property
    def mode(self) -> Path:
        return self.huge / "enabled"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "BENCH_HUGE_PAGE_FOLDER": str(self.huge)}

    def bench(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, "run", f"--out={self.out}", "--repetitions=1", *words], capture_output=True, text=True,
                              check=False, timeout=300, cwd=self.folder.name, env=self.environment)

    def refused(self, *words: str) -> str:
        done = self.bench("--allocator=limit", "--against=none", *words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertFalse(self.out.exists())
        return done.stderr

    def figures(self) -> dict[tuple[str, str], float]:
        """By allocator and metric, of one workload."""
        with (self.out / "samples.csv").open(newline="") as file:
            return {(row["allocator"], row["metric"]): float(row["value"]) for row in csv.DictReader(file) if row["value"]}


class Latency(ProductionTest):
    def test_a_percentile_finds_calls_that_stall(self) -> None:
        stalling = Path(ARGUMENTS.fixtures) / "fixture_stalling.so"
        done = self.bench(f"--allocator=stalling={stalling}", "--against=glibc", "--workload=random-replace", "--measure=latency",
                          "--min-time=0.05", "--threads=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = self.figures()
        self.assertGreaterEqual(figures["stalling", "malloc_calls"], 5000)
        self.assertEqual(figures["stalling", "malloc_calls"], figures["glibc", "malloc_calls"])
        self.assertGreaterEqual(figures["stalling", "malloc_p99.9"], 0.99 * STALL_NS)
        self.assertLess(figures["stalling", "malloc_p50"], STALL_NS / 2)
        for allocator in ("stalling", "glibc"):
            steps = [figures[allocator, f"free_{which}"] for which in ("p50", "p90", "p99", "p99.9", "max")]
            self.assertEqual(steps, sorted(steps))
            self.assertGreater(figures[allocator, "timer_cost"], 0)
        self.assertIn("Slowest calls", done.stdout)

    def test_histograms_hold_every_call_within_one_percent(self) -> None:
        done = self.bench("--allocator=jemalloc", "--against=none", "--workload=trace/json", "--measure=latency", "--min-time=0.01")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls: dict[str, int] = {}
        with (self.out / "latency.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                calls[row["function"]] = calls.get(row["function"], 0) + int(row["count"])
                low, high = float(row["from_ns"]), float(row["to_ns"])
                if low > 1000:
                    self.assertLess(high / low, 1.01)
        figures = self.figures()
        for function, count in calls.items():
            self.assertEqual(figures["jemalloc", f"{function}_calls"], count)

    def test_what_cannot_be_timed_is_said(self) -> None:
        self.assertIn("latency", self.refused("--workload=pair", "--measure=latencie"))
        self.assertIn("runs of their own", self.refused("--workload=pair", "--measure=latency", "--counter=instructions"))
        self.assertIn("bench record", self.refused("--workload=program/lua", "--measure=latency"))


class Counters(ProductionTest):
    def count(self, name: str) -> float:
        self.out = Path(self.folder.name) / name
        done = self.bench("--allocator=glibc", "--against=none", "--workload=random-replace", "--counter=instructions", "--threads=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.figures()["glibc", "instructions"]

    @unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
    def test_instructions_are_the_same_twice(self) -> None:
        first, second = self.count("first"), self.count("second")
        self.assertGreater(first, 10_000)
        self.assertLess(abs(first - second) / first, 0.001)

    def test_cycles_are_counted_or_refused_with_the_reason(self) -> None:
        done = self.bench("--allocator=limit", "--against=none", "--workload=pair", "--counter=cycles", "--threads=1")
        if done.returncode == 2:
            self.assertIn("not supported here", done.stderr)
        else:
            self.assertGreater(self.figures()["limit", "cycles"], 0)


class Server(ProductionTest):
    def test_a_server_workload_gives_its_figures_under_each_allocator(self) -> None:
        done = self.bench("--allocator=jemalloc", "--against=glibc", "--workload=tides:megabytes=8,seconds=1,rate=2000,cycles=2", "--threads=2")
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = self.figures()
        for allocator in ("jemalloc", "glibc"):
            for metric in ("throughput", "user_time", "system_time", "fault_rate", "peak_rss", "mean_rss", "peak_live", "mean_live", "request_p50",
                           "request_p99", "request_max"):
                self.assertIn((allocator, metric), figures)
            self.assertGreaterEqual(figures[allocator, "wall_time"], 0.9)  # it is paced to last a second
            self.assertGreater(figures[allocator, "peak_live"], 6 << 20)
        with (self.out / "timelines.csv").open(newline="") as file:
            self.assertTrue(any(int(row["live_bytes"]) > 0 for row in csv.DictReader(file)))

    def test_what_does_not_fit_is_refused_before_it_starts(self) -> None:
        self.assertRegex(self.refused("--workload=tides:megabytes=1000000"), r"needs about \d+ MiB, and \d+ MiB can be had here; choose megabytes=\d+")
        self.assertIn("more than --budget", self.refused("--workload=tides:megabytes=8,seconds=1000", "--budget=10s"))


class HugePages(ProductionTest):
    def test_the_mode_is_set_and_set_back(self) -> None:
        done = self.bench("--allocator=limit", "--against=none", "--workload=pair", "--min-time=0.002", "--threads=1", "--thp=never")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.mode.read_text().strip(), "madvise")
        self.assertFalse((self.huge / "kept").exists())

    def begin_long_run(self) -> subprocess.Popen[str]:
        child = subprocess.Popen([ARGUMENTS.bench, "run", "--allocator=limit", "--against=none", "--threads=1", "--thp=always", f"--out={self.out}",
                                  "--workload=survivors-idle:megabytes=1,idle=60000"], cwd=self.folder.name, env=self.environment,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        end = time.monotonic() + 60
        while not (self.out / "run.json").exists() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.mode.read_text().strip(), "always")
        return child

    def test_an_interrupt_sets_it_back(self) -> None:
        child = self.begin_long_run()
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(60), 130)
        self.assertEqual(self.mode.read_text().strip(), "madvise")

    def test_after_a_kill_the_next_start_mends_it_and_says_so(self) -> None:
        child = self.begin_long_run()
        child.kill()
        child.wait(60)
        self.assertEqual(self.mode.read_text().strip(), "always")
        self.out = Path(self.folder.name) / "next"
        done = self.bench("--allocator=limit", "--against=none", "--workload=pair", "--min-time=0.002", "--threads=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a bench that was killed had changed the mode of huge pages", done.stdout)
        self.assertEqual(self.mode.read_text().strip(), "madvise")

    def test_what_cannot_be_set_is_refused_with_the_remedy(self) -> None:
        self.assertIn("never", self.refused("--workload=pair", "--thp=nevr"))
        self.mode.unlink()
        self.assertIn("leave --thp out", self.refused("--workload=pair", "--thp=never"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--fixtures", required=True)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
