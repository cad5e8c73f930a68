"""Proves that a program holds hardly more with huge pages always on than with none: its peak and what it holds at the end are at most 5 %
and one huge page more, which the heap may have begun (allocator/osmem/decisions/huge-pages.md). Programs: small blocks and long ones touched at their front in CPython, 64 threads with a few small blocks each.
Switches the mode of the system and restores it; skipped (77) where that is not allowed. Argument: the library."""
import os
import subprocess
import sys

MODE = "/sys/kernel/mm/transparent_hugepage/enabled"
SHOW = """
print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith(('VmHWM', 'VmRSS'))])
"""
PROGRAMS = {
    "small blocks": "kept = [str(i) * 3 for i in range(200000)]",
    "long blocks": """
import ctypes
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
malloc.argtypes = [ctypes.c_size_t]
for mebibytes in (1, 3, 8, 40):
    ctypes.memset(malloc(mebibytes << 20), 1, 4096)""",
    "threads": """
import threading
def work(): kept = [bytes(n) for n in range(16, 1024, 16)]; wait.wait()
wait = threading.Barrier(65)
threads = [threading.Thread(target=work) for _ in range(64)]
for thread in threads: thread.start()
wait.wait()""",
}


def measure(library, program):
    environment = {**os.environ, "LD_PRELOAD": library, "PYTHONMALLOC": "malloc"}
    done = subprocess.run([sys.executable, "-c", program + SHOW], env=environment, stdout=subprocess.PIPE, check=True)
    return [int(kib) for kib in done.stdout.split()]


def measure_all(library, mode):
    with open(MODE, "w", encoding="ascii") as file:
        file.write(mode)
    return {name: measure(library, program) for name, program in PROGRAMS.items()}


def main():
    try:
        with open(MODE, encoding="ascii") as file:
            before = file.read().split("[")[1].split("]")[0]
        with open(MODE, "w", encoding="ascii") as file:
            file.write(before)
    except (OSError, IndexError) as error:
        print(f"skipped: the mode of huge pages cannot be switched: {error}")
        return 77
    try:
        never = measure_all(sys.argv[1], "never")
        always = measure_all(sys.argv[1], "always")
    finally:
        with open(MODE, "w", encoding="ascii") as file:
            file.write(before)
    failed = False
    for name in PROGRAMS:
        print(f"{name}: peak and last RSS in kB: never {never[name]}, always {always[name]}")
        failed |= any(b > a * 1.05 + 2048 for a, b in zip(never[name], always[name]))
    return 1 if failed else 0


sys.exit(main())
