"""What importing costs, each in a fresh Python."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.measuring import Figure

BARE = "bare Python"
STATEMENTS = {
    BARE: "pass",
    "import minitransformer": "import minitransformer",
    "import minitransformer.reference": "import minitransformer.reference",
    "import torch": "import torch",
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Start Python with each statement, in turns; time on the wall."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(3 if quick else 7):
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times[name].append(1000 * (time.perf_counter() - began))
    bare = min(times[BARE])
    for name, found in times.items():
        yield Figure(
            group="starting",
            name=name,
            value=statistics.median(found),
            unit="ms",
            low=min(found),
            high=max(found),
            beside=BARE,
            note=""
            if name == BARE
            else f"{min(found) - bare:+.0f} ms over bare, at best",
        )
