#!/usr/bin/env python3
"""bench trace import, synthesize and inspect --chart, against logs and traces whose content is known.

Proves: logs of mtrace and files of heaptrack, written by hand and by the tools themselves, give the calls that they tell of;
damaged ones are refused in one line that says where, and leave no trace behind; a synthetic trace is as long as asked, the same
for the same seed, and as near to the given one as bench says, which is near; a chart is a picture of the asked size whose curves
and cells are the numbers of the profile.
Does not prove: that a chart reads well, which was judged by eye.
"""

import argparse
import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

ARGUMENTS: argparse.Namespace

MTRACE = """\
= Start
@ ./a program:(main+0x1e)[0x401156] + 0x1000 0x64
@ ./a:[0x401166] + 0x2000 0x10
@ ./a:[0x401176] < 0x1000
@ ./a:[0x401176] > 0x3000 0x1388
@ ./a:[0x401186] - 0x2000
@ ./a:[0x401196] - 0x9999
! 0x3000 0x7fffffff
@ ./a:[0x4011a6] - 0x3000
= End
"""
MTRACE_CALLS = [("malloc", 1, 100), ("malloc", 2, 16), ("realloc", 1, 5000), ("free", 2, 0), ("free", 1, 0)]

HEAPTRACK = """\
v 10300 3
X ./program
s 4 main
t 1 0
a 40 1
a 1388 1
c 2
+ 0
+ 1
+ 0
c 5
- 0
- 1
- 1
"""
HEAPTRACK_CALLS = [("malloc", 1, 64), ("malloc", 2, 5000), ("malloc", 3, 64), ("free", 3, 0), ("free", 2, 0)]

MALFORMED = {  # a file, and what is said of it
    "nothing": ("", "neither an mtrace log"),
    "prose": ("hello\n", "neither an mtrace log"),
    "no calls": ("= Start\n= End\n", "no calls in it"),
    "no number": ("= Start\n@ a + 0x1000 0x10\n@ a + 0x2000 0xzz\n", "line 3: '0xzz'"),
    "cut line": ("= Start\n@ a + 0x1000 0x10\n@ a + 0x20", "line 3: too short"),
    "huge size": ("= Start\n@ a + 0x1000 0xffffffffffffffff\n", "line 2: a size of more"),
    "huge numbers": ("= Start\n@ a + 0x1000 0x1ffffffffffffffffffff\n", "line 2: '0x1fff"),
    "too much in all": ("= Start\n@ a + 0x1000 0x600000000000\n@ a + 0x2000 0x600000000000\n", "2^47"),
    "newer heaptrack": ("v 10300 9\n", "line 1: version 9"),
    "undeclared": ("v 10300 3\na 20 1\n+ 0\n+ 7\n", "line 4: allocation 7 was not declared"),
    "huge heaptrack": ("v 10300 3\na ffffffffffffffff 1\n+ 0\n", "line 2: a size of more"),
}


def bench(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ARGUMENTS.bench, *words], capture_output=True, text=True, timeout=100)


def shipped(name: str) -> Path:
    return Path(ARGUMENTS.source, "workloads/trace/shipped", f"{name}.trace")


class TraceTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="osmem-tools-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trace = self.folder / "out.trace"

    def ok(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        result = bench(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def calls(self, path: Path) -> list[tuple[str, int, int]]:
        self.ok("trace", "validate", path)
        rows = csv.DictReader(io.StringIO(self.ok("trace", "export", path, "--csv").stdout))
        return [(row["kind"], int(row["object"]), int(row["size"])) for row in rows]

    def profile(self, path: Path) -> dict[str, Any]:
        return json.loads(self.ok("trace", "inspect", path, "--format=json").stdout)


class ImportTest(TraceTest):
    def write(self, content: str, name: str = "log") -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def test_an_mtrace_log_gives_its_calls(self) -> None:
        said = self.ok("trace", "import", self.write(MTRACE), "-o", self.trace).stderr
        self.assertEqual(self.calls(self.trace), MTRACE_CALLS)
        self.assertIn("5 events, from mtrace; 1 frees without an allocation were left out", said)

    def test_a_heaptrack_file_gives_its_calls_plain_and_packed(self) -> None:
        plain = self.write(HEAPTRACK)
        packed = self.folder / "log.gz"
        packed.write_bytes(gzip.compress(HEAPTRACK.encode()))
        files = [plain, packed]
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", plain, "-o", self.folder / "log.zst"], check=True)
            files.append(self.folder / "log.zst")
        for file in files:
            with self.subTest(file.name):
                said = self.ok("trace", "import", file, "-o", self.trace).stderr
                self.assertEqual(self.calls(self.trace), HEAPTRACK_CALLS)
                self.assertIn("5 events, from heaptrack; 1 frees without an allocation were left out", said)

    def test_a_log_that_the_c_library_wrote(self) -> None:
        log = self.folder / "log"
        environment = {**os.environ, "LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_TRACE": str(log)}
        subprocess.run([ARGUMENTS.subject, "mtrace"], env=environment, check=True)
        self.ok("trace", "import", log, "-o", self.trace)
        kinds = [kind for kind, _, _ in self.calls(self.trace)]
        self.assertEqual({kind: kinds.count(kind) for kind in set(kinds)}, {"malloc": 300, "realloc": 100, "free": 250})

    @unittest.skipUnless(shutil.which("heaptrack"), "heaptrack is not installed")
    def test_a_file_that_heaptrack_wrote(self) -> None:
        subprocess.run(["heaptrack", "-o", self.folder / "heap", ARGUMENTS.subject, "allocate"], check=True, capture_output=True)
        (file,) = self.folder.glob("heap*")
        self.ok("trace", "import", file, "-o", self.trace)
        self.assertEqual(sum(1 for kind, _, size in self.calls(self.trace) if kind == "malloc" and size == 1234), 5000)

    def refused(self, file: Path, message: str) -> None:
        result = bench("trace", "import", file, "-o", self.trace)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(message, result.stderr)
        self.assertFalse(self.trace.exists(), "no half trace is left behind")

    def test_what_is_damaged_is_refused_in_one_line(self) -> None:
        for name, (content, message) in MALFORMED.items():
            with self.subTest(name):
                self.refused(self.write(content), message)

    def test_packed_files_that_are_cut_off_are_refused(self) -> None:
        packed = gzip.compress(HEAPTRACK.encode())
        for bytes_kept in (len(packed) - 9, len(packed) // 2, 12):
            with self.subTest(bytes_kept):
                cut = self.folder / "cut.gz"
                cut.write_bytes(packed[:bytes_kept])
                self.refused(cut, "cannot be unpacked" if bytes_kept > 12 else "")

    def test_files_that_cannot_be_are_refused(self) -> None:
        self.refused(self.folder / "missing", "cannot open it")
        log = self.write(MTRACE)
        result = bench("trace", "import", log, "-o", log)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(log.read_text(), MTRACE, "the log was not overwritten")


class SynthesizeTest(TraceTest):
    def synthesize(self, given: Path, *options: str) -> dict[str, float]:
        """The distances that bench prints."""
        said = self.ok("trace", "synthesize", given, "-o", self.trace, *options).stdout
        self.ok("trace", "validate", self.trace)
        line = next(line for line in said.splitlines() if line.startswith("distance"))
        return {name: float(line.split(f"{name} ")[1].split()[0].rstrip(",")) for name in ("sizes", "lifetimes", "size x lifetime")}

    def test_the_new_trace_is_near_to_the_given_one(self) -> None:
        for name in ("json", "lua", "git-gc", "rocksdb"):
            given = self.profile(shipped(name))
            for factor in (1, 3):
                with self.subTest(f"{name}, {factor} times as long"):
                    distance = self.synthesize(shipped(name), f"--events={factor * given['events']}")
                    self.assertLess(distance["sizes"], 0.05)
                    self.assertLess(distance["lifetimes"], 0.15)
                    self.assertLess(distance["size x lifetime"], 0.2)

    def test_phases_and_peak_are_kept(self) -> None:
        self.synthesize(shipped("json"))
        given, made = self.profile(shipped("json")), self.profile(self.trace)
        self.assertLess(abs(made["peak_live_bytes"] / given["peak_live_bytes"] - 1), 0.2)
        self.assertLess(abs(made["peak_live_objects"] / given["peak_live_objects"] - 1), 0.2)

    def test_the_printed_distance_is_that_of_the_profiles(self) -> None:
        distance = self.synthesize(shipped("git-gc"), "--events=9000")
        gap = most = 0.0
        given, made = self.profile(shipped("git-gc"))["sizes"], self.profile(self.trace)["sizes"]
        for one, other in zip(given, made):
            gap += one / sum(given) - other / sum(made)
            most = max(most, abs(gap))
        self.assertGreater(most, 0)
        self.assertAlmostEqual(distance["sizes"], most, places=3)

    def test_any_length(self) -> None:
        threads = self.profile(shipped("git-gc"))["threads"]
        for events in (1, 10, 1000, 70_000):
            with self.subTest(events):
                self.synthesize(shipped("git-gc"), f"--events={events}")
                self.assertEqual(self.profile(self.trace)["events"], events + 2 * (threads - 1), "and each thread's start and end")

    def test_a_trace_too_short_for_the_lifetimes_says_so(self) -> None:
        said = self.ok("trace", "synthesize", shipped("lua"), "-o", self.trace, "--events=2000").stdout
        self.assertIn("do not fit", said)

    def test_the_seed_decides(self) -> None:
        made = []
        for seed in (5, 5, 6):
            self.synthesize(shipped("git-gc"), f"--seed={seed}")
            made.append(self.calls(self.trace))
        self.assertEqual(made[0], made[1])
        self.assertNotEqual(made[0], made[2])

    def test_bad_words_are_refused(self) -> None:
        for words in (["--events=0"], ["--events=-5"], ["--events=nan"], ["--seed=x"], ["--events=99999999999999999999"]):
            with self.subTest(words):
                result = bench("trace", "synthesize", shipped("lua"), "-o", self.trace, *words)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
                self.assertFalse(self.trace.exists())


class ChartTest(TraceTest):
    def small(self) -> Path:
        """Ten objects of 100 bytes that die at once, four of 3000 that live for six calls, one that stays."""
        lines = ["= Start"]
        lines += [f"@ a {sign} 0x1000 0x64" for _ in range(10) for sign in "+-"]
        lines += [f"@ a + {2 + i}000 0xbb8" for i in range(4)] + ["@ a + 7000 0x20"] * 1
        lines += ["@ a + 8000 0x1", "@ a - 8000"] + [f"@ a - {2 + i}000" for i in range(4)]
        log = self.folder / "log"
        log.write_text("\n".join(lines) + "\n")
        self.ok("trace", "import", log, "-o", self.trace)
        return self.trace

    def chart_module(self) -> Any:
        sys.path.insert(0, str(Path(ARGUMENTS.source, "scripts")))
        import trace_chart  # drawn by the same functions, looked at before they become pixels

        return trace_chart

    def test_a_png_has_its_size_and_is_not_blank(self) -> None:
        from matplotlib.image import imread

        out = self.folder / "chart.png"
        self.ok("trace", "inspect", shipped("redis"), f"--chart={out}")
        pixels = imread(out)[:, :, :3]
        self.assertEqual(pixels.shape, (1080, 1080, 3))
        colours = {tuple(round(float(part), 2) for part in pixel) for row in pixels[::9] for pixel in row[::9]}
        self.assertGreater(len(colours), 30, "the heat map has many")
        blue = ((pixels[:, :, 2] - pixels[:, :, 0]) > 0.15)[:500]
        self.assertGreater(float(blue.mean()), 0.2, "live bytes fill a good part of the upper half")

    def test_an_svg_and_a_pdf(self) -> None:
        for kind in ("svg", "pdf"):
            out = self.folder / f"chart.{kind}"
            self.ok("trace", "inspect", self.small(), f"--chart={out}")
            self.assertGreater(out.stat().st_size, 10_000 if kind == "svg" else 1000)
        root = ElementTree.parse(self.folder / "chart.svg").getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertEqual(root.attrib["viewBox"], "0 0 648 648")

    def test_the_curve_is_the_live_bytes_with_their_peak(self) -> None:
        for path in (self.small(), shipped("node"), shipped("redis")):
            with self.subTest(path.name):
                profile = self.profile(path)
                axes = self.chart_module().draw(profile).axes[0]
                (curve,) = axes.lines
                points = [(point[1], point[2]) for point in profile["timeline"]]
                self.assertEqual(list(zip(curve.get_xdata(), curve.get_ydata())), points)
                self.assertEqual(max(curve.get_ydata()), profile["peak_live_bytes"], "no peak falls between two points")
                self.assertIn(f"{profile['events']:,} events", axes.get_title())

    def test_the_curve_of_a_known_trace(self) -> None:
        timeline = self.profile(self.small())["timeline"]
        live = [100, 0] * 10 + [3000, 6000, 9000, 12000, 12032, 12033, 12032, 9032, 6032, 3032, 32]
        self.assertEqual([point[2] for point in timeline], live)

    def test_the_cells_are_the_objects(self) -> None:
        module = self.chart_module()
        profile = self.profile(self.small())
        sizes, lifetimes, table = module.heat_table(profile)
        cells = {(module.bucket_start(size), module.bucket_start(lifetimes[column]) if column < len(lifetimes) else "never"): count
                 for row, size in zip(table, sizes) for column, count in enumerate(row) if count}
        self.assertEqual(cells, {(64, 0): 10, (2048, 4): 4, (1, 0): 1, (32, "never"): 1})
        image = module.draw(profile).axes[1].images[0].get_array()
        self.assertEqual(int(image.sum()), 16)
        for name in ("node", "git-gc"):
            profile = self.profile(shipped(name))
            image = module.draw(profile).axes[1].images[0].get_array()
            self.assertEqual(int(image.sum()), profile["frees"] + sum(profile["never_freed_by_size"]))

    def test_a_chart_that_cannot_be_is_said(self) -> None:
        for chart, message in (("x.foo", "ends in .svg, .png or .pdf"), ("/no/such/x.png", "cannot write it")):
            with self.subTest(chart):
                result = bench("trace", "inspect", shipped("lua"), f"--chart={chart}")
                self.assertEqual(result.returncode, 2)
                self.assertIn(message, result.stderr)
                self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for word in ("bench", "subject", "source"):
        parser.add_argument(f"--{word}", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
