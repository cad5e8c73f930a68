#!/usr/bin/env python3
"""Runs a real program twice, under the C library's malloc and under a drop-in, and compares what it says.

The program's standard output and exit code must be the same, and the dynamic linker must load the drop-in
into the program. A program that is not installed is skipped with
exit code 77, which ctest reports as skipped.

In everyday form the programs get smaller inputs: three of osmem's sources for g++, the last twenty commits for git, three
of python's test files, and a tenth of the rows, words and requests. OSMEM_TEST_LEVEL=long gives them all.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SKIPPED = 77
LEVEL = os.environ.get("OSMEM_TEST_LEVEL", "short")
IS_LONG = LEVEL == "long"
SCALE = 10 if IS_LONG else 1
# A program that has not ended by then hangs, on any host.
HANG_S = 500

SQL = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, size INTEGER, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
INSERT INTO item SELECT i, printf('%08x', (i * 2654435761) % 4294967296), (i * 7919) % 1000,
                        zeroblob((i * 31) % 300) FROM n;
CREATE INDEX by_name ON item(name);
CREATE INDEX by_size ON item(size, name);
SELECT count(*), sum(size), sum(length(body)), min(name), max(name) FROM item;
SELECT size, count(*), group_concat(id) FROM item GROUP BY size ORDER BY size LIMIT 40;
DELETE FROM item WHERE size % 3 = 0;
UPDATE item SET body = CAST(name || name AS BLOB) WHERE size % 5 = 0;
SELECT a.name, b.name FROM item a JOIN item b ON a.size = b.size AND a.id < b.id ORDER BY a.name, b.name LIMIT 500;
VACUUM;
SELECT count(*), sum(length(body)) FROM item;
PRAGMA integrity_check;
""".replace("ROWS", str(6000 * SCALE))

PERL = r"""
use strict; my (%count, @words); my $x = 1;
for my $i (1..WORDS) { $x = ($x * 1103515245 + 12345) % 2147483648; push @words, sprintf("w%d", $x % 5000); $count{$words[-1]}++; }
my $text = join ' ', @words; my $n = () = $text =~ /w\d*7\b/g;
my @order = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$n @order[0..20] $count{$order[0]} ", length($text), "\n";
my @matrix = map { [ map { $_ * 3 } 1..300 ] } 1..300; my $sum = 0; $sum += $_->[7] for @matrix; print "$sum\n";
""".replace("WORDS", str(20000 * SCALE))

NODE = r"""
const map = new Map(); let x = 1;
for (let i = 0; i < VALUES; i++) { x = (x * 1103515245 + 12345) % 2147483648; map.set('k' + x % 20000, [x, 'v'.repeat(x % 50)]); }
const text = JSON.stringify([...map].sort()); const back = JSON.parse(text);
const buffers = []; for (let i = 0; i < 2000; i++) buffers.push(Buffer.alloc(i * 37, i % 256));
const hash = require('crypto').createHash('sha256').update(text).update(Buffer.concat(buffers)).digest('hex');
console.log(back.length, text.length, hash);
""".replace("VALUES", str(30000 * SCALE))

REDIS_SCRIPT = """
local sum = 0
for i = 1, KEYS_MADE do
  redis.call('SET', 'key:' .. i, string.rep('x', i % 500))
  redis.call('HSET', 'hash:' .. (i % 100), 'field' .. i, i * 3)
  redis.call('ZADD', 'scores', (i * 7919) % 10007, 'member' .. i)
  if i % 3 == 0 then redis.call('DEL', 'key:' .. (i - 1)) end
end
for i = 1, KEYS_MADE do sum = sum + redis.call('STRLEN', 'key:' .. i) end
return {sum, redis.call('DBSIZE'), redis.call('ZRANGE', 'scores', 0, 20), redis.call('HLEN', 'hash:7')}
""".replace("KEYS_MADE", str(2000 * SCALE))

PYTHON_TESTS = ("json dict list set bytes array struct sort zlib re" if IS_LONG else "dict struct sort").split()


class Run:
    """One run of a program, with or without the drop-in."""

    def __init__(self, library: Path | None, scratch: Path) -> None:
        self.library = library
        self.scratch = scratch
        self.environment = dict(os.environ, LC_ALL="C", PYTHONHASHSEED="1", HOME=str(scratch))
        self.environment.pop("LD_PRELOAD", None)
        if library is not None:
            self.environment["LD_PRELOAD"] = str(library)

    def call(self, *command: str, stdin: str = "", cwd: Path | None = None) -> str:
        """Standard output; a non-zero exit ends the test."""
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.environment,
                              cwd=cwd or self.scratch, timeout=HANG_S, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)[:200]}\nended with {done.returncode} under {self.library or 'the C library'}:\n"
                     f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def loads_library(self, program: str) -> bool:
        """Whether the dynamic linker loads the drop-in into this program: it lists what it loads, and ends."""
        listed = subprocess.run([program], capture_output=True, text=True, check=False,
                                env=dict(self.environment, LD_TRACE_LOADED_OBJECTS="1"))
        return str(self.library) in listed.stdout

    def plain_call(self, *command: str) -> str:
        """A helper program, always under the C library."""
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=self.scratch, timeout=HANG_S).stdout


def run_sqlite(run: Run) -> str:
    return run.call("sqlite3", "work.db", stdin=SQL)


def run_perl(run: Run) -> str:
    return run.call("perl", "-e", PERL)


def run_node(run: Run) -> str:
    return run.call("node", "-e", NODE)


def run_gcc(run: Run) -> str:
    """Builds osmem; the objects must be the same, byte for byte."""
    results = []
    for source in sorted((ROOT / "allocator" / "osmem").rglob("*.cpp"))[:None if IS_LONG else 3]:
        run.call("g++", "-std=c++20", "-O2", f"-I{ROOT}", "-c", str(source), "-o", f"{source.stem}.o")
        results.append(f"{source.name} {hashlib.sha256((run.scratch / f'{source.stem}.o').read_bytes()).hexdigest()}")
    return "\n".join(results)


def repository() -> Path | None:
    """This project's own repository; None in an unpacked archive, which has none, and in a partial one."""
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--show-toplevel", "--absolute-git-dir"], capture_output=True,
                           text=True, check=False)
    lines = asked.stdout.splitlines()
    return ROOT if asked.returncode == 0 and len(lines) == 2 and Path(lines[0]).resolve() == ROOT else None


def run_git(run: Run) -> str:
    """Clones (in short form its last commits), repacks and checks this very repository, and commits to the clone."""
    if repository() is None:
        print(f"{ROOT} is no git checkout: there is no repository to clone")
        sys.exit(SKIPPED)
    date = "2026-01-01T00:00:00Z"
    run.environment.update(GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date, GIT_CONFIG_NOSYSTEM="1")
    copy = run.scratch / "copy"
    settings = "-c user.name=a -c user.email=a@b -c pack.threads=2 -c safe.directory=*".split()
    run.call("git", *settings, "clone", "-q", "--no-local", "--single-branch", "--no-tags", *([] if IS_LONG else ["--depth=20"]), str(ROOT), str(copy))
    run.call("git", *settings, "gc", "-q", *(["--aggressive"] if IS_LONG else []), "--prune=now", cwd=copy)
    run.call("git", "fsck", "--full", "--strict", cwd=copy)
    said = run.call("git", "log", "--stat", "--format=%H %T %s", cwd=copy) + run.call("git", "ls-tree", "-r", "HEAD", cwd=copy)
    for turn in range(3):
        (copy / "counter").write_text("line\n" * turn * 1000)
        run.call("git", *settings, "add", "-A", cwd=copy)
        run.call("git", *settings, "commit", "-q", "-m", f"turn {turn}", cwd=copy)
    objects = run.call("git", "cat-file", "--batch-all-objects", "--batch-check", cwd=copy)
    return said + run.call("git", "log", "--stat", "-3", cwd=copy) + "\n".join(sorted(objects.splitlines()))


def python_with_tests() -> str | None:
    modules = ", ".join(f"test.test_{name}" for name in PYTHON_TESTS)
    for name in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([name, "-c", f"import test.regrtest, {modules}"], capture_output=True, check=False).returncode == 0:
            return name
    return None


def run_python(run: Run) -> str:
    python = python_with_tests()
    if python is None:
        print("no python3 here has its own tests; Debian's are in libpython3.11-testsuite")
        sys.exit(SKIPPED)
    said = run.call(python, "-m", "test", "-q", *[f"test_{name}" for name in PYTHON_TESTS])
    return "\n".join(line for line in said.splitlines() if re.match(r"(== )?Tests? result: SUCCESS|All \d+ tests OK", line))


def run_redis(run: Run) -> str:
    socket = run.scratch / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--daemonize", "no", "--logfile", "log"]
    with subprocess.Popen(command, env=run.environment, cwd=run.scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                if socket.exists():
                    break
                time.sleep(0.1)
            said = run.plain_call("redis-cli", "-s", str(socket), "EVAL", REDIS_SCRIPT, "0")
            run.plain_call("redis-benchmark", "-s", str(socket), "-q", "-n", str(2000 * SCALE), "-c", "20", "-d", "200", "-P", "4",
                           "-t", "set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,lrange_100")
            said += run.plain_call("redis-cli", "-s", str(socket), "EVAL", REDIS_SCRIPT, "0")
            said += run.plain_call("redis-cli", "-s", str(socket), "DBSIZE")
        finally:
            server.terminate()
    return said + f"exit {server.returncode}"


PROGRAMS: dict[str, tuple[str, Callable[[Run], str]]] = {
    "redis": ("redis-server", run_redis),
    "python": (sys.executable, run_python),
    "sqlite": ("sqlite3", run_sqlite),
    "gcc": ("g++", run_gcc),
    "git": ("git", run_git),
    "perl": ("perl", run_perl),
    "node": ("node", run_node),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("library", type=Path, help="the drop-in, e.g. build/release/lib/libosmem.so")
    arguments = parser.parse_args()
    if LEVEL not in ("short", "long"):
        parser.error(f"OSMEM_TEST_LEVEL={LEVEL}: unknown level; known are short and long")
    executable, function = PROGRAMS[arguments.program]
    if shutil.which(executable) is None:
        print(f"{executable} is not installed")
        sys.exit(SKIPPED)
    said = []
    for library in (None, arguments.library.resolve()):
        with tempfile.TemporaryDirectory(prefix="osmem-real-") as scratch:
            run = Run(library, Path(scratch))
            said.append(function(run).replace(scratch, "SCRATCH"))
            if library is not None and not run.loads_library(executable):
                sys.exit(f"{executable} does not load {library}: nothing would be shown")
    if not said[0].strip():
        sys.exit(f"{arguments.program} said nothing: there is nothing to compare")
    if said[0] != said[1]:
        sys.exit(f"{arguments.program} says something else under the drop-in:\n--- C library\n{said[0][-3000:]}\n--- drop-in\n{said[1][-3000:]}")
    print(f"{arguments.program}: the same output, {len(said[0])} bytes, under both")


if __name__ == "__main__":
    main()
