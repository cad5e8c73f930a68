"""Runs real programs under each malloc and compares their outputs; see soak.sh, which documents the use."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = Path(os.environ.get("SOAK_LIB", ROOT / "build/release/lib"))
MALLOCS = {"glibc": "", "osmem": "libosmem.so", "osmem-hardened": "libosmem-hardened.so"}
SERVER_WAIT = "for i in $(seq 100); do {} && break; sleep 0.2; done"


@dataclass
class Program:
    name: str
    needs: str  # the program that has to be on the PATH
    package: str
    script: str  # of bash, in an empty folder; repeated until its time is over; $SECONDS_EACH is that time
    ignore: str = ""  # regular expression: what of the output differs from run to run


SQL = (
    "create table t(a integer primary key, b text);"
    "insert into t select value, hex(value * 7919) from generate_series(1, 60000);"
    "create index i on t(b); select count(*), sum(length(b)), min(b), max(b) from t;"
    "delete from t where a % 3 = 0; vacuum; select count(*) from t where b like '%9%';"
)
PYTHON_TESTS = "test_list test_dict test_json test_re test_threading test_asyncio.test_queues test_subprocess test_ctypes test_mmap test_multiprocessing_spawn"
NODE = (
    "const w=require('worker_threads');if(w.isMainThread){let n=4;for(let i=0;i<4;i++)new w.Worker(__filename,{workerData:i})"
    ".on('message',m=>{console.log(m);}).on('exit',()=>{});}else{let a=[];for(let i=0;i<200000;i++){a.push(Buffer.alloc(i%700));"
    "if(a.length>500)a=[];}w.parentPort.postMessage('done');}"
)
PROGRAMS = [
    Program("redis", "redis-benchmark", "redis-server redis-tools",
            "redis-server --port 0 --unixsocket $PWD/s --save '' --appendonly no >/dev/null & " + SERVER_WAIT.format("redis-cli -s $PWD/s ping >/dev/null 2>&1")
            + "; redis-benchmark -s $PWD/s -q -n 20000 -r 5000 -d 200 -t set,get,lpush,sadd,zadd >/dev/null; redis-cli -s $PWD/s dbsize >/dev/null;"
              "redis-cli -s $PWD/s ping; redis-cli -s $PWD/s shutdown nosave 2>/dev/null; wait"),
    Program("postgres", "/usr/lib/postgresql/15/bin/postgres", "postgresql",
            "id nobody >/dev/null; B=/usr/lib/postgresql/15/bin; chmod 777 .; run() { if [ $(id -u) = 0 ]; then runuser -p -u postgres -- \"$@\"; else \"$@\"; fi; };"
            "export HOME=$PWD; run $B/initdb -D $PWD/d -A trust >/dev/null; run $B/pg_ctl -D $PWD/d -w -l $PWD/log -o \"-k $PWD -h ''\" start >/dev/null;"
            "run $B/pgbench -i -q -h $PWD postgres >/dev/null 2>&1; run $B/pgbench -c 4 -T 5 -h $PWD postgres | grep -c 'number of failed transactions: 0';"
            "run $B/psql -h $PWD -At -c 'select count(*) from pgbench_accounts' postgres; run $B/pg_ctl -D $PWD/d -m fast stop >/dev/null"),
    Program("sqlite3", "sqlite3", "sqlite3", f"sqlite3 x.db \"{SQL}\"; rm x.db"),
    Program("python3 tests", "python3", "python3 libpython3-testsuite",
            f"export PYTHONMALLOC=malloc; python3 -m test -q {PYTHON_TESTS} 2>&1 | grep -E '^(Result|.* failed)' || true"),
    Program("node workers", "node", "nodejs", f"cat > w.js <<'X'\n{NODE}\nX\nnode w.js"),
    Program("openjdk", "java", "openjdk-17-jdk-headless",
            "cat > A.java <<'X'\npublic class A{public static void main(String[] a){java.util.Map<Integer,String> m=new java.util.HashMap<>();"
            "for(int i=0;i<400000;i++)m.put(i%5000,\"v\"+i);System.out.println(m.size());}}\nX\njava A.java"),
    Program("gcc", "gcc", "gcc",
            "for i in $(seq 400); do echo \"int f$i(int x){int s=0;for(int i=0;i<x;i++)s+=i*$i^(s>>3);return s;}\"; done > a.c; gcc -O2 -c a.c; sha256sum < a.o"),
    Program("git", "git", "git",
            "git init -q r; cd r; for i in $(seq 60); do seq $i $((i+400)) > f$i; git add .; git -c user.name=a -c user.email=a@a commit -qm $i --date=@$i; done;"
            "git gc -q; git fsck 2>&1 | wc -l; git rev-list --count HEAD; git rev-parse HEAD:; cd ..; rm -rf r"),
    Program("perl", "perl", "perl", "perl -e 'my %h; for(1..300000){$h{$_%7000}.=\"x$_\"; delete $h{$_%997} if $_%5==0} print scalar(keys %h),\"\\n\"'"),
    Program("nginx", "nginx", "nginx-light apache2-utils",
            "mkdir -p logs; echo \"pid $PWD/p; error_log $PWD/e; events{} http{access_log off; server{listen unix:$PWD/s; location /{return 200 ok;}}}\" > c;"
            "nginx -p $PWD -c $PWD/c; for i in $(seq 200); do curl -s --unix-socket $PWD/s http://x/ >/dev/null; done; curl -s --unix-socket $PWD/s http://x/; kill $(cat p)"),
    Program("memcached", "memcached", "memcached libmemcached-tools",
            "memcached -u nobody -s $PWD/s & sleep 1; memcslap --servers=$PWD/s --concurrency=4 >/dev/null; memcstat --servers=$PWD/s | grep -c curr_items; kill %1"),
    Program("stress-ng", "stress-ng", "stress-ng", "stress-ng --malloc 2 --malloc-bytes 64M --malloc-ops 20000 -q; echo $?"),
    Program("ffmpeg", "ffmpeg", "ffmpeg", "ffmpeg -v error -f lavfi -i testsrc=d=3:s=320x240 -bitexact -threads 2 -c:v mpeg4 -f md5 -"),
    Program("chromium", "chromium", "chromium",
            "echo '<p>soak</p><script>document.write([...Array(2000).keys()].map(i=>\"<b>\"+i+\"</b>\").join(\"\"))</script>' > p.html;"
            "chromium --headless --no-sandbox --disable-gpu --user-data-dir=$PWD/u --dump-dom file://$PWD/p.html 2>/dev/null | sha256sum"),
]


@dataclass
class Outcome:
    status: str
    digest: str
    runs: int
    peak_kib: int
    faults: int
    said: str


def processes_of(group: int) -> list[Path]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == group:  # the session: a server may lead a group of its own
                found.append(stat.parent)
        except (OSError, IndexError):
            continue
    return found


def look(session: int, outcome: Outcome) -> None:
    """Peak RSS and minor faults of the process that has most, so far."""
    for process in processes_of(session):
        try:
            status = (process / "status").read_text()
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        outcome.peak_kib = max(outcome.peak_kib, int(peak.group(1)) if peak else 0)
        outcome.faults = max(outcome.faults, int(fields[7]))


def run_once(program: Program, preload: str, outcome: Outcome, limit_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        environment = dict(os.environ, LC_ALL="C", LD_PRELOAD=preload, SECONDS_EACH=str(int(limit_s)))
        child = subprocess.Popen(["bash", "-c", program.script], cwd=folder, env=environment, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        end = time.monotonic() + limit_s
        while child.poll() is None and time.monotonic() < end:
            look(child.pid, outcome)
            time.sleep(0.05)
        if child.poll() is None:
            outcome.status = "TIMEOUT"
        for process in processes_of(child.pid):  # what the script left behind, and only that
            try:
                os.kill(int(process.name), signal.SIGKILL)
            except ProcessLookupError:
                pass
        child.wait()
        if outcome.status == "ok" and child.returncode != 0:
            outcome.status = f"exit {child.returncode}"
        out.seek(0)
        err.seek(0)
        text = re.sub(program.ignore, "", out.read().decode(errors="replace")) if program.ignore else out.read().decode(errors="replace")
        said = [line for line in err.read().decode(errors="replace").splitlines() if line.startswith("osmem: ")]
        outcome.digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        outcome.said = said[0] if said else outcome.said
        outcome.runs += 1


def run(program: Program, malloc: str, seconds: float) -> Outcome:
    outcome = Outcome("ok", "", 0, 0, 0, "")
    preload = str(LIBRARIES / MALLOCS[malloc]) if MALLOCS[malloc] else ""
    end = time.monotonic() + seconds
    while outcome.status == "ok" and (outcome.runs == 0 or time.monotonic() < end):
        before = outcome.digest
        run_once(program, preload, outcome, max(600.0, 4 * seconds))
        if before not in ("", outcome.digest):
            outcome.digest = "varies"
    return outcome


def judge(outcome: Outcome, reference: Outcome) -> str:
    if reference.status != "ok":
        return f"not judged: {reference.status} under glibc"
    if outcome.status != "ok":
        return outcome.status
    if outcome.said:
        return "reported"
    if "varies" in (reference.digest, outcome.digest):
        return "output varies" if reference.digest == outcome.digest else "OTHER OUTPUT"
    return "same" if outcome.digest == reference.digest else "OTHER OUTPUT"


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    only = os.environ.get("SOAK_ONLY", "").split()
    chosen = [p for p in PROGRAMS if not only or p.name.split()[0] in only]
    installed = [p for p in chosen if shutil.which(p.needs)]
    for library in filter(None, MALLOCS.values()):
        if not (LIBRARIES / library).exists():
            sys.exit(f"soak: {LIBRARIES / library} is not built: cmake --build --preset release --target osmem osmem_hardened")
    seconds = minutes * 60 / max(1, len(installed) * len(MALLOCS))
    print(f"Each program about {seconds:.0f} s under each malloc.\n")
    print("| program | malloc | outcome | runs | peak RSS, MiB | page faults | said |\n|---|---|---|---|---|---|---|", flush=True)
    failed = False
    for program in installed:
        reference = run(program, "glibc", seconds)
        for malloc in MALLOCS:
            outcome = reference if malloc == "glibc" else run(program, malloc, seconds)
            verdict = reference.status if malloc == "glibc" else judge(outcome, reference)
            failed |= malloc != "glibc" and verdict not in ("same", "output varies") and not verdict.startswith("not judged")
            print(f"| {program.name} | {malloc} | {verdict} | {outcome.runs} | {outcome.peak_kib / 1024:.1f} | {outcome.faults} | {outcome.said} |", flush=True)
    for program in chosen:
        if program not in installed:
            print(f"| {program.name} | | not installed: {program.package} | | | | |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
