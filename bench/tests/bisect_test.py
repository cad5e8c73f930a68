#!/usr/bin/env python3
"""Drives `bench bisect` on a tiny repository whose library begins to waste memory at a known commit, and `bench help`.

Proves: the commit is found by a metric that does not move with the machine's load, commits that do not build are skipped, the user's tree stays as it
was, a pair that passes the gate is exit 3, wrong input is refused with one line; what help writes for man and shells can be read by them.
"""
from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ARGUMENTS = argparse.Namespace()
SOURCE = """
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#define FACTOR {factor}
void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t n) {{
  char* block = __libc_malloc(n * FACTOR);
  for (size_t i = 0; FACTOR > 1 && block && i < n * FACTOR; i += 4096) block[i] = 0;
  return block;
}}
void free(void* p) {{ __libc_free(p); }}
void* calloc(size_t n, size_t m) {{ return __libc_calloc(n, m * FACTOR); }}
void* realloc(void* p, size_t n) {{ return __libc_realloc(p, n * FACTOR); }}
void* memalign(size_t a, size_t n) {{ return __libc_memalign(a, n * FACTOR); }}
void* aligned_alloc(size_t a, size_t n) {{ return memalign(a, n); }}
int posix_memalign(void** out, size_t a, size_t n) {{ return (*out = memalign(a, n)) ? 0 : ENOMEM; }}
size_t malloc_usable_size(void* p) {{ return p ? (((size_t*)p)[-1] & ~(size_t)7) - sizeof(size_t) : 0; }}
"""
BUILD = "cc -O1 -fno-builtin -shared -fPIC lib.c -o lib.so"
FEW = ("--workload=phase-shift:megabytes=8", "--threads=1", "--repetitions=4", "--min-time=0.01")


class Bisect(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.git("init", "--quiet", "--initial-branch=main")
        for number, factor in enumerate(["1", "syntax error", "1", "2", "2"]):
            (self.folder / "lib.c").write_text(SOURCE.format(factor=factor) + f"// {number}\n")
            self.git("add", "lib.c")
            self.git("commit", "--quiet", "-m", f"commit {number}")
            self.git("tag", f"c{number}")

    def git(self, *words: str) -> str:
        return subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@localhost", *words], cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout

    def bench(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ARGUMENTS.bench, *map(str, words)], capture_output=True, text=True, timeout=500, cwd=self.folder)

    def bisect(self, good: str, bad: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.bench("bisect", f"--good={good}", f"--bad={bad}", "--build", BUILD, "--library=lib.so", "--gate=peak_rss:20%", *words)

    def test_the_first_bad_commit_is_found(self) -> None:
        done = self.bisect("c0", "c4", *FEW)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("commit 3", done.stdout.splitlines()[-1])
        self.assertEqual(self.git("status", "--short"), "")
        self.assertEqual(self.git("worktree", "list").count("\n"), 1)

    def test_a_pair_that_passes_the_gate_is_not_looked_into(self) -> None:
        done = self.bisect("c0", "c2", *FEW)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("passes the gate", done.stderr)

    def test_what_cannot_be_bisected_is_refused(self) -> None:
        for words, why in ((("nothing", "c4"), "is no commit"), (("c1", "c4"), "cannot be built"), (("c0", "c4", "--against=glibc"), "cannot be given")):
            done = self.bisect(*words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(why, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Help(unittest.TestCase):
    def bench(self, *words: str) -> str:
        return subprocess.run([ARGUMENTS.bench, *words], capture_output=True, text=True, timeout=60, check=True).stdout

    def test_each_command_and_topic_is_explained_in_80_columns(self) -> None:
        listing = self.bench("help")
        self.assertIn("exit-codes", listing)
        for line in listing.splitlines() + self.bench("help", "verdicts").splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.assertIn("--budget", self.bench("help", "advise"))

    def test_bash_completes_commands_and_options(self) -> None:
        script = self.bench("help", "--completion=bash") + "COMP_WORDS=(bench advise --bu); COMP_CWORD=2; _bench; echo ${COMPREPLY[@]}\n" \
            "COMP_WORDS=(bench comp); COMP_CWORD=1; _bench; echo ${COMPREPLY[@]}\n"
        done = subprocess.run(["bash"], input=script, capture_output=True, text=True, timeout=20)
        self.assertEqual((done.stdout, done.stderr), ("--budget\ncompare\n", ""))

    def test_shells_that_are_here_read_their_completions(self) -> None:
        for shell, option in (("zsh", "-n"), ("fish", "-n")):
            if shutil.which(shell):
                subprocess.run([shell, option], input=self.bench("help", f"--completion={shell}"), text=True, timeout=20, check=True)

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_man_reads_the_page_without_a_complaint(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".1") as page:
            page.write(self.bench("help", "--man"))
            page.flush()
            done = subprocess.run(["man", "--warnings", "-l", page.name], capture_output=True, text=True, timeout=60, env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.stderr, "")
        self.assertIn("BENCH ADVISE", done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, type=lambda text: Path(text).absolute())
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
