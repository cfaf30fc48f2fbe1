// SPDX-License-Identifier: Apache-2.0
// llama.cpp as run.py's worker, through node-llama-cpp; the protocol is in worker.py.
//
//   node peer_llamacpp.mjs MODEL.gguf THREADS
//
// Run it with the folder that holds node_modules as the working directory.
import {createRequire} from "node:module";
import {createInterface} from "node:readline";
import {pathToFileURL} from "node:url";
import {readFileSync, unlinkSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const require = createRequire(process.cwd() + "/");
const entry = require.resolve("node-llama-cpp");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry));

const VOCABULARY = 128256;
const MIN_STEPS = 3;
const NEXT = {generateNext: {token: true, options: {temperature: 0}}};
const SAMPLED = {generateNext: {token: true, options: {temperature: 1, topK: 0, topP: 1}}};

const [modelPath, threads] = [process.argv[2], Number(process.argv[3])];
const llama = await getLlama({
    build: "never", gpu: false, maxThreads: threads, logLevel: LlamaLogLevel.error
});
const model = await llama.loadModel({modelPath, gpuLayers: 0});
let calls = 0;

function prompt(length) {
    calls++;
    return Array.from({length}, (_, i) =>
        (calls * 7919 + i * 104729) % (VOCABULARY - 2000) + 1000);
}

async function openContext(sequences, contextSize) {
    const context = await model.createContext({
        sequences, contextSize, batchSize: 512, flashAttention: true,
        threads: {ideal: threads, min: threads}
    });
    return {context, sequences: Array.from({length: sequences}, () => context.getSequence())};
}

// The token that follows `tokens` in this sequence.
async function evaluate(sequence, tokens, options) {
    const last = tokens.length - 1;
    const input = tokens.map((t, i) => (i === last ? [t, options] : t));
    const results = await sequence.controlledEvaluate(input);
    return results[last].next.token;
}

// One token for each sequence; node-llama-cpp makes one batch of what is asked for together.
function step(sequences, tokens, options) {
    return Promise.all(sequences.map((s, i) => evaluate(s, tokens[i], options)));
}

async function decode({sequences: n, prompt: length, seconds}) {
    const {context, sequences} = await openContext(n, 256);
    let next = await step(sequences, sequences.map(() => prompt(length)), NEXT);
    const start = performance.now();
    let steps = 0, elapsed = 0;
    while (elapsed < seconds || steps < MIN_STEPS) {
        next = await step(sequences, next.map((t) => [t]), NEXT);
        steps++;
        elapsed = (performance.now() - start) / 1e3;
    }
    await context.dispose();
    return n * steps / elapsed;
}

async function prefill({tokens}) {
    const {context, sequences} = await openContext(1, tokens + 16);
    const start = performance.now();
    await evaluate(sequences[0], prompt(tokens), NEXT);
    const seconds = (performance.now() - start) / 1e3;
    await context.dispose();
    return seconds;
}

// node-llama-cpp cannot copy a sequence within a context, but through a file it can: the
// prompt is read once, and each sequence loads what came of it.
async function candidates({n, prompt: length, tokens}) {
    const {context, sequences} = await openContext(n, 256);
    const ids = prompt(length);
    const state = join(tmpdir(), `llamacpp-prompt.${process.pid}`);
    const start = performance.now();
    await sequences[0].evaluateWithoutGeneratingNewTokens(ids.slice(0, -1));
    if (n > 1) {
        await sequences[0].saveStateToFile(state);
        for (const s of sequences.slice(1))
            await s.loadStateFromFile(state, {acceptRisk: true});
        unlinkSync(state);
    }
    let next = sequences.map(() => ids[length - 1]);
    for (let i = 0; i < tokens; i++)
        next = await step(sequences, next.map((t) => [t]), SAMPLED);
    const seconds = (performance.now() - start) / 1e3;
    await context.dispose();
    return seconds;
}

function memory() {
    const status = readFileSync("/proc/self/status", "ascii");
    const bytes = (name) => Number(status.match(new RegExp(name + ":\\s+(\\d+)"))[1]) * 1024;
    return {peak: bytes("VmHWM"), resident: bytes("VmRSS")};
}

const figures = {decode, prefill, candidates, memory};

function say(message) {
    process.stdout.write(JSON.stringify(message) + "\n");
}

const version = require(entry.replace(/dist\/.*/, "package.json")).version;
say({ready: true, version: `${version}, llama.cpp ${llama.llamaCppRelease.release}`});
for await (const line of createInterface({input: process.stdin})) {
    const {figure, ...request} = JSON.parse(line);
    const value = await figures[figure](request);
    say(typeof value === "number" ? {value} : value);
}
process.exit(0);
