#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a checkpoint folder of a published shape with random weights, to load
and to measure: nobody's weights are needed. Standard library only.

  make_random_checkpoint.py SHAPE OUT --tokenizer DIR
      [--format safetensors|torch] [--input-ranges] [--layers N]

SHAPE is llama-3.2-1b (2.5 GB) or phi-3-mini (7.6 GB). config.json and the
tensors' names, shapes and dtype (bfloat16) are those of the published
checkpoints; files above 5 GB are sharded as Hugging Face does. tokenizer.json
and tokenizer_config.json, if there, are copied from DIR; a vocabulary smaller
than the model's is legal. Values are finite, have mean 0 and a standard deviation of
about 1/64, and are the same in every run. --input-ranges adds the four tensors
that aihwkit-lightning keeps beside each linear layer; --layers cuts the depth.
"""
import argparse
import collections
import io
import json
import os
import pickle
import random
import shutil
import struct
import sys
import types
import zipfile

SHARD_BYTES = 5_000_000_000
ITEM = 2  # bytes of a bfloat16
ONE = b"\x80\x3f"

CONFIGS = {
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
        "max_position_embeddings": 131072, "mlp_bias": False, "model_type": "llama",
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": 128256,
    },
    "phi-3-mini": {
        "architectures": ["Phi3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 1, "embd_pdrop": 0.0, "eos_token_id": 32000, "hidden_act": "silu",
        "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192,
        "max_position_embeddings": 4096, "model_type": "phi3", "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32,
        "original_max_position_embeddings": 4096, "pad_token_id": 32000, "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0,
        "sliding_window": 2047, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": 32064,
    },
}

Tensor = collections.namedtuple("Tensor", "name shape dtype")


# ---- what a checkpoint holds ---------------------------------------------------

def linear_layers(c):
    """(name within a layer, outputs, inputs) of each linear layer."""
    hidden, ffn, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    head = c.get("head_dim", hidden // heads)
    q, kv = heads * head, c["num_key_value_heads"] * head
    if c["model_type"] == "phi3":
        return [("self_attn.qkv_proj", q + 2 * kv, hidden), ("self_attn.o_proj", hidden, q),
                ("mlp.gate_up_proj", 2 * ffn, hidden), ("mlp.down_proj", hidden, ffn)]
    return [("self_attn.q_proj", q, hidden), ("self_attn.k_proj", kv, hidden),
            ("self_attn.v_proj", kv, hidden), ("self_attn.o_proj", hidden, q),
            ("mlp.gate_proj", ffn, hidden), ("mlp.up_proj", ffn, hidden),
            ("mlp.down_proj", hidden, ffn)]


def linear_tensors(name, outputs, inputs, ranges):
    yield Tensor(name + ".weight", (outputs, inputs), "BF16")
    if ranges:
        for extra in ("input_range", "input_range_update_idx", "x_min", "x_max"):
            yield Tensor(f"{name}.{extra}", (1,), "F32")


def tensors(c, ranges):
    """In the order of the modules, as published files have them."""
    hidden, vocab = c["hidden_size"], c["vocab_size"]
    yield Tensor("model.embed_tokens.weight", (vocab, hidden), "BF16")
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        for name, outputs, inputs in linear_layers(c):
            yield from linear_tensors(layer + name, outputs, inputs, ranges)
        yield Tensor(layer + "input_layernorm.weight", (hidden,), "BF16")
        yield Tensor(layer + "post_attention_layernorm.weight", (hidden,), "BF16")
    yield Tensor("model.norm.weight", (hidden,), "BF16")
    if not c["tie_word_embeddings"]:
        yield from linear_tensors("lm_head", vocab, hidden, ranges)


def elements(t):
    n = 1
    for size in t.shape:
        n *= size
    return n


def n_bytes(t):
    return elements(t) * (4 if t.dtype == "F32" else ITEM)


def shards(all_tensors):
    files, room = [], 0
    for t in all_tensors:
        if n_bytes(t) > room:
            files.append([])
            room = SHARD_BYTES
        files[-1].append(t)
        room -= n_bytes(t)
    return files


# ---- their values ---------------------------------------------------------------

def random_block(n):
    """n bfloat16 numbers. The high byte is the sign and 7 bits of the exponent:
    its random bits choose among four magnitudes, each a quarter of the one
    before and as much rarer, which is near to uniform on (-1/32, 1/32)."""
    top = (127 - 7) // 2
    magnitudes = bytes([top] * 96 + [top - 1] * 24 + [top - 2] * 6 + [top - 3] * 2)
    table = magnitudes + bytes(128 | m for m in magnitudes)
    block = bytearray(random.Random(1).randbytes(ITEM * n))
    block[1::2] = block[1::2].translate(table)
    return memoryview(block)


# An odd number of elements: no two rows of a matrix are alike.
BLOCK = random_block((8 << 20) + 1)


def write_random(f, size):
    while size > 0:
        f.write(BLOCK[:size])
        size -= len(BLOCK)


def write_values(f, t):
    if t.name.endswith("norm.weight"):
        f.write(ONE * elements(t))
    elif t.dtype == "F32":
        lowest = t.name.endswith(".x_min")
        f.write(struct.pack("<f", -3.0 if lowest else 3.0) * elements(t))
    else:
        write_random(f, n_bytes(t))


# ---- the two formats --------------------------------------------------------------

def write_safetensors(path, members):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for t in members:
        header[t.name] = {"dtype": t.dtype, "shape": t.shape, "data_offsets": [at, at + n_bytes(t)]}
        at += n_bytes(t)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in members:
            write_values(f, t)


def torch_names():
    """Stand-ins for what a state_dict's pickle refers to; nothing is imported."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils
    for module, name in ((utils, "_rebuild_tensor_v2"), (torch, "BFloat16Storage"),
                         (torch, "FloatStorage")):
        stand_in = type(name, (), {"__module__": module.__name__})
        setattr(module, name, stand_in)
    sys.modules.update({"torch": torch, "torch._utils": utils})
    return torch


class Storage:
    def __init__(self, torch, key, t):
        kind = torch.FloatStorage if t.dtype == "F32" else torch.BFloat16Storage
        self.id = ("storage", kind, str(key), "cpu", elements(t))


class Rebuilt:
    """A tensor of a state_dict, which torch writes as a call that rebuilds it."""

    def __init__(self, torch, key, t):
        strides, size = [], 1
        for n in reversed(t.shape):
            strides.insert(0, size)
            size *= n
        self.call = torch._utils._rebuild_tensor_v2
        self.args = (Storage(torch, key, t), 0, t.shape, tuple(strides), False,
                     collections.OrderedDict())

    def __reduce__(self):
        return self.call, self.args


class StatePickler(pickle._Pickler):  # in Python: the C one insists on real globals
    def persistent_id(self, obj):
        return obj.id if isinstance(obj, Storage) else None


def write_torch(path, members):
    torch = torch_names()
    state = collections.OrderedDict((t.name, Rebuilt(torch, i, t)) for i, t in enumerate(members))
    text = io.BytesIO()
    StatePickler(text, protocol=2).dump(state)
    root = os.path.splitext(os.path.basename(path))[0]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr(root + "/data.pkl", text.getvalue())
        z.writestr(root + "/byteorder", "little")
        for i, t in enumerate(members):
            with z.open(f"{root}/data/{i}", "w", force_zip64=True) as f:
                write_values(f, t)
        z.writestr(root + "/version", "3\n")


FORMATS = {
    "safetensors": (write_safetensors, "model", ".safetensors"),
    "torch": (write_torch, "pytorch_model", ".bin"),
}


def write_weights(out, kind, files):
    write, stem, ending = FORMATS[kind]
    if len(files) == 1:
        write(os.path.join(out, stem + ending), files[0])
        return
    index = {"metadata": {"total_size": sum(n_bytes(t) for f in files for t in f)},
             "weight_map": {}}
    for i, members in enumerate(files, 1):
        name = f"{stem}-{i:05}-of-{len(files):05}{ending}"
        index["weight_map"].update((t.name, name) for t in members)
        write(os.path.join(out, name), members)
    with open(os.path.join(out, f"{stem}{ending}.index.json"), "w", encoding="utf-8") as f:
        json.dump(index, f, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("shape", choices=sorted(CONFIGS))
    parser.add_argument("out")
    parser.add_argument("--tokenizer", required=True, metavar="DIR")
    parser.add_argument("--format", choices=sorted(FORMATS), default="safetensors")
    parser.add_argument("--input-ranges", action="store_true")
    parser.add_argument("--layers", type=int)
    args = parser.parse_args()
    config = dict(CONFIGS[args.shape])
    config["num_hidden_layers"] = args.layers or config["num_hidden_layers"]
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if os.path.exists(os.path.join(args.tokenizer, name)):
            shutil.copyfile(os.path.join(args.tokenizer, name), os.path.join(args.out, name))
    write_weights(args.out, args.format, shards(tensors(config, args.input_ranges)))


if __name__ == "__main__":
    main()
