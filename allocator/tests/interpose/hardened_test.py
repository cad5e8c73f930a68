#!/usr/bin/env python3
"""Proves of libosmem-hardened.so what takes more than one call to see: right use that is easily taken for a misuse, and what each word of
OSMEM_HARDEN switches. What it sees of each single misuse is in `bench verify --section=hardening`.

usage: hardened_test.py LIBRARY PROGRAM [unittest's words]
"""

import os
import re
import signal
import subprocess
import sys
import unittest

LIBRARY, PROGRAM = sys.argv[1:3]
EVERYTHING = "canary,quarantine=1M,zero,guard,mix"


def run(mode: str, harden: str, *words: str, **more: str) -> subprocess.CompletedProcess:
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, OSMEM_HARDEN=harden, **more)
    return subprocess.run([PROGRAM, mode, *words], env=environment, capture_output=True, text=True, timeout=300)


class Hardened(unittest.TestCase):
    def assert_lives(self, mode: str, harden: str, *words: str) -> None:
        done = run(mode, harden, *words)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "lives\n", ""), (mode, harden, words))

    def test_a_neighbour_that_is_resized_meanwhile_is_no_overflow(self) -> None:
        self.assert_lives("resized-neighbour", "canary")

    def test_without_canary_a_damaged_size_is_not_believed(self) -> None:
        for harden in ("none", "zero", "zero,quarantine=1M", "quarantine=1M"):
            self.assert_lives("damaged", harden)

    def test_each_byte_behind_the_last_block_of_a_slab_is_looked_at(self) -> None:
        for harden in ("canary", EVERYTHING):
            done = run("slab-ends", harden, OSMEM_ON_ERROR="report")
            frees, lives = done.stdout.split()
            self.assertEqual((done.returncode, lives), (0, "lives"))
            self.assertGreater(int(frees), 300)
            told = done.stderr.splitlines()
            self.assertTrue(all(line.startswith("osmem: free(") and "written behind its end" in line for line in told))
            self.assertEqual(len(told), int(frees))  # and none for the right frees

    def test_mix_tells_each_block_that_goes_back_the_wrong_way(self) -> None:
        came = {"malloc": "malloc or its like, to which free belongs", "new": "new, to which delete belongs",
                "array": "new[], to which delete[] belongs"}
        cases = (("malloc", "delete", "malloc", "delete"), ("malloc", "delete-sized", "malloc", "delete"), ("calloc", "array", "malloc", "delete[]"),
                 ("strdup", "delete", "malloc", "delete"), ("resized", "delete", "malloc", "delete"), ("new", "free", "new", "free"),
                 ("new", "array", "new", "delete[]"), ("new", "realloc", "new", "realloc"), ("new-aligned", "free", "new", "free"),
                 ("new-large", "free", "new", "free"), ("new-nothrow", "free", "new", "free"), ("array", "delete", "array", "delete"),
                 ("array", "free", "array", "free"))
        for made, given, family, call in cases:
            with self.subTest(made=made, given=given):
                for harden in ("mix", EVERYTHING):
                    done = run("mix", harden, made, given)
                    self.assertEqual((done.returncode, done.stdout), (-signal.SIGABRT, ""))
                    self.assertRegex(done.stderr, rf"^osmem: {re.escape(call)}\(0x[0-9a-f]+\): came from {re.escape(came[family])}; "
                                                  r"a block of \d+ bytes\n$")
                self.assert_lives("mix", EVERYTHING.removesuffix(",mix"), made, given)

    def test_mix_lets_right_pairs_alone(self) -> None:
        for made, given in (("malloc", "free"), ("calloc", "realloc"), ("strdup", "free"), ("resized", "free"), ("new", "delete"),
                            ("new", "delete-sized"), ("new-aligned", "delete-aligned"), ("new-large", "delete"), ("new-nothrow", "delete"),
                            ("array", "array")):
            for harden in ("mix", EVERYTHING):
                self.assert_lives("mix", harden, made, given)

    def test_a_block_that_the_cxx_runtime_got_for_new_is_one_of_new(self) -> None:
        self.assert_lives("new-handler", EVERYTHING)

    def test_a_mix_that_is_only_reported_has_no_effect(self) -> None:
        done = run("mix", "mix", "new", "free", OSMEM_ON_ERROR="report")
        self.assertEqual((done.returncode, done.stdout), (0, "lives\n"))
        self.assertIn("came from new", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
