"""Attempts at what a worker must not be able to do, made inside a locked worker.

A level of isolation is what these find, not what a version number promises. Each canary
tries one thing for real, on things planted for the purpose, and says "held" or "open".
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Plan = Mapping[str, Any]


def read_a_secret(plan: Plan) -> bool:
    """Read a file that the parent has planted outside."""
    return bool(Path(plan["secret"]).read_text())


def list_a_folder(plan: Plan) -> bool:
    """List the folder it lies in."""
    return any(Path(plan["secret"]).parent.iterdir())


def write_outside(plan: Plan) -> bool:
    """Write a file beside it."""
    path = Path(plan["secret"]).with_name("written")
    path.write_text("a worker was here")
    return path.exists()


def change_a_mode(plan: Plan) -> bool:
    """Change the permissions of the planted file."""
    Path(plan["secret"]).chmod(0o777)
    return True


def look_at_the_parent(plan: Plan) -> bool:
    """Read the environment of the grading process."""
    return bool(Path(f"/proc/{plan['parent']}/environ").read_bytes())


def signal_the_parent(plan: Plan) -> bool:
    """Send the grading process signal 0, which only asks whether one may."""
    os.kill(plan["parent"], 0)
    return True


def open_a_socket(plan: Plan) -> bool:
    """Open sockets of the internet and of this machine, and look for a listener."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        return connection.connect_ex(("127.0.0.1", plan["port"])) == 0


def start_a_process(plan: Plan) -> bool:
    """Start another program."""
    import subprocess  # not earlier: it loads `threading`, which makes every fork slow

    del plan
    command = [sys.executable, "-c", ""]
    try:
        return subprocess.call(command, stderr=subprocess.DEVNULL) == 0  # noqa: S603 - our own interpreter
    except subprocess.SubprocessError:
        return False


def fork(plan: Plan) -> bool:
    """Copy this process."""
    del plan
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def become_a_program(plan: Plan) -> bool:
    """Replace this process; a missing program is only missed where exec is allowed."""
    del plan
    try:
        os.execv("/no/such/program", ["program"])  # noqa: S606 - meant to fail
    except FileNotFoundError:
        return True


def take_memory(plan: Plan) -> bool:
    """Ask for more memory than the limit."""
    return len(bytearray(plan["memory"] + (64 << 20))) > 0


def raise_a_limit(plan: Plan) -> bool:
    """Lift the limit on open files."""
    del plan
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, most + 1))
    return True


def find_the_environment(plan: Plan) -> bool:
    """Find a variable of the parent's environment."""
    return plan["variable"] in os.environ


CANARIES: dict[str, Callable[[Plan], bool]] = {
    one.__name__: one
    for one in (
        read_a_secret,
        list_a_folder,
        write_outside,
        change_a_mode,
        look_at_the_parent,
        signal_the_parent,
        open_a_socket,
        start_a_process,
        fork,
        become_a_program,
        take_memory,
        raise_a_limit,
        find_the_environment,
    )
}


def sing(plan: Plan) -> dict[str, str]:
    """Try everything; "held" where it failed, "open" where it succeeded."""
    return {name: _try(canary, plan) for name, canary in CANARIES.items()}


def _try(canary: Callable[[Plan], bool], plan: Plan) -> str:
    try:
        return "open" if canary(plan) else "held"
    except (OSError, ValueError, MemoryError, AttributeError, ImportError):
        return "held"
