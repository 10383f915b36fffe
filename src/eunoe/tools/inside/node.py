"""Turns this process into Node, which runs the exported function of a tool in TypeScript."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final, NoReturn

_OLDEST: Final = (22, 13)
"""The first that both takes types away and has a permission model under its lasting name."""
_NETWORK_ASKED: Final = (25, 0)
_TRIAL_S: Final = 10.0
_RUNNER: Final = """
import fs from "node:fs";

const { name, given } = JSON.parse(fs.readFileSync("request.json", "utf8"));
const plain = (value) => JSON.parse(JSON.stringify(value) ?? "null");

async function client() {
  const { LETTA_API_KEY: apiKey, LETTA_BASE_URL: baseURL } = process.env;
  const library = apiKey && baseURL && (await import("@letta-ai/letta-client").catch(() => null));
  return library ? new library.Letta({ apiKey, baseURL }) : null;
}

async function called() {
  globalThis.client = await client();
  const module = await import(`${process.cwd()}/tool.mts`);
  const found = module[name] ?? module.default;
  if (typeof found !== "function") {
    throw new ReferenceError(`the source exports no function \\`${name}\\``);
  }
  const value = plain(await found(...given.map(([one]) => one)));
  const kinds = Array.isArray(value) ? value.map((one) => one?.type) : [];
  if (kinds.includes("image") && kinds.every((kind) => kind === "image" || kind === "text")) {
    return { ok: true, parts: value };
  }
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  return { ok: true, output: isObject || value === String(value) ? value : JSON.stringify(value) };
}

function traced(error, causes = 9) {
  const own = (line) => !/^ +at .*(run\\.mjs|node:internal)/.test(line);
  const trace = String(error?.stack ?? error).split("\\n").filter(own).join("\\n");
  const more = error?.cause && causes ? `\\n[cause]: ${traced(error.cause, causes - 1)}` : "";
  return trace + more;
}

function failed(error) {
  const message = String(error?.message ?? error);
  return { ok: false, error: error?.name ?? "Error", message, trace: traced(error) };
}

const said = Buffer.from(JSON.stringify(await called().catch(failed)));
for (let at = 0; at < said.length; ) {
  at += fs.writeSync(3, said, at);
}
process.exit(0);
"""


def options(program: str, *, memory_bytes: int) -> list[str]:
    """Return how that Node is told to run tools; raise `ValueError` for one that is too old."""
    said = subprocess.run(  # noqa: S603 -- it is the one that runs tools
        [program, "--version"], capture_output=True, timeout=_TRIAL_S, check=False
    )
    found = re.match(rb"v(\d+)\.(\d+)", said.stdout)
    if found is None or (version := (int(found[1]), int(found[2]))) < _OLDEST:
        raise ValueError(f"There is {said.stdout.decode().strip()}.")
    heap = memory_bytes * 3 // 4 // (1024 * 1024)
    network = ["--allow-net"] if version >= _NETWORK_ASKED else []
    types = ["--no-warnings", "--experimental-transform-types"]
    return [*types, "--permission", *network, f"--max-old-space-size={heap}"]


def become_node(request: dict[str, Any]) -> NoReturn:
    """Run the tool's function with its arguments by place; the answer goes to descriptor 3."""
    folder = Path.cwd()
    packages = request["paths"][:1]
    if packages:
        Path("node_modules").symlink_to(Path(packages[0], "node_modules"))
    Path("tool.mts").write_text(request["source"], encoding="utf-8", errors="surrogatepass")
    Path("run.mjs").write_text(_RUNNER, encoding="utf-8")
    asked = {"name": request["function"], "given": request["by_place"]}
    Path("request.json").write_text(json.dumps(asked), encoding="utf-8")
    readable = [f"--allow-fs-read={path}/*" for path in (folder, *packages)]
    os.execve(  # noqa: S606 -- it is what runs the tool
        request["node"],
        [
            "node",
            *request["node_options"],
            *readable,
            f"--allow-fs-write={folder}/*",
            str(folder / "run.mjs"),
        ],
        request["environment"],
    )
