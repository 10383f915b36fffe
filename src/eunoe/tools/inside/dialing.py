"""Makes the connections that a tool with a network asks for, and only those that it may have.

The tool sits in a network namespace without any network. When it connects a socket, the kernel
asks here (a seccomp notification); the connection is made out here, from a copy of the address
that the tool cannot change any more, and put in the place of the tool's own socket.
"""

import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import kernel

_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_STILL_THERE: Final = 0x40082102
_PUT_DESCRIPTOR: Final = 0x40182103
_NOTIFICATION: Final = struct.Struct("=QIIiIQ6Q")
_REPLY: Final = struct.Struct("=QqiI")
_DESCRIPTOR: Final = struct.Struct("=QIIII")
_IN_PLACE: Final = 1
_GET_DESCRIPTOR: Final = 438
_LONGEST_ADDRESS: Final = 128
_PATIENCE_S: Final = 30.0
_EMBEDDING: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LINK_LOCAL: Final = ipaddress.ip_network("169.254.0.0/16")


def receive(channel: socket.socket, allowed: dict[str, Any]) -> "Dialer | None":
    """Return what answers the process at the other end of the channel, null if it is gone."""
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        return None
    places = frozenset((str(host), int(port)) for host, port in allowed["places"])
    return Dialer(listener=descriptors[0], private=bool(allowed["private"]), places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """`private` lets connections go to addresses that are not public, `places` to some of them."""

    listener: int
    private: bool
    places: frozenset[tuple[str, int]]

    def answer(self) -> None:
        """Take one question; it is answered when the connection is made or has failed."""
        asked = ctypes.create_string_buffer(_NOTIFICATION.size)
        try:
            kernel.device_control(self.listener, _RECEIVE, asked)
        except OSError:
            # Whoever asked is gone.
            return
        threading.Thread(target=self._answer, args=(asked.raw,), daemon=True).start()

    def _answer(self, asked: bytes) -> None:
        number, process, _, _, _, _, descriptor, address, length, *_ = _NOTIFICATION.unpack(asked)
        error = 0
        try:
            self._connect(number, process, descriptor, (address, length))
        except OSError as failure:
            error = failure.errno or errno.ECONNREFUSED
        reply = _REPLY.pack(number, 0, -error, 0)
        with contextlib.suppress(OSError):
            kernel.device_control(self.listener, _SEND, ctypes.create_string_buffer(reply))

    def _connect(self, number: int, process: int, descriptor: int, where: tuple[int, int]) -> None:
        address = _memory(process, where[0], min(where[1], _LONGEST_ADDRESS))
        theirs = _socket_of(process, descriptor)
        # Only now is it certain that both were those of who asked.
        kernel.device_control(self.listener, _STILL_THERE, ctypes.byref(ctypes.c_uint64(number)))
        with theirs:
            family, kind = theirs.family, theirs.type
            waits = not fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK
        if family not in {socket.AF_INET, socket.AF_INET6} or kind != socket.SOCK_STREAM:
            raise OSError(errno.ENETUNREACH, "only TCP goes out")
        host, port = _parsed(address)
        if not self.permits(host, port):
            raise OSError(errno.EACCES, "not an address that tools may reach")
        with socket.create_connection((str(host), port), timeout=_PATIENCE_S) as made:
            made.setblocking(waits)
            put = _DESCRIPTOR.pack(number, _IN_PLACE, made.fileno(), descriptor, os.O_CLOEXEC)
            kernel.device_control(self.listener, _PUT_DESCRIPTOR, ctypes.create_string_buffer(put))

    def permits(self, host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
        """Whether a tool may connect there; never to a cloud's metadata (FIX-69)."""
        host = _innermost(host)
        if (str(host), port) in self.places:
            return True
        if host.is_multicast or host.is_unspecified or host.is_link_local or host in _LINK_LOCAL:
            return False
        return self.private or host.is_global


def _innermost(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(host, ipaddress.IPv4Address):
        return host
    if host in _EMBEDDING:
        return ipaddress.IPv4Address(host.packed[-4:])
    return host.ipv4_mapped or host.sixtofour or (host.teredo or (None, None))[1] or host


def _parsed(address: bytes) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    family = int.from_bytes(address[:2], "little") if len(address) > 1 else -1
    if family == socket.AF_INET and len(address) >= 8:  # noqa: PLR2004 -- up to the host's end
        return ipaddress.IPv4Address(address[4:8]), int.from_bytes(address[2:4], "big")
    if family == socket.AF_INET6 and len(address) >= 24:  # noqa: PLR2004 -- likewise
        return ipaddress.IPv6Address(address[8:24]), int.from_bytes(address[2:4], "big")
    raise OSError(errno.EAFNOSUPPORT, "neither IPv4 nor IPv6")


def _memory(process: int, at: int, length: int) -> bytes:
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        memory.seek(at)
        return memory.read(length)


def _socket_of(process: int, descriptor: int) -> socket.socket:
    """Return the socket behind a descriptor of another process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    # A thread may ask; what has a descriptor is its process.
    group = int(status.partition("\nTgid:")[2].split()[0])
    handle = os.pidfd_open(group)
    try:
        copied = kernel.system_call(
            _GET_DESCRIPTOR, handle, ctypes.c_uint(descriptor & 0xFFFFFFFF), 0
        )
    finally:
        os.close(handle)
    return socket.socket(fileno=copied)
