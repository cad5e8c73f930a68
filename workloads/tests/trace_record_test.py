#!/usr/bin/env python3
"""Record programs and compare what was recorded, and what is replayed, with what the programs did.

Proves: the calls that an independent witness sees under the recorder, and under the replay, are those of the trace, one by
one; a replay's peak heap is that of the program within 5 %; nothing is lost at exit, _exit, a crash, fork, exec, or by short
threads; SIGUSR1, --duration, --max-size and --paused do what they say; what cannot be recorded is refused in one line; redis
and gcc, where installed, can be recorded, checked and replayed.
Does not prove: anything about time.
"""

import argparse
import collections
import csv
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ARGUMENTS: argparse.Namespace
ALLOCATIONS = ("malloc", "calloc", "aligned_alloc", "posix_memalign")


def read_trace(path: Path) -> list[dict[str, str]]:
    """The events of a trace, by way of bench trace export."""
    result = subprocess.run([ARGUMENTS.bench, "trace", "export", path, "--csv"], capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(result.stdout)))


def count_of(events: list[dict[str, str]], kind: str, size: int) -> int:
    return sum(1 for event in events if event["kind"] == kind and int(event["size"]) == size)


def witnessed(log: Path) -> list[tuple[str, int, int, int]]:
    """Calls that trace_call_log.so saw: kind, object (numbered by allocation), size, count or alignment."""
    data = log.read_bytes()
    (count,) = struct.unpack_from("<Q", data)
    live: dict[int, int] = {}
    calls = []
    allocations = 0
    for i in range(count):
        kind_bytes, inside, out, size, extra = struct.unpack_from("<8sQQQQ", data, 8 + 40 * i)
        kind = kind_bytes.rstrip(b"\0").decode()
        if kind == "realloc":
            number = live.pop(inside)
            live[out] = number
        elif kind == "free":
            number = live.pop(inside)
        else:
            allocations += 1
            number = live[out] = allocations
        calls.append((kind, number, size, extra))
    return calls


def recorded(events: list[dict[str, str]]) -> list[tuple[str, int, int, int]]:
    """The same of a trace."""
    names = {"aligned_alloc": "aligned", "posix_memalign": "posixal", "free_sized": "free"}
    calls = []
    for event in events:
        extra = {"calloc": event["count"], "aligned_alloc": event["alignment"], "posix_memalign": event["alignment"]}
        calls.append((names.get(event["kind"], event["kind"]), int(event["object"]), int(event["size"]),
                      int(extra.get(event["kind"], "0"))))
    return calls


class RecordTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="osmem-record-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trace = self.folder / "app.trace"

    def record(self, command: list[str], options: list[str] | None = None, code: int = 0) -> str:
        """What bench record said; its logs must be gone afterwards."""
        result = subprocess.run([ARGUMENTS.bench, "record", "--force", "-o", self.trace, *(options or []), "--", *command],
                                capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir() if "logs-" in path.name], [])
        return result.stderr

    def subject(self, *words: str) -> list[str]:
        return [ARGUMENTS.subject, *words]

    def validate(self, *traces: Path) -> None:
        result = subprocess.run([ARGUMENTS.bench, "trace", "validate", *traces], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def assert_same_calls(self, seen: list[tuple[str, int, int, int]], expected: list[tuple[str, int, int, int]]) -> None:
        """Names the first that differs; unittest's own comparison takes minutes on lists of this length."""
        for number, (one, other) in enumerate(zip(seen, expected)):
            if one != other:
                self.fail(f"call {number}: seen {one}, in the trace {other}; before: {seen[max(0, number - 3):number]}")
        self.assertEqual(len(seen), len(expected))

    def inspect(self) -> str:
        return subprocess.run([ARGUMENTS.bench, "trace", "inspect", self.trace], capture_output=True, text=True, check=True).stdout

    def witness(self, command: list[str], preload: str, log: Path, **extra: str) -> str:
        environment = {**os.environ, "LD_PRELOAD": preload, "TRACE_CALL_LOG": str(log), **extra}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def test_the_trace_is_the_calls_that_a_witness_saw(self) -> None:
        log = self.folder / "seen"
        preload = f"LD_PRELOAD={ARGUMENTS.recorder}:{ARGUMENTS.call_log}"
        self.record(["env", preload, f"TRACE_CALL_LOG={log}", *self.subject("calls")])
        events = read_trace(self.trace)
        self.assertGreater(len(events), 200_000)
        self.assert_same_calls(witnessed(log), recorded(events))
        self.assertEqual(sum(event["kind"] == "free_sized" for event in events), 1)

    def test_the_replay_makes_the_calls_of_the_trace(self) -> None:
        self.record(self.subject("calls"))
        log = self.folder / "seen"
        self.witness([ARGUMENTS.replay_host, self.trace], ARGUMENTS.call_log, log, TRACE_CALL_LOG_WAIT="1")
        expected = recorded(read_trace(self.trace))
        seen = witnessed(log)
        self.assert_same_calls(seen[: len(expected)], expected)
        live = collections.Counter()
        for kind, number, _, _ in expected:
            live[number] += 0 if kind == "realloc" else -1 if kind == "free" else 1
        left = {number for number, count in live.items() if count}
        self.assertEqual({call[1] for call in seen[len(expected):]}, left, "what was left behind is freed once")
        self.assertEqual({call[0] for call in seen[len(expected):]}, {"free"})

    def test_the_replay_has_the_peak_heap_of_the_program(self) -> None:
        plain = int(subprocess.run(self.subject("calls"), capture_output=True, text=True, check=True).stdout)
        self.record(self.subject("calls"))
        replayed = int(subprocess.run([ARGUMENTS.replay_host, self.trace], capture_output=True, text=True, check=True).stdout)
        self.assertGreater(plain, 20_000)
        self.assertLess(abs(replayed - plain) / plain, 0.05, f"program {plain} KiB, replay {replayed} KiB")

    def test_nothing_is_lost_however_the_program_ends(self) -> None:
        for mode, code, count in (("allocate", 0, 5000), ("exit-now", 0, 5000), ("crash", 3, 5000), ("killed", 3, 100_000)):
            with self.subTest(mode):
                said = self.record(self.subject(mode), code=code)
                self.assertEqual(count_of(read_trace(self.trace), "malloc", 1234), count)
                self.validate(self.trace)
                self.assertEqual("was ended by SIG" in said, mode in ("crash", "killed"))

    def test_the_cost_is_said(self) -> None:
        self.assertRegex(self.record(self.subject("allocate"), ["--measure-overhead"]),
                         r"recording cost: -?[\d.]+ ns a call .* [\d.]+ times as long(.|\n)*without: [\d.]+ times as long")

    def test_fork_gives_each_process_a_trace(self) -> None:
        self.record(self.subject("fork"))
        parent, child = read_trace(self.trace), read_trace(self.folder / "app.2.trace")
        self.assertEqual((count_of(parent, "malloc", 1234), count_of(parent, "malloc", 4321)), (4000, 0))
        self.assertEqual((count_of(child, "malloc", 1234), count_of(child, "malloc", 4321)), (0, 2000))
        self.validate(self.trace, self.folder / "app.2.trace")

    def test_exec_gives_each_image_a_trace(self) -> None:
        self.record(self.subject("exec"))
        self.assertEqual(count_of(read_trace(self.trace), "malloc", 1234), 5000)
        self.assertEqual(count_of(read_trace(self.folder / "app.2.trace"), "malloc", 4321), 2000)

    def test_threads_pass_objects_and_none_is_lost(self) -> None:
        said = self.record(self.subject("pass", "20000"))
        self.assertNotIn("left out", said, "every free met its allocation")
        events = read_trace(self.trace)
        self.assertEqual(sum(event["kind"] == "thread_start" for event in events), 8)
        self.assertEqual(sum(event["kind"] == "thread_end" for event in events), 8)
        by_thread = collections.Counter(event["thread"] for event in events if event["kind"] == "malloc")
        self.assertEqual(sum(1 for count in by_thread.values() if count >= 20000), 8)
        subprocess.run([ARGUMENTS.replay_host, self.trace, "3"], check=True, capture_output=True, timeout=100)

    def test_what_eight_threads_passed_round_is_replayed_a_hundred_times(self) -> None:
        for mode in ("pass", "exchange"):
            with self.subTest(mode):
                said = self.record(self.subject(mode, "2000"))
                self.assertNotIn("left out", said)
                remote = self.inspect().split("remote frees")[1].split("%")[0]
                self.assertGreater(float(remote), 20)
                replayed = subprocess.run([ARGUMENTS.replay_host, self.trace, "100"], capture_output=True, text=True, timeout=200)
                self.assertEqual(replayed.returncode, 0, replayed.stderr)

    def test_addresses_that_cross_threads_without_a_lock_keep_their_order(self) -> None:
        for library in (None, "libjemalloc.so.2", "libtcmalloc_minimal.so.4"):
            with self.subTest(library):
                preload = [] if library is None else ["env", f"LD_PRELOAD={ARGUMENTS.recorder}:{library}"]
                said = self.record([*preload, *self.subject("exchange", "30000")])
                self.assertNotIn("left out", said, "every free and realloc met its allocation")
                self.validate(self.trace)

    def test_short_threads(self) -> None:
        self.record(self.subject("short-threads", "500"))
        events = read_trace(self.trace)
        self.assertEqual(sum(event["kind"] == "thread_start" for event in events), 500)
        self.assertEqual(count_of(events, "malloc", 1234), 2500)

    def test_duration_ends_the_recording_and_not_the_program(self) -> None:
        start = time.monotonic()
        self.record(self.subject("spin", "2"), ["--duration", "0.5"])
        self.assertGreater(time.monotonic() - start, 1.9)
        last = int(read_trace(self.trace)[-1]["time_us"])
        self.assertLess(last, 1_700_000)

    def test_max_size_is_kept(self) -> None:
        self.record(self.subject("calls"), ["--max-size", "64kb"])
        self.assertLessEqual(self.trace.stat().st_size, 64 * 1024)
        self.validate(self.trace)

    def test_sigusr1_starts_and_stops(self) -> None:
        with subprocess.Popen([ARGUMENTS.bench, "record", "--paused", "-o", self.trace, "--", *self.subject("spin", "3")],
                              stderr=subprocess.PIPE, text=True) as bench:
            time.sleep(1.0)
            bench.send_signal(signal.SIGUSR1)
            time.sleep(0.7)
            bench.send_signal(signal.SIGUSR1)
            said = bench.communicate(timeout=60)[1]
        self.assertEqual(bench.returncode, 0, said)
        events = read_trace(self.trace)
        first, last = int(events[0]["time_us"]), int(events[-1]["time_us"])
        self.assertGreater(len(events), 100)
        self.assertLess(last - first, 2_000_000)

    def start(self, script: str, **options: object) -> subprocess.Popen[str]:
        """bench record of a Python program whose objects come from malloc."""
        environment = {**os.environ, "PYTHONMALLOC": "malloc"}
        bench = subprocess.Popen([ARGUMENTS.bench, "record", "-o", self.trace, "--", sys.executable, "-S", "-c", script], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options)  # type: ignore[call-overload]
        self.addCleanup(bench.communicate)
        self.addCleanup(bench.kill)
        return bench

    def until(self, condition: "collections.abc.Callable[[], object]") -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.05)
        self.fail("it did not come about within 30 s")

    BUSY = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nwhile True: x = [str(i) for i in range(1000)]; time.sleep(0.001)"

    def is_over(self, pid: int) -> bool:
        try:
            return ") Z" in Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True

    def test_a_hangup_ends_the_program_and_leaves_its_trace(self) -> None:
        bench = self.start(self.BUSY, cwd=self.folder)
        self.until(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text())
        time.sleep(0.5)
        bench.send_signal(signal.SIGHUP)
        said = bench.communicate(timeout=60)[1]
        self.assertEqual(bench.returncode, 3, said)
        self.assertIn("SIGHUP", said)
        self.assertTrue(self.is_over(int((self.folder / "pid").read_text())))
        self.validate(self.trace)

    def test_a_killed_recording_takes_the_program_along_and_can_be_recovered(self) -> None:
        bench = self.start(self.BUSY, cwd=self.folder)
        self.until(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text())
        time.sleep(0.5)
        bench.kill()
        bench.wait()
        pid = int((self.folder / "pid").read_text())
        self.until(lambda: self.is_over(pid))
        logs = next(path for path in self.folder.iterdir() if "logs-" in path.name)
        recovered = subprocess.run([ARGUMENTS.bench, "record", "--recover", logs, "-o", self.trace], capture_output=True, text=True, timeout=60)
        self.assertEqual(recovered.returncode, 0, recovered.stderr)
        self.validate(self.trace)
        again = subprocess.run([ARGUMENTS.bench, "record", "--recover", logs, "-o", self.trace], capture_output=True, text=True, timeout=60)
        self.assertEqual(again.returncode, 2)
        self.assertIn("--force", again.stderr)

    def test_what_outlives_the_program_is_recorded(self) -> None:
        bench = self.start("import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(0.5)\n"
                           "x = [bytes(4321) for i in range(5000)]", cwd=self.folder)
        said = bench.communicate(timeout=60)[1]
        self.assertEqual(bench.returncode, 0, said)
        self.assertIn("left 1 process", said)
        seen = [count_of(read_trace(path), "malloc", 4321 + 33) + count_of(read_trace(path), "calloc", 4321 + 33)
                for path in self.folder.glob("app*.trace")]
        self.assertIn(5000, seen)

    def test_limits_cost_the_recording_not_the_program_and_are_named(self) -> None:
        for limit, value, reason in (("RLIMIT_FSIZE", 0, "RLIMIT_FSIZE"), ("RLIMIT_NOFILE", 3, "RLIMIT_NOFILE")):
            with self.subTest(limit):
                self.trace = self.folder / f"{limit}.trace"
                bench = self.start(f"import resource\nresource.setrlimit(resource.{limit}, ({value}, {value}))\n"
                                   "for n in range(400): x = [str(i) for i in range(1000)]\nprint('done')", cwd=self.folder)
                out, said = bench.communicate(timeout=60)
                self.assertEqual(out, "done\n")
                self.assertEqual(bench.returncode, 3, said)
                self.assertIn(reason, said)

    def test_what_cannot_be_recorded_is_refused(self) -> None:
        for options, command, message in (([], ["/no/such/program"], "cannot run"), (["--paused"], ["true"], "no call")):
            with self.subTest(message):
                said = self.record(command, options, code=2)
                self.assertIn(message, said)
                self.assertEqual(said.count("\n"), 1)

    def test_a_program_without_dashes_before_it_is_explained(self) -> None:
        for words, message in ((["./app", "one", "two"], "-- ./app one two"), (["--nope", "--", "true"], "unknown option --nope")):
            with self.subTest(message):
                result = subprocess.run([ARGUMENTS.bench, "record", "-o", self.trace, *words], capture_output=True, text=True)
                self.assertEqual(result.returncode, 2)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_a_run_over_the_trace(self) -> None:
        self.record(self.subject("allocate"))
        result = subprocess.run([ARGUMENTS.bench, "replay", self.trace, "--allocator=glibc", "--against=jemalloc", "--repetitions=1",
                                 "--min-time=0.01", "--touch=first", f"--out={self.folder / 'out'}"],
                                capture_output=True, text=True, timeout=100)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("What a replay cannot tell", result.stdout)
        self.assertRegex(result.stderr, r"replay itself takes [\d.]+ ns a call")
        self.assertIn("trace/app:touch=first", (self.folder / "out" / "samples.csv").read_text())

    def test_the_profile_of_a_workload_is_that_of_its_work(self) -> None:
        result = subprocess.run([ARGUMENTS.bench, "list", "workloads", "--profile", "xmalloc:batch=100,list=4"],
                                capture_output=True, text=True, timeout=100)
        self.assertEqual(result.returncode, 0, result.stderr)
        remote = float(result.stdout.split("remote frees")[1].split("%")[0])
        self.assertGreater(remote, 90, "xmalloc frees on another thread")
        self.assertRegex(result.stdout, r"32 B - 64 B|64 B - 128 B")

    @unittest.skipUnless(shutil.which("gcc"), "gcc is not installed")
    def test_gcc(self) -> None:
        self.record(["gcc", "-O2", "-c", "-x", "c++", "-std=c++20", f"-I{ARGUMENTS.source}", "-o", "/dev/null",
                     str(Path(ARGUMENTS.source) / "workloads/trace/format/reader.cpp")])
        self.validate(self.trace)
        self.assertIn("cc1", self.inspect())
        self.assertGreater(len(read_trace(self.trace)), 100_000)
        subprocess.run([ARGUMENTS.replay_host, self.trace], check=True, capture_output=True)

    @unittest.skipUnless(shutil.which("redis-server") and shutil.which("redis-benchmark"), "redis is not installed")
    def test_redis(self) -> None:
        socket = self.folder / "redis.sock"
        server = f"redis-server --port 0 --unixsocket {socket} --save '' --appendonly no > {self.folder}/redis.log"
        load = f"redis-benchmark -s {socket} -n 5000 -c 10 -q -t set,get,lpush > {self.folder}/load.log"
        wait = f"for i in $(seq 100); do test -S {socket} && break; sleep 0.05; done"
        self.record(["sh", "-c", f"{server} & {wait}; LD_PRELOAD= {load}; LD_PRELOAD= redis-cli -s {socket} shutdown nosave; wait"])
        self.validate(self.trace)
        self.assertIn("redis-server", self.inspect())
        events = read_trace(self.trace)
        self.assertGreater(len(events), 15_000, "each of 15,000 requests allocates")
        self.assertGreaterEqual(sum(event["kind"] == "thread_start" for event in events), 1)
        subprocess.run([ARGUMENTS.replay_host, self.trace, "3"], check=True, capture_output=True, timeout=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bench", "recorder", "subject", "call-log", "replay-host", "source"):
        parser.add_argument(f"--{name}", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
