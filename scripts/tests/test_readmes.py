"""Runs the command lines of every README, as they are written there.

A command line is an indented line, or one in a fenced sh block, that begins with a program of this project. Each is run by bash in a
folder of its own that has what the READMEs speak of: `bench` on the PATH, ./app, app.trace, libmine.so, build/, scripts/, runs in
results/local/RUN, BEFORE and AFTER. A line whose command measures gets SHORT behind it (one block, one small cell), which changes how long
it takes and nothing else: an option that the line gives itself is not given again. Lines of LONG are not run, each with the reason, but
their options are checked by what the program offers: bench COMMAND --help has each of them. A line that neither runs nor is in LONG fails.

Reads OSMEM_BENCH. What a line prints is not looked at.
"""
from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = Path(os.environ.get("OSMEM_BENCH", ROOT / "build/release/bin/bench"))
BUILD = BENCH.parents[1]
PROGRAMS = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:scripts/|build/|bench |\./|ctest |cmake |parallel )")
SHORT = {"--workload": "pair", "--threads": "1", "--repetitions": "1", "--min-time": "0.002"}
MEASURING = {"run", "replay", "exec"}
# What a line holds: why it is not run.
LONG = {
    "scripts/bench.sh": "installs and builds", "scripts/test.sh": "installs, builds and tests", "scripts/build.sh": "builds",
    "scripts/setup.sh": "installs packages", "scripts/setup_page.sh": "installs packages", "scripts/soak.sh": "takes an hour",
    "scripts/acceptance.sh": "takes an hour", "scripts/record_traces.sh": "takes an hour", "scripts/charts.py": "tested by scripts.charts",
    "scripts/publish.py": "tested by scripts.publish", "scripts/slurm/": "tested by scripts.slurm", "ctest ": "runs tests", "cmake ": "builds",
    "UPDATE_GOLDEN=1 ": "overwrites what tests compare with", "build/release/tests/": "a test", "build/fuzz/": "another build",
    "build/release/examples/": "tested by the examples' own tests", "parallel ": "needs hosts to log in to",
    "bench bisect": "needs a history; tested by bench_bisect", "bench --allocator=osmem --suite=server": "minutes under load",
    "bench trace import": "needs a file of another tool", "bench advise": "five minutes; tested by bench_advise",
    "--suite=ladder": "minutes, and it measures what the list heaps cannot do", "build/traces/": "recorded in an hour",
    "libexec/bench-worker": "names a file of a run that goes on",
}


def command_lines(readme: Path) -> list[str]:
    """The commands, with continued lines joined and what explains them cut off."""
    found: list[str] = []
    text = re.sub(r"\s*\\\n\s*", " ", readme.read_text())
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced and line.startswith(("```sh", "```bash"))
        elif (line.startswith("    ") or fenced) and PROGRAMS.match(line.strip()):
            found.append(re.split(r"\s{3,}|\s+#\s", line.strip())[0])
    return found


def all_lines() -> list[tuple[Path, str]]:
    listed = subprocess.run(["git", "ls-files", "*README.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [(ROOT / name, line) for name in listed for line in command_lines(ROOT / name)]


def is_long(line: str) -> bool:
    return any(long in line for long in LONG)


def shortened(line: str) -> str:
    """A line that measures, for a moment; others as they are."""
    words = shlex.split(line)
    if words[0] not in ("bench", "build/release/bin/bench") or len(words) == 1:
        return line
    command = "run" if words[1].startswith("-") else words[1]
    if command not in MEASURING:
        return line
    own = dict(SHORT)
    if command == "exec":
        own = {"--repetitions": "1"}
    elif command == "replay":
        del own["--workload"]
    more = " ".join(f"{name}={value}" for name, value in own.items() if not any(word.split("=")[0] == name for word in words))
    more += " --budget=1s" if "--budget" in line else ""
    head, dashes, tail = line.partition(" -- ")
    return f"{head} {more}{dashes}{tail}"


class Readmes(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.environment = {**os.environ, "PATH": f"{cls.folder / 'path'}:/usr/bin:{os.environ['PATH']}", "TERM": "dumb"}
        (cls.folder / "build").mkdir()
        (cls.folder / "path").mkdir()
        (cls.folder / "path" / "bench").symlink_to(BENCH)
        (cls.folder / "build" / "release").symlink_to(BUILD)
        for name in ("scripts", "workloads", "allocator"):
            (cls.folder / name).symlink_to(ROOT / name)
        (cls.folder / "app").symlink_to("/bin/true")
        (cls.folder / "program").symlink_to("/bin/true")
        shutil.copy(BUILD / "lib" / "libosmem.so", cls.folder / "libmine.so")
        traces = sorted((ROOT / "workloads/trace/shipped").glob("*.trace"), key=lambda path: path.stat().st_size)
        cls.trace = traces[0]
        for run in ("results/local/RUN", "BEFORE", "AFTER", "results/NAME"):
            cls.bash(f"bench --allocator=osmem --against=glibc --out={run} " + " ".join(f"{name}={value}" for name, value in SHORT.items()))
        for folder, count in (("shard-", 2), ("shards/", 4)):
            for index in range(1, count + 1):
                cls.bash(f"bench --allocator=osmem --against=glibc --workload=pair,empirical --threads=1,2 --min-time=0.002 --repetitions=1 "
                         f"--shard={index}/{count} --out={folder}{index}")
        block = re.search(r"```cpp\n(.*?)```", (ROOT / "workloads/README.md").read_text(), re.DOTALL)
        assert block is not None
        (cls.folder / "mine.cpp").write_text(block.group(1))
        cls.bash("g++ -std=c++20 -O2 -shared -fPIC -I. mine.cpp -o mine.so")  # as that README says

    @classmethod
    def bash(cls, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", line], cwd=cls.folder, env=cls.environment, capture_output=True, text=True, timeout=300)

    def refresh(self) -> None:
        """What lines read and write, as it was before the last one."""
        for name in ("report.html", "whole", "long.trace", "app.csv", "app.svg"):
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        (self.folder / "app.trace").unlink(missing_ok=True)
        shutil.copy(self.trace, self.folder / "app.trace")

    def test_the_lines_run(self) -> None:
        lines = all_lines()
        self.assertGreater(len(lines), 40)
        for readme, line in lines:
            if is_long(line):
                continue
            with self.subTest(readme=str(readme.relative_to(ROOT)), line=line):
                self.refresh()
                if "-o app.trace" in line:
                    (self.folder / "app.trace").unlink()
                done = self.bash(shortened(line).replace("TOPIC", "verdicts").replace("[MORE RUNS] ", ""))
                if "page.html is missing" in done.stderr:
                    continue  # what the page is made of is not installed; bench_page tests it where it is
                said = done.stdout[-500:] + done.stderr[-1500:]
                # 1: a gate failed, and 3: figures were too few to judge it. Both come of one block.
                self.assertIn(done.returncode, (0, 1, 3) if "--gate" in line else (0,), said)

    def test_the_options_of_long_lines_exist(self) -> None:
        for readme, line in all_lines():
            words = shlex.split(line, comments=True)
            if not line.startswith("bench ") or not is_long(line):
                continue
            with self.subTest(readme=str(readme.relative_to(ROOT)), line=line):
                command = ["run"] if words[1].startswith("-") else words[1:3] if words[1] == "trace" else words[1:2]
                offered = self.bash(shlex.join(["bench", *command, "--help"])).stdout
                if "options are those of bench run" in offered:
                    offered += self.bash("bench run --help").stdout
                for word in words[:words.index("--")] if "--" in words else words:
                    if word.startswith("--"):
                        self.assertIn(word.split("=")[0], offered)

    def test_scripts_that_lines_name_are_there(self) -> None:
        for readme, line in all_lines():
            for word in shlex.split(line, comments=True):
                if word.startswith("scripts/"):
                    self.assertTrue((ROOT / word).exists(), f"{readme}: {word}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
