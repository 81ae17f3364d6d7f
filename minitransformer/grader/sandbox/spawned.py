"""The other end of `spawner`: a process that becomes one worker."""

import importlib
import json
import os
import socket
import sys
import tempfile
from typing import Any

from minitransformer.grader.sandbox import limits, worker
from minitransformer.grader.sandbox.libc import NEUTRAL_ENVIRONMENT


def main() -> None:
    """Import what jobs need, take the limits, and serve one job."""
    orders = json.loads(sys.argv[1])
    for name in orders["modules"]:
        importlib.import_module(name)
    connection = _connection(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(NEUTRAL_ENVIRONMENT, HOME=folder, TMPDIR=folder)
        if sys.platform != "win32":
            limits.apply(limits.Limits(**orders["limits"]), may_fork=False)
        worker.serve(connection, {"landlock": False, "seccomp": False})
        os.chdir("/")


def _connection(word: str) -> socket.socket:
    if word.isdigit():
        return socket.socket(fileno=int(word))
    from_share: Any = getattr(socket, "fromshare")  # noqa: B009 - it exists on Windows only
    return from_share(sys.stdin.buffer.read())
