"""Which types of files are taken, and how each is read (15.4.1, 15.4.2)."""

from pathlib import PurePosixPath
from typing import Final, Literal, TypeAlias

PLAIN: Final = "text/plain"
Reading: TypeAlias = Literal["pdf", "docx", "html", "text"]
"""How text is got out of a file."""
Cut: TypeAlias = Literal["line", "paragraph"]
"""Where its chunks are parted first."""

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML: Final = "text/html"
_DOCUMENTS: Final = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".tex": "text/x-tex",
}
_DATA: Final = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".xml": "application/xml",
    ".yaml": "application/x-yaml",
    ".yml": "application/x-yaml",
    ".toml": "application/toml",
    ".ini": "text/x-ini",
    ".cfg": "text/x-conf",
    ".conf": "text/x-conf",
    ".css": "text/css",
    ".scss": "text/x-scss",
    ".sass": "text/x-sass",
    ".less": "text/x-less",
    ".sh": "application/x-sh",
    ".bash": "application/x-sh",
    ".ps1": "text/x-powershell",
    ".bat": "text/x-batch",
    ".cmd": "text/x-batch",
    ".sql": "text/x-sql",
    ".dockerfile": "text/x-dockerfile",
    ".py": "text/x-python",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".ts": "text/x-typescript",
    ".jsx": "text/x-jsx",
    ".tsx": "text/x-tsx",
    ".java": "text/x-java",
    ".c": "text/x-c",
    ".h": "text/x-c",
    ".cpp": "text/x-c++",
    ".cxx": "text/x-c++",
    ".hpp": "text/x-c++",
    ".cs": "text/x-csharp",
    ".php": "text/x-php",
    ".rb": "text/x-ruby",
    ".go": "text/x-go",
    ".rs": "text/x-rust",
    ".swift": "text/x-swift",
    ".kt": "text/x-kotlin",
    ".scala": "text/x-scala",
    ".r": "text/x-r",
    ".m": "text/x-objective-c",
    ".vue": "text/x-vue",
}
_EXTENSIONS: Final = _DOCUMENTS | _DATA
_ALIASES: Final = {
    "text/x-markdown": "text/markdown",
    "application/x-jsonlines": "application/jsonl",
    "application/x-ndjson": "application/jsonl",
    "text/xml": "application/xml",
    "text/yaml": "application/x-yaml",
    "text/x-yaml": "application/x-yaml",
    "application/yaml": "application/x-yaml",
    "application/javascript": "text/javascript",
    "application/typescript": "text/x-typescript",
    "application/sql": "text/x-sql",
    "application/x-python": "text/x-python",
    "text/x-sh": "application/x-sh",
    "text/x-shellscript": "application/x-sh",
    "text/x-toml": "application/toml",
    "text/x-java-source": "text/x-java",
    "text/x-csrc": "text/x-c",
    "text/x-chdr": "text/x-c",
    "text/x-c++src": "text/x-c++",
    "text/x-c++hdr": "text/x-c++",
    "application/xhtml+xml": HTML,
}
_TYPES: Final = frozenset(_EXTENSIONS.values())
_READINGS: Final[dict[str, Reading]] = {PDF: "pdf", DOCX: "docx", HTML: "html"}
_BY_PARAGRAPH: Final = frozenset(_DOCUMENTS.values())


def file_type(content_type: str | None, name: str) -> str | None:
    """Return the type a file is taken as: what it says it is, else by its name; null for none."""
    said = (content_type or "").partition(";")[0].strip().lower()
    said = _ALIASES.get(said, said)
    if said in _TYPES and said != "text/plain":
        return said
    path = PurePosixPath(name.lower())
    known = _EXTENSIONS.get(path.suffix)
    if known is None and path.name in {"dockerfile", "makefile"}:
        known = "text/x-dockerfile"
    # Whoever knows no better says that it is plain text, and it is that all the same.
    return known or (said if said in _TYPES else None)


def reading(kind: str) -> Reading:
    return _READINGS.get(kind, "text")


def cut(kind: str) -> Cut:
    """Return where chunks of a file of this type are parted: documents by paragraph (15.9.3)."""
    return "paragraph" if kind in _BY_PARAGRAPH else "line"
