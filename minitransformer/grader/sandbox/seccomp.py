"""A filter of system calls: no network, no processes, no tricks.

What it is for: calls on the list below fail with "Operation not permitted", for root as
for anybody. A call of another architecture kills the worker: numbers mean other things
there. Calls newer than this list do not exist for the worker.
What it does not do: the filter cannot look behind pointers, so it never sees a file's
name; files are the business of `landlock` and `namespaces`.

The program is classic BPF, as <linux/filter.h> and seccomp(2) describe it: load a word
of the call's description, compare, return a verdict.
"""

import ctypes
import errno
import os
import struct
from functools import lru_cache

from minitransformer.grader.sandbox.libc import MACHINE, PR_SET_SECCOMP, prctl

# Name, then its number on x86_64 and on aarch64; "-" where the call does not exist.
DENIED = {
    "network": """
        socket 41 198   connect 42 203   accept 43 202   accept4 288 242
        bind 49 200     listen 50 201
        """,
    "new processes": """
        fork 57 -       vfork 58 -       execve 59 221   execveat 322 281
        setsid 112 157  setpgid 109 154
        """,
    "signals": """
        kill 62 129     tkill 200 130    rt_sigqueueinfo 129 138
        rt_tgsigqueueinfo 297 240        pidfd_send_signal 424 424
        """,
    "other processes": """
        ptrace 101 117  process_vm_readv 310 270         process_vm_writev 311 271
        kcmp 312 272    pidfd_open 434 434               pidfd_getfd 438 438
        process_madvise 440 440          process_mrelease 448 448
        migrate_pages 256 238            move_pages 279 239
        setpriority 141 140              ioprio_set 251 30
        sched_setparam 142 118           sched_setscheduler 144 119
        sched_setaffinity 203 122        sched_setattr 314 274
        """,
    "memory that outlives or evades the limit": """
        shmget 29 194   semget 64 190    msgget 68 186   mq_open 240 180
        mq_unlink 241 181                memfd_create 319 279
        memfd_secret 447 447
        """,
    "namespaces and mounts": """
        unshare 272 97  setns 308 268    mount 165 40    umount2 166 39
        pivot_root 155 41                chroot 161 51   open_tree 428 428
        move_mount 429 429               fsopen 430 430  fsconfig 431 431
        fsmount 432 432 fspick 433 433   mount_setattr 442 442
        statmount 457 457                listmount 458 458
        open_tree_attr 467 467           mknod 133 -     mknodat 259 33
        name_to_handle_at 303 264        open_by_handle_at 304 265
        """,
    "owners, modes, times": """
        chmod 90 -      fchmod 91 52     fchmodat 268 53 fchmodat2 452 452
        chown 92 -      fchown 93 55     lchown 94 -     fchownat 260 54
        utime 132 -     utimes 235 -     futimesat 261 - utimensat 280 88
        setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7 setxattrat 463 463
        removexattr 197 14               lremovexattr 198 15
        fremovexattr 199 16              removexattrat 466 466
        """,
    "who the worker is": """
        setuid 105 146  setgid 106 144   setreuid 113 145  setregid 114 143
        setgroups 116 159                setresuid 117 147 setresgid 119 149
        setfsuid 122 151                 setfsgid 123 152
        capset 126 91   personality 135 92                 setrlimit 160 164
        seccomp 317 277
        """,
    "the kernel": """
        bpf 321 280     perf_event_open 298 241          userfaultfd 323 282
        io_uring_setup 425 425           io_uring_enter 426 426
        io_uring_register 427 427        add_key 248 217 request_key 249 218
        keyctl 250 219  init_module 175 105              finit_module 313 273
        delete_module 176 106            kexec_load 246 104
        kexec_file_load 320 294          reboot 169 142  swapon 167 224
        swapoff 168 225 sethostname 170 161              setdomainname 171 162
        iopl 172 -      ioperm 173 -     modify_ldt 154 -
        quotactl 179 60 quotactl_fd 443 443              acct 163 89
        settimeofday 164 170             clock_settime 227 112
        clock_adjtime 305 266            adjtimex 159 171
        syslog 103 116  vhangup 153 58   fanotify_init 300 262
        """,
}
NEWEST_KNOWN = 467

# Each machine's architecture word, its column above, and the calls that an argument
# decides: clone, clone3, tgkill, prlimit64, prctl.
MACHINES = {
    "x86_64": (0xC000003E, 0, (56, 435, 234, 302, 157)),
    "aarch64": (0xC00000B7, 1, (220, 435, 131, 261, 167)),
}
X32_BIT = 0x40000000  # the third way into an x86_64 kernel
CLONE_THREAD = 0x00010000
# What a numerical program may ask of prctl: names of threads and of mappings, huge
# pages, and questions about itself.
HARMLESS_OPTIONS = (3, 15, 16, 21, 23, 30, 38, 39, 41, 42, 0x53564D41)

ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
REFUSE, MISSING = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

LOAD, RETURN, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # places in struct seccomp_data

Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if not, word
INSTRUCTION, WORD = struct.Struct("=HBBI"), struct.Struct("=I")
ANYBODY = 0xFFFFFFFF  # holds the place of the worker's own number, once


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


@lru_cache(maxsize=2)
def denied_numbers(column: int) -> list[int]:
    """Return the numbers of all denied calls on a machine."""
    words = " ".join(DENIED.values()).split()
    numbers = words[1 + column :: 3]
    return [int(number) for number in numbers if number != "-"]


def _verdict_for(number: int, verdict: int) -> list[Instruction]:
    return [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, verdict)]


def _allowed_if(number: int, condition: int, *words: int) -> list[Instruction]:
    """Allow a call only if its first argument meets the condition with one word."""
    tests = [(condition, len(words) - i, 0, word) for i, word in enumerate(words)]
    body = [(LOAD, 0, 0, FIRST_ARGUMENT), *tests]
    body += [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return [(IF_EQUAL, 0, len(body), number), *body]


def program(machine: str, own_process: int) -> list[Instruction]:
    """Write the filter for a machine; `own_process` is whom the worker may signal."""
    architecture, column, (clone, clone3, tgkill, prlimit, prctl_) = MACHINES[machine]
    lines: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
        (IF_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, KILL_PROCESS),
        (IF_AT_LEAST, 0, 1, NEWEST_KNOWN + 1),
        (RETURN, 0, 0, MISSING),
        # The flags of clone3 lie behind a pointer. Without it, the C library uses clone.
        *_verdict_for(clone3, MISSING),
    ]
    for number in denied_numbers(column):
        lines += _verdict_for(number, REFUSE)
    lines += _allowed_if(clone, IF_ANY_BIT, CLONE_THREAD)  # threads, not processes
    lines += _allowed_if(tgkill, IF_EQUAL, own_process)  # abort() signals itself
    lines += _allowed_if(prlimit, IF_EQUAL, 0)  # 0 is "myself"; hard limits stay
    lines += _allowed_if(prctl_, IF_EQUAL, *HARMLESS_OPTIONS)
    return [*lines, (RETURN, 0, 0, ALLOW)]


@lru_cache(maxsize=1)
def write_down() -> tuple[bytes, int]:
    """Write this machine's filter as the kernel reads it; kept, for it takes a while.

    Gives also the place in it where the worker's own number belongs.
    """
    lines = program(MACHINE, ANYBODY)
    (own,) = (place for place, line in enumerate(lines) if line[-1] == ANYBODY)
    code = b"".join(INSTRUCTION.pack(*line) for line in lines)
    return code, (own + 1) * INSTRUCTION.size - WORD.size


def filter_for(process: int) -> bytes:
    """Give the filter for one worker; `process` is whom it may signal."""
    code, place = write_down()
    return code[:place] + WORD.pack(process) + code[place + WORD.size :]


def is_known() -> bool:
    """Tell whether there is a table of numbers for this machine."""
    return MACHINE in MACHINES


def restrict() -> bool:
    """Filter this process's calls for ever; True, or an `OSError`.

    Needs `no_new_privs` to be set before.
    """
    code = filter_for(os.getpid())
    whole = _Program(len(code) // INSTRUCTION.size, code)
    filter_mode = 2
    prctl(PR_SET_SECCOMP, filter_mode, ctypes.addressof(whole))
    return True
