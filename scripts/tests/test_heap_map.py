"""Proves that heap_map.py reads both kinds of dumps, names the line that it cannot read, computes what it draws, and draws the same
picture each time. Whether pictures look right was judged by eye."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))

from plotting.heap_dump import DumpError, Mapping, read_dump  # noqa: E402

LISTS = """\
{"record": "heap", "allocator": "one", "layout": "list", "header_bytes": 32, "label": "a = malloc(1000)"}
{"record": "block", "offset": 0, "size": 1000, "status": "allocated", "name": "a"}
{"record": "block", "offset": 1032, "size": 5000, "status": "free"}
{"record": "heap", "allocator": "one", "layout": "list", "header_bytes": 32, "label": "b = malloc(200000)"}
{"record": "block", "offset": 0, "size": 1000, "status": "allocated", "name": "a"}
{"record": "block", "offset": 1032, "size": 5000, "status": "free"}
{"record": "mapping", "bytes": 200032, "name": "b"}
{"record": "heap", "allocator": "two", "layout": "list", "header_bytes": 32, "label": "a = malloc(1000)"}
{"record": "block", "offset": 0, "size": 32, "status": "fence"}
{"record": "block", "offset": 64, "size": 1000, "status": "allocated", "name": "a"}
"""
PAGES = """\
{"record": "heap", "allocator": "osmem", "page_bytes": 4096, "pages": 300}
{"record": "run", "page": 40, "pages": 3}
{"record": "dirty", "page": 43, "pages": 5}
{"record": "free", "page": 48, "pages": 252}
{"record": "slab", "page": 16, "pages": 16, "block_bytes": 1024, "capacity": 64, "carved": 6, "live": "b2"}
{"record": "slab", "page": 0, "pages": 16, "block_bytes": 6144, "capacity": 10, "carved": 2, "live": "2"}
{"record": "mapping", "bytes": 1048576}
"""


class HeapMap(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.dump = Path(self.directory.name) / "dump.jsonl"
        self.addCleanup(self.directory.cleanup)

    def write(self, text: str) -> Path:
        self.dump.write_text(text)
        return self.dump

    def run_script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPTS / "heap_map.py"), str(self.dump), *arguments],
                              capture_output=True, text=True, check=False)

    def test_reads_list_heaps_step_by_step(self) -> None:
        first, second, other = read_dump(self.write(LISTS))
        self.assertEqual((first.allocator, second.label, other.allocator), ("one", "b = malloc(200000)", "two"))
        self.assertEqual([block.status for block in first.blocks], ["allocated", "free"])
        self.assertEqual(second.mappings, [Mapping(200032, "b")])

    def test_marks_what_a_step_changed(self) -> None:
        from plotting.list_heap import end_of, touched
        first, second, _ = read_dump(self.write(LISTS))
        self.assertEqual(touched(first, None), {"a"})
        self.assertEqual(touched(second, first), set())
        self.assertEqual(end_of(first), 1032 + 32 + 5000)

    def test_reads_live_blocks_of_slabs_lowest_bit_first(self) -> None:
        from plotting.page_heap import live_by_page
        (snapshot,) = read_dump(self.write(PAGES))
        small, large = (run for run in snapshot.runs if run.kind == "slab")
        self.assertEqual(small.live, (True, True, False, True, False, True))
        self.assertEqual(list(live_by_page(small, 4096))[:3], [0.75, 0.25, 0])
        self.assertEqual(list(live_by_page(large, 4096))[:4], [0, 0.5, 1, 0])

    def test_draws_both_kinds_the_same_each_time(self) -> None:
        for text in (LISTS, PAGES):
            self.write(text)
            pictures = []
            for _ in range(2):
                result = self.run_script("--title", "heap <of> tests")
                self.assertEqual(result.returncode, 0, result.stderr)
                svg, png = (Path(line) for line in result.stdout.split())
                self.assertEqual(ElementTree.parse(svg).getroot().tag, "{http://www.w3.org/2000/svg}svg")
                pictures.append((svg.read_bytes(), png.read_bytes()))
            self.assertEqual(pictures[0], pictures[1])

    def test_names_the_line_that_is_no_dump(self) -> None:
        for text, line in (("{}", 1), (LISTS + "oops\n", 11), (LISTS.replace('"size": 1000', '"sise": 1000', 1), 2),
                           ('{"record": "run", "page": 1, "pages": 2}', 1), (PAGES + '{"record": "tree"}\n', 8)):
            with self.assertRaisesRegex(DumpError, f"dump.jsonl:{line}: not a heap dump"):
                read_dump(self.write(text))

    def test_says_what_is_wrong_in_one_line(self) -> None:
        for text in ("", LISTS + PAGES, "\x00"):
            self.write(text)
            result = self.run_script()
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^heap_map.py: [^\n]+\n$")


if __name__ == "__main__":
    unittest.main()
