#!/usr/bin/env python3
"""Builds the workload that workloads/README.md shows, with the command it shows, and runs it from a shared object.

Proves that the README's block compiles against the public headers alone, registers itself when loaded and does the
work it claims; and that a module whose name clashes with a registered one is refused. Does not prove that bench
measures it; the worker's tests do.
"""
import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path


def block(readme: str, language: str) -> str:
    """The first fenced block of a language."""
    match = re.search(rf"^```{language}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    if match is None:
        sys.exit(f"workloads/README.md has no ```{language} block")
    return match.group(1)


def run(host: Path, module: Path, selection: str) -> subprocess.CompletedProcess[str]:
    """One run of 50 iterations."""
    return subprocess.run([host, module, selection, "50"], capture_output=True, text=True, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--source-dir", type=Path, required=True)
    parser.add_argument("--host", type=Path, required=True, help="the module_host program")
    parser.add_argument("--sanitizer", default="", help="value of -fsanitize= of this build")
    args = parser.parse_args()

    readme = (args.source_dir / "workloads" / "README.md").read_text()
    command = shlex.split(block(readme, "sh").splitlines()[0])
    assert command[0] == "g++" and "-I." in command, "the README's command compiles with g++ and -I."
    command[0] = args.compiler
    if args.sanitizer:
        command.append(f"-fsanitize={args.sanitizer}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command[command.index("-I.")] = f"-I{args.source_dir}"
        source, module = folder / "mine.cpp", folder / "mine.so"
        source.write_text(block(readme, "cpp"))
        subprocess.run(command, cwd=folder, check=True)

        result = run(args.host, module, "strings")
        if (result.returncode, result.stdout) != (0, "strings 50 50000\n"):
            sys.exit(f"module gave {result.returncode}: {result.stdout}{result.stderr}")

        source.write_text(source.read_text() + source.read_text().split("};")[-1].replace("strings(", "twice("))
        subprocess.run(command, cwd=folder, check=True)
        result = run(args.host, module, "strings")
        if result.returncode != 1 or "strings is registered twice" not in result.stderr:
            sys.exit(f"a name registered twice gave {result.returncode}: {result.stdout}{result.stderr}")


if __name__ == "__main__":
    main()
