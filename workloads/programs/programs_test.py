#!/usr/bin/env python3
"""Proves: programs.json is well formed; each command of it that is installed succeeds, prints something, and prints the
same again; each server serves its load and prints its figure.

Does not prove: that the output is the same under every allocator (bench exec --check-output does), or anything about time.
A program that is not installed is skipped by name.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REQUIRED = {"name", "question", "package", "environment", "command"}
OPTIONAL = {"prepare", "ready", "load", "metric", "metric_unit"}
TIMEOUT_SECONDS = 100


class Entry:
    """One entry, its braces filled in."""

    def __init__(self, data: dict, scratch: Path):
        self.data = data
        self.environment = os.environ | data["environment"]
        self.places = {"{inputs}": str(FOLDER / "inputs"), "{scratch}": str(scratch)}

    def words(self, key: str) -> list[str]:
        return [re.sub(r"\{\w+\}", lambda match: self.places[match[0]], word) for word in self.data[key]]

    def run(self, key: str) -> bytes:
        result = subprocess.run(self.words(key), env=self.environment, capture_output=True, timeout=TIMEOUT_SECONDS)
        if result.returncode != 0:
            raise AssertionError(f"{self.words(key)} ended with {result.returncode}: {result.stderr[-2000:]!r}")
        return result.stdout

    def serve(self) -> str:
        """Starts the server, runs the load, and returns what that printed."""
        server = subprocess.Popen(self.words("command"), env=self.environment, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while subprocess.run(self.words("ready"), capture_output=True).returncode != 0:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError("the server does not get ready")
                time.sleep(0.05)
            return self.run("load").decode()
        finally:
            server.terminate()
            server.wait(TIMEOUT_SECONDS)


class Programs(unittest.TestCase):
    entries = json.loads((FOLDER / "programs.json").read_text())

    def test_entries_are_well_formed(self) -> None:
        for entry in self.entries:
            self.assertLessEqual(REQUIRED, entry.keys(), entry.get("name"))
            self.assertLessEqual(entry.keys(), REQUIRED | OPTIONAL, entry["name"])
            self.assertEqual("load" in entry, "ready" in entry and "metric" in entry, entry["name"])
        self.assertEqual(len({entry["name"] for entry in self.entries}), len(self.entries))

    def test_each_installed_program_does_its_work(self) -> None:
        for data in self.entries:
            with self.subTest(data["name"]), tempfile.TemporaryDirectory() as scratch:
                if shutil.which(data["command"][0]) is None:
                    print(f"skipped: {data['name']} (apt-get install {data['package']})")
                    continue
                self.check(Entry(data, Path(scratch)))

    def check(self, entry: Entry) -> None:
        if "prepare" in entry.data:
            entry.run("prepare")
        if "load" in entry.data:
            self.assertGreater(float(re.search(entry.data["metric"], entry.serve())[1]), 0)
            return
        first = entry.run("command")
        self.assertGreater(len(first), 100)
        self.assertEqual(first, entry.run("command"))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    unittest.main()
