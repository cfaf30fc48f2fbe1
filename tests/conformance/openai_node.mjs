// SPDX-License-Identifier: Apache-2.0
// What users do with the official openai package for Node, against analogd.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';

const MODEL = 'wordmath-2m';
const REWARD_MODEL = 'wordmath-2m-prm';
const QUESTION = 'Dan makes 6 stickers a day for 7 days. The shop is 24 streets away. ' +
  'How many stickers does Dan make?';
const PROMPT = `<|user|>\n${QUESTION}<|end|>\n<|assistant|>\n`;
const ANSWER = 'Step 1: 6 * 7 = 42\nAnswer: 42';
const messages = [{ role: 'user', content: QUESTION }];
const client = new OpenAI({ baseURL: process.env.ANALOGD_URL, apiKey: 'none', maxRetries: 0 });

test('models.list', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, [MODEL, REWARD_MODEL]);
});

test('models.retrieve', async () => {
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  await assert.rejects(client.models.retrieve('none'), OpenAI.NotFoundError);
});

test('chat', async () => {
  const answer = await client.chat.completions.create({ model: MODEL, messages, temperature: 0 });
  assert.equal(answer.choices[0].message.content, ANSWER);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens,
    answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer._request_id);
});

test('chat stream with usage', async () => {
  const stream = await client.chat.completions.create({
    model: MODEL, messages, temperature: 0, stream: true, stream_options: { include_usage: true },
  });
  let text = '';
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, ANSWER);
  assert.ok(usage.completion_tokens > 0);
});

test('chat stream helper', async () => {
  const runner = client.chat.completions.stream({ model: MODEL, messages, temperature: 0 });
  assert.equal(await runner.finalContent(), ANSWER);
});

test('chat logprobs', async () => {
  const answer = await client.chat.completions.create({
    model: MODEL, messages, temperature: 0, logprobs: true, top_logprobs: 2, max_tokens: 3,
  });
  const entries = answer.choices[0].logprobs.content;
  assert.equal(entries.length, 3);
  assert.equal(entries[0].top_logprobs[0].token, entries[0].token);
});

test('chat candidates', async () => {
  const answer = await client.chat.completions.create({
    model: MODEL, messages, temperature: 1.2, seed: 4, n: 3, max_completion_tokens: 20,
  });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2]);
});

test('completions with text, ids and batches', async () => {
  const { tokens } = await client.post('/../tokenize', { body: { prompt: PROMPT } });
  for (const prompt of [PROMPT, [PROMPT], tokens, [tokens, tokens]]) {
    const answer = await client.completions.create({
      model: MODEL, prompt, temperature: 0, max_tokens: 64,
    });
    for (const choice of answer.choices) assert.equal(choice.text, ANSWER);
  }
});

test('completions stream', async () => {
  const stream = await client.completions.create({
    model: MODEL, prompt: PROMPT, temperature: 0, max_tokens: 64, stream: true,
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0].text;
  assert.equal(text, ANSWER);
});

test('completions echo, logprobs and fields of our own', async () => {
  const answer = await client.completions.create({
    model: MODEL, prompt: PROMPT, temperature: 0, max_tokens: 1, logprobs: 1, echo: true,
    top_k: 1, return_token_ids: true,
  });
  const { logprobs, text, token_ids } = answer.choices[0];
  assert.equal(logprobs.token_logprobs[0], null);
  assert.equal(logprobs.tokens.length, answer.usage.total_tokens);
  assert.ok(text.startsWith(PROMPT));
  assert.equal(token_ids.length, 1);
});

test('a stream that is left', async () => {
  for (let i = 0; i < 5; i++) {
    const stream = await client.chat.completions.create({
      model: MODEL, messages, stream: true, ignore_eos: true,
    });
    for await (const chunk of stream) { assert.ok(chunk.id); break; }
  }
  assert.equal((await client.models.list()).data[0].id, MODEL);
});

// The package sends fields that it does not know along with the others.
test('best of 16 by weighted vote', async () => {
  const answer = await client.chat.completions.create({
    model: MODEL, messages, temperature: 0.8, seed: 1, best_of: 16, select: 'weighted',
    return_candidates: true,
  });
  const { candidates, choices, usage } = answer;
  assert.ok(choices[0].message.content.endsWith('Answer: 42'));
  assert.equal(candidates.length, 16);
  assert.equal(candidates[0].text, choices[0].message.content);
  assert.equal(usage.completion_tokens, candidates.reduce((sum, c) => sum + c.tokens, 0));
  assert.ok(usage.reward_tokens > 0);
});

test('a stream waits for the choice only if told what to do', async () => {
  await assert.rejects(
    client.chat.completions.create({ model: MODEL, messages, stream: true, best_of: 4 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'stream');
  const stream = await client.chat.completions.create({
    model: MODEL, messages, temperature: 0.8, seed: 1, stream: true, best_of: 4,
    select: 'reward', stream_candidates: true,
  });
  const seen = new Set();
  let chosen = '';
  for await (const chunk of stream) {
    if (chunk.candidate) seen.add(chunk.candidate.index);
    for (const choice of chunk.choices) chosen += choice.delta.content ?? '';
  }
  assert.equal(seen.size, 4);
  assert.ok(chosen.includes('Answer: '));
});

test('errors have their classes', async () => {
  await assert.rejects(
    client.chat.completions.create({ model: MODEL, messages, temperature: 9 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
  await assert.rejects(
    client.chat.completions.create({ model: 'gpt-4', messages }), OpenAI.NotFoundError);
  await assert.rejects(
    client.completions.create({ model: MODEL, prompt: Array(1000).fill(1) }),
    (error) => error.code === 'context_length_exceeded');
});

test('a client that gives up', async () => {
  const hasty = new OpenAI({ baseURL: process.env.ANALOGD_URL, apiKey: 'none', maxRetries: 0,
    timeout: 50 });
  await assert.rejects(
    hasty.completions.create({ model: MODEL, prompt: Array(100).fill(PROMPT), max_tokens: 400,
      ignore_eos: true }),
    OpenAI.APIConnectionTimeoutError);
});
