// Every method of the official JavaScript client that the main path leaves out, against a running server.
// EUNOE_URL says where it is. The process ends with 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { Letta, toFile } from '@letta-ai/letta-client';

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
  assert.equal((await client.runs.trace.retrieve(run.id))[0].name, 'run');

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

async function folders(agent) {
  const folder = await client.folders.create({ name: mark, embedding: 'openai/text-embedding-3-small' });
  assert.equal((await client.folders.update(folder.id, { description: 'plans' })).description, 'plans');
  assert.equal((await client.folders.retrieve(folder.id)).name, mark);
  assert.deepEqual(ids(await collected(client.folders.list({ name: mark }))), [folder.id]);
  const file = await toFile(new Blob(['The rudder is brass.']), 'plan.txt', { type: 'text/plain' });
  const sent = await client.folders.files.upload(folder.id, { file, duplicate_handling: 'error' });
  const asked = { folder_id: folder.id, include_content: true };
  let read = sent;
  while (!['completed', 'error'].includes(read.processing_status)) {
    read = await client.folders.files.retrieve(sent.id, asked);
  }
  assert.deepEqual([read.processing_status, read.content], ['completed', 'The rudder is brass.']);
  assert.deepEqual(ids(await collected(client.folders.files.list(folder.id))), [sent.id]);

  await client.agents.folders.attach(folder.id, { agent_id: agent.id });
  assert.deepEqual(ids(await collected(client.agents.folders.list(agent.id))), [folder.id]);
  assert.deepEqual(await client.folders.agents.list(folder.id), [agent.id]);
  await files(agent, sent.id);
  await client.agents.folders.detach(folder.id, { agent_id: agent.id });
  assert.deepEqual(await collected(client.agents.folders.list(agent.id)), []);
  await client.folders.files.delete(sent.id, { folder_id: folder.id });
  await client.folders.delete(folder.id);
  await refused(() => client.folders.retrieve(folder.id), 404);
}

async function files(agent, id) {
  const open = async () => (await collected(client.agents.files.list(agent.id, { is_open: true }))).length;
  await client.agents.files.close(id, { agent_id: agent.id });
  assert.equal(await open(), 0);
  assert.deepEqual(await client.agents.files.open(id, { agent_id: agent.id }), []);
  assert.equal(await open(), 1);
  assert.deepEqual(await client.agents.files.closeAll(agent.id), [`${mark}/plan.txt`]);
  assert.equal(await open(), 0);
}

async function identities(agent) {
  const body = { identifier_key: mark, name: 'Ada', identity_type: 'user' };
  const { id } = await client.post('/v1/identities/', { body });
  const own = async () => (await client.agents.retrieve(agent.id, { include: ['agent.identities'] })).identities;
  await client.agents.identities.attach(id, { agent_id: agent.id });
  assert.deepEqual(ids(await own()), [id]);
  await client.agents.identities.detach(id, { agent_id: agent.id });
  assert.deepEqual(await own(), []);
}

// A server of the Model Context Protocol with one tool, which doubles a number.
const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'doubler', version: '1' },
  }),
  'tools/list': () => ({
    tools: [{ name: 'double', inputSchema: { type: 'object', properties: { n: { type: 'integer' } } } }],
  }),
  'tools/call': ({ arguments: { n } }) => ({ content: [{ type: 'text', text: String(2 * n) }] }),
};
async function doubling(request, response) {
  if (request.method !== 'POST') return response.writeHead(405).end();
  const { id, method, params } = await json(request);
  if (id === undefined) return response.writeHead(202).end();
  const answer = answers[method];
  const told = answer ? { result: answer(params) } : { error: { code: -32601, message: 'Not known.' } };
  response.writeHead(200, { 'content-type': 'application/json' });
  return response.end(JSON.stringify({ jsonrpc: '2.0', id, ...told }));
}

async function mcpServers() {
  const doubler = createServer(doubling).listen(0, '127.0.0.1');
  await once(doubler, 'listening');
  const config = { mcp_server_type: 'streamable_http', server_url: `http://127.0.0.1:${doubler.address().port}/` };
  const made = await client.mcpServers.create({ server_name: mark, config });
  const [tool] = await client.mcpServers.tools.list(made.id);
  assert.equal(tool.name, 'double');
  const there = { mcp_server_id: made.id };
  assert.equal((await client.mcpServers.tools.retrieve(tool.id, there)).name, 'double');
  const done = await client.mcpServers.tools.run(tool.id, { ...there, args: { n: 21 } });
  assert.deepEqual([done.status, done.func_return], ['success', '42']);
  assert.ok(await client.mcpServers.refresh(made.id));
  const renamed = await client.mcpServers.update(made.id, { server_name: `${mark}-2`, config });
  assert.equal(renamed.server_name, `${mark}-2`);
  assert.equal((await client.mcpServers.retrieve(made.id)).server_url, config.server_url);
  assert.ok(ids(await client.mcpServers.list()).includes(made.id));
  await client.mcpServers.delete(made.id);
  await refused(() => client.mcpServers.retrieve(made.id), 404);
  doubler.closeAllConnections();
  doubler.close();
}

async function schedules(agent) {
  const made = await client.agents.schedule.create(agent.id, {
    messages: [{ role: 'user', content: 'Wake up.' }],
    schedule: { type: 'one-time', scheduled_at: Date.now() + 86_400_000 },
  });
  const one = await client.agents.schedule.retrieve(made.id, { agent_id: agent.id });
  assert.equal(one.message.messages[0].content, 'Wake up.');
  const { scheduled_messages: listed } = await client.agents.schedule.list(agent.id);
  assert.deepEqual(ids(listed), [made.id]);
  assert.equal((await client.agents.schedule.delete(made.id, { agent_id: agent.id })).success, true);
  await refused(() => client.agents.schedule.retrieve(made.id, { agent_id: agent.id }), 404);
}

async function templates(agent) {
  const made = await client.templates.create({ type: 'agent', agent_id: agent.id, name: mark });
  assert.equal(made.latest_version, '1');
  assert.equal((await client.templates.save(mark, { message: 'again' })).latest_version, '2');
  assert.equal((await client.templates.rollback(mark, { version: '1' })).success, true);
  const { agent_ids: [copy] } = await client.templates.agents.create(`${mark}:1`, { agent_name: 'Copy' });
  assert.equal((await client.agents.retrieve(copy)).name, 'Copy');
  await client.agents.delete(copy);
  const file = JSON.parse(await exported(agent));
  assert.equal((await client.templates.update(mark, { agent_file_json: file })).success, true);
  assert.equal((await client.templates.delete(mark, {})).success, true);
}

async function accessTokens(agent) {
  const policy = [{ type: 'agent', id: agent.id, access: ['read_agent'] }];
  const made = await client.accessTokens.create({ hostname: 'https://app.example.org', policy });
  assert.equal((await client.accessTokens.list({ agentId: agent.id })).tokens.length, 1);
  await client.accessTokens.delete(made.token, { body: {} });
  assert.deepEqual((await client.accessTokens.list({ agentId: agent.id })).tokens, []);
}

async function exported(agent) {
  const found = await client.agents.exportFile(agent.id);
  return typeof found === 'string' ? found : JSON.stringify(found);
}

async function agentFiles(agent) {
  const file = await toFile(Buffer.from(await exported(agent)), 'agent.af');
  const { agent_ids: [copy] } = await client.agents.importFile({ file, name: 'Copy', append_copy_suffix: false });
  assert.equal((await client.agents.retrieve(copy)).name, 'Copy');
  await client.agents.delete(copy);
}

async function environments() {
  await refused(() => client.environments.list(), 501);
  await refused(() => client.environments.retrieve('device'), 501);
  const messages = [{ role: 'user', content: 'Hello.' }];
  await refused(() => client.environments.sendMessage('connection', { messages }), 501);
}

const agent = await client.agents.create({ memory_blocks: [{ label: 'human', value: 'Name: Ada' }] });
const resources = [
  blocks, archives, tools, messages, conversations, folders, identities, mcpServers, schedules, templates,
  accessTokens, agentFiles, environments,
];
for (const resource of resources) await resource(agent);
assert.ok((await client.models.embeddings.list()).length > 0);
await client.agents.delete(agent.id);
console.log('done');
