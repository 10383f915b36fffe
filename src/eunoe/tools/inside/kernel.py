"""The system calls that Python does not have."""

import contextlib
import ctypes
import os
import threading
from typing import Final

NEW_NAMESPACE: Final = 0x00020000
NEW_IPC: Final = 0x08000000
NEW_USER: Final = 0x10000000
NEW_PID: Final = 0x20000000
NEW_NET: Final = 0x40000000

NO_SUID: Final = 2
NO_DEVICES: Final = 4

_SET_DEATH_SIGNAL: Final = 1
_SET_DUMPABLE: Final = 4
_DROP_BOUNDING: Final = 24
_SET_SECUREBITS: Final = 28
_NO_NEW_PRIVILEGES: Final = 38
_AMBIENT: Final = 47
_AMBIENT_CLEAR_ALL: Final = 4
_NO_ROOT_LOCKED: Final = 0b1111
_CAPABILITY_VERSION_3: Final = 0x20080522
_LAST_CAPABILITY: Final = 63
# Made once: a new type of `ctypes` in every process costs it dearly.
_OWN_CAPABILITIES: Final = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
_NO_CAPABILITIES: Final = (ctypes.c_uint32 * 6)()

_libc = ctypes.CDLL(None, use_errno=True)
_fork = ctypes.PyDLL(None, use_errno=True).fork
_libc.syscall.restype = ctypes.c_long
_libc.process_vm_readv.restype = ctypes.c_ssize_t


def end_of(process: int) -> int:
    """Return a descriptor that can be read, or is hung up, when the child has ended."""
    try:
        return os.pidfd_open(process)
    except OSError:
        # A kernel in user space, as machines elsewhere have, knows no such descriptors.
        ours, theirs = os.pipe()

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        os.close(theirs)

    threading.Thread(target=wait, daemon=True).start()
    return ours


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def fork() -> int:
    """Fork a process that has one thread, and return what `os.fork` does.

    What Python does after that is to mend what other threads held, by a good part of the pages that
    a child ever writes to. But a module `random` has to be seeded anew.
    """
    return _checked(_fork(), "fork")


def enter(namespace: int, kind: int) -> None:
    """Have what is forked from here on be in the namespace of the descriptor."""
    _checked(_libc.setns(namespace, kind), "setns")


def mount(kind: str, target: str, *, flags: int = 0, options: str = "") -> None:
    """Mount a new file system of this kind."""
    done = _libc.mount(
        kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _checked(done, f"mount {target}")


def die_with_parent(signal_number: int) -> None:
    _control(_SET_DEATH_SIGNAL, signal_number)


def make_dumpable() -> None:
    """Let a process that changed its user write its own files under /proc again."""
    _control(_SET_DUMPABLE, 1)


def forbid_privileges() -> None:
    """Give all capabilities up, for this process and whatever it starts, for good."""
    _control(_AMBIENT, _AMBIENT_CLEAR_ALL)
    for capability in range(_LAST_CAPABILITY + 1):
        # The kernel knows fewer than there is room for, and refuses the others.
        _libc.prctl(_DROP_BOUNDING, ctypes.c_ulong(capability), 0, 0, 0)
    _control(_SET_SECUREBITS, _NO_ROOT_LOCKED)
    _control(_NO_NEW_PRIVILEGES, 1)
    _checked(_libc.capset(_OWN_CAPABILITIES, _NO_CAPABILITIES), "capset")


def system_call(number: int, *arguments: object) -> int:
    """Make a call that the C library has no function for."""
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def device_control(descriptor: int, request: int, argument: object) -> int:
    return _checked(
        _libc.ioctl(ctypes.c_int(descriptor), ctypes.c_ulong(request), argument), "ioctl"
    )


class _Range(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


def memory_of(process: int, start: int, length: int) -> bytes:
    """Return a copy of another process's memory, shorter where it is not all there."""
    copy = ctypes.create_string_buffer(length)
    ours, theirs = _Range(ctypes.addressof(copy), length), _Range(start, length)
    got = _libc.process_vm_readv(
        process, ctypes.byref(ours), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1), 0
    )
    return copy.raw[: _checked(got, "read memory")]


def _control(option: int, argument: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0), f"prctl {option}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
