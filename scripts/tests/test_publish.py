"""Proves what publish.py copies, refuses and rewrites, on a made-up run (the golden files of bench/tests) in a made-up project."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
GOLDEN = SCRIPTS.parent / "bench" / "tests" / "golden"
PLAIN = ["report.md", "summary.csv", "means.csv", "environment.json"]
FILES = [*PLAIN, "samples.csv", "benchmark.json"]
BENCH = os.environ.get("OSMEM_BENCH", str(SCRIPTS.parent / "build" / "release" / "bin" / "bench"))


class Publish(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "project"
        self.run_dir = Path(folder.name) / "run"
        (self.root / "results").mkdir(parents=True)
        (self.run_dir / "charts").mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(GOLDEN / name, self.run_dir / name)
        for kind in ("svg", "png"):
            (self.run_dir / "charts" / f"throughput_against_rss.{kind}").write_text("a chart")
        (self.root / "README.md").write_text("top\n<!-- results:begin -->\nold\n<!-- results:end -->\nbottom\n")
        (self.root / "results" / "README.md").write_text("head\n<!-- index:begin -->\n<!-- index:end -->\ntail\n")

    def publish(self, *arguments: str, name: str = "first") -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPTS / "publish.py"), str(self.run_dir), name, "--root",
                               str(self.root), "--bench", BENCH, *arguments], capture_output=True, text=True, check=False, timeout=120)

    def set_environment(self, **changes: object) -> None:
        path = self.run_dir / "environment.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def assert_refused(self, done: subprocess.CompletedProcess[str], reason: str) -> None:
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(reason, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse((self.root / "results" / "first").exists())
        self.assertIn("\nold\n", (self.root / "README.md").read_text())

    def test_copies_the_run_and_rewrites_what_is_generated(self) -> None:
        done = self.publish()
        self.assertEqual(done.returncode, 0, done.stderr)
        published = self.root / "results" / "first"
        for name in PLAIN:
            self.assertEqual((published / name).read_bytes(), (GOLDEN / name).read_bytes())
        self.assertEqual(gzip.decompress((published / "samples.csv.gz").read_bytes()), (GOLDEN / "samples.csv").read_bytes())
        self.assertEqual([path.name for path in (published / "charts").iterdir()], ["throughput_against_rss.svg"])
        self.assertEqual({path.name for path in published.iterdir()},
                         {*PLAIN, "samples.csv.gz", "charts", "report.html", "manifest.json"})
        readme = (self.root / "README.md").read_text()
        self.assertTrue(readme.startswith("top\n<!-- results:begin -->\n"))
        self.assertTrue(readme.endswith("\n<!-- results:end -->\nbottom\n"))
        self.assertNotIn("\nold\n", readme)
        self.assertIn("| | figure | osmem | jemalloc | mimalloc |\n", readme)
        rows = [line for line in readme.splitlines() if line.startswith("| **[")]
        self.assertEqual([row.split("[")[1].split("]")[0] for row in rows], ["programs", "synthetic"])
        self.assertIn("**[programs](results/first/report.md)**, 2 families | throughput | 1.80 (1.79 to 1.81); 1.80 | 1.15", readme)
        self.assertIn("- programs: on the throughput-RSS front", readme)
        self.assertIn("](results/first/charts/throughput_against_rss.svg)", readme)
        index = (self.root / "results" / "README.md").read_text()
        self.assertIn("| [first](first/report.md) | 2026-01-02 |", index)
        self.assertTrue(index.endswith("tail\n"))

    def test_what_is_published_is_sealed_and_can_be_read_back(self) -> None:
        self.publish()
        published = str(self.root / "results" / "first")
        for command in (["results", "verify", published], ["compare", published, published]):
            done = subprocess.run([BENCH, *command], capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_without_bench_nothing_is_published(self) -> None:
        self.assert_refused(self.publish("--bench", str(self.root / "absent")), "cannot run")

    def test_a_second_run_joins_the_index_and_takes_over_the_readme(self) -> None:
        self.publish()
        self.assertEqual(self.publish(name="second").returncode, 0)
        index = (self.root / "results" / "README.md").read_text()
        self.assertIn("[first]", index)
        self.assertIn("[second]", index)
        readme = (self.root / "README.md").read_text()
        self.assertNotIn("results/first", readme)
        self.assertEqual(readme.count("<!-- results:begin -->"), 1)

    def test_leaves_the_readme_alone_if_told(self) -> None:
        self.assertEqual(self.publish("--no-readme").returncode, 0)
        self.assertIn("\nold\n", (self.root / "README.md").read_text())
        self.assertIn("[first]", (self.root / "results" / "README.md").read_text())

    def test_leaves_out_where_the_project_was_checked_out(self) -> None:
        self.set_environment(command=f"{self.root}/build/release/bin/bench --allocator=osmem", folder=str(self.root))
        self.assertEqual(self.publish().returncode, 0)
        text = (self.root / "results" / "first" / "environment.json").read_text()
        self.assertEqual(json.loads(text)["command"], "build/release/bin/bench --allocator=osmem")
        self.assertNotIn(str(self.root), text)
        self.assertNotIn(str(self.root), (self.root / "README.md").read_text())

    def test_names_no_folder_of_the_checkout_that_measured(self) -> None:
        measured = self.run_dir.parent / "elsewhere"
        (measured / "results" / "local").mkdir(parents=True)
        (measured / "CMakePresets.json").write_text("{}")
        self.run_dir = self.run_dir.rename(measured / "results" / "local" / "run")
        self.set_environment(command="bench", library=f"{measured}/build/release/lib/libosmem.so")
        self.assertEqual(self.publish().returncode, 0)
        text = (self.root / "results" / "first" / "environment.json").read_text()
        self.assertIn('"build/release/lib/libosmem.so"', text)
        self.assertNotIn(str(measured), text)

    def test_refuses_a_run_that_lacks_a_file(self) -> None:
        (self.run_dir / "samples.csv").unlink()
        self.assert_refused(self.publish(), "lacks samples.csv")

    def test_refuses_a_changed_tree_unless_told(self) -> None:
        self.set_environment(dirty=True)
        self.assert_refused(self.publish(), "--allow-dirty")
        self.assertEqual(self.publish("--allow-dirty").returncode, 0)
        self.assertIn("changed tree", (self.root / "results" / "README.md").read_text())

    def test_refuses_an_unknown_commit(self) -> None:
        self.set_environment(commit="")
        self.assert_refused(self.publish(), "no known commit")

    def test_refuses_a_debug_build_unless_told(self) -> None:
        self.set_environment(build_type="Debug")
        self.assert_refused(self.publish(), "--allow-debug")
        self.assertEqual(self.publish("--allow-debug").returncode, 0)
        self.assertIn("not a Release build", (self.root / "results" / "README.md").read_text())

    def test_refuses_a_run_that_was_cut_off(self) -> None:
        self.set_environment(cut_off=True)
        self.assert_refused(self.publish(), "--resume")

    def test_refuses_a_directory_that_is_no_run(self) -> None:
        (self.run_dir / "environment.json").unlink()
        self.assert_refused(self.publish(), "no readable environment.json")

    def test_refuses_to_replace_a_published_run(self) -> None:
        self.publish()
        done = self.publish()
        self.assertEqual(done.returncode, 1)
        self.assertIn("exists already", done.stderr)

    def test_refuses_names_that_lead_elsewhere(self) -> None:
        for name in ("../up", "local", ".hidden", "a/b", ""):
            self.assert_refused(self.publish(name=name), "is no name for a published run")

    def test_refuses_a_readme_without_the_markers_before_copying(self) -> None:
        (self.root / "README.md").write_text("\nold\n")
        self.assert_refused(self.publish(), "<!-- results:begin -->")


if __name__ == "__main__":
    unittest.main()
