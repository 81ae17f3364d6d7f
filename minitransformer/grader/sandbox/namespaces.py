"""A world of its own for the zygote: few files, no network, no other processes.

What it is for: in the new mount namespace only the interpreter, its libraries and a few
harmless devices exist, read-only; hidden files are not merely refused, they are not
there. The new network namespace has no interface that is up, the new process namespace
no process but the zygote and its workers. Workers get a small file system in memory as
their scratch, with a limit on bytes and on files, that vanishes with them.
What it does not do: many systems forbid it (containers, Ubuntu's AppArmor rule), which
is why nothing relies on it alone where Landlock is there.

All of it is done once, by the zygote, before any learner code runs.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from minitransformer.grader.sandbox.libc import (
    MACHINE,
    PR_SET_PDEATHSIG,
    checked,
    prctl,
    system_call,
)

NEW_MOUNTS, NEW_USERS = 0x00020000, 0x10000000
NEW_REST = 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # pid, net, ipc, uts
READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT = 1, 2, 4, 32
BIND, RECURSIVE, PRIVATE, RELATIVE_TIMES = 1 << 12, 1 << 14, 1 << 18, 1 << 21
KEPT_FLAGS = 1 | 2 | 4 | 8 | 1024 | 2048  # same numbers in statvfs and in mount
STATVFS_RELATIVE_TIMES = 4096
DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

TEMPORARY = Path("/tmp")  # noqa: S108 - the new world is put together there, unseen by others
SCRATCH = Path("/scratch")
SCRATCH_OPTIONS = "mode=0700,size=16m,nr_inodes=1000"


def enter(visible: Iterable[Path], hidden: Path) -> bool:
    """Move this process into a world that holds only `visible`, if the system lets it.

    `hidden` is a folder that becomes an empty one wherever it shows.

    On success the rest of the program runs in a child, the first process of its world;
    on refusal nothing has changed.
    """
    paths = sorted(set(visible))
    if not _possible():
        return False
    new_root = TEMPORARY / f"view-{os.getpid()}-{os.urandom(8).hex()}"
    new_root.mkdir(mode=0o700)
    entered = _removed_later(new_root)
    _unshare()
    _become_first_process()
    _mount("none", Path("/"), None, PRIVATE | RECURSIVE)
    _mount("tmpfs", new_root, "tmpfs", NO_SUID | NO_DEVICES, "mode=0755,size=1m")
    for path in paths:
        _show(path, new_root)
    covered = new_root / hidden.relative_to("/")
    if covered.is_dir():
        _mount("tmpfs", covered, "tmpfs", READ_ONLY, "size=4k")
    scratch = new_root / SCRATCH.relative_to("/")
    scratch.mkdir(mode=0o755)
    _mount("tmpfs", scratch, "tmpfs", NO_SUID | NO_DEVICES, "mode=0311,size=1m")
    _mount("none", new_root, None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)
    os.chdir(new_root)
    system_call(PIVOT_ROOT[MACHINE], b".", b".")
    checked("umount2", b".", DETACH)
    os.chdir("/")
    os.write(entered, b".")
    os.close(entered)
    return True


def _removed_later(folder: Path) -> int:
    """Let a child, which stays in this world, remove a folder when it is told to.

    Gives the end of a pipe to write to; that it closes, as when this process dies, is
    enough.
    """
    told, tell = os.pipe()
    if os.fork() == 0:
        os.close(tell)
        os.read(told, 1)
        with contextlib.suppress(OSError):
            folder.rmdir()
        os._exit(0)
    os.close(told)
    return tell


def make_scratch(user: int | None) -> Path:
    """Mount an empty, bounded folder for one worker; its name cannot be guessed."""
    folder = SCRATCH / os.urandom(16).hex()
    folder.mkdir()
    owner = os.getuid() if user is None else user
    options = f"{SCRATCH_OPTIONS},uid={owner}"
    _mount("tmpfs", folder, "tmpfs", NO_SUID | NO_DEVICES, options)
    return folder


def remove_scratch(folder: Path) -> None:
    """Take a worker's folder away, whatever is in it."""
    checked("umount2", os.fsencode(folder), DETACH)
    folder.rmdir()


def _possible() -> bool:
    """Try in a child first: a half-made move could not be taken back."""
    child = os.fork()
    if child == 0:
        try:
            _unshare()
            _mount("none", Path("/"), None, PRIVATE | RECURSIVE)
            _mount("tmpfs", TEMPORARY, "tmpfs", 0, "size=1m")
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0 and MACHINE in PIVOT_ROOT


def _unshare() -> None:
    """Leave the shared namespaces; without root, through a user namespace of one."""
    if os.geteuid() == 0:
        try:
            checked("unshare", NEW_MOUNTS | NEW_REST)
        except OSError:
            pass
        else:
            return
    user, group = os.geteuid(), os.getegid()
    checked("unshare", NEW_USERS | NEW_MOUNTS | NEW_REST)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _become_first_process() -> None:
    """Fork: the child is the first of the new process namespace and goes on.

    This process only waits, and ends as the child ends. If it is killed, so is the
    child, and with it every process of the namespace.
    """
    child = os.fork()
    if child == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    os.closerange(3, 1 << 16)
    ended, status = os.wait()
    while ended != child:  # but the one that removes a folder
        ended, status = os.wait()
    sys.stdout.flush()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _show(path: Path, new_root: Path) -> None:
    """Make a path appear under the new root: a link as a link, the rest bound read-only."""
    target = new_root / path.relative_to("/")
    if os.path.lexists(target):
        return  # inside a folder that is already shown
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(path.readlink())
        return
    if path.is_dir():
        target.mkdir(mode=0o755)
    else:
        target.touch(mode=0o644)
    _mount(str(path), target, None, BIND | RECURSIVE)
    flags = os.statvfs(target).f_flag
    kept = flags & KEPT_FLAGS
    if flags & STATVFS_RELATIVE_TIMES:
        kept |= RELATIVE_TIMES
    kept |= NO_SUID | READ_ONLY
    _mount("none", target, None, REMOUNT | BIND | kept)


def _mount(
    source: str, target: Path, kind: str | None, flags: int, options: str | None = None
) -> None:
    checked(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind and kind.encode(),
        ctypes.c_ulong(flags),
        options and options.encode(),
    )
