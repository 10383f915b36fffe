// Every method of the official JavaScript client that the main path leaves out, against a running server.
// EUNOE_URL says where it is. The process ends with 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { Letta } from '@letta-ai/letta-client';

const client = new Letta({ baseURL: process.env.EUNOE_URL, apiKey: 'any', maxRetries: 0, timeout: 60_000 });
const mark = `node${process.pid}`;

const collected = async (pages) => {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
};
const ids = (items) => items.map((one) => one.id);
const refused = async (call, status) =>
  assert.rejects(call, (error) => {
    assert.equal(error.status, status);
    return true;
  });

async function blocks(agent) {
  const block = await client.blocks.create({ label: 'team', value: 'two', tags: [mark] });
  assert.equal((await client.blocks.retrieve(block.id)).value, 'two');
  assert.equal((await client.blocks.update(block.id, { value: 'three' })).value, 'three');
  assert.deepEqual(ids(await collected(client.blocks.list({ tags: [mark] }))), [block.id]);
  await client.agents.blocks.attach(block.id, { agent_id: agent.id });
  assert.deepEqual(ids(await collected(client.blocks.agents.list(block.id))), [agent.id]);
  assert.deepEqual(await client.tags.list({ query_text: mark }), [mark]);
  await client.blocks.delete(block.id);
  await refused(() => client.blocks.retrieve(block.id), 404);
}

async function archives(agent) {
  const archive = await client.archives.create({ name: mark, embedding: 'openai/text-embedding-3-small' });
  assert.equal((await client.archives.update(archive.id, { description: 'kept' })).description, 'kept');
  assert.equal((await client.archives.retrieve(archive.id)).name, mark);
  assert.deepEqual(ids(await collected(client.archives.list({ name: mark }))), [archive.id]);
  const one = await client.archives.passages.create(archive.id, { text: 'Bees dance.' });
  const two = await client.archives.passages.createMany(archive.id, { passages: [{ text: 'Ants walk.' }] });
  assert.equal(two.length, 1);
  await client.agents.archives.attach(archive.id, { agent_id: agent.id });
  assert.equal((await client.agents.passages.list(agent.id)).length, 2);
  const found = await client.passages.search({ archive_id: archive.id, query: 'bees' });
  assert.equal(found[0].passage.text, 'Bees dance.');
  await client.archives.passages.delete(one.id, { archive_id: archive.id });
  await client.agents.passages.delete(two[0].id, { agent_id: agent.id });
  assert.deepEqual(await client.agents.passages.list(agent.id), []);
  await client.agents.archives.detach(archive.id, { agent_id: agent.id });
  await client.archives.delete(archive.id);
}

async function tools(agent) {
  const known = await collected(client.tools.list({ name: 'conversation_search' }));
  assert.equal((await client.tools.retrieve(known[0].id)).name, 'conversation_search');
  const own = async () => (await collected(client.agents.tools.list(agent.id))).map((one) => one.name);
  await client.agents.tools.detach(known[0].id, { agent_id: agent.id });
  assert.ok(!(await own()).includes('conversation_search'));
  await client.agents.tools.attach(known[0].id, { agent_id: agent.id });
  assert.ok((await own()).includes('conversation_search'));
  for (const wanted of [true, false]) {
    const asking = { agent_id: agent.id, body_requires_approval: wanted };
    await client.agents.tools.updateApproval('conversation_search', asking);
    const { tool_rules: rules } = await client.agents.retrieve(agent.id);
    assert.equal(rules.some((rule) => rule.type === 'requires_approval'), wanted);
  }
}

async function messages(agent) {
  const events = await collected(
    await client.agents.messages.stream(agent.id, { input: 'SAY hello', streaming: true }),
  );
  const said = events.find((one) => one.message_type === 'assistant_message');
  assert.equal(said.content, 'hello');
  assert.ok((await client.messages.retrieve(said.id)).some((one) => one.content === 'hello'));
  assert.ok((await client.messages.list({ limit: 5 })).length > 0);
  const found = await client.messages.search({ query: 'hello', search_mode: 'fts', agent_id: agent.id });
  assert.ok(Array.isArray(found));
  const run = await client.runs.retrieve(said.run_id);
  assert.ok((await collected(client.runs.messages.list(run.id))).some((one) => one.id === said.id));
  await refused(() => client.runs.trace.retrieve(run.id), 501);

  const [step] = await collected(client.steps.list({ agent_id: agent.id, limit: 1 }));
  assert.equal((await client.steps.retrieve(step.id)).run_id, run.id);
  assert.equal((await client.steps.metrics.retrieve(step.id)).id, step.id);
  assert.equal((await client.steps.feedback.create(step.id, { feedback: 'positive' })).feedback, 'positive');
  assert.ok((await collected(client.steps.messages.list(step.id))).length > 0);
  await client.steps.trace.retrieve(step.id);

  assert.match(await client.agents.recompile(agent.id, { dry_run: true }), /\S/);
  assert.ok((await client.agents.messages.compact(agent.id)).num_messages_before > 0);
  const emptied = await client.agents.messages.reset(agent.id, { add_default_initial_messages: false });
  assert.equal(emptied.id, agent.id);
}

async function conversations(agent) {
  const made = await client.conversations.create({ agent_id: agent.id, summary: 'first' });
  assert.equal((await client.conversations.update(made.id, { summary: 'second' })).summary, 'second');
  assert.equal((await client.conversations.retrieve(made.id)).summary, 'second');
  const sent = { messages: [{ role: 'user', content: 'SAY here' }], background: true };
  const events = await collected(await client.conversations.messages.create(made.id, sent));
  assert.ok(events.some((one) => one.content === 'here'));
  await refused(async () => collected(await client.conversations.messages.stream(made.id)), 400);
  await refused(() => client.conversations.cancel(made.id), 409);
  assert.match(await client.conversations.recompile(made.id, { dry_run: true }), /\S/);
  assert.ok((await client.conversations.messages.compact(made.id)).num_messages_before > 0);
  await client.conversations.delete(made.id);
}

const agent = await client.agents.create({ memory_blocks: [{ label: 'human', value: 'Name: Ada' }] });
for (const resource of [blocks, archives, tools, messages, conversations]) await resource(agent);
assert.ok((await client.models.embeddings.list()).length > 0);
await client.agents.delete(agent.id);
console.log('done');
