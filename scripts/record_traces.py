#!/usr/bin/env python3
"""Record the traces of workloads/trace/shipped again: a dozen real programs at small, seeded jobs.

Each job runs in a folder of its own under `bench record`. A program that is not installed is named and left out. A trace
above 1 MiB is an error: make its job smaller. What is recorded differs a little from run to run where a program has threads.

With --large the jobs are servers and long programs with 2 to 20 million calls; their traces may be larger, are not shipped, and go
to build/traces, from where `bench replay build/traces/NAME.trace` plays them.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from large_jobs import LARGE_JOBS

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 1 << 20
Job = Callable[[Path, Path], list[str]]  # (folder to work in, build tree) -> command

PYTHON = """
import collections, json, re, random
random.seed(7)
words = ["".join(random.choice("abcdefghij") for _ in range(random.randint(2, 9))) for _ in range(3000)]
counts = collections.Counter(words)
index = {}
for number, word in enumerate(words):
    index.setdefault(word[:2], []).append((number, word, {"length": len(word), "upper": word.upper()}))
text = json.dumps({key: value for key, value in sorted(index.items())})
again = json.loads(text)
print(len(text), len(again), sum(len(m.group()) for m in re.finditer("[a-e]+", " ".join(words))), counts.most_common(3))
"""

PERL = r"""
srand(7); my (%count, %by, @lines);
push @lines, join(" ", map { join "", map { chr(97 + int rand 12) } 1 .. 2 + int rand 7 } 1 .. 8) for 1 .. 4000;
for my $line (@lines) { for my $word (split / /, $line) { $count{$word}++; push @{$by{length $word}}, $word; } }
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my $text = join ",", map { s/[aeiou]/*/gr } @top[0 .. 200];
print length($text), " ", scalar(@top), "\n";
"""

LUA = """
local seed = 7
local function draw(n) seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n end
local people, by_city = {}, {}
for i = 1, 12000 do
  local person = {name = "n" .. draw(5000), city = "c" .. draw(40), tags = {draw(9), draw(9), draw(9)}}
  people[i] = person
  by_city[person.city] = by_city[person.city] or {}
  table.insert(by_city[person.city], person)
end
local out = {}
for city, members in pairs(by_city) do
  table.sort(members, function(a, b) return a.name < b.name end)
  local names = {}
  for i, person in ipairs(members) do names[i] = person.name:upper():gsub("N", "x") end
  out[#out + 1] = city .. ":" .. table.concat(names, ",")
end
print(#table.concat(out))
"""

NODE = """
let seed = 7; const draw = n => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
const rows = Array.from({length: 20000}, (_, i) => ({id: i, name: 'n' + draw(5000), values: [draw(9), draw(9)]}));
const text = JSON.stringify(rows); const again = JSON.parse(text);
const groups = new Map(); for (const row of again) groups.set(row.name, [...(groups.get(row.name) || []), row]);
const zlib = require('zlib'), crypto = require('crypto');
console.log(groups.size, zlib.gunzipSync(zlib.gzipSync(text)).length, crypto.createHash('sha256').update(text).digest('hex').length);
"""

SQL = """
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, city TEXT, age INT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
INSERT INTO person SELECT i, printf('n%d', i * 7919 % 5000), printf('c%d', i * 31 % 40), i * 17 % 90 FROM n;
CREATE INDEX by_city ON person(city, age);
SELECT city, count(*), avg(age), group_concat(substr(name, 1, 4)) FROM person GROUP BY city ORDER BY 2 DESC, 1;
SELECT count(*) FROM person a JOIN person b ON a.city = b.city AND a.age < b.age WHERE a.id % 100 = 0;
UPDATE person SET name = upper(name) || '-' || id WHERE age > 45;
SELECT json_group_array(json_object('id', id, 'name', name)) FROM person WHERE id % 5 = 0;
DELETE FROM person WHERE id % 3 = 0; VACUUM; SELECT count(*), sum(length(name)) FROM person;
"""

CPLUSPLUS = """
#include <algorithm>
#include <map>
#include <string>
#include <vector>
std::map<std::string, std::vector<int>> index_of(const std::vector<std::string>& words) {
  std::map<std::string, std::vector<int>> out;
  for (int i = 0; i < static_cast<int>(words.size()); ++i) out[words[i]].push_back(i);
  for (auto& [word, places] : out) std::sort(places.begin(), places.end(), [](int a, int b) { return a > b; });
  return out;
}
"""

POSTSCRIPT = """%!PS
/Helvetica findfont 11 scalefont setfont
1 1 6 { /page exch def
  0 1 40 { /row exch def 40 760 row 17 mul sub moveto
    page row mul 20 string cvs show ( lines of text on a page that is rendered) show } for
  0 1 60 { /i exch def i 60 div 1 i 60 div sub 0.5 setrgbcolor newpath 300 400 i 4 mul i 5 mul 360 arc stroke } for
  showpage } for
"""


def redis(folder: Path, _: Path) -> list[str]:
    serve = "redis-server --port 0 --unixsocket redis.sock --save '' --appendonly no > redis.log & "
    ready = "for i in $(seq 200); do test -S redis.sock && break; sleep 0.05; done; "
    load = "LD_PRELOAD= redis-benchmark -s redis.sock -n 5000 -r 2000 -c 20 -d 100 -q -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset > load.log; "
    return ["sh", "-c", serve + ready + load + "LD_PRELOAD= redis-cli -s redis.sock shutdown nosave; wait"]


def python3(folder: Path, _: Path) -> list[str]:
    (folder / "job.py").write_text(PYTHON)
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3"
    return ["env", "PYTHONMALLOC=malloc", "PYTHONHASHSEED=0", python, "job.py"]


def cc1plus(folder: Path, _: Path) -> list[str]:
    (folder / "job.cpp").write_text(CPLUSPLUS)
    return ["g++", "-O2", "-std=c++20", "-c", "job.cpp", "-o", "job.o"]


def sqlite3(folder: Path, _: Path) -> list[str]:
    (folder / "job.sql").write_text(SQL)
    return ["sh", "-c", "exec sqlite3 :memory: < job.sql > out"]


def git_gc(folder: Path, _: Path) -> list[str]:
    draw = random.Random(7)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-c", "gc.auto=0", "-C", str(folder)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for commit in range(60):
        for _ in range(5):
            name = folder / f"file{draw.randrange(40)}.txt"
            name.write_text("\n".join(f"line {draw.randrange(50)}" for _ in range(draw.randrange(20, 200))))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", f"commit {commit}", f"--date=@{1700000000 + commit}"], check=True)
    subprocess.run([*git, "config", "pack.threads", "2"], check=True)
    return ["git", "gc", "--quiet", "--prune=now"]


def perl(folder: Path, _: Path) -> list[str]:
    (folder / "job.pl").write_text(PERL)
    return ["env", "PERL_HASH_SEED=0", "perl", "job.pl"]


def lua(folder: Path, _: Path) -> list[str]:
    (folder / "job.lua").write_text(LUA)
    return ["lua5.4", "job.lua"]


def node(folder: Path, _: Path) -> list[str]:
    (folder / "job.js").write_text(NODE)
    return ["node", "job.js"]


def ghostscript(folder: Path, _: Path) -> list[str]:
    (folder / "job.ps").write_text(POSTSCRIPT)
    return ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=png16m", "-r72", "-sOutputFile=page%d.png", "job.ps"]


def json_tool(folder: Path, build: Path) -> list[str]:
    draw = random.Random(7)
    records = [{"name": f"name {draw.randrange(10000)}", "city": f"city{draw.randrange(50)}", "age": draw.randrange(90),
                "tags": [f"t{draw.randrange(99)}" for _ in range(3)]} for _ in range(6000)]
    (folder / "job.json").write_text(json.dumps(records))
    shutil.copy(build / "libexec/trace-json-tool", folder)
    return ["sh", "-c", "exec ./trace-json-tool < job.json > out"]


def rocksdb(folder: Path, build: Path) -> list[str]:
    (folder / "run.sh").write_text(f'exec "{build}/libexec/bench-worker" mode=measure workload=rocksdb iterations=1 threads=1 seed=7 '
                                   f'library="{build}/lib/libosmem-recorder.so" '
                                   f'result=out.json module-folder="{build}/lib/workloads"\n')
    return ["sh", "run.sh"]


def z3(folder: Path, _: Path) -> list[str]:
    draw = random.Random(7)
    lines = ["(set-logic QF_LIA)"] + [f"(declare-const x{i} Int)" for i in range(30)]
    for _ in range(40):
        a, b, c = (draw.randrange(30) for _ in range(3))
        lines.append(f"(assert (or (< (+ x{a} (* 2 x{b})) x{c}) (> x{c} {draw.randrange(50)}) (= x{a} x{b})))")
    lines += [f"(assert (and (>= x{i} 0) (<= x{i} 40)))" for i in range(30)] + ["(check-sat)"]
    (folder / "job.smt2").write_text("\n".join(lines))
    return ["z3", "job.smt2"]


JOBS: dict[str, tuple[str, Job, str]] = {
    "redis": ("redis-server", redis, "redis-server under redis-benchmark: 5,000 of each of nine commands, 20 clients"),
    "python3": ("python3", python3, "python3 with PYTHONMALLOC=malloc: dicts, json, re"),
    "cc1plus": ("g++", cc1plus, "g++ -O2 on a short C++ file with <map>, <string>, <algorithm>"),
    "sqlite3": ("sqlite3", sqlite3, "sqlite3 in memory: insert, index, group, join, update, JSON"),
    "git-gc": ("git", git_gc, "git gc of 60 commits: pack-objects with 2 threads"),
    "perl": ("perl", perl, "perl: words counted, sorted, substituted"),
    "lua": ("lua5.4", lua, "lua5.4: 12,000 tables, strings, sort"),
    "node": ("node", node, "node: JSON, Map, gzip, sha256; what V8 and libuv ask of malloc"),
    "ghostscript": ("gs", ghostscript, "ghostscript: six pages of text and arcs to PNG"),
    "json": ("sh", json_tool, "a C++ program with nlohmann::json: 6,000 records parsed, grouped, sorted, written"),
    "rocksdb": ("sh", rocksdb, "RocksDB: the workload rocksdb of bench, once"),
    "z3": ("z3", z3, "z3: integer constraints, 30 variables"),
}


def record(name: str, build: Path, out: Path, most_bytes: int | None) -> str:
    """Records one job; a line about it. Raises CalledProcessError if it fails, RuntimeError if its trace is larger than that."""
    program, job, note = (JOBS | LARGE_JOBS)[name]
    if shutil.which(program) is None:
        return f"{name}: left out: {program} is not installed"
    with tempfile.TemporaryDirectory(prefix="osmem-trace-") as folder:
        command = job(Path(folder), build)
        made = Path(folder) / "made"
        made.mkdir()
        subprocess.run([build / "bin/bench", "record", "-o", made / f"{name}.trace", f"--note={note}", "--", *command],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL)
        size = (made / f"{name}.trace").stat().st_size
        if most_bytes is not None and size > most_bytes:
            raise RuntimeError(f"{size} bytes are more than a shipped trace may have ({most_bytes}): make its job smaller, or keep it out of "
                               "shipped/ with --large")
        shutil.copy(made / f"{name}.trace", out)
    return f"{name}: {size} bytes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"which; default all of: {', '.join(JOBS)}")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", help="the build tree")
    parser.add_argument("--out", type=Path, help="where the traces go; default workloads/trace/shipped, large ones build/traces")
    parser.add_argument("--large", action="store_true", help=f"these instead: {', '.join(LARGE_JOBS)}")
    arguments = parser.parse_args()
    jobs = LARGE_JOBS if arguments.large else JOBS
    out = arguments.out or (ROOT / "build/traces" if arguments.large else ROOT / "workloads/trace/shipped")
    out.mkdir(parents=True, exist_ok=True)
    if unknown := set(arguments.names) - set(jobs):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    failed = 0
    for name in arguments.names or jobs:
        try:
            print(record(name, arguments.build.resolve(), out, None if arguments.large else MAX_BYTES), flush=True)
        except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
            print(f"{name}: FAILED: {error}", file=sys.stderr, flush=True)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
