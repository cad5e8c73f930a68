"""Proves how acceptance.py counts: what is a false difference, who saw a slowdown, what is covered, and that a run cut short says so. A
made-up bench stands for the real one."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent

FAKE_BENCH = """#!{python}
import csv, json, pathlib, sys
if sys.argv[1] == "list":
    print("ALLOCATOR ROLE VERSION\\nglibc production 2\\n  the C library\\nosmem ours 1\\n  built here;\\n    {library}")
    sys.exit(0)
words = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[2:])
out = pathlib.Path(words["out"])
out.mkdir(parents=True)
(out / "environment.json").write_text(json.dumps({{"commit": "0123abc", "cpu": {{"model": "Fake", "count": 2}}}}))
subjects = [item.split("=")[0] for item in words["allocator"].split(",")]
with (out / "summary.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow("workload,threads,metric,allocator,ratio,ratio_low,ratio_high,verdict".split(","))
    for name in subjects:
        ratio = {{"slower20": 1 / 1.02, "slower50": 1 / 1.05}}.get(name, 1.0)
        verdict = "slower" if ratio < 1 else "faster" if "{aa_verdict}" == "faster" else "same"
        rows.writerow(["w0", 1, "mean_rss", name, 1.02, 1.01, 1.03, "fatter" if "{aa_verdict}" == "fatter" else "same"])
        for cell in range(10):
            rows.writerow([f"w{{cell}}", 1, "throughput", name, ratio, ratio * 0.99, ratio * 1.01, verdict])
"""


class Acceptance(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def accept(self, aa_verdict: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        library = self.folder / "libosmem.so"
        library.write_bytes(b"code")
        bench = self.folder / "bench"
        bench.write_text(FAKE_BENCH.format(python=sys.executable, library=library, aa_verdict=aa_verdict))
        bench.chmod(0o755)
        return subprocess.run([sys.executable, str(SCRIPTS / "acceptance.py"), f"--bench={bench}", f"--fixtures={self.folder}",
                               f"--out={self.folder / 'out'}", *arguments], capture_output=True, text=True, check=False, timeout=300)

    def test_counts_what_is_seen_and_covered(self) -> None:
        done = self.accept("same", "--minutes=30")
        self.assertEqual(done.returncode, 1, done.stderr)  # every interval holds the truth: more than 97 %
        self.assertIn("of 20 measured (20 wanted): at most 1 | 0 | yes |", done.stdout)
        self.assertIn("slowdown by 5 %: 99 % | 10 of 10 (100 %) | yes |", done.stdout)
        self.assertIn("93 to 97 % | 220 of 220 (100 %) | **no** |", done.stdout)
        with (self.folder / "out" / "tables.csv").open(newline="") as file:
            self.assertEqual(len(list(csv.DictReader(file))), 21)

    def test_every_difference_of_a_copy_is_false(self) -> None:
        done = self.accept("faster", "--minutes=30")
        self.assertEqual(done.returncode, 1)
        self.assertIn("at most 1 | 20: A/A osmem 1", done.stdout)
        self.assertIn("- A/A osmem 1 copy: w0, 1 threads, throughput faster", done.stdout)

    def test_a_false_difference_of_any_metric_counts(self) -> None:
        done = self.accept("fatter", "--minutes=30")
        self.assertEqual(done.returncode, 1)
        self.assertIn("at most 1 | 20: A/A osmem 1", done.stdout)
        self.assertIn("- A/A osmem 1 copy: w0, 1 threads, mean_rss fatter", done.stdout)

    def test_says_when_it_was_cut_short(self) -> None:
        done = self.accept("same", "--minutes=0.0001")
        self.assertIn("cut short by --minutes=0.0001: 0 of 20 A/A tables", done.stdout)
        self.assertIn("of 0 measured (20 wanted): at most 1 | 0 | - |", done.stdout)

    def test_refuses_too_few_blocks(self) -> None:
        done = self.accept("same", "--repetitions=3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("fewer blocks give no verdict", done.stderr)


if __name__ == "__main__":
    unittest.main()
