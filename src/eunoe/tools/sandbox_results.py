"""From what a sandbox answered to what came of a program."""

import json
from contextlib import suppress
from typing import Any, Final, cast

from eunoe.domain.messages import Image, Json, Text
from eunoe.tools.pictures import picture
from eunoe.tools.programs import Program, Ran

_FRIENDLY_CHARS: Final = 1_000


def refused(program: Program, reason: str) -> Ran:
    """Return the failure of a program that did not get to run, or was not heard of again."""
    return Ran(ok=False, output=f"{program.name} was not run: {reason}"[:_FRIENDLY_CHARS])


def ran(program: Program, answer: Json, *, timeout_s: float, memory_bytes: int) -> Ran:
    """Return the result, or the failure with the lines of the program that made it (X3, X24)."""
    stdout, stderr = _said(answer, "stdout"), _said(answer, "stderr")
    said = _result(answer)
    if answer.get("broken") is not None:
        return refused(program, f"the sandbox was lost ({answer['broken']})")
    if answer.get("killed") is not None or said is None:
        reason = _reason(answer, timeout_s=timeout_s, memory_bytes=memory_bytes)
        return Ran(ok=False, output=_friendly(program, reason), stdout=stdout, stderr=stderr)
    if said.get("ok") is not True:
        reason = f"{said.get('error')}: {said.get('message')}"
        trace = str(said.get("trace", ""))
        return Ran(
            ok=False, output=_friendly(program, reason), stdout=stdout, stderr=(*stderr, trace)
        )
    return Ran(
        ok=True,
        output=_output(said),
        stdout=stdout,
        stderr=stderr,
        content=_parts(said),
        agent_state=cast("Json | None", said.get("agent_state")),
    )


def _result(answer: Json) -> Json | None:
    """Return what the program said that it came to, null where that is nothing of use."""
    with suppress(ValueError, RecursionError):
        said = json.loads(str(answer.get("result", "")))
        if isinstance(said, dict):
            return cast("Json", said)
    return None


def _friendly(program: Program, reason: str) -> str:
    return f"Error executing function {program.name}: {reason}"[:_FRIENDLY_CHARS]


def _reason(answer: Json, *, timeout_s: float, memory_bytes: int) -> str:
    mebibytes = memory_bytes // (1024 * 1024)
    match answer.get("killed"), answer.get("status"):
        case "time", _:
            return f"TimeoutError: it took longer than {timeout_s:g} s and was ended (timeout)"
        case "memory", _:
            return f"MemoryError: it used more than {mebibytes} MiB and was ended"
        case _, int(status) if status < 0:
            return f"it was ended by signal {-status}"
        case _:
            pass
    if answer.get("result_bytes"):
        return "ValueError: its result is larger than a tool may return, or damaged"
    return "it ended without a result"


def _said(answer: Json, name: str) -> tuple[str, ...]:
    text = str(answer.get(name) or "")
    return (text,) if text else ()


def _output(said: Json) -> str | Json:
    output = said.get("output")
    if isinstance(output, dict):
        return cast("Json", output)
    if output is None:
        return "\n".join(part.text for part in _parts(said) if isinstance(part, Text))
    return str(output)


def _parts(said: Json) -> tuple[Text | Image, ...]:
    """Return the parts of a result that shows images; what is no part is left out."""
    parts = said.get("parts")
    found: list[Text | Image] = []
    for part in cast("list[Any]", parts) if isinstance(parts, list) else []:
        match part:
            case {"type": "text", "text": str(text)}:
                found.append(Text(text=text))
            case {"type": "image", "source": {"media_type": media_type, "data": data}}:
                seen = picture(data, media_type)
                found.append(Text(text=seen) if isinstance(seen, str) else seen)
            case _:
                pass
    return tuple(found)
