"""The project's own benchmark: the rows of `docs/benchmarks.md`, measured over HTTP."""
