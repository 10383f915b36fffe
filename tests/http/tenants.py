"""Two organizations with something of everything in each, and what each of them can see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from eunoe.domain.messages import Json
from eunoe.ids import DEFAULT_ORGANIZATION
from eunoe.service import keys, users
from eunoe.store.db import Actor, Database
from eunoe.store.tables import metadata

MODEL: Final = "openai/scripted-1"
EMBEDDING: Final = "openai/text-embedding-3-small"
_TOOL: Final = "def {name}(word: str) -> str:\n    '''Say it.\n\n    Args:\n        word: What.\n    '''\n    return word\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`word` is in every text of theirs; `ids` are theirs by the name of the path's parameter."""

    word: str
    key: str
    organization_id: str
    user_id: str
    ids: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def secrets(self) -> list[str]:
        """Return what nobody else may be shown."""
        return [self.word, *(one for one in self.ids.values() if len(one) > 30)]


async def tenant(http: httpx.AsyncClient, db: Database, word: str) -> Tenant:
    """Make an organization whose agent has spoken, and which has one thing of each kind."""
    organization = await users.create_organization(db, name=f"{word} inc")
    text, key = await keys.create(db, name=word, scope="write", organization_id=organization.id)
    headers = {"Authorization": f"Bearer {text}"}
    made = _Maker(http=http, headers=headers, word=word)
    found = await made.everything()
    found |= {"key_id": key.id, "subject": found["agent_id"], "period": "day"}
    return Tenant(
        word=word, key=text, organization_id=organization.id, user_id=key.user_id, ids=found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    http: httpx.AsyncClient
    headers: dict[str, str]
    word: str

    async def everything(self) -> dict[str, str]:
        word = self.word
        made = await self._memory()
        agent_id = made["agent_id"]
        sent = await self._post(f"agents/{agent_id}/messages", input=f"SAY {word}")
        listed = await self._get(f"agents/{agent_id}/messages")
        runs = await self._get("runs/", agent_id=agent_id)
        steps = await self._get(f"runs/{runs[0]['id']}/steps")
        assert sent["stop_reason"]["stop_reason"] == "end_turn"
        conversation = await self._post(f"conversations/?agent_id={agent_id}", summary=word)
        made |= {
            "message_id": listed[0]["id"],
            "run_id": runs[0]["id"],
            "step_id": steps[0]["id"],
            "transaction_id": "t",
            "conversation_id": conversation["id"],
        }
        return made | await self._beside(agent_id)

    async def _memory(self) -> dict[str, str]:
        word = self.word
        block = await self._post("blocks/", label=f"{word}_loose", value=word)
        archive = await self._post("archives/", name=word, embedding=EMBEDDING)
        passage = await self._post(f"archives/{archive['id']}/passages", text=word)
        tool = await self._post("tools/", source_code=_TOOL.format(name=f"say_{word}"))
        folder = await self._post("folders/", name=word, embedding=EMBEDDING)
        upload = await self.http.post(
            f"/v1/folders/{folder['id']}/upload",
            files={"file": (f"{word}.txt", word.encode(), "text/plain")},
            headers=self.headers,
        )
        identity = await self._post(
            "identities/", identifier_key=word, name=word, identity_type="user"
        )
        agent = await self._post(
            "agents/",
            name=word,
            model=MODEL,
            embedding=EMBEDDING,
            tags=[word],
            memory_blocks=[{"label": f"{word}_human", "value": word}],
            include_base_tools=False,
            secrets={"KEY": word},
        )
        await self._patch(f"agents/{agent['id']}/tools/attach/{tool['id']}")
        await self._patch(f"agents/{agent['id']}/archives/attach/{archive['id']}")
        await self._patch(f"agents/{agent['id']}/folders/attach/{folder['id']}")
        await self._patch(f"agents/{agent['id']}/identities/attach/{identity['id']}")
        return {
            "agent_id": agent["id"],
            "archive_id": archive["id"],
            "block_id": block["id"],
            "block_label": f"{word}_human",
            "file_id": upload.json()["id"],
            "folder_id": folder["id"],
            "folder_name": word,
            "identity_id": identity["id"],
            "memory_id": passage["id"],
            "passage_id": passage["id"],
            "tool_id": tool["id"],
            "tool_name": tool["name"],
        }

    async def _beside(self, agent_id: str) -> dict[str, str]:
        word = self.word
        provider = await self._post(
            "providers/",
            name=word,
            provider_type="openai",
            api_key=f"sk-{word}",
            base_url="http://127.0.0.1:9/v1",
        )
        group = await self._post("groups/", agent_ids=[agent_id], description=word)
        sandbox = await self._post("sandbox-config/", config={})
        variable = await self._post(
            f"sandbox-config/{sandbox['id']}/environment-variable", key=f"K_{word}", value=word
        )
        schedule = await self._post(
            f"agents/{agent_id}/schedule",
            messages=[{"role": "user", "content": word}],
            schedule={"type": "one-time", "scheduled_at": 4_000_000_000_000},
        )
        batch = await self._post(
            "messages/batches",
            requests=[{"agent_id": agent_id, "messages": [{"role": "user", "content": word}]}],
        )
        server = await self._post(
            "mcp-servers/",
            server_name=word,
            config={
                "mcp_server_type": "streamable_http",
                "server_url": f"https://{word}.invalid/mcp",
            },
        )
        await self._post("templates", type="agent", name=word, agent_id=agent_id)
        token = await self._post(
            "client-side-access-tokens",
            hostname=f"https://{word}.example.org",
            policy=[{"type": "agent", "id": agent_id, "access": ["read_agent"]}],
        )
        return {
            "batch_id": batch["id"],
            "group_id": group["id"],
            "job_id": batch["id"],
            "mcp_server_id": server["id"],
            "name": word,
            "project_id": "default",
            "provider_id": provider["id"],
            "sandbox_config_id": sandbox["id"],
            "scheduled_message_id": schedule["id"],
            "template_name": word,
            "template_version": f"{word}:latest",
            "token": token["token"],
            "variable_id": variable["id"],
        }

    async def _post(self, path: str, **body: Any) -> Json:
        return await self._sent("POST", path, json=body)

    async def _patch(self, path: str) -> None:
        await self._sent("PATCH", path)

    async def _get(self, path: str, **params: Any) -> Any:
        return await self._sent("GET", path, params=params)

    async def _sent(self, method: str, path: str, **more: Any) -> Any:
        reply = await self.http.request(method, f"/v1/{path}", headers=self.headers, **more)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()


async def stored(db: Database) -> dict[str, set[str]]:
    """Return every row there is, as text, by table."""
    found: dict[str, set[str]] = {}
    async with db.read(Actor(organization_id=DEFAULT_ORGANIZATION)) as tx:
        for table in metadata.sorted_tables:
            rows = await tx.fetch(f"SELECT * FROM {table.name}")  # noqa: S608 -- our own tables
            found[table.name] = {repr(tuple(row)) for row in rows}
    return found
