#!/usr/bin/env python3
"""Run the libFuzzer target over the reader of traces, from small traces as seeds, a given number of times.

Proves: so many runs were made, none of them crashed, read out of bounds, overflowed, hung or took much memory; the seeds
reach the reader's insides.
Does not prove: that no input does; trace_hostile_test names the known kinds of bad input one by one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def figure(output: str, pattern: str) -> int:
    """The last number that the pattern finds; 0 where it finds none."""
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fuzz", type=Path, required=True, help="the fuzz target")
    parser.add_argument("--seeds", type=Path, required=True, help="the program that writes the seeds")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    # What AddressSanitizer spends on the stack of each allocation is half of a run, and names nothing that the stack of the
    # fault does not.
    environment = {**os.environ, "ASAN_OPTIONS": "malloc_context_size=1:quarantine_size_mb=8"}
    with tempfile.TemporaryDirectory(prefix="osmem-fuzz-") as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        subprocess.run([arguments.seeds, corpus], check=True)
        result = subprocess.run(
            [arguments.fuzz, corpus, f"-runs={arguments.runs}", f"-seed={arguments.seed}", "-max_len=1024", "-rss_limit_mb=512",
             "-timeout=20", "-detect_leaks=0", "-print_final_stats=1", f"-artifact_prefix={folder}/"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        artifacts = {path.name: path.read_bytes().hex() for path in Path(folder).iterdir() if path.is_file()}
    runs = figure(result.stdout, r"number_of_executed_units: (\d+)")
    seeded, reached = figure(result.stdout, r"INITED cov: (\d+)"), figure(result.stdout, r"cov: (\d+)")
    print(f"seed {arguments.seed}: {runs} runs, coverage {seeded} with the seeds, "
          f"{reached} at the end, exit code {result.returncode}")
    if result.returncode != 0 or runs < arguments.runs or seeded < 100:
        print(result.stdout[-6000:], artifacts, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
