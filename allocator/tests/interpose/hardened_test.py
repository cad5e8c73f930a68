#!/usr/bin/env python3
"""Proves of libosmem-hardened.so what takes more than one call to see: right use that is easily taken for a misuse, and what each word of
OSMEM_HARDEN switches. What it sees of each single misuse is in `bench verify --section=hardening`.

usage: hardened_test.py LIBRARY PROGRAM [unittest's words]
"""

import os
import subprocess
import sys
import unittest

LIBRARY, PROGRAM = sys.argv[1:3]


def run(mode: str, harden: str, **more: str) -> subprocess.CompletedProcess:
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, OSMEM_HARDEN=harden, **more)
    return subprocess.run([PROGRAM, mode], env=environment, capture_output=True, text=True, timeout=300)


class Hardened(unittest.TestCase):
    def assert_lives(self, mode: str, harden: str) -> None:
        done = run(mode, harden)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "lives\n", ""), (mode, harden))

    def test_a_neighbour_that_is_resized_meanwhile_is_no_overflow(self) -> None:
        self.assert_lives("resized-neighbour", "canary")

    def test_without_canary_a_damaged_size_is_not_believed(self) -> None:
        for harden in ("none", "zero", "zero,quarantine=1M", "quarantine=1M"):
            self.assert_lives("damaged", harden)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
