"""The clean process that workers are forked from.

It imports NumPy (and torch, if told to), this folder, and the few modules of the grader
that call answers; never a catalogue page, so that no oracle, case or mistake is in its
memory or in that of its children. It runs no learner code itself.

Its parent speaks to it over a socket, one JSON message at a time:

    {"do": "fork", "ticket": 7} + two file descriptors   a worker that speaks on the first
                                                         and prints to the second
    {"do": "drop", "ticket": 7}                          kill it
    {"do": "end", "ticket": 7, "grace": 0.1}             wait so long, then kill; answered
                                                         with {"status": …, "killed": …}
When the socket closes it ends, and its workers with it.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitransformer.grader.sandbox import landlock, lockdown, namespaces, worker
from minitransformer.grader.sandbox.limits import Limits

CHANNEL = 3  # a worker's descriptor, after standard input and output
MOST_MESSAGE = 1 << 16
SWEEP_SECONDS = 0.005
# Imported once for all workers, because answers often do; but not what imports `random`
# or `threading`, which begin anew after every fork and make it twice as slow.
OFTEN_USED = (
    *("bisect", "cmath", "collections", "copy", "dataclasses", "decimal", "fractions"),
    *("functools", "heapq", "itertools", "math", "numbers", "operator", "resource"),
    *("string", "textwrap", "time", "typing"),
)
FIRST_USER, USERS = 40_000, 20_000

PACKAGE = Path(__file__).resolve().parents[2]  # what no worker may read

# What an interpreter needs, beside its own folders.
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
SMALL_FILES = (
    *("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
    *("/etc/ld.so.cache", "/etc/localtime"),
)


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What the parent wants of a zygote, as sent on its command line."""

    modules: tuple[str, ...]  # to import before the first fork
    limits: Mapping[str, Any]  # of each worker
    landlock: bool
    seccomp: bool
    namespaces: bool


@dataclass
class Nursery:
    """The zygote's books: which worker is which."""

    orders: Orders
    readable: Sequence[landlock.Rule]
    in_own_world: bool
    changes_user: bool  # each worker becomes somebody else
    processes: dict[int, int] = field(default_factory=dict)  # by ticket
    scratches: dict[int, Path] = field(default_factory=dict)
    dying: dict[int, int] = field(default_factory=dict)  # killed, not yet gone

    def fork(self, ticket: int, channel: int, output: int) -> None:
        """Make a worker; it never returns from here."""
        user = FIRST_USER + ticket % USERS if self.changes_user else None
        scratch = namespaces.make_scratch(user) if self.in_own_world else None
        process = os.fork()
        if process == 0:
            try:
                self._become_worker(channel, output, scratch, user)
            except BaseException:  # noqa: BLE001 - no second zygote, whatever happens
                traceback.print_exc()
            os._exit(1)
        self.processes[ticket] = process
        if scratch is not None:
            self.scratches[ticket] = scratch

    def _become_worker(
        self, channel: int, output: int, scratch: Path | None, user: int | None
    ) -> None:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        channel, output = os.dup(channel), os.dup(output)  # out of the way of 0 to 3
        for source, place in (
            (nothing, 0),
            (output, 1),
            (output, 2),
            (channel, CHANNEL),
        ):
            os.dup2(source, place)
        os.closerange(CHANNEL + 1, 1 << 16)
        connection = socket.socket(fileno=CHANNEL)
        held = lockdown.apply(
            lockdown.Locks(
                limits=Limits(**self.orders.limits),
                readable=self.readable,
                scratch=scratch,
                user=user,
                landlock=self.orders.landlock,
                seccomp=self.orders.seccomp,
            )
        )
        worker.serve(connection, held)

    def end(self, ticket: int, grace: float) -> dict[str, Any]:
        """Wait a little for a worker to end by itself, then kill it; say how it ended."""
        process = self.processes.pop(ticket, None)
        if process is None:  # it could not be forked
            return {"status": None, "killed": False}
        status = _wait(process, grace)
        killed = status is None
        if status is None:
            os.kill(process, signal.SIGKILL)
            status = os.waitpid(process, 0)[1]
        self._tidy(ticket)
        return {"status": os.waitstatus_to_exitcode(status), "killed": killed}

    def drop(self, ticket: int) -> None:
        """Kill a worker; `sweep` sees to the rest, so that nobody waits for it to go."""
        process = self.processes.pop(ticket, None)
        if process is not None:
            os.kill(process, signal.SIGKILL)
            self.dying[ticket] = process

    def sweep(self) -> None:
        """Tidy up after the killed workers that have gone."""
        for ticket, process in list(self.dying.items()):
            if os.waitpid(process, os.WNOHANG)[0]:
                del self.dying[ticket]
                self._tidy(ticket)

    def _tidy(self, ticket: int) -> None:
        scratch = self.scratches.pop(ticket, None)
        if scratch is not None:
            namespaces.remove_scratch(scratch)


def _wait(process: int, grace: float) -> int | None:
    """Wait so long for a process; give its status, or None if it goes on."""
    end = time.monotonic() + grace
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= end:
            return None
        time.sleep(0.002)


# ---------------------------------------------------------------- what workers may see
def visible_paths() -> list[Path]:
    """List what an interpreter needs: its own folders, libraries, a few harmless files."""
    found = [Path(one) for one in (*LIBRARIES, *SMALL_FILES, *sys.path)]
    return [path for path in found if path.exists()]


def all_but(folder: Path, hidden: Path) -> list[tuple[Path, int]]:
    """Allow reading a folder, but for one that may lie somewhere inside it."""
    if folder not in hidden.parents:
        return [(folder, landlock.READ)]
    allowed = [(folder, landlock.LIST)]
    for entry in folder.iterdir():
        if entry != hidden:
            allowed += all_but(entry, hidden)
    return allowed


def readable_paths() -> list[tuple[Path, int]]:
    """List what a worker may read, with its Landlock rights; never this package."""
    allowed = [(Path(os.devnull), landlock.READ_AND_WRITE_FILE)]
    visible = {path.resolve() for path in visible_paths()}
    for path in sorted(visible):
        if not visible.intersection(path.parents):  # else its folder is read anyway
            allowed += all_but(path, PACKAGE)
    return allowed


def _can_become_another_user() -> bool:
    """Try in a child: give up root, and see whether the interpreter is still readable.

    An interpreter in a folder of root's own is not, unless the namespaces show it
    elsewhere. The worker then stays root, without its capabilities.
    """
    if os.geteuid() != 0:
        return False
    folders = [folder for folder in sys.path if Path(folder).is_dir()]
    child = os.fork()
    if child == 0:
        try:
            lockdown.give_up_privileges(FIRST_USER)
            for folder in folders:
                next(Path(folder).iterdir(), None)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


# ---------------------------------------------------------------- the life of a zygote
def _has_numpy(folder: str) -> bool:
    """Tell a folder of installed packages from the folder this course is worked on in."""
    return (Path(folder) / "numpy").is_dir()


def main() -> None:
    """Prepare once, then fork whenever told to."""
    gc.disable()  # what is imported stays; looking for garbage in it would take long
    raw = json.loads(sys.argv[1])
    orders = Orders(**{**raw, "modules": tuple(raw["modules"])})
    for name in (*OFTEN_USED, *orders.modules):
        importlib.import_module(name)
    control = socket.socket(fileno=int(sys.argv[3]))
    control.set_inheritable(False)
    sys.path[:] = [
        one for one in sys.path if Path(one) != PACKAGE.parent or _has_numpy(one)
    ]
    readable = readable_paths()
    in_own_world = orders.namespaces and namespaces.enter(visible_paths(), PACKAGE)
    rules = landlock.rules_for(readable)
    lockdown.forget_surroundings()
    worker.rehearse()
    for _ in range(worker.REHEARSALS):
        lockdown.rehearse(rules)
    gc.freeze()  # what is here now is shared with every worker; let no collection touch it
    gc.enable()
    nursery = Nursery(orders, rules, in_own_world, _can_become_another_user())
    control.send(json.dumps({"namespaces": in_own_world}).encode())
    while True:
        while nursery.dying and not select.select([control], [], [], SWEEP_SECONDS)[0]:
            nursery.sweep()
        nursery.sweep()
        message, descriptors, _, _ = socket.recv_fds(control, MOST_MESSAGE, 2)
        if not message:
            os._exit(0)  # nothing is left to tidy up, and torch would take long
        _obey(json.loads(message), descriptors, nursery, control)


def _obey(
    order: Mapping[str, Any],
    descriptors: Sequence[int],
    nursery: Nursery,
    control: socket.socket,
) -> None:
    ticket = order["ticket"]
    if order["do"] == "fork":
        with contextlib.suppress(OSError):  # the parent sees its channel close
            nursery.fork(ticket, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    elif order["do"] == "drop":
        nursery.drop(ticket)
    else:
        ending = nursery.end(ticket, order["grace"])
        control.send(json.dumps(ending).encode())
