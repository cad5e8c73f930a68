"""Jobs of servers and long programs for record_traces.py --large: 2 to 20 million calls each, most of them in several threads."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

PYTHON_SERVER = """
import http.client, http.server, json, threading
STORE, LOCK = {}, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        record = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            STORE[record["id"] % 3000] = record
            answer = json.dumps({"stored": len(STORE), "last": sorted(record["tags"])[:3]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
def client(number):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    for i in range(600):
        body = json.dumps({"id": number * 7919 + i, "name": f"name {i}", "tags": [f"t{j}" for j in range(i % 40)]})
        connection.request("POST", "/", body)
        connection.getresponse().read()
clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
for thread in clients: thread.start()
for thread in clients: thread.join()
server.shutdown()
"""

SQLITE_THREADS = """
import random, sqlite3, threading
def worker(number):
    draw = random.Random(number)
    db = sqlite3.connect(f"shard{number}.db", check_same_thread=False)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, city TEXT, n INT)")
    for batch in range(40):
        db.executemany("INSERT INTO t(name, city, n) VALUES(?, ?, ?)",
                       [(f"name {draw.randrange(9999)}", f"c{draw.randrange(50)}", draw.randrange(99)) for _ in range(500)])
        db.execute("SELECT city, count(*), group_concat(substr(name, 1, 8)) FROM t GROUP BY city ORDER BY 2").fetchall()
        db.execute("UPDATE t SET name = upper(name) WHERE n = ?", (draw.randrange(99),))
        db.commit()
threads = [threading.Thread(target=worker, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

CPLUSPLUS = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
template <int N> struct Shape {
  std::map<std::string, std::vector<std::variant<int, double, std::string>>> rows;
  std::unordered_map<int, std::function<int(int)>> calls;
  std::regex pattern{"([a-z]+)" + std::to_string(N)};
  int run(std::istream& in) {
    for (std::string line; std::getline(in, line);) { std::smatch found; if (std::regex_search(line, found, pattern)) rows[found[1]].emplace_back(line); }
    calls[N] = [this](int x) { return x + static_cast<int>(rows.size()); };
    return calls[N](N);
  }
};
template <int... Ns> int all(std::integer_sequence<int, Ns...>) { std::istringstream in("a1"); return (Shape<Ns>().run(in) + ...); }
int main() { return all(std::make_integer_sequence<int, 60>()); }
"""

NODE_SERVER = """
const http = require('http'), zlib = require('zlib'), crypto = require('crypto');
const store = new Map();
const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', part => parts.push(part)).on('end', () => {
    const body = Buffer.concat(parts);
    zlib.gzip(body, (_, packed) => {
      store.set(crypto.createHash('sha256').update(body).digest('hex').slice(0, 3), packed);
      response.end(zlib.gunzipSync(packed).subarray(0, 200));
    });
  });
});
server.listen(0, '127.0.0.1', () => {
  const agent = new http.Agent({keepAlive: true, maxSockets: 8});
  let left = 30000, open = 0;
  const next = () => {
    while (open < 8 && left > 0) {
      const body = JSON.stringify({id: left, text: 'x'.repeat(left % 3000)});
      --left; ++open;
      const request = http.request({port: server.address().port, method: 'POST', agent}, response => response.resume().on('end', () => {
        --open;
        if (left === 0 && open === 0) { agent.destroy(); server.close(); } else next();
      }));
      request.end(body);
    }
  };
  next();
});
"""


def redis_large(folder: Path, _: Path) -> list[str]:
    serve = "redis-server --port 0 --unixsocket redis.sock --save '' --appendonly no --io-threads 3 --io-threads-do-reads yes > redis.log & "
    ready = "for i in $(seq 200); do test -S redis.sock && break; sleep 0.05; done; "
    load = "LD_PRELOAD= redis-benchmark -s redis.sock -n 60000 -r 50000 -c 40 -d 400 -q -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset > load.log; "
    return ["sh", "-c", serve + ready + load + "LD_PRELOAD= redis-cli -s redis.sock shutdown nosave; wait"]


def python_server(folder: Path, _: Path) -> list[str]:
    (folder / "server.py").write_text(PYTHON_SERVER)
    return ["env", "PYTHONMALLOC=malloc", "PYTHONHASHSEED=0", "/usr/bin/python3", "server.py"]


def sqlite_threads(folder: Path, _: Path) -> list[str]:
    (folder / "shards.py").write_text(SQLITE_THREADS)
    return ["env", "PYTHONMALLOC=malloc", "PYTHONHASHSEED=0", "/usr/bin/python3", "shards.py"]


def cc1plus_large(folder: Path, _: Path) -> list[str]:
    (folder / "job.cpp").write_text(CPLUSPLUS)
    return ["g++", "-O2", "-std=c++20", "-c", "job.cpp", "-o", "job.o"]


def node_server(folder: Path, _: Path) -> list[str]:
    (folder / "server.js").write_text(NODE_SERVER)
    return ["node", "server.js"]


def rocksdb_threads(folder: Path, build: Path) -> list[str]:
    (folder / "run.sh").write_text(f'exec "{build}/libexec/bench-worker" mode=measure workload=rocksdb iterations=200 threads=4 seed=7 '
                                   f'library="{build}/lib/libosmem-recorder.so" '
                                   f'result=out.json module-folder="{build}/lib/workloads"\n')
    return ["sh", "run.sh"]


def git_gc_large(folder: Path, _: Path) -> list[str]:
    draw = random.Random(7)
    git = ["git", "-c", "gc.auto=0", "-C", str(folder)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    # One stream for fast-import: thousands of commits in a second or two.
    stream = []
    for commit in range(1500):
        stream += ["commit refs/heads/main", f"committer n <e> {1700000000 + commit} +0000", "data 1", "c"]
        for _ in range(5):
            text = "\n".join(f"line {draw.randrange(500)}" for _ in range(draw.randrange(20, 200)))
            stream += [f"M 644 inline d{draw.randrange(40)}/f{draw.randrange(50)}.txt", f"data {len(text)}", text]
    subprocess.run([*git, "fast-import", "--quiet"], input="\n".join(stream).encode() + b"\n", check=True)
    subprocess.run([*git, "config", "pack.threads", "4"], check=True)
    return ["git", "gc", "--quiet", "--aggressive", "--prune=now"]


LARGE_JOBS = {
    "redis-large": ("redis-server", redis_large, "redis-server with 3 I/O threads under redis-benchmark: 60,000 of each of nine commands, 40 clients"),
    "python-server": ("python3", python_server, "python3 with PYTHONMALLOC=malloc: an HTTP server of a thread a connection, 4 clients, JSON"),
    "sqlite-threads": ("python3", sqlite_threads, "SQLite under load: 4 threads with a database each, from python3 with PYTHONMALLOC=malloc"),
    "cc1plus-large": ("g++", cc1plus_large, "g++ -O2 on a file with <regex>, <variant>, <functional> and 60 instantiations"),
    "node-server": ("node", node_server, "node: an HTTP server with gzip and sha256, 30,000 requests of 8 connections"),
    "rocksdb-threads": ("sh", rocksdb_threads, "RocksDB: the workload rocksdb of bench, 4 threads"),
    "git-gc-large": ("git", git_gc_large, "git gc --aggressive of 1,500 commits, 4 threads"),
}
