"""The ways in which models write a call into their text, each with where it begins and ends.

A style is judged on a text that may still grow: `Calls` and `NO` stay what they are whatever
follows, and null asks for more. `final` says that nothing follows. Models of a family were
trained on one marker each: Hermes and Qwen, Qwen-Coder, Llama 3 and 4, Mistral, DeepSeek,
Granite and Phi, Nemotron. A call without a marker counts only where it is the whole reply, for
JSON in the middle of prose is talk about JSON.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from eunoe.llm.written_calls import (
    KEYS,
    Tools,
    WrittenCall,
    called,
    calls_of,
    decoded,
    named_values,
    python_calls,
    value_end,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What was written up to `end`."""

    calls: tuple[WrittenCall, ...]
    end: int


NO: Final = "no"
Verdict: TypeAlias = Calls | Literal["no"] | None
_Style: TypeAlias = Callable[[str, int, Tools, bool], Verdict]

_MOST_HEAD_CHARS: Final = 256
_SPACE: Final = re.compile(r"\s*")
_BETWEEN: Final = re.compile(r"\s*[;,]?\s*(?=\{)")
_KEY: Final = re.compile(r'\s*\[?\s*\{\s*"(?P<key>[^"\\]*)(?P<closed>"?)')
_NO_KEY: Final = re.compile(r"""\s*(?:\[\s*[^\s{]|\[?\s*\{\s*[^\s"])""")
_NAME: Final = re.compile(r'\s*\[?\s*\{\s*"name"\s*:\s*"(?P<name>[^"\\]*)(?P<closed>"?)')
_FENCE: Final = re.compile(r"```(?P<info>[\w-]*)[ \t]*\n")
_FENCE_BEGUN: Final = re.compile(r"`{1,2}$|```(?P<info>[\w-]*)[ \t]*$")
_FENCE_END: Final = re.compile(r"\s*```")
_PYTHON: Final = re.compile(r"\[\s*(?:(?P<name>[A-Za-z_]\w*)(?P<closed>\W?))?")
_FUNCTION: Final = re.compile(r"(?P<name>[\w.-]*)(?P<closed>>?)")
_PARAMETER: Final = re.compile(
    r"\s*<parameter=(?P<name>[^>\s]+)>\n?(?P<value>.*?)\n?</parameter>"
    r"(?=\s*(?:<parameter=|</function>))",
    re.DOTALL,
)
_FUNCTION_END: Final = re.compile(r"\s*</function>")
_MISTRAL: Final = re.compile(r"\s*(?P<name>[\w.-]+)(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?\s*(?=\{)")
_MISTRAL_BEGUN: Final = re.compile(r"\s*[\w.-]*(?:\[[\w\]]*)*\s*$")
_WIDE_BAR: Final = "\uff5c"
_CALLS_BEGIN, _CALL_BEGIN, _SEPARATOR, _CALL_END, _CALLS_END, _REPLY_END = (
    f"<{_WIDE_BAR}{words.replace(' ', '▁')}{_WIDE_BAR}>"
    for words in (
        "tool calls begin", "tool call begin", "tool sep", "tool call end", "tool calls end",
        "end of sentence",
    )
)  # fmt: skip
_DEEPSEEK: Final = re.compile(
    rf"\s*(?:{_CALL_BEGIN}\s*)?(?:function{_SEPARATOR}(?P<old>[\w.-]+)\s*"
    rf"|(?P<new>[\w.-]+){_SEPARATOR}\s*)(?:```(?:json)?\s*)?(?=\{{)"
)
_DEEPSEEK_BEGUN: Final = re.compile(rf"[\s\w.<{_WIDE_BAR}▁>`-]*$")

_FUNCTION_TAG: Final = "<function="
_INFOS: Final = frozenset(
    {"", "json", "tool_call", "tool_calls", "tool_code", "tool_use", "function_call"}
)
TRAILERS: Final = (
    "</tool_call>", "<|python_end|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>",
    "<|eom|>", "</s>", f"```\n{_CALL_END}", f"```{_CALL_END}", _CALL_END, _CALLS_END, _REPLY_END,
)  # fmt: skip
"""What may follow a call and says nothing."""
_TRAILER: Final = re.compile(r"(?:\s*(?:" + "|".join(re.escape(one) for one in TRAILERS) + "))*")


def after_trailers(text: str, at: int) -> int:
    found = _TRAILER.match(text, at)
    return found.end() if found else at


def unmarked(text: str, tools: Tools, *, final: bool) -> Verdict:
    """Judge a whole reply that is JSON, a fence around JSON, or a list of calls in Python."""
    at = _spaced(text, 0)
    if at == len(text):
        return NO if final else None
    if text[at] != "`":
        return _alone(text, _bare(text, at, tools, final), final)
    return _alone(text, _fenced(text, at, tools, final), final)


def _fenced(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    fence = _FENCE.match(text, at)
    if fence is None or fence["info"] not in _INFOS:
        begun = _FENCE_BEGUN.match(text, at)
        info = begun["info"] or "" if begun else None
        hopeful = info is not None and any(one.startswith(info) for one in _INFOS)
        return None if hopeful and not final else NO
    inside = _bare(text, _spaced(text, fence.end()), tools, final)
    if not isinstance(inside, Calls):
        return inside
    end = _FENCE_END.match(text, inside.end)
    if end is None:
        return _waiting(text, inside.end, ("```",), final=final)
    return Calls(calls=inside.calls, end=end.end())


def _alone(text: str, verdict: Verdict, final: bool) -> Verdict:
    """Keep a call only while nothing but blanks follows it."""
    if not isinstance(verdict, Calls):
        return verdict
    end = after_trailers(text, verdict.end)
    if _spaced(text, end) < len(text):
        return _waiting(text, end, TRAILERS, final=final)
    return verdict if final else None


def _bare(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    """Judge JSON or a Python list that no marker announces: strictly, and with arguments."""
    python = _PYTHON.match(text, at)
    if python is not None and python["name"]:
        return _python_list(text, at, tools, final)
    if _is_hopeless(text, at, tools) or _NO_KEY.match(text, at):
        return NO
    return _values(text, at, tools, final=final, tolerant=False)


def _is_hopeless(text: str, at: int, tools: Tools) -> bool:
    """Whether what begins here can already not become a call in JSON."""
    head = text[at : at + _MOST_HEAD_CHARS]
    if head.lstrip()[:1] not in {"{", "[", ""}:
        return True
    key = _KEY.match(head)
    if key is not None and not _may_be(key["key"], KEYS, closed=bool(key["closed"])):
        return True
    name = _NAME.match(head)
    return name is not None and not _may_be(name["name"], tools, closed=bool(name["closed"]))


def _may_be(word: str, words: frozenset[str] | Tools, *, closed: bool) -> bool:
    return word in words if closed else any(one.startswith(word) for one in words)


def _values(
    text: str, at: int, tools: Tools, *, final: bool, tolerant: bool, close: str = ""
) -> Verdict:
    """Judge JSON values one after the other, up to where `close` or something else begins."""
    found: list[WrittenCall] = []
    while True:
        end = value_end(text, at, stop=close)
        if end is None or (not final and _is_open(text, end, close)):
            return NO if final else None
        closed = _closed(text, end, close)
        value = decoded(text[at:end], tolerant=tolerant and closed is not None)
        calls = calls_of(value, tools, lax=bool(close))
        if not calls:
            return NO
        found += calls
        following = _BETWEEN.match(text, end)
        if closed is not None or following is None:
            return Calls(calls=tuple(found), end=closed or end)
        at = following.end()


def _is_open(text: str, at: int, close: str) -> bool:
    """Whether the text ends before it shows what follows a value: its tag, or the next one."""
    rest = text[at : at + _MOST_HEAD_CHARS].strip()
    tag = rest.removeprefix("}").lstrip()
    return (close.startswith(tag) and tag != close) or rest in {",", ";", ""}


def _closed(text: str, at: int, close: str) -> int | None:
    """Return the end of the closing tag; a bracket too many before it is forgiven."""
    if not close:
        return None
    tag = re.compile(rf"\s*\}}?\s*{re.escape(close)}").match(text, at)
    return tag.end() if tag else None


def _waiting(text: str, at: int, awaited: tuple[str, ...], *, final: bool) -> Verdict:
    """Return null while what follows may still become one of `awaited`, and `NO` after that."""
    rest = text[_spaced(text, at) :][:_MOST_HEAD_CHARS]
    return None if not final and any(one.startswith(rest) for one in awaited) else NO


def _spaced(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _tagged(close: str) -> _Style:
    """Return the style of JSON between two tags, of which the last may be missing at the end."""

    def judge(text: str, at: int, tools: Tools, final: bool) -> Verdict:
        at = _spaced(text, at)
        head = text[at : at + len(_FUNCTION_TAG)]
        if head and _FUNCTION_TAG.startswith(head):
            return _function(text, at + len(head), tools, final) if head == _FUNCTION_TAG else None
        if _is_hopeless(text, at, tools):
            return NO
        verdict = _values(text, at, tools, final=final, tolerant=True, close=close)
        if isinstance(verdict, Calls) and not text.endswith(close, 0, verdict.end):
            return _unclosed(text, verdict, final)
        return verdict

    return judge


def _unclosed(text: str, verdict: Calls, final: bool) -> Verdict:
    """Keep calls without a closing tag only at the end of the text, or before the next marker."""
    at = _spaced(text, after_trailers(text, verdict.end))
    if any(text.startswith(one, at) for one in STYLES) or (final and at == len(text)):
        return verdict
    return _waiting(text, at, (*STYLES, *TRAILERS), final=final)


def _function(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    """Judge `<function=name>` with JSON inside, or with a tag for each parameter."""
    head = _FUNCTION.match(text, at)
    if head is None or not _may_be(head["name"], tools, closed=bool(head["closed"])):
        return NO
    inside = _spaced(text, head.end())
    if not head["closed"] or inside == len(text):
        unfinished = head.end() == len(text) or bool(head["closed"])
        return None if unfinished and not final else NO
    judge = _function_json if text[inside] == "{" else _parameters
    return judge(text, inside, head["name"], tools, final)


def _function_json(text: str, inside: int, name: str, tools: Tools, final: bool) -> Verdict:
    end = value_end(text, inside, stop="</function>")
    if end is None:
        return NO if final else None
    if not final and _is_open(text, end, "</function>"):
        return None
    closed = _closed(text, end, "</function>")
    value = decoded(text[inside:end], tolerant=closed is not None)
    call = None if value is None else called(name, value, tools)
    if call is None:
        return NO
    verdict = Calls(calls=(call,), end=closed or end)
    return verdict if closed else _unclosed(text, verdict, final)


def _parameters(text: str, at: int, name: str, tools: Tools, final: bool) -> Verdict:
    written: list[tuple[str, str]] = []
    while (one := _PARAMETER.match(text, at)) is not None:
        written.append((one["name"], one["value"]))
        at = one.end()
    end = _FUNCTION_END.match(text, at)
    if end is None:
        begun = text.startswith("<parameter=", _spaced(text, at)) and not final
        return None if begun else _waiting(text, at, ("<parameter=", "</function>"), final=final)
    arguments = named_values(written, tools[name])
    call = None if arguments is None else called(name, arguments, tools)
    return Calls(calls=(call,), end=end.end()) if call else NO


def _llama(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    """Judge what follows Llama's tag for code: JSON, or a Python list."""
    at = _spaced(text, at)
    verdict = _bare(text, at, tools, final)
    return verdict if final or not isinstance(verdict, Calls) else None


def _python_list(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    head = _PYTHON.match(text, at)
    if head is None or (head["name"] and head["closed"] not in {"", "("}):
        return NO
    if head["name"] and not _may_be(head["name"], tools, closed=bool(head["closed"])):
        return NO
    end = value_end(text, at, python=True)
    if end is None:
        return NO if final else None
    calls = python_calls(text[at:end], tools)
    return Calls(calls=calls, end=end) if calls else NO


def _mistral(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    at = _spaced(text, at)
    if text[at : at + 1] in {"[", "{"}:
        verdict = _bare(text, at, tools, final)
        return verdict if final or not isinstance(verdict, Calls) else None
    return _headed(text, at, (_MISTRAL, _MISTRAL_BEGUN), tools, final)


def _deepseek(text: str, at: int, tools: Tools, final: bool) -> Verdict:
    return _headed(text, at, (_DEEPSEEK, _DEEPSEEK_BEGUN), tools, final)


def _headed(
    text: str, at: int, forms: tuple[re.Pattern[str], re.Pattern[str]], tools: Tools, final: bool
) -> Verdict:
    """Judge a name in a head of the form given, whole or begun, with JSON arguments behind it."""
    head = forms[0].match(text, at)
    if head is None:
        short = len(text) - at < _MOST_HEAD_CHARS
        return None if short and not final and forms[1].match(text, at) else NO
    name = next((one for one in head.groups() if one is not None), "")
    if name not in tools:
        return NO
    end = value_end(text, head.end())
    if end is None:
        return NO if final else None
    value = decoded(text[head.end() : end], tolerant=False)
    call = None if value is None else called(name, value, tools)
    return Calls(calls=(call,), end=end) if call else NO


STYLES: Final[dict[str, _Style]] = {
    "<tool_call>": _tagged("</tool_call>"),
    "<|tool_call|>": _tagged("<|/tool_call|>"),
    "<tool_calls>": _tagged("</tool_calls>"),
    "<TOOLCALL>": _tagged("</TOOLCALL>"),
    "<function_call>": _tagged("</function_call>"),
    _FUNCTION_TAG: _function,
    "<|python_tag|>": _llama,
    "<|python_start|>": _llama,
    "[TOOL_CALLS]": _mistral,
    _CALLS_BEGIN: _deepseek,
    _CALL_BEGIN: _deepseek,
}
"""Each marker, and who judges what follows it."""


def marked(text: str, at: int, marker: str, tools: Tools, *, final: bool) -> Verdict:
    """Judge what follows `marker`, which stands at `at`; a call must end its line."""
    verdict = STYLES[marker](text, at + len(marker), tools, final)
    if not isinstance(verdict, Calls):
        return verdict
    end = after_trailers(text, verdict.end)
    line = re.compile(r"[ \t]*").match(text, end)
    rest = line.end() if line else end
    if rest == len(text):
        return Calls(calls=verdict.calls, end=end) if final else None
    if text[rest] in "\r\n" or any(text.startswith(one, rest) for one in STYLES):
        return Calls(calls=verdict.calls, end=end)
    return _waiting(text, rest, (*STYLES, *TRAILERS), final=final)
