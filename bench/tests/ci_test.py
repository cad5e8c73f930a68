#!/usr/bin/env python3
"""Runs the commands of the examples in bench/ci in a small repository, where the library stays as it is, and where a change makes it waste memory.

Proves: the commands work as they are written, pass where nothing changed and fail with exit 1 where it got worse or crashes. Does not prove:
that the services read the files.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

import bisect_test

ARGUMENTS = argparse.Namespace()
EXAMPLES = Path(__file__).resolve().parent.parent / "ci"


def commands_of(name: str) -> list[str]:
    content = yaml.safe_load((EXAMPLES / name).read_text())
    job = content["gate"] if "gate" in content else content["jobs"]["gate"]
    return job["script"] if "script" in job else [step["run"] for step in job["steps"] if "run" in step]


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.origin = Path(holder.name) / "origin"
        self.clone = Path(holder.name) / "clone"
        self.origin.mkdir()
        self.git(self.origin, "init", "--quiet", "--initial-branch=main")
        (self.origin / "Makefile").write_text("libmine.so: lib.c\n\tcc -O1 -fno-builtin -shared -fPIC lib.c -o $@\n")
        self.commit(self.origin, "1")
        self.git(self.origin.parent, "clone", "--quiet", str(self.origin), str(self.clone))

    def git(self, folder: Path, *words: str) -> None:
        subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@localhost", *words], cwd=folder, check=True, capture_output=True)

    def commit(self, folder: Path, factor: str) -> None:
        (folder / "lib.c").write_text(bisect_test.SOURCE.format(factor=factor) + "// changed\n" * (folder != self.origin))
        self.git(folder, "add", ".")
        self.git(folder, "commit", "--quiet", "-m", "a change")

    def run_example(self, name: str, factor: str) -> subprocess.CompletedProcess[str]:
        self.commit(self.clone, factor)
        environment = {**os.environ, "GITHUB_BASE_REF": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
                       "PATH": f"{ARGUMENTS.bench.parent}:{os.environ['PATH']}"}
        return subprocess.run(["bash", "-e", "-c", "\n".join(commands_of(name))], cwd=self.clone, env=environment, capture_output=True, text=True, timeout=300)

    def test_github_passes_what_did_not_change(self) -> None:
        done = self.run_example("github.yml", "1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_gitlab_fails_what_got_worse(self) -> None:
        done = self.run_example("gitlab.yml", "2")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("gate peak_rss:3%: FAILED", done.stdout)

    def test_a_library_that_crashes_in_a_cell_fails_the_gate(self) -> None:
        libraries = []
        for name, factor in (("old", "1"), ("new", "(n > 2000000 ? *(volatile size_t*)0 : 1)")):
            source = self.origin / f"{name}.c"
            source.write_text(bisect_test.SOURCE.format(factor=factor))
            subprocess.run(["cc", "-O1", "-fno-builtin", "-w", "-shared", "-fPIC", str(source), "-o", str(source.with_suffix(".so"))], check=True)
            libraries.append(f"{name}={source.with_suffix('.so')}")
        done = subprocess.run([ARGUMENTS.bench, "compare", f"--allocator={libraries[0]}", f"--against={libraries[1]}", "--threads=1", "--repetitions=2",
                               "--workload=pair,realloc-grow:max=4194304", "--min-time=0.002", "--gate=minor_faults:1000%"], cwd=self.origin,
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"Failed after, and passed before: realloc-grow:max=4194304, new: CRASHED: ")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, type=lambda text: Path(text).absolute())
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
