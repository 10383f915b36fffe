"""The filter of system calls that a tool runs under (seccomp).

The namespaces already hold a tool; the filter keeps it from the parts of the kernel that
programs do not need and that have been ways out before. What is forbidden fails as if it were
not permitted, so that a program can go on without it.
"""

import ctypes
import errno
import functools
import platform
import struct
from collections.abc import Iterable
from typing import Any, Final

from . import kernel

_ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_SECCOMP: Final = (317, 277)
_FORBIDDEN: Final = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listen": (50, 201),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setns": (308, 268),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""Numbers on x86_64 and on aarch64. Memory that no limit counts is here too: shared segments,
queues and files without a name. Nothing a tool does is served to others, so it cannot listen."""
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_SOCKET: Final = (41, 198)
_CONNECT: Final = (42, 203)
_SENDTO: Final = (44, 206)
_SENDMSG: Final = (46, 211)
_SENDMMSG: Final = (307, 269)
_ANY_NAMESPACE: Final = 0x7E020000
_FAST_OPEN: Final = 0x20000000
_OTHER_NUMBERS: Final = 0x40000000
_INET: Final = (2, 10)

_ALLOW: Final = 0x7FFF0000
_FAIL: Final = 0x00050000
_ASK: Final = 0x7FC00000
_KILL: Final = 0x80000000

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ARGUMENTS_AT: Final = 16

_SET_FILTER: Final = 1
_NEW_LISTENER: Final = 8


def install(*, network: bool) -> int | None:
    """Put this process and its children under the filter, for good.

    With `network`, connections wait for the answer of whoever reads the descriptor returned.
    """
    answer = kernel.system_call(*prepared(network=network))
    return answer if network else None


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@functools.cache
def prepared(*, network: bool) -> tuple[Any, ...]:
    """Return the system call that installs the filter; made once, it is there for who is forked."""
    audit, column = _ARCHITECTURES[platform.machine()]
    program = b"".join(_program(audit, column, network=network))
    given = _Program(len(program) // 8, program)
    flags = ctypes.c_uint(_NEW_LISTENER if network else 0)
    return _SECCOMP[column], ctypes.c_uint(_SET_FILTER), flags, ctypes.pointer(given)


def _program(audit: int, column: int, *, network: bool) -> Iterable[bytes]:
    yield _one(_LOAD, 4)
    yield from (_one(_EQUAL, audit, yes=1), _one(_RETURN, _KILL), _one(_LOAD, 0))
    if column == 0:
        yield from (_one(_AT_LEAST, _OTHER_NUMBERS, no=1), _one(_RETURN, _KILL))
    for numbers in _FORBIDDEN.values():
        yield from _when(numbers[column], _one(_RETURN, _FAIL | errno.EPERM))
    # Its flags are out of a filter's sight; the C library does without it.
    yield from _when(_CLONE3[column], _one(_RETURN, _FAIL | errno.ENOSYS))
    yield from _when(_CLONE[column], *_flagged(0, _ANY_NAMESPACE))
    if network:
        yield from _when(_SOCKET[column], *_families(_ALLOW))
        yield from _when(_CONNECT[column], _one(_RETURN, _ASK))
        # These connect a socket as well, and where to is out of a filter's sight.
        yield from _when(_SENDTO[column], *_flagged(3, _FAST_OPEN))
        yield from _when(_SENDMSG[column], *_flagged(2, _FAST_OPEN))
        yield from _when(_SENDMMSG[column], *_flagged(3, _FAST_OPEN))
    else:
        yield from _when(_SOCKET[column], *_families(_FAIL | errno.ENETUNREACH))
    yield _one(_RETURN, _ALLOW)


def _when(number: int, *then: bytes) -> Iterable[bytes]:
    """Yield what does `then`, which ends the matter, for the call of this number."""
    yield _one(_EQUAL, number, no=len(then))
    yield from then


def _flagged(argument: int, bits: int) -> tuple[bytes, ...]:
    return (
        _one(_LOAD, _ARGUMENTS_AT + 8 * argument),
        _one(_ANY_BIT, bits, no=1),
        _one(_RETURN, _FAIL | errno.EPERM),
        _one(_RETURN, _ALLOW),
    )


def _families(answer: int) -> tuple[bytes, ...]:
    """Give the answer for sockets of the internet; no others are made, unix ones least of all."""
    return (
        _one(_LOAD, _ARGUMENTS_AT),
        _one(_EQUAL, _INET[0], yes=2),
        _one(_EQUAL, _INET[1], yes=1),
        _one(_RETURN, _FAIL | errno.EACCES),
        _one(_RETURN, answer),
    )


def _one(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
