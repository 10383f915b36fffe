"""Packages for tests: wheels in a folder, and a registry of npm with one package."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eunoe.testing.http_server import Request, json_response, response


def wheel(
    folder: Path, name: str, version: str, code: str, *, programs: Mapping[str, str] | None = None
) -> None:
    """Put a package there: a module of its name, and files that can be run."""
    info = f"{name}-{version}.dist-info"
    programs = programs or {}
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **programs,
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if path in programs else 0o100644) << 16
            archive.writestr(entry, text)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class NpmRegistry:
    """Has two versions of a package, whose scripts fail."""

    name: str = "@eunoe/sample"
    code: str = "exports.value = 'VERSION';"
    asked: list[str] = field(default_factory=list[str])
    packed: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        for version in ("1.0.0", "1.2.0"):
            self.packed[version] = _package(self.name, version, self.code)

    def answer(self, request: Request) -> bytes:
        self.asked.append(request.path)
        if request.path.endswith(".tgz"):
            data = self.packed[request.path.rpartition("/")[2].removesuffix(".tgz")]
            return response(200, data, content_type="application/octet-stream")
        url = f"http://{request.headers['host']}"
        versions = {
            version: {
                "name": self.name,
                "version": version,
                "dist": {
                    "tarball": f"{url}/{version}.tgz",
                    "integrity": "sha512-"
                    + base64.b64encode(hashlib.sha512(data).digest()).decode(),
                },
            }
            for version, data in self.packed.items()
        }
        return json_response(
            {"name": self.name, "dist-tags": {"latest": "1.2.0"}, "versions": versions}
        )


def _package(name: str, version: str, code: str) -> bytes:
    """Return a package of npm as its registry has it."""
    files = {
        "package/package.json": json.dumps({"name": name, "version": version, "main": "main.js", "scripts": {"install": "exit 1"}}),
        "package/main.js": code.replace("VERSION", version),
    }  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
