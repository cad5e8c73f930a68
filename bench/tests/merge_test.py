#!/usr/bin/env python3
"""Splits a plan into shards, runs them, and joins them; joins made-up runs of like and unlike hosts.

Proves: shards take each cell once and no block of it apart, however they are asked for; joined they are a run that other commands read;
hosts with unlike cards stay apart and are shown as golden/hosts.txt has it; what is missing, unlike or given twice is refused with one line.
To accept a change of the table: UPDATE_GOLDEN=1, then read the diff.
"""
from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from compare_test import WORKLOADS, write_run

ARGUMENTS = argparse.Namespace()
GOLDEN = Path(__file__).parent / "golden"
NO_SHARDS = {name: value for name, value in os.environ.items() if "_SHARD" not in name}
PLAN = ["--allocator=limit", "--against=glibc", "--workload=pair,empirical", "--threads=1,2", "--min-time=0.002", "--repetitions=2"]


def change(run: Path, **facts: object) -> Path:
    """The run with other facts in its environment.json; a dotted name reaches inside."""
    file = run / "environment.json"
    environment = json.loads(file.read_text())
    for name, value in facts.items():
        inner = environment
        *outer, last = name.split("__")
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    file.write_text(json.dumps(environment))
    return run


def cells(run: Path) -> list[tuple[str, str, str, str]]:
    with (run / "samples.csv").open(newline="") as file:
        return sorted({(row["workload"], row["threads"], row["block"], row["allocator"]) for row in csv.DictReader(file)})


class Merge(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.out = self.folder / "out"

    def bench(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, *map(str, words)], capture_output=True, text=True, timeout=300, cwd=self.folder,
                              env={**NO_SHARDS, **environment})

    def refused(self, *words: object, **environment: str) -> str:
        done = self.bench(*words, **environment)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertFalse(self.out.exists())
        return done.stderr

    def not_joined(self, *runs: Path) -> str:
        return self.refused("merge", *runs, "--out", self.out)

    def host(self, name: str, **facts: object) -> Path:
        """A made-up whole run of a host."""
        return change(write_run(self.folder / name, blocks=facts.pop("blocks", 8)), host=name, commit="0123abc", **facts)

    def shards(self, count: int = 2) -> list[Path]:
        """Made-up shards of one plan on hosts of one card."""
        plan = [[workload, 1] for workload, _ in WORKLOADS]
        return [change(write_run(self.folder / f"shard{i}", workloads=WORKLOADS[i - 1::count]), host=f"node{i}", commit="0123abc",
                       shard={"index": i, "count": count, "cells": plan}) for i in range(1, count + 1)]


class Shards(Merge):
    def test_shards_are_joined_to_the_whole_plan(self) -> None:
        runs = [self.folder / name for name in ("one", "two", "three")]
        asked = [({}, ["--shard=1/3"]), ({"GTEST_TOTAL_SHARDS": "3", "GTEST_SHARD_INDEX": "1"}, []),
                 ({"TEST_TOTAL_SHARDS": "3", "TEST_SHARD_INDEX": "2"}, [])]
        for run, (environment, words) in zip(runs, asked):
            done = self.bench(*PLAN, f"--out={run}", *words, **environment)
            self.assertEqual(done.returncode, 0, done.stderr)
        parts = [cells(run) for run in runs]
        self.assertEqual([len({cell[:2] for cell in part}) for part in parts], [2, 1, 1])
        done = self.bench("merge", *reversed(runs), "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        wanted = [(workload, threads, block, allocator) for workload in ("pair", "empirical") for threads in "12" for block in "01"
                  for allocator in ("glibc", "limit")]
        self.assertEqual(cells(self.out), sorted(wanted))
        self.assertEqual(len(sum(parts, [])), len(wanted))
        self.assertEqual(self.bench("results", "verify", self.out).returncode, 0)
        self.assertEqual(self.bench("compare", self.out, self.out).returncode, 0)
        # A shard goes on as the same shard, whatever the environment says by then.
        samples = runs[1] / "samples.csv"
        samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:1]))
        self.assertEqual(self.bench("--resume", runs[1]).returncode, 0)
        self.assertEqual(cells(runs[1]), parts[1])

    def test_wrong_shards_are_refused(self) -> None:
        plan = [*PLAN, f"--out={self.out}"]
        for text in ("0/3", "4/3", "1", "1/0", "x/3", "1/3x", "-1/3", "/"):
            self.assertIn("must be I/N", self.refused(*plan, f"--shard={text}"))
        self.assertIn("has 4 cells", self.refused(*plan, "--shard=1/5"))
        self.assertIn("without GTEST_SHARD_INDEX", self.refused(*plan, GTEST_TOTAL_SHARDS="3"))
        self.assertIn("from 0 to the total - 1", self.refused(*plan, TEST_TOTAL_SHARDS="3", TEST_SHARD_INDEX="3"))
        self.assertIn("no shard", self.refused(*plan, TEST_TOTAL_SHARDS="many", TEST_SHARD_INDEX="0"))


class Hosts(Merge):
    def test_shards_on_hosts_of_one_card_become_one_run(self) -> None:
        runs = self.shards()
        done = self.bench("merge", *runs, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        environment = json.loads((self.out / "environment.json").read_text())
        self.assertEqual([source["host"] for source in environment["merged"]], ["node1", "node2"])
        self.assertNotIn("shard", environment)
        self.assertEqual(len({cell[0] for cell in cells(self.out)}), len(WORKLOADS))
        self.assertEqual(self.bench("compare", self.out, self.out).returncode, 0)

    def test_whole_runs_on_hosts_of_one_card_become_more_blocks(self) -> None:
        first, second = self.host("a"), self.host("b", blocks=9, repetitions=8)
        done = self.bench("merge", first, second, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(cells(self.out)), (8 + 9) * len(WORKLOADS) * 2)
        self.assertEqual(json.loads((self.out / "environment.json").read_text())["repetitions"], 16)

    def test_unlike_hosts_are_shown_side_by_side(self) -> None:
        first = self.host("small", card__line="system call 1.0")
        second = change(write_run(self.folder / "big", factor=0.6), host="big", commit="0123abc", cpu__count=64, card__line="system call 0.1")
        done = self.bench("merge", first, second, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        if os.environ.get("UPDATE_GOLDEN"):
            (GOLDEN / "hosts.txt").write_text(done.stdout)
        self.assertEqual(done.stdout, (GOLDEN / "hosts.txt").read_text())
        self.assertEqual(done.stdout, (self.out / "hosts.txt").read_text())
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["1-small", "2-big", "hosts.csv", "hosts.txt"])
        for run, name in ((first, "1-small"), (second, "2-big")):
            self.assertEqual(cells(self.out / name), cells(run))
            self.assertEqual(self.bench("results", "verify", self.out / name).returncode, 0)
        with (self.out / "hosts.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["metric"] == "throughput" and row["allocator"] == "mine"]
        self.assertEqual([row["host_name"] for row in rows], ["small"] * 4 + ["big"] * 4)
        self.assertGreater(float(rows[0]["ratio"]), 1)
        self.assertLess(float(rows[4]["ratio"]), 1)

    def test_costs_that_differ_much_make_hosts_unlike(self) -> None:
        first = self.host("a", card__costs__small_page_ns=500.0)
        second = self.host("b", blocks=9, repetitions=8, card__costs__small_page_ns=5000.0)
        self.assertIn("first touch of a page", self.bench("merge", first, second, "--out", self.out).stdout)


class Refused(Merge):
    def test_what_is_missing(self) -> None:
        one, two = self.shards()
        third = self.host("whole")
        self.assertIn("nothing to join", self.not_joined(one))
        self.assertIn("not of one plan", self.not_joined(one, third))
        change(two, cut_off=True)
        self.assertIn("was cut off; go on with it first: bench --resume", self.not_joined(one, two))
        change(two, cut_off=False)
        text = (two / "samples.csv").read_text()
        (two / "samples.csv").write_text("".join(line for line in text.splitlines(keepends=True) if "program/redis" not in line))
        self.assertIn("lacks cells of its shard: program/redis", self.not_joined(one, two))
        (two / "samples.csv").write_text(text)
        change(two, kernel="another")
        self.assertIn("shard 2/2 is missing on node1", self.not_joined(one, two))

    def test_cells_that_only_one_host_has(self) -> None:
        first = self.host("a")
        second = change(write_run(self.folder / "b", workloads=WORKLOADS[:3]), host="b", commit="0123abc")
        self.assertIn("lacks cells that others have: program/redis", self.not_joined(first, second))
        change(second, cpu__count=64)
        self.assertIn("b lacks cells that a has: program/redis", self.not_joined(first, second))

    def test_unlike_versions_and_options(self) -> None:
        for number, (facts, said) in enumerate([({"commit": "4567def"}, "commit of bench: 0123abc and 4567def"), ({"seed": 2}, "seed"),
                                                ({"baseline": "mine"}, "baseline: glibc and mine"), ({"repetitions": 9}, "blocks: 8 and 9")]):
            first, second = self.host(f"a{number}"), change(self.host(f"b{number}", blocks=9, repetitions=8), **facts)
            self.assertIn(said, self.not_joined(first, second))
        first, second = self.host("a"), change(write_run(self.folder / "b", digest="bb"), commit="0123abc")
        self.assertIn("SHA-256 of mine: aa and bb", self.not_joined(first, second))

    def test_the_same_run_twice(self) -> None:
        first, second = self.host("a"), self.host("b")
        self.assertIn("are the same run", self.not_joined(first, second))

    def test_wrong_words(self) -> None:
        run = self.host("a")
        self.assertIn("--out DIR", self.refused("merge", run, run))
        self.assertIn("no such directory", self.not_joined(run, self.folder / "nowhere"))
        self.assertIn("not a run of bench", self.not_joined(run, self.folder))
        change(run, shard={"index": 3, "count": 2, "cells": []})
        self.assertIn("damaged", self.not_joined(run, run))
        self.assertIn("is there already", self.bench("merge", run, run, "--out", run).stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
