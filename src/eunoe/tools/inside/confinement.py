"""What a child gives up before it runs a tool: its view of the system, its user, its room."""

import os
import resource
import signal
from pathlib import Path
from typing import Final

from . import filters, kernel

NOBODY: Final = 65534
_LIMITED: Final = {
    "cpu_s": resource.RLIMIT_CPU,
    "data_bytes": resource.RLIMIT_DATA,
    "scratch_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}
_SCRATCH: Final = "/tmp"  # noqa: S108 -- a file system of the call's own
IS_NOBODY_MAPPED: Final = str(NOBODY) in Path("/proc/self/uid_map").read_text("ascii").split()
"""Whether the sandbox has a user beside its own, as it has where root made it."""
_PRIVATE: Final = kernel.NO_SUID | kernel.NO_DEVICES


def confine(limits: dict[str, int], *, network: bool) -> int | None:
    """Confine this process, the first of a process namespace, for good.

    Returns what to answer its connections with, where it may ask for any.
    """
    kernel.unshare(kernel.NEW_NAMESPACE | kernel.NEW_IPC | (kernel.NEW_NET if network else 0))
    room = f"size={limits['scratch_bytes']},nr_inodes={limits['scratch_files']},mode=1777"
    kernel.mount("tmpfs", _SCRATCH, flags=_PRIVATE, options=room)
    kernel.mount("proc", "/proc", flags=_PRIVATE)
    _become_nobody()
    # Only now: who takes another user loses this.
    kernel.die_with_parent(signal.SIGKILL)
    # No namespace is made from here on, whatever its user is.
    _write("/proc/sys/user/max_user_namespaces", "0")
    _limit(limits)
    kernel.forbid_privileges()
    os.chdir(_SCRATCH)
    os.umask(0o022)
    return filters.install(network=network)


def _become_nobody() -> None:
    """Take the user `nobody`, in a user namespace of its own, where its processes are counted."""
    user = NOBODY if IS_NOBODY_MAPPED else os.getuid()
    if user != os.getuid():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        kernel.make_dumpable()
    kernel.unshare(kernel.NEW_USER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
    _write("/proc/self/gid_map", f"{NOBODY} {user} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def bound(limits: dict[str, int], folder: str) -> None:
    """Limit what this process, of no namespaces of its own, may use; it works in the folder.

    How many processes there are is not limited: those of the server would count.
    """
    kernel.die_with_parent(signal.SIGKILL)
    os.chdir(folder)
    _limit({name: most for name, most in limits.items() if name != "processes"})


def _limit(limits: dict[str, int]) -> None:
    for kind, most in (
        *((kind, limits[name]) for name, kind in _LIMITED.items() if name in limits),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    # A file that grows too large is an error of the write, and not the end of the process.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
