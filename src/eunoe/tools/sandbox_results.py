"""From what a sandbox answered to what came of a program."""

import json
import signal
from contextlib import suppress
from typing import Any, Final, cast

from eunoe.domain.messages import Image, Json, Text
from eunoe.tools.pictures import picture
from eunoe.tools.programs import MEBIBYTE, RESULT_BYTES, Limits, Program, Ran

_FRIENDLY_CHARS: Final = 1_000
_UNREACHED: Final = ("unreachable", "name resolution", "ENETUNREACH", "EAI_AGAIN")
_NO_NETWORK: Final = (
    "The code has no network here. A tool is given one when its metadata says "
    '`{"network": true}` or the operator allows it to all.'
)


def refused(program: Program, reason: str) -> Ran:
    """Return the failure of a program that did not get to run, or was not heard of again."""
    return Ran(ok=False, output=f"{program.name} was not run: {reason}"[:_FRIENDLY_CHARS])


def ran(program: Program, answer: Json, limits: Limits) -> Ran:
    """Return the result, or the failure with the lines of the program that made it (X3, X24)."""
    stdout, stderr = _said(answer, "stdout"), _said(answer, "stderr")
    said = _result(answer)
    if answer.get("broken") is not None:
        return refused(program, f"the sandbox was lost ({answer['broken']})")
    if answer.get("killed") is not None or said is None:
        reason = _reason(program, answer, limits)
        return Ran(ok=False, output=_friendly(program, reason), stdout=stdout, stderr=stderr)
    if said.get("ok") is not True:
        reason = f"{said.get('error')}: {said.get('message')}"
        trace = _remedied(program, str(said.get("trace", "")), limits)
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


def _remedied(program: Program, trace: str, limits: Limits) -> str:
    """Return the trace with what to do about it, where that is known."""
    if not limits.gives_network(program) and any(sign in trace for sign in _UNREACHED):
        return f"{trace}\n{_NO_NETWORK}\n"
    if "ModuleNotFoundError" in trace or "ERR_MODULE_NOT_FOUND" in trace:
        field = "pip_requirements" if program.language == "python" else "npm_requirements"
        return f"{trace}\nWhat has to be installed for a tool is listed in its `{field}`.\n"
    return trace


def _reason(program: Program, answer: Json, limits: Limits) -> str:
    match answer.get("killed"), answer.get("status"):
        case "time", _:
            time_s = limits.time_of(program)
            return f"TimeoutError: it took longer than {time_s:g} s and was ended (timeout)"
        case "memory", _:
            mebibytes = limits.memory_bytes // MEBIBYTE
            return f"MemoryError: it used more than {mebibytes} MiB and was ended"
        case _, int(status) if status < 0:
            return f"it was ended by signal {-status} ({signal.strsignal(-status)})"
        case _ if answer.get("result_bytes"):
            most = f"{RESULT_BYTES // MEBIBYTE} MiB"
            return f"ValueError: its result is larger than the {most} of a tool, or damaged"
        case _, status:
            return f"it ended without a result, with status {status}"


def _said(answer: Json, name: str) -> tuple[str, ...]:
    text = str(answer.get(name) or "")
    return (text,) if text else ()


def _output(said: Json) -> str | Json:
    output = said.get("output")
    if isinstance(output, dict):
        return cast("Json", output)
    if output is None:
        words = (part.text for part in _parts(said) if isinstance(part, Text))
        return "\n".join(words) or "[image]"
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
