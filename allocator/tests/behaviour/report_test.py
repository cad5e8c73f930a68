#!/usr/bin/env python3
"""What osmem says about itself is true: statistics, leak report, heap dump, XML, and its options' rules.

A child allocates known blocks under osmem's own names and prints what it knows; this test compares. The C library's forms
(mallinfo2, malloc_info, malloc_stats) are asked of a python3 that runs on the preloaded library. Does not prove that figures
are exact while other threads allocate: they are snapshots by their definition.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MIB = 1 << 20
CHILD = Path()
LIBRARY = Path()
HEAP_MAP = Path()
TOTALS = ["allocated_bytes", "active_bytes", "dirty_bytes", "committed_bytes", "reserved_bytes", "mapped_bytes",
          "cached_mapping_bytes", "metadata_bytes", "remote_pending_bytes", "thread_count",
          "purge_calls", "purged_bytes", "purge_ns", "fault_ns", "page_age_ms", "peak_used_pages", "free_pages",
          "free_runs", "longest_free_run_pages"]


def run(case: str, program: Path | None = None, **options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OSMEM_") or name == "OSMEM_HEAP"}
    return subprocess.run([str(program or CHILD), case], env=environment | options, capture_output=True, text=True, timeout=60,
                          check=True)


def run_python(code: str) -> str:
    environment = os.environ | {"LD_PRELOAD": str(LIBRARY), "PYTHONMALLOC": "malloc"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60,
                          check=True).stdout


def mapped_bytes(output: str, when: str) -> int:
    return next(json.loads(line.removeprefix(when))["mapped"] for line in output.splitlines() if line.startswith(f"{when} "))


class Figures(unittest.TestCase):
    def setUp(self) -> None:
        lines = run("figures").stdout.splitlines()
        self.stats = {when: json.loads(text) for when, text in (line.split(" ", 1) for line in lines)}

    def grown(self, when: str, key: str) -> int:
        return self.stats[when][key] - self.stats["start"][key]

    def test_allocated_bytes_are_those_of_the_blocks(self) -> None:
        self.assertEqual(self.grown("small", "allocated"), 10000 * 112)
        self.assertEqual(self.grown("half", "allocated"), 5000 * 112)
        self.assertEqual(self.grown("none", "allocated"), 0)
        self.assertEqual(self.grown("run", "allocated"), 25 * 4096)
        self.assertEqual(self.grown("mapping", "allocated"), 64 * MIB)

    def test_pages_are_counted_where_they_are(self) -> None:
        self.assertGreaterEqual(self.grown("small", "active"), 10000 * 112)
        self.assertLessEqual(self.grown("small", "active"), 10000 * 112 * 1.1 + 64 * 1024)
        self.assertEqual(self.stats["start"]["mapped"], 0)
        self.assertEqual(self.stats["mapping"]["mapped"], 64 * MIB)
        for when, stats in self.stats.items():
            with self.subTest(when=when):
                self.assertLessEqual(stats["active"] + stats["dirty"] + stats["metadata"], stats["committed"])
                self.assertLessEqual(stats["committed"] - stats["metadata"], stats["reserved"])
                self.assertEqual(stats["threads"], 1)

    def test_trim_leaves_nothing_dirty(self) -> None:
        self.assertEqual(self.stats["trimmed"]["dirty"], 0)
        self.assertEqual(self.stats["trimmed"]["mapped"], 0)


class AtExit(unittest.TestCase):
    def test_json_has_every_key_and_counts_what_lives(self) -> None:
        child = run("stats", OSMEM_STATS="json")
        stats = json.loads(child.stderr)
        live, run_bytes, mapping_bytes = map(int, child.stdout.split())
        self.assertEqual(list(stats), TOTALS + ["classes"])
        self.assertEqual(sum(c["live"] for c in stats["classes"]), live)
        for c in stats["classes"]:
            self.assertEqual(set(c), {"block_bytes", "slabs", "live", "carved", "capacity"})
            self.assertTrue(c["live"] <= c["carved"] <= c["capacity"])
        in_slabs = sum(c["live"] * c["block_bytes"] for c in stats["classes"])
        self.assertEqual(stats["allocated_bytes"], in_slabs + run_bytes + mapping_bytes)
        self.assertEqual(stats["mapped_bytes"], mapping_bytes)

    def test_text_has_every_total_and_class(self) -> None:
        text = run("stats", OSMEM_STATS="1").stderr
        classes = json.loads(run("stats", OSMEM_STATS="json").stderr)["classes"]
        for key in TOTALS:
            self.assertRegex(text, rf"(?m)^  {key} \d+  \(")
        for c in classes:
            self.assertIn(f"  {c['block_bytes']}: {c['slabs']}, {c['live']}, {c['carved']}, {c['capacity']}\n", text)

    def test_nothing_is_said_unasked(self) -> None:
        self.assertEqual(run("leaks").stderr, "")
        self.assertEqual(run("leaks", OSMEM_STATS="0", OSMEM_LEAKS="0").stderr, "")

    def test_leaks_are_listed_with_size_address_count_and_total(self) -> None:
        child = run("leaks", OSMEM_LEAKS="1")
        expected = sorted((int(size), address) for size, address in map(str.split, child.stdout.splitlines()))
        *lines, last = child.stderr.splitlines()
        found = sorted((int(m[1]), m[2]) for m in (re.fullmatch(r"osmem: leaked (\d+) bytes at (0x[0-9a-f]+)", line)
                                                     for line in lines) if m)
        self.assertEqual(len(found), len(lines), "every line but the last is of a block")
        self.assertEqual(len(expected), 33)
        self.assertEqual(found, expected)
        self.assertEqual(last, f"osmem: {len(expected)} blocks leaked, {sum(size for size, _ in expected)} bytes in total")

    def test_a_program_without_leaks_gets_no_report(self) -> None:
        self.assertEqual(run("nothing", OSMEM_LEAKS="1").stderr, "")


class HeapDump(unittest.TestCase):
    def setUp(self) -> None:
        self.child = run("dump")
        self.records = [json.loads(line) for line in self.child.stderr.splitlines()]

    def of(self, kind: str) -> list[dict]:
        return [record for record in self.records if record["record"] == kind]

    def test_counts_are_those_of_the_child(self) -> None:
        live, run_bytes, mapping_bytes = map(int, self.child.stdout.split())
        self.assertEqual(sum(int(digit, 16).bit_count() for slab in self.of("slab") for digit in slab["live"]), live)
        self.assertEqual([run["pages"] * 4096 for run in self.of("run")], [run_bytes])
        self.assertEqual([mapping["bytes"] for mapping in self.of("mapping")], [mapping_bytes])

    def test_pages_belong_to_one_record_each(self) -> None:
        self.assertEqual([record["allocator"] for record in self.of("heap")], ["osmem"])
        pages = [page for record in self.records if "page" in record
                 for page in range(record["page"], record["page"] + record["pages"])]
        self.assertEqual(len(pages), len(set(pages)))
        self.assertLess(max(pages), self.of("heap")[0]["pages"])

    def test_heap_map_draws_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "dump.jsonl"
            dump.write_text(self.child.stderr, encoding="utf-8")
            drawn = subprocess.run([sys.executable, str(HEAP_MAP), str(dump)], capture_output=True, text=True, timeout=120)
            if "matplotlib" in drawn.stderr:
                self.skipTest("python3 has no matplotlib")
            self.assertEqual(drawn.returncode, 0, drawn.stderr)
            self.assertTrue((Path(folder) / "dump.png").read_bytes().startswith(b"\x89PNG"))
            ElementTree.parse(Path(folder) / "dump.svg")


class CLibraryForms(unittest.TestCase):
    def test_malloc_info_is_well_formed_xml_with_the_totals(self) -> None:
        code = ("import ctypes; c = ctypes.CDLL(None); c.fdopen.restype = ctypes.c_void_p\n"
                "f = ctypes.c_void_p(c.fdopen(1, b'w')); assert c.malloc_info(0, f) == 0; c.fflush(f)")
        root = ElementTree.fromstring(run_python(code))
        self.assertEqual((root.tag, root.get("version")), ("malloc", "1"))
        self.assertEqual(root.find("heap").get("allocator"), "osmem")
        self.assertGreater(int(root.find("system[@type='current']").get("size")), 100_000)
        self.assertIsNotNone(root.find("total[@type='mmap']"))

    def test_mallinfo2_follows_what_is_allocated(self) -> None:
        fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
        code = f"""
import ctypes, json
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in {fields}]
c = ctypes.CDLL(None); c.mallinfo2.restype = Info; c.malloc.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
read = lambda: {{name: getattr(info, name) for info in [c.mallinfo2()] for name, _ in Info._fields_}}
blocks = [0] * 1000
before = read()
for i in range(1000): blocks[i] = c.malloc(4096)
big = c.malloc(64 << 20)
print(json.dumps([before, read()]))"""
        before, after = json.loads(run_python(code))
        self.assertEqual(after["hblks"] - before["hblks"], 1)
        self.assertEqual(after["hblkhd"] - before["hblkhd"], 64 * MIB)
        grown = after["uordblks"] - before["uordblks"]
        self.assertTrue(64 * MIB + 1000 * 4096 <= grown <= 64 * MIB + 1000 * 4096 + 256 * 1024, grown)
        self.assertGreaterEqual(after["arena"], 1000 * 4096)


class Options(unittest.TestCase):
    def test_a_bad_value_gives_one_warning_and_the_default_stays(self) -> None:
        defaults = run("nothing", OSMEM_VERBOSE="1").stderr
        self.assertEqual(len(defaults.splitlines()), 1)
        bad = {"OSMEM_STATS": "yes", "OSMEM_LEAKS": "2", "OSMEM_MMAP_THRESHOLD": "128k", "OSMEM_PROFILE": "slow",
               "OSMEM_MEMORY_PER_CPU": "4X", "OSMEM_RSS_LIMIT": "12"}
        for name, value in bad.items():
            with self.subTest(option=name):
                lines = run("leaks", OSMEM_VERBOSE="1", **{name: value}).stderr.splitlines()
                self.assertEqual(len(lines), 2, lines)
                self.assertTrue(lines[0].startswith(f"osmem: {name}={value} is not "), lines[0])
                self.assertEqual(lines[1], defaults.strip())

    def test_a_bad_heap_gives_one_warning_and_the_region(self) -> None:
        lines = run("nothing", OSMEM_VERBOSE="1", OSMEM_HEAP="stack").stderr.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith("osmem: OSMEM_HEAP=stack is not region or sbrk"))
        self.assertIn("heap region", lines[1])

    def test_what_is_in_force_is_said(self) -> None:
        said = run("nothing", OSMEM_VERBOSE="1", OSMEM_PROFILE="lean", OSMEM_MMAP_THRESHOLD="99999").stderr
        for part in ["1024 MiB of memory cost as much as a CPU", "mmap threshold 99999 bytes"]:
            self.assertIn(part, said)

    def test_a_price_in_numbers_goes_before_a_profile(self) -> None:
        said = run("nothing", OSMEM_VERBOSE="1", OSMEM_PROFILE="fast", OSMEM_MEMORY_PER_CPU="3G").stderr
        self.assertIn("3072 MiB of memory cost as much as a CPU", said)

    def test_values_out_of_range_and_empty_ones_are_bad(self) -> None:
        for value in ["", "99999999999999999999999", str(1 << 31), " 1", "1 "]:
            with self.subTest(value=value):
                self.assertEqual(run("nothing", OSMEM_MMAP_THRESHOLD=value).stderr.count("OSMEM_MMAP_THRESHOLD"), 1)

    def test_the_mapping_threshold_pins(self) -> None:
        low = run("figures", OSMEM_MMAP_THRESHOLD="65536").stdout
        high = run("figures", OSMEM_MMAP_THRESHOLD=str(1 << 20)).stdout
        self.assertGreaterEqual(mapped_bytes(low, "run"), 100000)
        self.assertEqual(mapped_bytes(high, "run"), 0)

    def test_freeing_a_mapping_raises_the_threshold_unless_it_is_pinned(self) -> None:
        self.assertEqual(mapped_bytes(run("again").stdout, "again"), 0)
        self.assertEqual(mapped_bytes(run("again", OSMEM_MMAP_THRESHOLD=str(1 << 17)).stdout, "again"), 3 << 19)

    def test_a_program_with_raised_rights_ignores_them(self) -> None:
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            self.skipTest("needs root, to make a program with raised rights, and setpriv, to run it without")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = Path(folder) / "raised"
            shutil.copy(CHILD, program)
            os.chmod(program, 0o4755)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), "leaks"]
            options = {"OSMEM_LEAKS": "1", "OSMEM_VERBOSE": "1", "OSMEM_STATS": "junk"}
            raised = subprocess.run(command, env=options, capture_output=True, text=True, timeout=60)
            os.chmod(program, 0o755)
            plain = subprocess.run(command, env=options, capture_output=True, text=True, timeout=60)
        if raised.returncode == 126:
            self.skipTest("programs in the temporary folder may not raise rights")
        self.assertEqual((raised.returncode, raised.stderr), (0, ""))
        self.assertGreater(len(plain.stderr.splitlines()), 30, "the same program without them obeys")


def main() -> None:
    global CHILD, LIBRARY, HEAP_MAP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("child", type=Path, help="osmem-report-child")
    parser.add_argument("library", type=Path, help="libosmem.so")
    parser.add_argument("heap_map", type=Path, help="heap_map.py")
    arguments, rest = parser.parse_known_args()
    CHILD, LIBRARY, HEAP_MAP = (path.resolve() for path in (arguments.child, arguments.library, arguments.heap_map))
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
