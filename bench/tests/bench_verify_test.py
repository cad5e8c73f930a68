#!/usr/bin/env python3
"""Drives `bench verify` with allocators that are wrong in one thing each: that thing is found, and nothing else.

Proves: verdicts, exit codes, formats, what is said of libraries that cannot serve a process. Does not prove that the scenarios are
complete, nor anything of a real allocator.
"""
from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
SOON = "api.malloc.every-size,api.malloc.alignment,api.calloc.zeroed,api.free.errno,hardening.double-free.24"


def fixture(name: str) -> str:
    return str(Path(ARGUMENTS.fixtures) / f"fixture_{name}.so")


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ARGUMENTS.bench, "verify", *words], capture_output=True, text=True, timeout=900)


def verdicts(scenarios: str, *names: str) -> dict[tuple[str, str], str]:
    """The verdict of each fixture and scenario; the C library is there as well."""
    done = bench(f"--allocator={','.join(map(fixture, names))}", "--against=glibc", "--variant=c-O2", f"--scenario={scenarios}",
                 "--format=json")
    found = {}
    for row in json.loads(done.stdout)["scenarios"]:
        for allocator, cell in row["cells"].items():
            found[allocator.removeprefix("fixture_"), row["id"]] = cell["verdict"]
    return found


class WrongMallocs(unittest.TestCase):
    def test_each_fails_its_own_scenarios_and_no_other(self) -> None:
        expected = {("misaligned", "api.malloc.alignment"): "failed", ("overlaps", "api.malloc.every-size"): "failed",
                    ("calloc_dirty", "api.calloc.zeroed"): "failed", ("errno_lost", "api.free.errno"): "failed",
                    ("silent_double_free", "hardening.double-free.24"): "missed",
                    ("message_only", "hardening.double-free.24"): "missed"}
        names = sorted({name for name, _ in expected})
        found = verdicts(SOON, *names)
        for (name, scenario), verdict in found.items():
            usual = found["glibc", scenario]
            self.assertEqual(verdict, expected.get((name, scenario), usual), (name, scenario))
        self.assertLessEqual(set(expected), set(found))

    def test_a_leak_at_the_end_of_threads(self) -> None:
        self.assertEqual(verdicts("threads.ten-thousand", "thread_leak"),
                         {("thread_leak", "threads.ten-thousand"): "failed", ("glibc", "threads.ten-thousand"): "pass"})

    def test_a_child_that_waits_for_a_lock_for_ever(self) -> None:
        found = verdicts("fork.threads-allocating", "fork_deadlock")
        self.assertIn(found["fork_deadlock", "fork.threads-allocating"], ("failed", "hang"))


class Unusable(unittest.TestCase):
    def test_libraries_that_cannot_serve_are_named_and_the_rest_goes_on(self) -> None:
        done = bench(f"--allocator=/no/such.so,{fixture('partial')},{fixture('crashes')},{fixture('hangs')},{fixture('prints')},glibc",
                     "--scenario=api.free.null", "--variant=c-O2", "--format=json")
        seen = {entry["name"]: entry for entry in json.loads(done.stdout)["allocators"]}
        for name, part in {"such": "such.so", "fixture_partial": "aligned_alloc", "fixture_crashes": "SIGABRT",
                           "fixture_hangs": "hangs at its start"}.items():
            self.assertIn(part, seen[name]["unusable"], seen)
        self.assertIn("fixture: hello", seen["fixture_prints"]["remark"])
        self.assertEqual(seen["glibc"]["sections"]["api"], {"passed": 1, "by_option": 0, "judged": 1, "not_judged": 0})
        self.assertEqual(done.returncode, 3)


class Words(unittest.TestCase):
    def test_exit_code_says_what_came_of_the_allocators_on_trial(self) -> None:
        self.assertEqual(bench("--allocator=glibc", "--scenario=api.free.null", "--variant=c-O2").returncode, 0)
        wrong = ("--scenario=api.free.errno", "--variant=c-O2")
        self.assertEqual(bench(f"--allocator={fixture('errno_lost')}", *wrong).returncode, 1)
        self.assertEqual(bench("--allocator=glibc", f"--against={fixture('errno_lost')}", *wrong).returncode, 0)

    def test_what_is_mistyped_is_named(self) -> None:
        for words, part in ((("--section=harden",), "hardening"), (("--scenario=api.free.nul",), "api.free.null"),
                            (("--format=cvs",), "csv"), (("--variant=c-O3",), "c-O2")):
            done = bench("--allocator=glibc", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(part, done.stderr)

    def test_what_is_caught_only_with_an_option_says_so(self) -> None:
        words = ("--scenario=hardening.mix.*,hardening.delete.twice", "--variant=cxx-O2")
        done = bench("--allocator=osmem-hardened", "--against=glibc", *words, "--format=csv")
        self.assertEqual(done.returncode, 0)
        for row in csv.DictReader(io.StringIO(done.stdout)):
            by_option = row["allocator"] == "osmem-hardened" and row["scenario"].startswith("hardening.mix.")
            with self.subTest(row=row):
                self.assertEqual(row["option"], "OSMEM_HARDEN=canary,quarantine=1M,zero,guard,mix" if by_option else "")
                self.assertEqual(row["verdict"], "missed" if row["allocator"] == "glibc" and "mix" in row["scenario"] else "at_call")
                if by_option:
                    self.assertIn("came from", row["message"])
        for name in ("table", "markdown", "html"):
            text = bench("--allocator=osmem-hardened", *words, f"--format={name}").stdout
            for part in ("call*", "5/5 4*", "*: missed as the allocator comes; so with OSMEM_HARDEN="):
                self.assertIn(part, text, name)

    def test_an_option_that_is_set_is_left_as_it_is(self) -> None:
        found = bench("--allocator=osmem-hardened", "--scenario=hardening.mix.new-free", "--variant=cxx-O2", "--format=json")
        library = json.loads(found.stdout)["allocators"][0]["library"]
        done = bench(f"--allocator=mine={library},OSMEM_HARDEN=none", "--scenario=hardening.mix.new-free", "--variant=cxx-O2", "--format=csv")
        self.assertEqual((done.returncode, [(r["verdict"], r["option"]) for r in csv.DictReader(io.StringIO(done.stdout))]), (1, [("missed", "")]))

    def test_formats_tell_the_same(self) -> None:
        words = ("--allocator=glibc", "--scenario=hardening.double-free.24", "--variant=c-O2,cxx-O2")
        rows = list(csv.DictReader(io.StringIO(bench(*words, "--format=csv").stdout)))
        self.assertEqual([row["variant"] for row in rows], ["c-O2", "cxx-O2"])
        self.assertEqual({row["verdict"] for row in rows}, {"at_call"})
        for name in ("table", "markdown", "html"):
            self.assertIn("call", bench(*words, f"--format={name}").stdout)

    def test_a_scenario_is_shown(self) -> None:
        done = subprocess.run([ARGUMENTS.bench, "verify", "show", "hardening.double-free.24"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("static void free_twice(size_t size)", done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--fixtures", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[__file__, *rest])
