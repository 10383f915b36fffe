"""Embeddings computed in this process: all-MiniLM-L6-v2 in int8, on onnxruntime."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from eunoe.errors import LocalExtraMissing

Vector: TypeAlias = tuple[float, ...]

_LIBRARIES: Final = ("numpy", "onnxruntime", "tokenizers")
_MOST_TOKENS: Final = 256
"""What the model was trained on; the rest of a longer text does not count."""


class LocalEmbedder:
    """Vectors of 384 floats and length 1 for texts; `purpose` makes no difference (P43).

    The libraries and the weights, some 90 MiB, are loaded with the first text,
    in the one thread that does all the work.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-embedder")
        self._encoder: _Encoder | None = None

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[Vector]:
        """Return a vector for each text, in order. Raises `LocalExtraMissing`."""
        loop = asyncio.get_running_loop()
        # One text at a time: another caller's query need not wait for a whole file, and
        # int8 activations are scaled by the batch, so alone a text always gets the same vector.
        return [
            await loop.run_in_executor(self._worker, partial(self._vector, text)) for text in texts
        ]

    def _vector(self, text: str) -> Vector:
        if self._encoder is None:
            self._encoder = _Encoder(self._folder)
        return self._encoder.vector(text)

    async def aclose(self) -> None:
        """End the thread; the text that it works on is finished."""
        await asyncio.to_thread(self._worker.shutdown, cancel_futures=True)


class _Encoder:
    """The loaded model. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        if any(find_spec(library) is None for library in _LIBRARIES):
            raise LocalExtraMissing
        # Of the extra `local`, heavy, and wanted only by those who embed here.
        np: Any = import_module("numpy")
        onnxruntime: Any = import_module("onnxruntime")
        tokenizers: Any = import_module("tokenizers")

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # The arena keeps the largest batch's memory for the life of the process.
        options.enable_cpu_mem_arena = False
        self._numpy = np
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {str(one.name) for one in self._session.get_inputs()}
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.no_padding()

    def vector(self, text: str) -> Vector:
        """Return the mean of the tokens' vectors, scaled to length 1."""
        np = self._numpy
        ids: list[int] = self._tokenizer.encode(text).ids
        row = np.array([ids], dtype=np.int64)
        fed = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "token_type_ids": np.zeros_like(row),
        }
        hidden: Any = self._session.run(None, {k: v for k, v in fed.items() if k in self._inputs})
        mean = np.asarray(hidden[0])[0].mean(axis=0)
        unit = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return tuple(float(value) for value in unit)
