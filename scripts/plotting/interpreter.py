"""Finding a python3 that has matplotlib."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
TRIED = "OSMEM_CHARTS_INTERPRETER_TRIED"


def ensure_matplotlib() -> None:
    """Goes on under the system's python3 if this one has no matplotlib; ends with advice if that has none either."""
    if importlib.util.find_spec("matplotlib") is not None:
        return
    if TRIED not in os.environ and Path(SYSTEM_PYTHON).exists():
        os.environ[TRIED] = sys.executable
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
    sys.exit(f"{Path(sys.argv[0]).name}: matplotlib is missing; install it with: apt-get install python3-matplotlib")
