"""The child process that holds a local model: `python -m eunoe.llm.local_server`.

It reads one line of JSON from standard input, loads the model, prints one line
of JSON with its address, and lives until standard input ends. The parent holds
the other end and nobody else does, so however the parent dies, this ends too.
"""

import json
import os
import sys
import threading
from importlib import import_module
from typing import Any, Final, cast

_FAILED: Final = 1
_PROMPT_CACHE_MIB: Final = 256
"""Room for the prompts of agents that take turns, so that none is read twice."""

_QUIET: Final = 1


def main() -> int:
    # llama.cpp may print to standard output, which belongs to the parent: it gets the log instead.
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = cast("dict[str, Any]", json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = _serve(order)
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        out.write(json.dumps({"address": server.listening_address}) + "\n")
    threading.Event().wait()
    return _FAILED


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        continue
    # llama.cpp's own shutdown waits for the request under way, which nobody reads any more.
    os._exit(0)


def _serve(order: dict[str, Any]) -> Any:  # noqa: ANN401 - the library ships no types
    """Return a llama.cpp server that has loaded the model and listens on the loopback."""
    # Of the extra `local`; it ships no types.
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    params.model_alias = {order["name"]}
    params.n_ctx = order["context_tokens"]
    params.n_gpu_layers = order["gpu_layers"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.verbosity = _QUIET
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = order["threads"]
        # Threads that poll for work burn a core while the model is idle.
        cpu.poll = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    sys.exit(main())
