"""The state of the agent, as a function that asks for `agent_state` finds it (X27)."""

from collections.abc import Iterator
from typing import Any, cast


class Record:
    """An object of JSON whose fields are attributes, and items too."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update({name: _opened(value) for name, value in fields.items()})

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__!r})"

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__.get(name, default)

    def plain(self) -> dict[str, Any]:
        return {name: _closed(value) for name, value in self.__dict__.items()}


class Memory(Record):
    """The memory blocks; what a function changes here is written back."""

    blocks: list[Record]

    def get_block(self, label: str) -> Record:
        found = next((block for block in self.blocks if block["label"] == label), None)
        if found is None:
            raise KeyError(f"there is no memory block `{label}`")
        return found

    def get_blocks(self) -> list[Record]:
        return self.blocks

    def list_block_labels(self) -> list[str]:
        return [block["label"] for block in self.blocks]

    def update_block_value(self, label: str, value: Any) -> None:
        if not isinstance(value, str):
            raise TypeError(f"the value of `{label}` has to be a text")
        self.get_block(label)["value"] = value


class AgentState(Record):
    """The agent without its tools and rules."""

    memory: Memory

    @property
    def blocks(self) -> list[Record]:
        return self.memory.blocks

    @classmethod
    def of(cls, fields: dict[str, Any] | None) -> "AgentState | None":
        if fields is None:
            return None
        state = cls(fields)
        memory = fields.get("memory")
        if isinstance(memory, dict):
            state["memory"] = Memory(cast("dict[str, Any]", memory))
        return state


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return Record(cast("dict[str, Any]", value))
    if isinstance(value, list):
        return [_opened(item) for item in cast("list[Any]", value)]
    return value


def _closed(value: Any) -> Any:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, dict):
        return {name: _closed(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_closed(item) for item in cast("list[Any]", value)]
    return value
