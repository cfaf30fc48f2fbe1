#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the checkpoint of make_random_checkpoint.py as GGUF, for llama.cpp.

  make_gguf.py CHECKPOINT OUT --type Q8_0|Q4_0

Every matrix is stored in the type asked for, the tied embedding included, as
llama-quantize --pure does. The vocabulary is made of placeholder texts: prompts are
token ids. Needs the packages gguf and numpy.
"""
import argparse
import json
import os
import struct

import gguf
import numpy

ROWS = 4096  # quantised at a time

# Names of a layer's tensors in the checkpoint and in the GGUF file.
LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{LAYER[rest.removesuffix('.weight')]}.weight"


def open_tensors(folder):
    """(name, bfloat16 matrix as uint16) of each tensor, mapped from the file."""
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
    header.pop("__metadata__", None)
    for name, t in header.items():
        yield name, numpy.memmap(path, numpy.uint16, "r", 8 + size + t["data_offsets"][0],
                                 tuple(t["shape"]))


def as_float(bfloat16):
    return (bfloat16.astype(numpy.uint32) << 16).view(numpy.float32)


def quantise(matrix, kind):
    parts = [gguf.quantize(as_float(matrix[i:i + ROWS]), kind)
             for i in range(0, len(matrix), ROWS)]
    return numpy.concatenate(parts)


def rope_factors(config):
    """What llama.cpp divides the rotary frequencies by, for rope_type llama3."""
    r = config["rope_scaling"]
    half = config["head_dim"] // 2
    wavelength = 2 * numpy.pi * config["rope_theta"] ** (numpy.arange(half) / half)
    turns = r["original_max_position_embeddings"] / wavelength
    smooth = ((turns - r["low_freq_factor"])
              / (r["high_freq_factor"] - r["low_freq_factor"])).clip(0, 1)
    return (1 / ((1 - smooth) / r["factor"] + smooth)).astype(numpy.float32)


def write_header(w, c):
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_key_length(c["head_dim"])
    w.add_value_length(c["head_dim"])
    w.add_rope_dimension_count(c["head_dim"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(c["vocab_size"])


def write_vocabulary(w, c):
    texts = [f"<0x{i:02X}>" for i in range(256)]
    kinds = [gguf.TokenType.BYTE] * 256
    rest = c["vocab_size"] - len(texts)
    texts += [f"t{i}" for i in range(rest)]
    kinds += [gguf.TokenType.NORMAL] * rest
    kinds[c["bos_token_id"]] = kinds[c["eos_token_id"]] = gguf.TokenType.CONTROL
    w.add_tokenizer_model("llama")
    w.add_token_list(texts)
    w.add_token_scores([0.0] * c["vocab_size"])
    w.add_token_types(kinds)
    w.add_bos_token_id(c["bos_token_id"])
    w.add_eos_token_id(c["eos_token_id"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--type", choices=("Q8_0", "Q4_0"), required=True)
    args = parser.parse_args()
    with open(os.path.join(args.checkpoint, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    kind = gguf.GGMLQuantizationType[args.type]
    w = gguf.GGUFWriter(args.out, "llama")
    write_header(w, config)
    w.add_file_type(gguf.LlamaFileType[f"MOSTLY_{args.type}"])
    write_vocabulary(w, config)
    w.add_tensor("rope_freqs.weight", rope_factors(config))
    for name, t in open_tensors(args.checkpoint):
        if t.ndim == 1:
            w.add_tensor(gguf_name(name), as_float(t))
        else:
            w.add_tensor(gguf_name(name), quantise(t, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    main()
