// The main path of the contract, driven by the official JavaScript client against a running server.
// EUNOE_URL says where it is. The process ends with 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { Letta } from '@letta-ai/letta-client';

const client = new Letta({ baseURL: process.env.EUNOE_URL, apiKey: 'any', maxRetries: 0, timeout: 60_000 });
const SEARCH = 'THINK Let me look. CALL conversation_search {"query": "green tea"}';

const collected = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};
const kinds = (parts) => parts.map((part) => part.message_type);
const whole = (events, kind, field) =>
  events.filter((one) => one.message_type === kind).map((one) => one[field]).join('');
const refused = async (call, status) =>
  assert.rejects(call, (error) => {
    assert.equal(error.status, status);
    return true;
  });

async function agents() {
  const made = await client.agents.create({
    memory_blocks: [{ label: 'human', value: 'Name: Ada' }],
    tags: ['from-node'],
  });
  assert.match(made.id, /^agent-/);
  assert.deepEqual(made.blocks.map((block) => block.value), ['Name: Ada']);
  assert.deepEqual((await client.agents.retrieve(made.id)).blocks, []);
  const full = await client.agents.retrieve(made.id, { include: ['agent.blocks', 'agent.tags'] });
  assert.deepEqual(full.tags, ['from-node']);
  const changed = await client.agents.update(made.id, { name: 'Grace', description: null });
  assert.equal(changed.name, 'Grace');
  const listed = await collected(client.agents.list({ tags: ['from-node'], limit: 1 }));
  assert.ok(listed.some((one) => one.id === made.id));
  return made;
}

async function blocks(agent) {
  const changed = await client.agents.blocks.update('human', { agent_id: agent.id, value: 'Name: Bob' });
  assert.equal(changed.value, 'Name: Bob');
  const team = await client.blocks.create({ label: 'team', value: 'two' });
  const attached = await client.agents.blocks.attach(team.id, { agent_id: agent.id });
  assert.equal(attached.blocks.length, 2);
  await client.agents.blocks.detach(team.id, { agent_id: agent.id });
  assert.deepEqual((await collected(client.agents.blocks.list(agent.id))).map((one) => one.label), ['human']);
  await refused(() => client.agents.blocks.retrieve('team', { agent_id: agent.id }), 404);
}

async function messages(agent) {
  const answer = await client.agents.messages.create(agent.id, { input: SEARCH });
  const expected = ['reasoning_message', 'tool_call_message', 'tool_return_message', 'assistant_message'];
  assert.deepEqual(kinds(answer.messages), expected);
  assert.equal(answer.stop_reason.stop_reason, 'end_turn');

  const steps = await collected(
    await client.agents.messages.create(agent.id, { input: SEARCH, streaming: true }),
  );
  assert.deepEqual(kinds(steps), ['ping', ...expected, 'stop_reason', 'usage_statistics']);

  const tokens = await collected(
    await client.agents.messages.create(agent.id, {
      input: 'SAY one two three',
      streaming: true,
      stream_tokens: true,
      background: true,
    }),
  );
  assert.equal(whole(tokens, 'assistant_message', 'content'), 'one two three');
  const run = tokens[0].run_id;
  const again = await collected(await client.runs.messages.stream(run, { starting_after: 2 }));
  assert.deepEqual(again, tokens.slice(2));

  const listed = await collected(client.agents.messages.list(agent.id, { order: 'asc', limit: 3 }));
  assert.equal(listed[0].message_type, 'system_message');
  const streamed = tokens.find((one) => one.message_type === 'assistant_message');
  const twin = listed.find((one) => one.otid === streamed.otid);
  assert.deepEqual([twin.id, twin.content], [streamed.id, 'one two three']);
  return run;
}

async function runs(agent, run) {
  const ended = await client.runs.retrieve(run);
  assert.deepEqual([ended.status, ended.stop_reason], ['completed', 'end_turn']);
  const found = await collected(client.runs.list({ agent_id: agent.id, limit: 2 }));
  assert.equal(found.length, 3);
  const steps = await collected(client.runs.steps.list(run));
  const usage = await client.runs.usage.retrieve(run);
  assert.equal(steps[0].total_tokens, usage.total_tokens);

  const later = await client.agents.messages.createAsync(agent.id, { input: 'SLOW 2000 hello' });
  assert.deepEqual(await client.agents.messages.cancel(agent.id), { [later.id]: 'cancelled' });
  await collected(await client.runs.messages.stream(later.id));
  assert.equal((await client.runs.retrieve(later.id)).status, 'cancelled');
}

async function failures(agent) {
  await refused(() => client.agents.retrieve('agent-1'), 422);
  await refused(() => client.agents.retrieve('agent-00000000-0000-4000-8000-000000000000'), 404);
  await refused(() => client.agents.messages.create(agent.id, { input: 'FAIL 401' }), 401);
  await refused(() => client.agents.messages.cancel(agent.id), 409);
  const broken = await client.agents.messages.create(agent.id, { input: 'FAIL 401', streaming: true });
  await assert.rejects(collected(broken), (error) => error.error.error_type === 'llm_authentication');
}

async function tools(agent) {
  const source_code = 'def node_dice(sides: int):\n    """Roll.\n\n    Args:\n        sides: How many.\n    """\n';
  const made = await client.tools.create({ source_code, tags: ['from-node'] });
  assert.deepEqual(made.json_schema.parameters.required, ['sides']);
  assert.equal((await client.tools.upsert({ source_code })).id, made.id);
  const changed = await client.tools.update(made.id, { metadata_: { k: 1 } });
  assert.deepEqual([changed.metadata_, changed.tags], [{ k: 1 }, ['from-node']]);
  assert.deepEqual((await collected(client.tools.list({ name: 'node_dice' }))).map((one) => one.id), [made.id]);
  assert.equal((await client.tools.search({ query: 'node dice', tags: ['from-node'] }))[0].tool.id, made.id);
  await client.agents.tools.attach(made.id, { agent_id: agent.id });
  const listed = await collected(client.agents.tools.list(agent.id));
  assert.ok(listed.some((one) => one.name === 'node_dice'));
  const edit = { label: 'human', old_string: 'Bob', new_string: 'Eve' };
  const ran = await client.agents.tools.run('memory_replace', { agent_id: agent.id, args: edit });
  assert.deepEqual([ran.status, ran.func_return], ['success', 'Name: Eve']);
  await refused(() => client.tools.create({ source_code: 'def f(a): ...' }), 400);
  await client.tools.delete(made.id);
  await refused(() => client.tools.retrieve(made.id), 404);
}

async function memory(agent) {
  await client.agents.passages.create(agent.id, { text: 'Ada drinks green tea.' });
  const found = await client.agents.passages.search(agent.id, { query: 'green tea' });
  assert.equal(found.results[0].content, 'Ada drinks green tea.');
  const models = await client.models.list();
  assert.ok(models.some((one) => one.handle === agent.model));
}

async function conversations(agent) {
  const made = await client.conversations.create({ agent_id: agent.id, summary: 'Tea' });
  const events = await collected(await client.conversations.messages.create(made.id, { input: 'SAY hi' }));
  assert.deepEqual(kinds(events), ['ping', 'assistant_message', 'stop_reason', 'usage_statistics']);
  const listed = await collected(client.conversations.messages.list(made.id, { order: 'asc' }));
  assert.deepEqual(kinds(listed), ['system_message', 'user_message', 'assistant_message']);
  const fork = await client.conversations.fork(made.id);
  assert.equal(fork.in_context_message_ids.length, 3);
  await client.conversations.delete(made.id);
  assert.deepEqual((await client.conversations.list({ agent_id: agent.id })).map((one) => one.id), [fork.id]);
}

assert.equal((await client.health()).status, 'ok');
const agent = await agents();
await blocks(agent);
const run = await messages(agent);
await runs(agent, run);
await failures(agent);
await conversations(agent);
await memory(agent);
await tools(agent);
await client.agents.delete(agent.id);
await refused(() => client.agents.retrieve(agent.id), 404);
console.log('done');
