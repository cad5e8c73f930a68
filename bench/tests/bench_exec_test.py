#!/usr/bin/env python3
"""Drives bench exec, runs that are cut off and traces as a user does, and checks what they say, leave and return.

Proves: trees of processes, servers, interrupts, kill -9, full disks, resumption; traces that are cut short.
Does not prove that any figure is right, and asserts none.
"""
from __future__ import annotations

import csv
import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path

from bench_driver import ARGUMENTS, BenchTest, children_of, is_alive, rows, run_tests, statuses, until


class Exec(BenchTest):
    def exec(self, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.bench("exec", f"--out={self.out}", "--allocator=jemalloc", "--against=glibc", "--repetitions=1", *options, "--", *words)

    def value(self, allocator: str, metric: str) -> float:
        return next(float(row["value"]) for row in rows(self.out) if (row["allocator"], row["metric"]) == (allocator, metric))

    def test_a_tree_of_processes_is_measured_as_a_whole(self) -> None:
        holder = "perl -e '$x = \"a\" x 50_000_000; select undef, undef, undef, 0.3; print length $x'"
        done = self.exec("sh", "-c", f"{holder} & {holder} & wait", options=("--check-output",))
        self.assertEqual(done.returncode, 0, done.stderr)
        for allocator in ["jemalloc", "glibc"]:
            self.assertGreater(self.value(allocator, "peak_rss"), 100e6)
            self.assertLess(self.value(allocator, "peak_rss"), 400e6)
            self.assertGreater(self.value(allocator, "wall_time"), 0.3)
            self.assertGreater(self.value(allocator, "minor_faults"), 100)
        with (self.out / "timelines.csv").open(newline="") as file:
            self.assertGreater(max(int(row["rss_bytes"]) for row in csv.DictReader(file)), 100e6)

    def test_output_that_differs_is_wrong(self) -> None:
        done = self.exec("sh", "-c", "echo $LD_PRELOAD", options=("--check-output", "--name=echo"))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(statuses(self.out), {("echo", "jemalloc"): "WRONG", ("echo", "glibc"): "ok"})

    def test_the_command_runs_under_each_allocator(self) -> None:
        show = "grep -q /library- /proc/$$/maps && echo 'rate: 7' || echo 'rate: 3'"  # where libraries are put for a run
        self.assertEqual(self.exec("sh", "-c", show, options=("--metric=rate: ([0-9]+)",)).returncode, 0)
        self.assertEqual(self.value("jemalloc", "throughput"), 7)
        self.assertEqual(self.value("glibc", "throughput"), 3)

    def test_a_program_too_short_to_be_looked_at_has_no_memory_figure(self) -> None:
        done = self.exec("/bin/true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the memory of true is not given", done.stdout)
        metrics = {row["metric"] for row in rows(self.out)}
        self.assertIn("wall_time", metrics)
        self.assertNotIn("peak_rss", metrics)

    def test_failures_timeouts_and_crashes(self) -> None:
        for script, status in [("exit 3", "FAILED"), ("sleep 100 & wait", "TIMEOUT"), ("kill -SEGV $$", "CRASHED")]:
            self.out = Path(self.folder.name) / status
            done = self.exec("sh", "-c", script, options=("--timeout=1",))
            self.assertEqual(done.returncode, 3, done.stderr)
            found = {allocator: seen for (_, allocator), seen in statuses(self.out).items()}
            self.assertEqual(found, {"glibc": status, "jemalloc": "NOT RUN"})

    def test_a_server_is_started_loaded_and_stopped(self) -> None:
        server = "trap 'rm -f up; exit 0' TERM; sleep 0.1; touch up; while :; do sleep 0.05; done"
        done = self.exec("sh", "-c", server, options=("--ready=test -e up", "--load=echo requests per second: 42.5",
                                                      "--metric=requests per second: ([0-9.]+)"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.value("jemalloc", "throughput"), 42.5)
        self.assertFalse(Path(self.folder.name, "up").exists())

    def test_programs_that_ignore_a_preload_are_refused(self) -> None:
        static = next((path for path in ["/sbin/ldconfig", "/usr/sbin/ldconfig"] if Path(path).exists()), None)
        if static is None or not Path("/usr/bin/passwd").exists():
            self.skipTest("no static and no setuid program here")
        self.assertIn("statically linked", self.refused("exec", "--allocator=limit", "--", static))
        self.assertIn("setuid", self.refused("exec", "--allocator=limit", "--", "/usr/bin/passwd"))
        self.assertIn("no program 'no-such-program'", self.refused("exec", "--allocator=limit", "--", "no-such-program"))
        self.assertIn("say what to run", self.refused("exec", "--allocator=limit"))
        self.assertIn("one group", self.refused("exec", "--allocator=limit", "--metric=[0-9]+", "--", "true"))

    def test_a_killed_bench_takes_the_programs_children_along(self) -> None:
        mark = Path(self.folder.name) / "child"
        process = subprocess.Popen([ARGUMENTS.bench, "exec", "--allocator=limit", "--against=glibc", f"--out={self.out}", "--", "sh", "-c",
                                    f"sleep 1000 & echo $! > {mark}; wait"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   cwd=self.folder.name)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(self, lambda: mark.exists() and mark.read_text().strip())
        child = int(mark.read_text())
        self.assertTrue(is_alive(child))
        process.kill()
        process.wait()
        until(self, lambda: not is_alive(child))

    def test_programs_that_shake_off_the_allocator_are_seen(self) -> None:
        busy = "my $x = 0; for my $i (1 .. 3_000_000) { $x += $i }"
        done = self.exec("sh", "-c", f"env -u LD_PRELOAD perl -e '{busy}'; :")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(statuses(self.out)[("sh", "jemalloc")], "FAILED")
        self.assertIn("runs without jemalloc", done.stderr)
        self.out = Path(self.folder.name) / "part"
        done = self.exec("sh", "-c", f"env -u LD_PRELOAD sleep 0.1; perl -e '{busy}'; :")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("sleep, which it starts, runs without jemalloc", done.stdout)

    def test_a_killed_guard_costs_nothing_that_was_measured(self) -> None:
        mark = Path(self.folder.name) / "started"
        process = subprocess.Popen([ARGUMENTS.bench, "exec", "--allocator=limit", "--against=glibc", "--repetitions=1", f"--out={self.out}",
                                    "--", "sh", "-c", f"touch {mark}; sleep 0.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder.name)
        self.addCleanup(process.kill)
        until(self, mark.exists)
        guards = [child for child in children_of(process.pid) if Path(f"/proc/{child}/comm").read_text() == "bench-guard\n"]
        self.assertEqual(len(guards), 1)
        os.kill(guards[0], signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, stderr)
        self.assertIn("limit", stdout)

    def test_failures_are_seen_whatever_was_inherited(self) -> None:
        for number, script in enumerate(["trap '' CHLD; exec \"$@\"", 'exec "$@" <&-', 'exec "$@" <&- 2>&-']):
            out = Path(self.folder.name) / str(number)
            done = subprocess.run(["sh", "-c", script, "sh", ARGUMENTS.bench, "exec", "--allocator=limit", "--against=none", "--repetitions=1",
                                   f"--out={out}", "--", "sh", "-c", "read line; echo out; exit 3"], capture_output=True, text=True, timeout=60,
                                  cwd=self.folder.name, check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertEqual(set(statuses(out).values()), {"FAILED"})

    def test_a_ready_entry_runs_by_name(self) -> None:
        done = self.run_bench("--allocator=jemalloc", "--against=glibc", "--workload=program/lua,program/redis")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = statuses(self.out)
        for name in ["lua", "redis"]:
            if f"program/{name} is left out" not in done.stdout:
                self.assertEqual(found[(f"program/{name}", "jemalloc")], "ok")


class CutOff(BenchTest):
    def start(self, **options: object) -> subprocess.Popen[str]:
        words = ["--allocator=limit", "--against=glibc", "--workload=pair,batch", "--repetitions=400", "--min-time=0.01",
                 "--threads=1", f"--out={self.out}"]
        process = subprocess.Popen([ARGUMENTS.bench, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder.name, **options)  # type: ignore[call-overload]
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        until(self, lambda: (self.out / "samples.csv").exists() and {"pair", "batch"} <= {row["workload"] for row in rows(self.out)})
        return process

    def test_an_interrupt_keeps_what_was_measured(self) -> None:
        process = self.start()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("--resume", stderr)
        self.assertIn("pair", stdout)
        self.assertGreater(len(rows(self.out)), 30)
        self.assertTrue((self.out / "summary.csv").exists())

    def test_a_killed_run_leaves_no_orphan_and_goes_on(self) -> None:
        process = self.start()
        workers: list[int] = []
        until(self, lambda: workers.extend(children_of(process.pid)) or workers)
        process.kill()
        process.wait()
        until(self, lambda: not any(is_alive(worker) for worker in workers))
        kept = rows(self.out)[:30]
        state = json.loads((self.out / "run.json").read_text())
        state["command"] = [word.replace("=400", "=2") for word in state["command"]]
        (self.out / "run.json").write_text(json.dumps(state))
        before = len({(row["workload"], row["allocator"], row["block"]) for row in rows(self.out)})
        done = self.bench("--resume", str(self.out))
        self.assertEqual(done.returncode, 0, done.stderr)
        after = rows(self.out)
        self.assertEqual(after[:30], kept)
        cells = [(row["workload"], row["allocator"], row["block"]) for row in after if row["metric"] == "throughput"]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertLessEqual({(w, a, b) for w in ("pair", "batch") for a in ("glibc", "limit") for b in "01"}, set(cells))
        self.assertGreaterEqual(len(set(cells)), before)

    def test_what_a_killed_run_left_in_tmp_is_cleared_by_the_next_start(self) -> None:
        tmp = Path(self.folder.name) / "tmp"
        alive = tmp / "bench-scratch-alive"
        foreign = tmp / "bench-of-somebody-else"
        for folder in [alive, foreign]:
            folder.mkdir(parents=True)
        held = os.open(alive, os.O_RDONLY)  # as a bench that is still at work holds its folder
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        environment = {**os.environ, "TMPDIR": str(tmp)}
        process = self.start(env=environment)
        process.kill()
        process.wait()
        left = set(tmp.iterdir()) - {alive, foreign}
        self.assertEqual(len(left), 1)
        self.assertTrue(any(left.pop().iterdir()))
        self.assertEqual(self.bench("list", "metrics", env=environment).returncode, 0)
        self.assertEqual(set(tmp.iterdir()), {alive, foreign})

    def test_a_full_disk_ends_the_run_with_what_was_measured(self) -> None:
        def limit_files() -> None:
            # A file may not grow beyond this: writes fail as on a full disk (EFBIG instead of ENOSPC).
            import resource
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

        done = self.bench("run", f"--out={self.out}", "--min-time=0.002", "--threads=1", "--repetitions=1000", "--allocator=limit",
                          "--against=glibc", "--workload=pair", preexec_fn=limit_files)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("cannot write", done.stderr)
        self.assertIn("pair", done.stdout)
        self.assertGreater(len(rows(self.out)), 10)

    def test_a_full_stdout_is_an_error(self) -> None:
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([ARGUMENTS.bench, "list", "metrics"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                                  check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cannot write to standard output", done.stderr)


class Traces(BenchTest):
    def setUp(self) -> None:
        super().setUp()
        self.trace = Path(self.folder.name) / "app.trace"

    def test_a_trace_that_is_cut_short_is_never_taken_for_a_whole_one(self) -> None:
        done = self.bench("record", "-o", str(self.trace), "--", "python3", "-S", "-c", "print([str(i) for i in range(30000)][-1])",
                          env={**os.environ, "PYTHONMALLOC": "malloc"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.bench("trace", "validate", str(self.trace)).returncode, 0)
        self.trace.write_bytes(self.trace.read_bytes()[:self.trace.stat().st_size // 2])
        field = ["--allocator=limit", "--against=glibc", "--repetitions=1", "--min-time=0.002"]
        for words in [["trace", "validate", "app.trace"], ["trace", "inspect", "app.trace"], ["trace", "export", "app.trace", "--csv=app.csv"],
                      ["replay", "app.trace", f"--out={self.out}", *field], ["advise", "app.trace", "--budget=5s"],
                      ["run", "--workload=./app.trace", f"--out={self.out}-2", *field]]:
            with self.subTest(words=words):
                done = self.bench(*words)
                self.assertIn(done.returncode, (1, 2, 3), done.stderr)
                self.assertIn("the file ends within", done.stdout + done.stderr)


if __name__ == "__main__":
    run_tests(__doc__)
