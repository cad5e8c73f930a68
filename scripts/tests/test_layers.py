"""Proves that the project's folders include only what stands below them, and that check_layers.py sees it when one does not.

Does not see what is included with angle brackets, or what a build file links.
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def check(root: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-B", ROOT / "scripts" / "check_layers.py", root], capture_output=True, text=True, check=False)


class Layers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path: str, header: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(f'#include "{header}"\n', encoding="utf-8")

    def test_this_project_breaks_no_rule(self):
        done = check(ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_layer_may_include_one_below(self):
        self.write("allocator/osmem/pages/heap.cpp", "allocator/osmem/base/lock.hpp")
        self.assertEqual(check(self.root).returncode, 0)

    def test_a_layer_may_not_include_one_above(self):
        self.write("allocator/osmem/base/lock.hpp", "allocator/osmem/pages/heap.hpp")
        done = check(self.root)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "allocator/osmem/base/lock.hpp: includes allocator/osmem/pages/heap.hpp: pages stands above base\n")

    def test_the_allocator_may_not_include_the_workbench(self):
        self.write("allocator/osmem/api/alloc.cpp", "bench/measure/clock.hpp")
        self.assertIn("allocator/osmem knows nothing of bench", check(self.root).stdout)

    def test_a_folder_without_a_place_is_named(self):
        self.write("bench/novel/thing.cpp", "bench/model/sample.hpp")
        self.assertIn("bench/novel has no place in the order", check(self.root).stdout)

    def test_tests_may_include_anything(self):
        self.write("allocator/osmem/base/lock.hpp", "allocator/osmem/base/config.hpp")
        self.write("allocator/tests/osmem/lock_test.cpp", "bench/measure/clock.hpp")
        self.assertEqual(check(self.root).returncode, 0)

    def test_nothing_to_check_is_an_error(self):
        self.assertEqual(check(self.root).returncode, 2)


if __name__ == "__main__":
    unittest.main()
