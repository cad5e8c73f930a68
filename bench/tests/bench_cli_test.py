#!/usr/bin/env python3
"""Drives bench as a user does, and checks what it says, leaves and returns.

Proves: identity of allocators, every kind of failed cell, exit codes, errors of usage. Does not prove that any figure is right, and
asserts none.
"""
from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

from bench_driver import ARGUMENTS, BenchTest, fixture, rows, run_tests, statuses


class Whole(BenchTest):
    def test_run_leaves_every_file_and_complete_cells(self) -> None:
        done = self.run_bench("--allocator=jemalloc", "--against=glibc,limit", "--workload=pair,random-replace", "--repetitions=2")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ["samples.csv", "summary.csv", "benchmark.json", "environment.json", "report.md", "run.json"]:
            self.assertTrue((self.out / name).stat().st_size > 0, name)
        self.assertEqual(set(statuses(self.out).values()), {"ok"})
        throughputs = [row for row in rows(self.out) if row["metric"] == "throughput"]
        self.assertEqual(len(throughputs), 2 * 3 * 2)
        counts: dict[str, set[str]] = {}
        for row in rows(self.out):
            if row["metric"] in ("operations", "iterations"):
                counts.setdefault(row["workload"] + row["metric"], set()).add(row["value"])
        self.assertTrue(all(len(values) == 1 for values in counts.values()), counts)
        environment = json.loads((self.out / "environment.json").read_text())
        allocators = {row["name"]: row for row in environment["allocators"]}
        self.assertEqual(set(allocators), {"glibc", "jemalloc", "limit"})
        self.assertRegex(allocators["jemalloc"]["sha256"], "^[0-9a-f]{64}$")
        self.assertRegex(allocators["jemalloc"]["version"], "^5")
        self.assertIn("libc.so.6", allocators["glibc"]["library"])

    def test_a_short_run_leaves_its_page_or_says_how_to_make_it(self) -> None:
        done = self.run_bench("--allocator=limit", "--against=none", "--workload=pair", "--format=csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        told, page = done.stderr.strip().splitlines()[-1], self.out / "report.html"
        self.assertNotIn("report.html", done.stdout)
        if (ARGUMENTS.bench.parent.parent / "share/osmem/report/report.html").exists():
            self.assertEqual(told, f"bench: its charts as a page: {page}")
            self.assertIn("Content-Security-Policy", page.read_text())
            sealed = self.bench("results", "verify", str(self.out))
            self.assertEqual(sealed.returncode, 0, sealed.stdout)
            self.assertNotIn("not under the seal", sealed.stdout)
        else:  # a build without node
            self.assertRegex(told, rf"no page of its charts \(.*scripts/setup.sh.*\); then: bench report {self.out}")
            self.assertFalse(page.exists())

    def test_memory_runs_leave_timelines_and_retention(self) -> None:
        suite = Path(self.folder.name) / "mine.suite"
        suite.write_text("set repetitions=1 min-time=0.002 drain=0.05,0.1 memory-blocks=1\npair threads=1 memory\n")
        done = self.bench("--allocator=limit", "--against=glibc", f"--suite={suite}", f"--out={self.out}")
        self.assertEqual(done.returncode, 0, done.stderr)
        metrics = {row["metric"] for row in rows(self.out)}
        self.assertLessEqual({"first_pass", "mean_rss", "peak_pss", "rss_after_idle_0.05s", "rss_after_idle_0.1s", "rss_after_idle_calls_0.05s",
                              "rss_after_idle_calls_0.1s", "peak_live", "mean_live", "purge_calls", "purge_pages"}, metrics)
        with (self.out / "timelines.csv").open(newline="") as file:
            points = list(csv.DictReader(file))
        self.assertEqual({row["allocator"] for row in points}, {"glibc", "limit"})
        self.assertTrue(all(int(row["rss_bytes"]) > 0 for row in points))

    def test_small_peaks_are_exact(self) -> None:
        # One block of 1 MiB after another, each a mapping of the C library's, zeroed and given back: VmHWM misses up to 31 pages a CPU.
        done = self.bench("--allocator=glibc", "--against=none", "--workload=large:slots=1,min=1024,max=1024", "--min-time=0.002",
                          "--threads=1", "--repetitions=5", f"--out={self.out}")
        self.assertEqual(done.returncode, 0, done.stderr)
        peaks = [float(row["value"]) for row in rows(self.out) if row["metric"] == "peak_rss"]
        self.assertEqual(len(peaks), 5)
        for peak in peaks:
            self.assertGreaterEqual(peak, 1 << 20)
            self.assertLess(peak, (1 << 20) + (64 << 10))

    def test_live_bytes_of_a_block_that_grows_are_counted_once(self) -> None:
        done = self.run_bench("--allocator=limit", "--against=none", "--workload=realloc-grow:max=1048576")
        self.assertEqual(done.returncode, 0, done.stderr)
        peak = next(float(row["value"]) for row in rows(self.out) if row["metric"] == "peak_live")
        self.assertGreaterEqual(peak, 1 << 20)
        self.assertLess(peak, (1 << 20) + 8192)  # the worker's own few

    def test_against_none_measures_the_subject_alone(self) -> None:
        done = self.run_bench("--allocator=limit", "--against=none", "--workload=pair")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(statuses(self.out)), {("pair", "limit")})

    def test_undecided_cells_are_measured_again(self) -> None:
        # No interval is within +-0.0001 %, so what is undecided after two blocks is measured up to eight times as often.
        done = self.run_bench("--allocator=jemalloc", "--against=glibc", "--workload=pair", "--repetitions=2", "--precision=0.0001%",
                              "--margin=0.0001%", "--memory-per-cpu=2GiB")
        self.assertEqual(done.returncode, 0, done.stderr)
        blocks = {int(row["block"]) for row in rows(self.out)}
        self.assertGreater(max(blocks), 1)
        self.assertLessEqual(max(blocks), 15)
        environment = json.loads((self.out / "environment.json").read_text())
        self.assertEqual(environment["looks"], {"first_blocks": 2, "count": 4})
        self.assertEqual(environment["memory_per_cpu_bytes"], 2 << 30)

    def test_a_spent_budget_ends_the_rounds(self) -> None:
        done = self.run_bench("--allocator=jemalloc", "--against=glibc", "--workload=pair", "--repetitions=2", "--budget=0.001s",
                              "--precision=0.0001%", "--margin=0.0001%")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({int(row["block"]) for row in rows(self.out)}, {0, 1})
        self.assertIn("not decided when the run ended: pair", done.stdout)

    def test_threads_relative_to_the_cpus_are_run(self) -> None:
        cpus = len(os.sched_getaffinity(0))
        done = self.run_bench("--allocator=limit", "--against=none", "--workload=pair", "--threads=2cpus,1..2cpus")
        self.assertEqual(done.returncode, 0, done.stderr)
        doublings = {2**i for i in range(20) if 2**i < 2 * cpus}
        self.assertEqual({int(row["threads"]) for row in rows(self.out)}, doublings | {2 * cpus})

    def test_own_libraries_have_the_version_of_the_project(self) -> None:
        version = self.bench("--version").stdout.split()[-1]
        listed = {line.split()[0]: line.split()[2] for line in self.bench("list", "allocators").stdout.splitlines()[1:-1]
                  if not line.startswith(" ")}
        for name in ["osmem", "limit", "osmem-classic", "freelist", "altmem", "live-bytes"]:
            self.assertEqual(listed[name], version, name)

    def test_configurations_are_allocators_of_their_own(self) -> None:
        done = self.run_bench("--allocator=tight=jemalloc,MALLOC_CONF=narenas:1,dirty_decay_ms:0", "--against=jemalloc",
                              "--workload=pair", "--format=json")
        self.assertEqual(done.returncode, 0, done.stderr)
        json.loads(done.stdout)
        self.assertEqual(set(statuses(self.out)), {("pair", "tight"), ("pair", "jemalloc")})

    def test_flags_reach_google_benchmark(self) -> None:
        done = self.run_bench("--allocator=limit", "--workload=pair", "--", "--benchmark_no_such_flag=1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("Google Benchmark does not know --benchmark_no_such_flag=1", done.stderr)
        self.assertIn("use --repetitions", self.refused("--allocator=limit", "--", "--benchmark_repetitions=3"))

    def test_list_names_what_there_is(self) -> None:
        done = self.bench("list", "--verbose")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ["glibc", "jemalloc", "random-replace", "throughput", "quick", "slots="]:
            self.assertIn(word, done.stdout)
        for words in [["list"], ["list", "--verbose"], ["help"], ["help", "verdicts"]]:
            lines = self.bench(*words).stdout.splitlines()
            # A path or a name may be longer than a line; nothing else is.
            self.assertEqual([line for line in lines if len(line) > 80 and " " in line.strip()], [])

    def test_a_module_of_the_users_is_measured(self) -> None:
        done = self.run_bench("--allocator=limit", "--against=glibc", f"--workload={fixture('misbehaving')}", "--timeout=1")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(statuses(self.out)[("fixture-good", "limit")], "ok")


class Failures(BenchTest):
    def test_each_kind_of_failed_cell_is_told_and_the_rest_kept(self) -> None:
        names = {"crash": "CRASHED", "hang": "TIMEOUT", "checksum": "WRONG", "count": "WRONG", "memory": "OOM", "throw": "FAILED",
                 "new": "OOM", "thread-new": "OOM", "thread-throw": "FAILED", "own-time": "FAILED"}
        wanted = ",".join(f"fixture-{name}:when=preloaded" for name in names)
        done = self.run_bench("--allocator=jemalloc", "--against=glibc", f"--workload={fixture('misbehaving')},{wanted}", "--timeout=2")
        self.assertEqual(done.returncode, 3, done.stderr)
        found = statuses(self.out)
        for name, status in names.items():
            workload = f"fixture-{name}:when=preloaded"
            self.assertEqual(found[(workload, "jemalloc")], status, workload)
            self.assertEqual(found[(workload, "glibc")], "ok", workload)
        self.assertEqual(found[("fixture-good", "jemalloc")], "ok")
        for row in rows(self.out):
            if row["status"] != "ok":
                self.assertEqual(row["value"], "")
                self.assertTrue(row["detail"])
        detail = {row["workload"].split(":")[0]: row["detail"] for row in rows(self.out)}
        for name in ["new", "thread-new"]:
            self.assertIn("out of memory: a request by operator new was refused", detail[f"fixture-{name}"])
        self.assertIn("leaves nothing to measure", detail["fixture-own-time"])
        self.assertIn("a thread of the workload ended with an exception: the fixture's thread threw", detail["fixture-thread-throw"])

    def test_a_workload_that_fails_everywhere_fails_for_everyone(self) -> None:
        module = fixture("misbehaving")
        done = self.run_bench("--allocator=limit", "--against=glibc", f"--workload={module}", "--timeout=1", "--repetitions=2")
        self.assertEqual(done.returncode, 3, done.stderr)
        found = statuses(self.out)
        for workload, status in [("fixture-crash", "CRASHED"), ("fixture-hang", "TIMEOUT")]:
            self.assertEqual(found[(workload, "glibc")], status)
            self.assertEqual(found[(workload, "limit")], "NOT RUN")
        self.assertIn("SIGSEGV", done.stderr)

    def test_allocators_that_cannot_serve_fail_and_others_go_on(self) -> None:
        done = self.run_bench(f"--allocator={fixture('refuses')},{fixture('crashes')},{fixture('loser')}", "--against=glibc",
                              "--workload=pair")
        self.assertEqual(done.returncode, 3, done.stderr)
        found = statuses(self.out)
        self.assertEqual(found[("pair", "glibc")], "ok")
        self.assertIn(found[("pair", "fixture_refuses")], {"FAILED", "CRASHED", "OOM"})
        self.assertEqual(found[("pair", "fixture_crashes")], "CRASHED")
        self.assertEqual(found[("pair", "fixture_loser")], "FAILED")
        detail = next(row["detail"] for row in rows(self.out) if row["allocator"] == "fixture_loser")
        self.assertRegex(detail, r"not the allocator asked for: malloc is served by .*libc\.so\.6, not by .*fixture_loser\.so")

    def test_a_result_that_lacks_a_key_fails_its_cell_alone(self) -> None:
        done = self.run_bench(f"--allocator={fixture('liar')}", "--against=glibc", "--workload=pair")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(statuses(self.out), {("pair", "fixture_liar"): "FAILED", ("pair", "glibc"): "ok"})

    def test_the_worker_refuses_an_allocator_that_was_not_preloaded(self) -> None:
        worker = Path(ARGUMENTS.bench).parent.parent / "libexec" / "bench-worker"
        done = subprocess.run([worker, "mode=identify", f"result={self.folder.name}/r", f"library={fixture('refuses')}"],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not the allocator asked for", done.stderr)
        self.assertFalse(Path(self.folder.name, "r").exists())


    def test_where_the_baseline_fails_nobody_else_ran(self) -> None:
        done = self.run_bench("--allocator=limit", "--against=jemalloc", "--baseline=jemalloc",
                              f"--workload={fixture('misbehaving')},fixture-crash:when=preloaded")
        self.assertEqual(done.returncode, 3, done.stderr)
        found = statuses(self.out)
        self.assertEqual(found[("fixture-crash:when=preloaded", "jemalloc")], "CRASHED")
        self.assertEqual(found[("fixture-crash:when=preloaded", "limit")], "NOT RUN")

    def test_what_an_allocator_says_is_shown_once(self) -> None:
        done = self.run_bench("--allocator=talking=mimalloc,MIMALLOC_VERBOSE=1", "--against=none", "--workload=pair", "--format=csv")
        self.assertEqual(done.stderr.count("talking says: "), 1, done.stderr)


class Doctor(BenchTest):
    def test_the_card_has_every_cost_and_is_kept_with_a_run(self) -> None:
        done = self.bench("doctor", "--quick", "--format=json")
        self.assertEqual(done.returncode, 0, done.stderr)
        card = json.loads(done.stdout)["card"]
        self.assertLess({"system_call_ns", "clock_ns", "small_page_ns", "slice_spread"}, set(card["costs"]))
        self.assertEqual(set(card["costs"]["give_back_ns"]), {"1", "33", "34", "512"})
        for key in ["system_call_ns", "clock_ns", "small_page_ns"]:
            self.assertGreater(card["costs"][key], 0)
        self.assertIn("first touch of a page", card["line"])
        self.assertEqual(self.run_bench("--allocator=limit", "--against=none", "--workload=pair").returncode, 0)
        kept = json.loads((self.out / "environment.json").read_text())["card"]
        self.assertEqual(set(kept), set(card))

    def test_an_unknown_format_is_refused(self) -> None:
        self.assertIn("table, json", self.refused("doctor", "--format=xml"))


class Usage(BenchTest):
    def test_an_empty_value_does_not_swallow_the_next_word(self) -> None:
        for option in ["--against", "--threads", "--workload", "--suite"]:
            self.assertIn(f"{option}= has no value", self.refused("--allocator=limit", f"{option}=", "--workload=pair"))
        self.assertIn("--against=none compares with nothing", self.refused("--allocator=limit", "--against=,", "--workload=pair"))
        self.assertIn("cannot stand beside other names", self.refused("--allocator=limit", "--against=glibc,none"))

    def test_thread_counts(self) -> None:
        for value in ["2.5", "cpu", "0cpus", "4..1", "1...2"]:
            line = self.refused("--allocator=limit", f"--threads={value}")
            self.assertIn("such as 1,2,cpus,2cpus or 1..2cpus", line)
            self.assertIn(f"not '{value}'", line)

    def test_words_that_would_be_passed_over_are_refused(self) -> None:
        self.assertIn("is empty", self.refused("--allocator=limit", "--workload", ""))
        self.assertIn("none", self.refused("--allocator=limit", "--against=none", "--against=glibc"))
        self.assertIn("--repetitions cannot stand beside --resume", self.refused("--resume", self.folder.name, "--repetitions=9"))
        self.assertIn("name of another allocator", self.refused(f"--allocator=glibc={fixture('refuses')}"))
        self.assertIn("counts nothing", self.refused("--allocator=limit", "--", "--benchmark_perf_counters=CYCLES"))
        self.assertIn("unknown command 'lits'; did you mean list", self.refused("lits"))
        self.assertIn("did you mean --allocator", self.refused("--alocator=limit"))

    def test_places_that_are_gone(self) -> None:
        gone = Path(self.folder.name, "gone")
        gone.mkdir()
        done = subprocess.run(["sh", "-c", 'cd "$1"; rmdir "$1"; exec "$2" list metrics', "sh", gone, ARGUMENTS.bench], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is gone", done.stderr)
        done = self.bench("list", "allocators", env={**os.environ, "TMPDIR": str(gone)})
        self.assertEqual(done.returncode, 4)
        self.assertIn("set TMPDIR", done.stderr)

    def test_names(self) -> None:
        self.assertIn("did you mean jemalloc", self.refused("--allocator=jemaloc"))
        self.assertIn("did you mean larson", self.refused("--allocator=limit", "--workload=larsen"))
        self.assertIn("did you mean quick", self.refused("--allocator=limit", "--suite=quik"))
        self.assertIn("table, csv, json, markdown", self.refused("--allocator=limit", "--workload=pair", "--format=xml"))
        self.assertIn("slots", self.refused("--allocator=limit", "--workload=larson:slot=3"))

    def test_libraries(self) -> None:
        self.assertIn("no such file", self.refused("--allocator=./missing.so"))
        self.assertIn("not an ELF file", self.refused(f"--allocator={__file__}/../bench_cli_test.py,x={__file__}"))
        self.assertIn("exports no malloc", self.refused(f"--allocator={fixture('misbehaving')}"))
        self.assertIn("must also export aligned_alloc", self.refused(f"--allocator={fixture('partial')}"))

    def test_a_path_that_the_loader_would_split_is_refused(self) -> None:
        for name in ["my lib.so", "my:lib.so"]:
            path = Path(self.folder.name, name)
            path.write_bytes(Path(fixture("refuses")).read_bytes())
            self.assertIn("the loader splits LD_PRELOAD", self.refused(f"--allocator={path}"))

    def test_numbers(self) -> None:
        for option in ["repetitions", "min-time", "timeout", "threads", "seed"]:
            for value in ["-1", "nan", "99999999999999999999999", "x"]:
                self.assertIn(f"--{option} must be", self.refused("--allocator=limit", f"--{option}={value}"))
        self.assertIn("--repetitions must be", self.refused("--allocator=limit", "--repetitions=0"))

    def test_quantities(self) -> None:
        for word, wanted in (("--margin=0", "--margin must be a percentage above 0, such as 2%, not '0'"), ("--margin=200%", "percentage"),
                             ("--precision=fine", "--precision must be a percentage"), ("--budget=10x", "such as 90s, 10m or 1h"),
                             ("--budget=-1m", "--budget must be a time"), ("--memory-per-cpu=4Q", "such as 4GiB or 512M")):
            self.assertIn(wanted, self.refused("--allocator=jemalloc", word))

    def test_words(self) -> None:
        self.assertIn("--no-such-option", self.refused("--allocator=limit", "--no-such-option"))
        self.assertIn("--allocator=osmem", self.refused("--workload=pair"))
        self.assertIn("nothing to resume", self.refused("--resume", self.folder.name))
        self.assertEqual(self.bench("--help").returncode, 0)
        self.assertEqual(self.bench("run", "--help").returncode, 0)
        self.assertEqual(self.bench().returncode, 2)

    def test_places_that_cannot_be_written(self) -> None:
        for place in ["/proc/nowhere", "/dev/null/x"]:
            line = self.refused("--allocator=limit", "--workload=pair", f"--out={place}")
            self.assertIn("cannot write", line)
            self.assertIn("--out", line)

    def test_an_earlier_run_is_not_overwritten(self) -> None:
        self.assertEqual(self.run_bench("--allocator=limit", "--against=glibc", "--workload=pair").returncode, 0)
        before = (self.out / "samples.csv").read_bytes()
        again = self.run_bench("--allocator=limit", "--against=glibc", "--workload=pair")
        self.assertEqual(again.returncode, 2)
        self.assertEqual((self.out / "samples.csv").read_bytes(), before)


if __name__ == "__main__":
    run_tests(__doc__)
