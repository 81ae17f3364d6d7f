"""Landlock: the kernel refuses every file that is not on a list.

What it is for: the worker can open only what the list allows, whoever it runs as, and
cannot connect TCP, nor signal or reach the abstract sockets of processes outside.
What it does not do: `stat` still tells whether a hidden file exists and how long it is,
and `chmod`, `chown`, `utime` and extended attributes are not covered; `seccomp` denies
those, and `namespaces` takes the hidden files away where it can.

Numbers and structures are those of <linux/landlock.h>; the ABI grew with the kernel:
1 in 5.13, 2 in 5.19, 3 in 6.2, 4 in 6.7, 5 in 6.10, 6 in 6.12.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from minitransformer.grader.sandbox.libc import system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1

READ_FILE, READ_DIR = 1 << 2, 1 << 3
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
MAKE_AND_REMOVE = sum(1 << bit for bit in (4, 5, 7, 8, 12))  # directories, files, links
ON_A_FILE = READ_FILE | WRITE_FILE | TRUNCATE  # rights that make sense for a file

READ = READ_FILE | READ_DIR
LIST = READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_AND_REMOVE
READ_AND_WRITE_FILE = READ_FILE | WRITE_FILE

Rule = tuple[str, int]  # a path and the rights on it and on what lies beneath

_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of file rights known


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def abi() -> int:
    """Return the kernel's Landlock version, 0 where there is none."""
    try:
        return system_call(
            CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG)
        )
    except OSError:
        return 0


def _create(version: int) -> tuple[int, int]:
    """Make a ruleset that handles all the kernel can; return it and the file rights.

    Some kernels claim version 6 and lack its scopes, so there is a second try without.
    """
    handled = (1 << _RIGHTS_BY_ABI[min(version, 5)]) - 1
    rules = _Ruleset(handled, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    try:
        ruleset = system_call(
            CREATE_RULESET,
            ctypes.byref(rules),
            ctypes.c_size_t(size),
            ctypes.c_uint32(0),
        )
    except OSError:
        if version < 6:
            raise
        return _create(5)
    return ruleset, handled


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be allowed
    try:
        rule = _PathBeneath(rights, opened)
        system_call(
            ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(opened)


def rules_for(allowed: Iterable[tuple[Path, int]]) -> list[Rule]:
    """Write paths down with the rights that make sense on each, for many workers."""
    return [
        (str(path), rights if path.is_dir() else rights & ON_A_FILE)
        for path, rights in allowed
    ]


def ruleset(rules: Iterable[Rule]) -> int | None:
    """Make a set of rules that binds nobody yet; None where there is no Landlock."""
    version = abi()
    if version == 0:
        return None
    made, handled = _create(version)
    for path, rights in rules:
        _allow(made, path, rights & handled)
    return made


def restrict(rules: Iterable[Rule]) -> bool:
    """Confine this process for ever to the given paths; False where there is no Landlock.

    Needs `no_new_privs` to be set before.
    """
    made = ruleset(rules)
    if made is None:
        return False
    system_call(RESTRICT_SELF, ctypes.c_int(made), ctypes.c_uint32(0))
    os.close(made)
    return True
