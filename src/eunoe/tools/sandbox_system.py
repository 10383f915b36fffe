"""The few files of /etc that a sandbox shows, and what the machine's own say."""

import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import Final

from eunoe.tools.inside.confinement import NOBODY

_RESOLVER: Final = Path("/etc/resolv.conf")


def nameservers() -> list[str]:
    """Return the addresses that names are asked of."""
    found: list[str] = []
    with suppress(OSError):
        for line in _RESOLVER.read_text(encoding="utf-8", errors="replace").splitlines():
            match line.split():
                case ["nameserver", address, *_]:
                    with suppress(ValueError):
                        found.append(str(ipaddress.ip_address(address.partition("%")[0])))
                case _:
                    pass
    return found


def write_system_files(folder: Path) -> Path:
    """Write them and return the folder.

    Names are asked for by TCP, which is all that leaves a sandbox.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "passwd": f"nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp:/bin/sh\n",
        "group": f"nogroup:x:{NOBODY}:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "resolv.conf": "".join(f"nameserver {one}\n" for one in nameservers()) + "options use-vc\n",
    }
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return folder
