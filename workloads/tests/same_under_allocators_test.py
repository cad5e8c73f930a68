#!/usr/bin/env python3
"""Runs every synthetic workload at its smoke size in bench-worker, under the C library and under another allocator.

Proves that each workload ends well and gives the same operations and checksum under both, on one thread and, where
threads apply, on two: the allocator kept every block's contents apart, and the workload depends on nothing else. Does
not prove anything about speed or memory.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SEED = 20240229
SKIPPED = 77  # as CMake's SKIP_RETURN_CODE
TIMEOUT_S = 60


class Worker:
    """bench-worker, one process a call."""

    def __init__(self, program: Path, result: Path) -> None:
        self.program = program
        self.result = result

    def call(self, library: str, **words: str | int) -> Any:
        """What one process leaves behind; raises RuntimeError if it fails."""
        environment = dict(os.environ)
        environment.pop("LD_PRELOAD", None)
        if library:
            environment["LD_PRELOAD"] = library
        command = [str(self.program), f"result={self.result}", f"library={library}"]
        command += [f"{key}={value}" for key, value in words.items()]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return json.loads(self.result.read_text())

    def work(self, library: str, workload: dict[str, Any], threads: int) -> tuple[int, int]:
        """Operations and checksum of one run at smoke size."""
        selection = workload["name"]
        if workload["smoke_parameters"]:
            selection += ":" + workload["smoke_parameters"]
        seen = self.call(library, mode="measure", workload=selection, threads=threads, seed=SEED,
                         iterations=workload["smoke_iterations"])
        return seen["operations"], seen["checksum"]


def compare(worker: Worker, library: str) -> list[str]:
    """A line for each run that differs from the C library's or fails."""
    failures: list[str] = []
    workloads = [w for w in worker.call("", mode="list")["workloads"] if w["kind"] == "synthetic"]
    if len(workloads) < 2:
        return ["bench-worker knows no synthetic workloads"]
    for workload in workloads:
        for threads in (1, 2) if workload["threads"] else (1,):
            name = f"{workload['name']}/threads:{threads}"
            try:
                expected = worker.work("", workload, threads)
                seen = worker.work(library, workload, threads)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                failures.append(f"{name}: {error}")
                continue
            if seen != expected or expected[0] == 0:
                failures.append(f"{name}: operations and checksum {seen}, under the C library {expected}")
    print(f"{len(workloads)} workloads, {len(failures)} failures")
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=Path, required=True)
    parser.add_argument("--library", default="", help="the allocator; none for the C library itself")
    args = parser.parse_args()
    if args.library and not Path(args.library).exists():
        print(f"{args.library} is not there")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        failures = compare(Worker(args.worker, Path(folder) / "result.json"), args.library)
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
