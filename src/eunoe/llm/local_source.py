"""The provider `local`: whatever weights lie in one folder, run on this machine."""

import sys
from collections.abc import Iterator
from ctypes import CDLL
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Final

from eunoe.domain.models import EmbeddingConfig, ModelConfig, ModelListing
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import EmbeddingUnknown, ModelUnknown
from eunoe.llm.local_catalog import ARTIFACTS, PROVIDER, Artifact
from eunoe.llm.local_embeddings import LocalEmbedder
from eunoe.llm.local_files import is_present
from eunoe.llm.local_model import LocalModel
from eunoe.llm.local_process import LocalServer, ServerOptions
from eunoe.llm.providers import ProviderConfig, split_handle
from eunoe.llm.sources import Listed

_HERE: Final = ProviderConfig(name=PROVIDER, provider_type=PROVIDER, base_url="")


def lacking() -> str | None:
    """Return how to install what runs local models, null where all of it is here; imports none."""
    if not all(find_spec(name) for name in ("numpy", "onnxruntime", "tokenizers", "xllamacpp")):
        # No index has Eunoe: only the pip of the Python that has it knows what that is.
        return f"{quote(sys.executable)} -m pip install 'eunoe[local]'"
    try:  # The one library of the system's that llama.cpp takes and a small Linux may lack.
        CDLL("libgomp.so.1" if sys.platform == "linux" else None)
    except OSError:
        return "apt install libgomp1 (or your system's package of libgomp.so.1)"
    return None


def local_listings(directory: Path, *, options: ServerOptions) -> Listed:
    """Return what the folder holds: every GGUF file by its name, and known embedding models."""
    return Listed(
        models=tuple(_model(path, options) for path in sorted(directory.glob("*.gguf"))),
        embeddings=tuple(
            replace(_HERE.embedding(one.name, dimensions=one.dimensions), endpoint=None)
            for one in ARTIFACTS
            if one.kind == "embedding" and is_present(one, directory)
        ),
    )


def _model(path: Path, options: ServerOptions) -> ModelListing:
    trained = next((one.context_tokens for one in _chats() if one.name == path.stem), None)
    window = min(options.context_tokens, trained or options.context_tokens)
    return replace(_HERE.model(path.stem, context_window=window), endpoint=None)


def _chats() -> Iterator[Artifact]:
    return (one for one in ARTIFACTS if one.kind == "chat")


class LocalProvider:
    """The models in `directory`: a `Source`, alive until `aclose`.

    Each GGUF file gets a process of its own when it is first spoken to, or with
    `start`; nothing heavy is imported or loaded before.
    """

    def __init__(
        self, directory: Path, *, logs: Path | None = None, options: ServerOptions | None = None
    ) -> None:
        self.provider = _HERE
        self._directory = directory
        self._logs = logs or directory / "logs"
        self._options = options or ServerOptions()
        self._servers: dict[str, LocalServer] = {}
        self._models: dict[str, LocalModel] = {}
        self._embedders: dict[str, LocalEmbedder] = {}

    @property
    def is_open(self) -> bool:
        return False

    async def listed(self) -> Listed:
        return local_listings(self._directory, options=self._options)

    async def start(self, handle: str) -> None:
        """Load a model now instead of with the first message to it. Raises as `stream` does."""
        _, name = split_handle(handle)
        self._model(name)
        await self._servers[name].ready()

    def model(self, config: ModelConfig) -> Model:
        """Return who speaks for the file of that name. Raises `ModelUnknown`."""
        return self._model(config.model)

    def _model(self, name: str) -> LocalModel:
        if name not in self._models:
            path = self._directory / f"{name}.gguf"
            if path.parent != self._directory or not path.is_file():
                raise ModelUnknown(
                    f"The weights of {PROVIDER}/{name} are not here; fetch them with "
                    f"`eunoe models pull {name}`, or put {name}.gguf into {self._directory}."
                )
            server = LocalServer(path, options=self._options, log=self._logs / f"{name}.log")
            self._servers[name] = server
            self._models[name] = LocalModel(server)
        return self._models[name]

    def embedder(self, config: EmbeddingConfig) -> Embedder:
        """Return what embeds with the model of that name. Raises `EmbeddingUnknown`."""
        name = config.model
        if name not in self._embedders:
            known = {one.name: one for one in ARTIFACTS if one.kind == "embedding"}
            if name not in known or not is_present(known[name], self._directory):
                raise EmbeddingUnknown(
                    f"The weights of {PROVIDER}/{name} are not here; fetch them with "
                    f"`eunoe models pull {name}`."
                )
            self._embedders[name] = LocalEmbedder(self._directory / name)
        return self._embedders[name]

    async def aclose(self) -> None:
        """End every process and thread."""
        for model in self._models.values():
            await model.aclose()
        for server in self._servers.values():
            await server.stop()
        for embedder in self._embedders.values():
            await embedder.aclose()
        self._models, self._servers, self._embedders = {}, {}, {}
