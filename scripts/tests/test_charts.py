"""Proves that charts.py draws every chart of a made-up run (the golden files of bench/tests), failed cells included, the same way each
time; that it finds an interpreter with matplotlib; and that reading and the Pareto front are right. Whether charts look right was
judged by eye."""

from __future__ import annotations

import dataclasses
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent
GOLDEN = SCRIPTS.parent / "bench" / "tests" / "golden"
sys.path.insert(0, str(SCRIPTS))

from plotting import interpreter  # noqa: E402
from plotting.run_data import Cell, Mean, RunError, read_run  # noqa: E402

RUN_FILES = ["summary.csv", "means.csv", "environment.json"]


def png_size(path: Path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


class WithRun(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.run_dir = Path(folder.name)
        for name in RUN_FILES:
            shutil.copyfile(GOLDEN / name, self.run_dir / name)

    def draw(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPTS / "charts.py"), str(self.run_dir)], capture_output=True,
                              text=True, check=False, timeout=120)

    def drawn(self) -> set[str]:
        return {path.name for path in (self.run_dir / "charts").iterdir()}


class Reading(WithRun):
    def test_figures_come_as_they_are(self) -> None:
        run = read_run(self.run_dir)
        row = run.row(Cell("pair", 1), "throughput", "osmem")
        self.assertAlmostEqual(row.ratio, 1.795796969)
        self.assertEqual(row.verdict, "faster")
        self.assertEqual(run.baseline, "glibc")
        self.assertEqual(run.references, ["limit"])
        self.assertEqual(run.subjects, ["osmem", "jemalloc", "mimalloc", "limit"])
        self.assertEqual(run.repetitions("throughput"), "6")

    def test_a_failed_cell_has_no_figure(self) -> None:
        row = read_run(self.run_dir).row(Cell("larson:max=2000", 4), "throughput", "jemalloc")
        self.assertEqual(row.status, "CRASHED")
        self.assertIsNone(row.median)
        self.assertIsNone(row.ratio)

    def test_a_damaged_run_is_an_error(self) -> None:
        (self.run_dir / "summary.csv").write_text("a,b\n1,2\n")
        with self.assertRaisesRegex(RunError, "does not hold a run"):
            read_run(self.run_dir)


class Drawing(WithRun):
    def test_every_chart_of_the_run(self) -> None:
        done = self.draw()
        self.assertEqual(done.returncode, 0, done.stderr)
        names = ["throughput_against_rss"] + [f"{metric}_{part}" for metric in ("throughput", "peak_rss")
                                              for part in ("cells", "ratios_programs", "ratios_libraries", "ratios_synthetic")]
        self.assertEqual(self.drawn(), {f"{name}.{kind}" for name in names for kind in ("svg", "png")})
        self.assertEqual(len(done.stdout.splitlines()), 2 * len(names))
        for name in names:
            root = ElementTree.parse(self.run_dir / "charts" / f"{name}.svg").getroot()
            self.assertTrue(root.tag.endswith("svg"))
            width, height = png_size(self.run_dir / "charts" / f"{name}.png")
            self.assertGreater(min(width, height), 200)

    def test_the_same_run_gives_the_same_files(self) -> None:
        self.draw()
        before = {path.name: path.read_bytes() for path in (self.run_dir / "charts").glob("*.svg")}
        self.draw()
        for path in (self.run_dir / "charts").glob("*.svg"):
            self.assertEqual(before[path.name], path.read_bytes(), path.name)

    def test_threads_and_timelines_where_there_are_any(self) -> None:
        summary = self.run_dir / "summary.csv"
        rows = summary.read_text().splitlines()
        more = [row.replace("larson:max=2000,1,", "larson:max=2000,2,", 1) for row in rows
                if row.startswith("larson:max=2000,1,")]
        summary.write_text("\n".join(rows + more) + "\n")
        (self.run_dir / "timelines.csv").write_text(
            "block,workload,threads,allocator,start_rss_bytes,time_s,rss_bytes,live_bytes,phase,pss_bytes,huge_bytes\n"
            + "".join(f"{block},json,1,{name},1000,{step / 100},{1000 + step * 4096},{step * 4000},,,\n"
                      for name in ("osmem", "glibc") for block in (0, 1) for step in range(20)))
        self.assertEqual(self.draw().returncode, 0)
        self.assertIn("throughput_against_threads.png", self.drawn())
        self.assertIn("rss_over_time.svg", self.drawn())
        self.assertEqual(len(read_run(self.run_dir).timelines), 40)  # of block 0 alone

    def test_a_summary_that_was_cut_off_is_refused(self) -> None:
        summary = self.run_dir / "summary.csv"
        summary.write_text("".join(summary.read_text().splitlines(keepends=True)[:8]))
        done = self.draw()
        self.assertEqual(done.returncode, 1)
        self.assertIn("was cut off", done.stderr)

    def test_an_outlier_does_not_squeeze_the_others(self) -> None:
        from plotting.ratios import limits
        run = read_run(self.run_dir)
        plain = limits(run, "throughput")
        rows = [row for row in run.rows if row.metric == "throughput" and row.ratio]
        outlier = dataclasses.replace(rows[0], ratio=1000.0)
        run.rows.append(outlier)
        self.assertLess(limits(run, "throughput")[1], 10 * plain[1])

    def test_no_run_is_one_line_of_advice(self) -> None:
        (self.run_dir / "summary.csv").unlink()
        done = self.draw()
        self.assertEqual(done.returncode, 1)
        self.assertIn("summary.csv", done.stderr)
        self.assertIn("give the directory that bench named", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)


class Front(unittest.TestCase):
    @staticmethod
    def point(name: str, throughput: float, peak_rss: float, reference: bool = False):
        from plotting.pareto import Point
        return Point(name, Mean("synthetic", "throughput", name, 1, 1, 0, throughput, None, None),
                     Mean("synthetic", "peak_rss", name, 1, 1, 0, peak_rss, None, None), reference)

    def test_is_who_nobody_beats_in_both(self) -> None:
        from plotting.pareto import front_of
        points = [self.point("base", 1, 1), self.point("fast", 2, 1.5), self.point("bad", 1.5, 1.8),
                  self.point("twin", 2, 1.5), self.point("limit", 9, 0.1, reference=True)]
        self.assertEqual([point.allocator for point in front_of(points)], ["base", "fast", "twin"])


class Interpreter(unittest.TestCase):
    def test_goes_on_under_the_systems_python(self) -> None:
        with mock.patch("importlib.util.find_spec", return_value=None), mock.patch("os.execv") as execv, \
                mock.patch.dict(os.environ), mock.patch("pathlib.Path.exists", return_value=True):
            os.environ.pop(interpreter.TRIED, None)
            execv.side_effect = SystemExit(0)  # as execv does not return
            with self.assertRaises(SystemExit):
                interpreter.ensure_matplotlib()
            self.assertEqual(execv.call_args.args[0], interpreter.SYSTEM_PYTHON)

    def test_says_how_to_install_matplotlib_if_that_has_none_either(self) -> None:
        with mock.patch("importlib.util.find_spec", return_value=None), \
                mock.patch.dict(os.environ, {interpreter.TRIED: "python3"}):
            with self.assertRaisesRegex(SystemExit, "apt-get install python3-matplotlib"):
                interpreter.ensure_matplotlib()


if __name__ == "__main__":
    unittest.main()
