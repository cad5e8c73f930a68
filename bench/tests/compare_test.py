#!/usr/bin/env python3
"""Drives `bench compare` and `bench report` on stored runs whose changes are known, and checks what they say and return.

Proves: a regression beyond the gate fails it, an unchanged run passes, noise that hides the answer is exit 3 and never a pass,
damaged and unlike runs are refused with one line. The runs are made up here by a printed seed; nothing is measured.
"""
from __future__ import annotations

import argparse
import csv
import json
import math
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
SEED = 20261130
HEADER = "block,workload,threads,kind,allocator,metric,unit,value,log_ratio,status,detail".split(",")
WORKLOADS = [("pair", "synthetic"), ("larson", "synthetic"), ("sqlite", "libraries"), ("program/redis", "programs")]


def write_run(folder: Path, *, factor: float = 1.0, noise: float = 0.002, blocks: int = 8, digest: str = "aa",
              workloads: list[tuple[str, str]] = WORKLOADS, failed: dict[tuple[str, str], str] | None = None,
              allocators: tuple[str, ...] = ("glibc", "mine"), instructions: float | None = None) -> Path:
    """A run of glibc and mine, mine's throughput in each cell `factor` times what it is without a change.

    `failed`: the status of cells (workload, allocator) that have no figures; `instructions`: what mine takes, in every block the same.
    """
    folder.mkdir()
    dice = random.Random(SEED + blocks + int(factor * 1000))
    with (folder / "samples.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HEADER)
        for block in range(blocks):
            for workload, kind in workloads:
                host = math.exp(dice.gauss(0, 0.1))  # what a block does to both alike
                for allocator in allocators:
                    speed = 1e6 if allocator == "glibc" else 1.3e6 * factor
                    if status := (failed or {}).get((workload, allocator)):
                        out.writerow([block, workload, 1, kind, allocator, "", "", "", "", status, "signal 11"])
                        continue
                    if instructions:
                        count = 5e6 if allocator == "glibc" else instructions
                        out.writerow([block, workload, 1, kind, allocator, "instructions", "1", repr(count), "", "ok", ""])
                    value = speed * host * math.exp(dice.gauss(0, noise))
                    out.writerow([block, workload, 1, kind, allocator, "throughput", "ops/s", repr(value), "", "ok", ""])
                    rss = 8e6 * math.exp(dice.gauss(0, 0.001))
                    out.writerow([block, workload, 1, kind, allocator, "peak_rss", "bytes", repr(rss), "", "ok", ""])
    (folder / "environment.json").write_text(json.dumps({
        "baseline": "glibc", "suite": "made-up", "command": "none", "repetitions": blocks, "references": [],
        "cpu": {"model": "made up", "count": 2}, "kernel": "none",
        "allocators": [{"name": name, "sha256": "00" if name == "glibc" else digest} for name in allocators]}))
    return folder


class StoredRuns(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def bench(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, *map(str, words)], capture_output=True, text=True, timeout=120)

    def refused(self, *words: object) -> str:
        done = self.bench(*words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        return done.stderr

    def test_a_regression_beyond_the_gate_fails_it(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", factor=0.95, digest="bb")
        done = self.bench("compare", before, after, "--gate=throughput:2%,peak_rss:3%")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("gate throughput:2%: FAILED: worse by more in 4", done.stdout)
        self.assertIn("gate peak_rss:3%: passed", done.stdout)
        self.assertRegex(done.stdout, r"throughput +-\d.* slower\n +sqlite, mine")
        self.assertTrue(all(len(line) <= 80 for line in done.stdout.splitlines() if str(self.folder) not in line), done.stdout)

    def test_an_unchanged_run_passes(self) -> None:
        before, after = write_run(self.folder / "a", blocks=8), write_run(self.folder / "b", blocks=9, digest="bb")
        done = self.bench("compare", before, after, "--gate=throughput:2%")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("0 of 8 changes are shown", done.stdout)

    def test_a_change_within_the_gate_is_told_and_passes(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", factor=0.985, digest="bb")
        done = self.bench("compare", before, after, "--gate=throughput:4%")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("slower", done.stdout)

    def test_noise_that_hides_the_answer_is_no_pass(self) -> None:
        before, after = write_run(self.folder / "a", noise=0.3), write_run(self.folder / "b", noise=0.3, blocks=9, digest="bb")
        done = self.bench("compare", before, after, "--gate=throughput:1%")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("not decided", done.stdout)

    def test_one_undecided_cell_is_no_pass_and_is_listed(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", blocks=9, digest="bb")
        dice = random.Random(SEED)
        for run in (before, after):
            with (run / "samples.csv").open() as file:
                rows = list(csv.DictReader(file))
            for row in rows:
                if (row["workload"], row["allocator"], row["metric"]) == ("larson", "mine", "throughput"):
                    row["value"] = repr(float(row["value"]) * math.exp(dice.gauss(0, 0.3)))
            with (run / "samples.csv").open("w", newline="") as file:
                out = csv.DictWriter(file, HEADER, lineterminator="\n")
                out.writeheader()
                out.writerows(rows)
        done = self.bench("compare", before, after, "--gate=throughput:2%")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("gate throughput:2%: not decided: worse by more in 0, not in 3, not decided in 1\n  not decided: larson, mine\n", done.stdout)
        gate = json.loads(self.bench("compare", before, after, "--gate=throughput:2%", "--format=json").stdout)["gate"][0]
        self.assertEqual(gate["verdict"], "not decided")
        self.assertEqual(gate["undecided_cells"], [{"workload": "larson", "threads": 1, "allocator": "mine"}])

    def test_a_cell_that_fails_after_and_passed_before_fails_any_gate(self) -> None:
        before = write_run(self.folder / "a")
        for number, allocator in enumerate(("mine", "glibc")):  # that of the baseline takes the others' ratios away, too
            after = write_run(self.folder / f"b{number}", digest="bb", failed={("larson", allocator): "CRASHED"})
            done = self.bench("compare", before, after, "--gate=peak_rss:3%")
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn(f"Failed after, and passed before: larson, {allocator}: CRASHED: signal 11\n", done.stdout)
            self.assertIn("gate: FAILED: 1 cell failed after and passed before", done.stdout)
        found = json.loads(self.bench("compare", before, self.folder / "b0", "--gate=peak_rss:3%", "--format=json").stdout)
        self.assertEqual(found["verdict"], "FAILED")
        self.assertEqual(found["fates"], [{"workload": "larson", "threads": 1, "allocator": "mine", "fate": "broke", "how": "CRASHED: signal 11"}])

    def test_a_library_that_crashes_everywhere_fails_the_gate(self) -> None:
        before = write_run(self.folder / "a")
        after = write_run(self.folder / "b", digest="bb", failed={(workload, "mine"): "TIMEOUT" for workload, _ in WORKLOADS})
        done = self.bench("compare", before, after, "--gate=throughput:2%")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("gate: FAILED: 4 cells failed", done.stdout)
        self.assertNotIn("larson, glibc", done.stdout)

    def test_a_cell_that_failed_before_is_listed_and_fails_nothing(self) -> None:
        before = write_run(self.folder / "a", failed={("larson", "mine"): "CRASHED", ("pair", "mine"): "OOM"})
        after = write_run(self.folder / "b", blocks=9, digest="bb", failed={("larson", "mine"): "CRASHED"})
        done = self.bench("compare", before, after, "--gate=throughput:2%")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Failed in both: larson, mine: CRASHED: signal 11", done.stdout)
        self.assertIn("Failed before, and passed after: pair, mine: OOM: signal 11", done.stdout)

    def test_a_cell_or_allocator_that_one_side_lacks_is_listed_and_no_pass(self) -> None:
        whole, part = write_run(self.folder / "a"), write_run(self.folder / "b", blocks=9, digest="bb", workloads=WORKLOADS[:3])
        for before, after, where in ((whole, part, "after"), (part, whole, "before")):
            done = self.bench("compare", before, after, "--gate=throughput:2%")
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            self.assertIn(f"Not measured {where}: program/redis, glibc; program/redis, mine", done.stdout)
            self.assertIn("gate: not decided: a side lacks cells", done.stdout)
            self.assertEqual(self.bench("compare", before, after).returncode, 0)
        more = write_run(self.folder / "c", allocators=("glibc", "mine", "other"))
        lacking, having = self.bench("compare", more, whole, "--gate=peak_rss:3%"), self.bench("compare", whole, more, "--gate=peak_rss:3%")
        self.assertEqual((lacking.returncode, having.returncode), (3, 0), lacking.stdout + having.stdout)
        self.assertIn("Allocators not measured after: other", lacking.stdout)
        self.assertIn("Allocators not measured before: other", having.stdout)

    def test_a_metric_that_one_side_lacks_is_no_pass(self) -> None:
        before, after = write_run(self.folder / "a", instructions=4e6), write_run(self.folder / "b", digest="bb")
        done = self.bench("compare", before, after, "--gate=instructions:1%")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("not comparable, as a side has no figure or one of 0: larson, mine", done.stdout)

    def test_a_gate_of_a_metric_that_no_cell_has_says_how_to_get_it(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", digest="bb")
        for metric, option in (("instructions", "--counter=instructions"), ("malloc_p99", "--measure=latency")):
            done = self.bench("compare", before, after, f"--gate={metric}:1%")
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            self.assertRegex(done.stdout.replace("\n", " "), rf"gate {metric}:1%: not decided: no cell .*{option}")

    def test_counts_come_before_times_and_are_judged_first(self) -> None:
        before = write_run(self.folder / "a", instructions=4e6)
        after = write_run(self.folder / "b", factor=0.9, digest="bb", instructions=4.1e6)
        done = self.bench("compare", before, after, "--gate=throughput:50%,instructions:1%")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        places = [done.stdout.index(text) for text in ("COUNTS, which need no quiet machine", "instructions   +2.5 % (+2.5 to +2.5)  more",
                                                       "TIMES, and what moves", "throughput     -", "gate instructions:1%: FAILED",
                                                       "gate throughput:50%: passed")]
        self.assertEqual(places, sorted(places), done.stdout)

    def test_one_block_cannot_be_judged(self) -> None:
        before, after = write_run(self.folder / "a", blocks=1), write_run(self.folder / "b", blocks=1, factor=0.5, digest="bb")
        self.assertEqual(self.bench("compare", before, after, "--gate=throughput:1%").returncode, 3)

    def test_json_has_the_figures(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", factor=0.9, digest="bb")
        found = json.loads(self.bench("compare", before, after, "--format=json").stdout)
        change = next(row for row in found["changes"] if row["workload"] == "larson" and row["metric"] == "throughput")
        self.assertAlmostEqual(change["ratio"], 0.9, delta=0.02)
        self.assertTrue(change["interval"][0] < change["ratio"] < change["interval"][1])

    def test_the_same_file_in_both_is_a_control(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", factor=0.9, digest="bb")
        for run in (before, after):
            environment = json.loads((run / "environment.json").read_text())
            environment["allocators"].append({"name": "other", "sha256": "cc"})
            (run / "environment.json").write_text(json.dumps(environment))
            text = (run / "samples.csv").read_text()
            copies = [line.replace(",glibc,", ",other,") for line in text.splitlines() if ",glibc," in line]
            (run / "samples.csv").write_text(text + "\n".join(copies) + "\n")
        done = self.bench("compare", before, after)
        self.assertIn("same file in both: 0 of 8 changes shown", done.stdout.replace("\n", " "))

    def test_wrong_words_are_refused(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", digest="bb")
        self.assertIn("throughput", self.refused("compare", before, after, "--gate=thruput:2%"))
        self.assertIn("METRIC:PERCENT", self.refused("compare", before, after, "--gate=throughput:2"))
        self.assertIn("two directories", self.refused("compare", before))
        self.assertIn("nothing to measure", self.refused("compare", before, after, "--suite=quick"))
        self.assertIn("two libraries", self.refused("compare"))

    def test_what_is_no_whole_run_is_refused(self) -> None:
        run, other = write_run(self.folder / "a"), write_run(self.folder / "b")
        self.assertIn("no such directory", self.refused("compare", run, self.folder / "nowhere"))
        self.assertIn("nowhere: no such directory", self.refused("compare", self.folder / "nowhere", self.folder / "nowhere2"))
        self.assertIn("not a run", self.refused("compare", run, self.folder))
        text = (run / "samples.csv").read_text()
        (run / "samples.csv").write_text(text[:-30])
        self.assertIn("cut short", self.refused("compare", run, other))
        (run / "samples.csv").write_text(text.replace(",ops/s,1", ",ops/s,x1", 1))
        self.assertIn("not a row", self.refused("report", run))
        (run / "samples.csv").write_text(text.replace("log_ratio", "ratio"))
        other_version = self.refused("report", run)
        self.assertIn("not the header", other_version)
        self.assertIn("measure again with this version", other_version)
        self.assertNotIn("--resume", other_version)
        (run / "samples.csv").write_text(text)
        header = "block,workload,threads,allocator,function,from_ns,to_ns,count\n"
        for times, reason in ((header + "0,pair,1,mine,malloc,10,20,many\n", "line 2 is not a row of times"), ("count\n", "not the times of calls")):
            (run / "latency.csv").write_text(times)
            self.assertIn(reason, self.refused("report", run))
        (run / "samples.csv").write_text("\n".join(line for line in text.splitlines() if ",glibc," not in line) + "\n")
        self.assertIn("no row of the baseline, glibc", self.refused("compare", run, other))

    def test_runs_without_a_common_cell_are_refused(self) -> None:
        before = write_run(self.folder / "a", workloads=[("pair", "synthetic")])
        after = write_run(self.folder / "b", workloads=[("larson", "synthetic")])
        self.assertIn("no cell in common", self.refused("compare", before, after))

    def test_unlike_hosts_without_a_common_baseline_are_refused(self) -> None:
        before, after = write_run(self.folder / "a"), write_run(self.folder / "b", digest="bb")
        environment = json.loads((after / "environment.json").read_text())
        environment["kernel"] = "another"
        environment["allocators"][0]["sha256"] = "11"
        (after / "environment.json").write_text(json.dumps(environment))
        self.assertIn("unlike hosts", self.refused("compare", before, after))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    print(f"seed {SEED}")
    unittest.main(argv=[sys.argv[0], *rest])
