#!/usr/bin/env python3
"""Drives `bench advise` on programs whose memory over time is known.

Proves: a leak and fragmentation are told apart, a program to which no allocator matters gets "no difference", a screen is at most 40 lines of 80
columns, the run is kept with its trace, and wrong input is refused with one line. No figure of time is asserted.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()


class Advise(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.program = Path(ARGUMENTS.fixtures) / "fixture_memory_over_time"

    def bench(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, *map(str, words)], capture_output=True, text=True, timeout=500, cwd=self.folder)

    def advice(self, *words: object) -> str:
        done = self.bench("advise", "--out=run", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertLessEqual(len(lines), 40, done.stdout)
        for line in lines:
            if "/" not in line:  # a path of a library may be longer
                self.assertLessEqual(len(line), 80, line)
        return " ".join(done.stdout.split())

    def refused(self, *words: object) -> str:
        done = self.bench("advise", *words)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def of_glibc(self, mode: str) -> str:
        return self.advice("--allocator=glibc", "--against=none", "--budget=1s", "--", self.program, mode)

    def test_live_bytes_that_grow_are_a_leak(self) -> None:
        text = self.of_glibc("leaks")
        self.assertIn("live bytes grow", text)
        self.assertIn("a leak", text)
        self.assertNotIn("fragmentation", text)

    def test_rss_that_grows_over_level_live_bytes_is_fragmentation(self) -> None:
        text = self.of_glibc("fragments")
        self.assertIn("fragmentation: live bytes are level", text)
        self.assertNotIn("a leak", text)

    def test_where_no_allocator_matters_there_is_no_difference(self) -> None:
        text = self.advice("--budget=20s", "--against=glibc", "--", self.program, "waits")
        self.assertIn("No difference", text)
        self.assertNotIn("LD_PRELOAD", text)

    def test_too_few_blocks_never_show_that_there_is_no_difference(self) -> None:
        text = self.advice("--budget=1s", "--against=glibc", "--", self.program, "waits")
        self.assertIn("No difference shown", text)
        self.assertIn("Fewer than 5 blocks decide nothing", text)

    def test_the_run_is_kept_whole_with_its_trace(self) -> None:
        self.of_glibc("leaks")
        run = self.folder / "run"
        for name in ("app.trace", "advice.txt", "samples.csv", "environment.json"):
            self.assertTrue((run / name).exists(), name)
        self.assertEqual(self.bench("results", "verify", run).returncode, 0)
        again = self.bench("advise", "--allocator=glibc", "--against=none", "--budget=1s", run / "app.trace")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("live bytes grow", " ".join(again.stdout.split()))

    def test_a_server_is_measured_by_its_load(self) -> None:
        server = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); open('up','w')\nwhile True: s.accept()[0].close()"
        text = self.advice("--allocator=glibc", "--against=none", "--budget=1s", "--prepare=rm -f s up", "--ready=test -e up",
                           "--load=echo rate: 7", "--metric=rate: ([0-9]+)", "--", sys.executable, "-c", server)
        self.assertIn("throughput", text)
        self.assertIn("In malloc", text)

    def test_what_cannot_be_advised_on_is_refused(self) -> None:
        self.assertIn("bench advise -- ./app", self.refused())
        self.assertIn("put -- before", self.refused("./app", "word"))
        self.assertIn("no trace gone.trace", self.refused("gone.trace"))
        self.assertIn("--budget", self.refused("--budget=soon", "--", "true"))
        self.assertIn("no program", self.refused("--", "no-such-program-here"))
        self.assertIn("jemalloc", self.refused("--allocator=jemaloc", "--", "true"))
        (self.folder / "bad.trace").write_text("no trace")
        self.assertIn("bad.trace", self.refused("bad.trace"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, type=lambda text: Path(text).absolute())
    parser.add_argument("--fixtures", required=True, type=lambda text: Path(text).absolute())
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
