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
import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
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
_MOST_PENDING: Final = 64
"""As many as a call may have threads; one that is interrupted leaves what it asked for behind."""
_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_OWN_NETWORKS: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10")))
_OF_MACHINES: Final = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"))
)


def receive(channel: socket.socket, allowed: dict[str, Any]) -> "Dialer | None":
    """Return what answers the process at the other end of the channel, null if it is gone."""
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        return None
    places = frozenset((str(host), int(port)) for host, port in allowed["places"])
    return Dialer(listener=descriptors[0], private=bool(allowed["private"]), places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A connection that somebody waits for."""

    number: int
    descriptor: int
    made: socket.socket
    waits: bool
    """Whether reading from it is to wait, as it was with the socket that it replaces."""
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """`private` lets connections go to addresses that are not public, `places` to some of them."""

    listener: int
    private: bool
    places: frozenset[tuple[str, int]]
    pending: dict[int, _Asked] = field(default_factory=dict[int, _Asked])

    def take(self, poll: select.poll) -> None:
        """Take one question; `poll` then says when there is an answer to it."""
        told = ctypes.create_string_buffer(_NOTIFICATION.size)
        try:
            kernel.device_control(self.listener, _RECEIVE, told)
        except OSError:
            # Whoever asked is gone.
            return
        number, process, _, _, _, _, descriptor, address, length, *_ = _NOTIFICATION.unpack(
            told.raw
        )
        try:
            asked = self._begun(number, process, descriptor, (address, length))
        except OSError as error:
            self._reply(number, error.errno or errno.ECONNREFUSED)
        else:
            self.pending[asked.made.fileno()] = asked
            poll.register(asked.made, select.POLLOUT)

    def finish(self, ready: Iterable[int], poll: select.poll) -> None:
        """Answer for those connections that are made or have failed, or took too long."""
        now = time.monotonic()
        for descriptor in list(self.pending):
            asked = self.pending[descriptor]
            error = errno.ETIMEDOUT if now >= asked.deadline else None
            if descriptor in ready:
                error = asked.made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error is None:
                continue
            poll.unregister(descriptor)
            del self.pending[descriptor]
            with asked.made:
                self._put(asked, error)

    def close(self) -> None:
        """Answer nobody any more: who still waits for a connection has ended, or is told so."""
        os.close(self.listener)
        for asked in self.pending.values():
            asked.made.close()

    def _put(self, asked: _Asked, error: int) -> None:
        """Put the connection in the place of the socket that asked for it, and say so."""
        if not error:
            asked.made.setblocking(asked.waits)
            put = _DESCRIPTOR.pack(
                asked.number, _IN_PLACE, asked.made.fileno(), asked.descriptor, os.O_CLOEXEC
            )
            try:
                kernel.device_control(
                    self.listener, _PUT_DESCRIPTOR, ctypes.create_string_buffer(put, len(put))
                )
            except OSError as failure:
                error = failure.errno or errno.ECONNABORTED
        self._reply(asked.number, error)

    def _reply(self, number: int, error: int) -> None:
        reply = _REPLY.pack(number, 0, -error, 0)
        with contextlib.suppress(OSError):
            kernel.device_control(
                self.listener, _SEND, ctypes.create_string_buffer(reply, len(reply))
            )

    def _begun(self, number: int, process: int, descriptor: int, where: tuple[int, int]) -> _Asked:
        address = kernel.memory_of(process, where[0], min(where[1], _LONGEST_ADDRESS))
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
        if len(self.pending) >= _MOST_PENDING:
            raise OSError(errno.EAGAIN, "too many connections are being made")
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        begun = made.connect_ex((str(host), port))
        if begun not in {0, errno.EINPROGRESS}:
            made.close()
            raise OSError(begun, os.strerror(begun))
        return _Asked(
            number=number,
            descriptor=descriptor,
            made=made,
            waits=waits,
            deadline=time.monotonic() + _PATIENCE_S,
        )

    def permits(self, host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
        """Whether a tool may connect there; never to a cloud's metadata (FIX-69).

        As the server's own requests may (`eunoe.domain.addresses`, which is out of reach here).
        """
        host = _innermost(host)
        if (str(host), port) in self.places:
            return True
        if host in _OF_MACHINES or host.is_link_local or host.is_multicast or host.is_unspecified:
            return False
        return self.private or (host.is_global and not any(host in one for one in _OWN_NETWORKS))


def _innermost(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(host, ipaddress.IPv4Address):
        return host
    if not host.is_loopback and any(host in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(host.packed[-4:])
    return host.ipv4_mapped or host.sixtofour or (host.teredo or (None, None))[1] or host


def _parsed(address: bytes) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    family = int.from_bytes(address[:2], "little") if len(address) > 1 else -1
    if family == socket.AF_INET and len(address) >= 8:  # noqa: PLR2004 -- up to the host's end
        return ipaddress.IPv4Address(address[4:8]), int.from_bytes(address[2:4], "big")
    if family == socket.AF_INET6 and len(address) >= 24:  # noqa: PLR2004 -- up to the end of the host
        return ipaddress.IPv6Address(address[8:24]), int.from_bytes(address[2:4], "big")
    raise OSError(errno.EAFNOSUPPORT, "neither IPv4 nor IPv6")


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
