"""The parameters that every list takes, with the defaults of each list (api 5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Query

from eunoe.domain.agents import AgentType
from eunoe.store.messages import MessagePage
from eunoe.store.paging import Page
from eunoe.wire.messages import Lens, MessageType, listed_lens

Order: TypeAlias = Literal["asc", "desc"]
Limit: TypeAlias = Annotated[
    int | None, Query(ge=0, description="How many at most; 0 for as many as a page holds.")
]
After: TypeAlias = Annotated[str | None, Query(description="The id that the page comes after.")]
Before: TypeAlias = Annotated[str | None, Query(description="The id that the page comes before.")]
ByCreation: TypeAlias = Annotated[Literal["created_at"], Query(description="The sort field.")]
Types: TypeAlias = Annotated[list[MessageType] | None, Query()]
_ROWS: Final = 1_000
_MESSAGES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a list shows the messages in it (api 8.14)."""

    include_return_message_types: Types = None
    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"

    def lens(self, agent_type: AgentType | None) -> Lens:
        """Return how messages of an agent of this type are shown; null for agents of any."""
        speech = (self.assistant_message_tool_name, self.assistant_message_tool_kwarg)
        return listed_lens(
            agent_type=agent_type,
            types=self.include_return_message_types,
            speech=speech if self.use_assistant_message else None,
        )


def page_of(*, limit: int, order: Order) -> Callable[..., Awaitable[Page]]:
    """Return the dependency that reads the page of a list sorted by creation."""
    default_limit, default_order = limit, order

    async def page(
        limit: Limit = default_limit,
        before: Before = None,
        after: After = None,
        order: Order = default_order,
        order_by: ByCreation = "created_at",
    ) -> Page:
        return Page(
            limit=rows(limit, default=default_limit),
            before=before,
            after=after,
            ascending=order == "asc",
            order_by=order_by,
        )

    return page


def message_page_of(*, order: Order, limit: int = 100) -> Callable[..., Awaitable[MessagePage]]:
    """Return the dependency that reads the page of a message list.

    Cursors are absolute, `order` says which end the rows come from (api 5.7, 5.8). Only where the
    oldest come first by default nobody polls for news with `desc`: there whoever iterates
    with it goes on to what is older (5.3).
    """
    default_limit, default_order = limit, order

    async def page(
        limit: Limit = default_limit,
        before: Before = None,
        after: After = None,
        order: Order = default_order,
        order_by: ByCreation = "created_at",
    ) -> MessagePage:
        del order_by  # The only one there is.
        if (default_order, order) == ("asc", "desc"):
            before, after = after, before
        return MessagePage(
            limit=rows(limit, default=default_limit, ceiling=_MESSAGES),
            before=before,
            after=after,
            newest=order == "desc",
        )

    return page


def rows(limit: int | None, *, default: int, ceiling: int = _ROWS) -> int:
    """Return how many rows to read: 0 asks for as many as one page may hold (api 5.5)."""
    wanted = default if limit is None else limit
    return min(wanted or _ROWS, ceiling)
