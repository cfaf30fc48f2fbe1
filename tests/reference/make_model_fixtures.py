#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the tiny checkpoints of tests/data/models, one folder for each family and
switch, with what the reference implementation answers, and a tokenizer to serve
them with.

  make_model_fixtures.py OUT          write the folders below OUT
  make_model_fixtures.py --check DIR  make them again and compare with DIR

pip install torch transformers safetensors numpy; made with torch 2.15.0 (CPU),
transformers 5.23.0, safetensors 0.8.0 and numpy 2.4.6.

Weights and prompts come from a hash of their names, so they are the same on every
machine. Logits may differ in the last digit on another CPU, where torch adds in
another order; --check allows for 1e-5 there and asks for equal bytes elsewhere.

A folder's reference.json holds prompts and for each: "positions" of the prompt,
the "logits" there (float32, eager attention, the whole prompt in one pass) and
"greedy", the continuation by generate(). Every choice in it is clear by MARGIN,
so that sums in another order cannot tip it. Each setting that a folder is there
to test is taken away in turn: the logits must then move by more than MATTERS.
"""
import copy
import dataclasses
import filecmp
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

NEW_TOKENS = 32
MARGIN = 1e-2
MATTERS = 1e-2
DISTINCT = 8  # tokens in a continuation: one that goes round in a circle shows little
LENGTHS = (1, 7, 17, 40, 56)
POSITIONS = 6  # of a prompt, whose logits are kept

# ---- the folders ------------------------------------------------------------

TINY = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "vocab_size": 128, "max_position_embeddings": 96,
    "rms_norm_eps": 1e-5, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2,
    "initializer_range": 0.02, "use_cache": True, "attention_dropout": 0.0,
}
# With room for the ids of the byte-level tokenizer in tests/data/models/tokenizer.
SERVED = {"vocab_size": 272, "max_position_embeddings": 256, "bos_token_id": 262,
          "eos_token_id": 263}
LLAMA = {**TINY, "architectures": ["LlamaForCausalLM"], "model_type": "llama",
         "rope_theta": 10000.0, "attention_bias": False, "mlp_bias": False,
         "pretraining_tp": 1}
LLAMA3_ROPE = {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64, "rope_type": "llama3"}
LLAMA3 = {**LLAMA, "hidden_size": 48, "intermediate_size": 64, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 16, "rope_theta": 500000.0,
          "rope_scaling": LLAMA3_ROPE, "tie_word_embeddings": True}
MISTRAL = {**TINY, "architectures": ["MistralForCausalLM"], "model_type": "mistral",
           "num_key_value_heads": 2, "rope_theta": 10000.0, "tie_word_embeddings": False}
# Published Phi-3 folders bring code of their own, which nobody needs to run.
PHI3 = {**TINY, "architectures": ["Phi3ForCausalLM"], "model_type": "phi3",
        "rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False,
        "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attention_bias": False, "pad_token_id": 0,
        "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config",
                     "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}}
LONG_ROPE = {"type": "longrope", "short_factor": [1.0, 1.25, 1.5, 2.0],
             "long_factor": [1.5, 3.0, 5.0, 9.0]}
QWEN2 = {**TINY, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
         "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "num_key_value_heads": 2,
         "use_sliding_window": False, "sliding_window": 6, "max_window_layers": 1}
QWEN3 = {**TINY, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
         "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "num_key_value_heads": 2,
         "head_dim": 16, "attention_bias": False, "use_sliding_window": False,
         "sliding_window": None, "max_window_layers": 2, "rope_scaling": None}

UNTIED = {"tie_word_embeddings": True}  # take the head of its own away
NO_ROPE_SCALING = {"rope_scaling": None}


@dataclasses.dataclass
class Folder:
    """One fixture. `without` lists what must matter: changes of the configuration
    (None removes a field), or a pattern of tensors to be made neutral. `read_as`
    is changed in the copy that transformers reads."""
    name: str
    config: dict
    without: list
    dtype: torch.dtype = torch.float32
    files: int = 1
    torch_zip: bool = False
    analog: bool = False
    lengths: tuple = LENGTHS
    read_as: dict = dataclasses.field(default_factory=dict)


FOLDERS = [
    Folder("llama2", {**LLAMA, "rms_norm_eps": 0.01, "tie_word_embeddings": False,
                      "rope_scaling": None},
           [UNTIED, {"rms_norm_eps": 1e-6}, {"rope_theta": 5000.0}, "norm"]),
    Folder("llama3", LLAMA3,
           [NO_ROPE_SCALING, {"rope_scaling": {**LLAMA3_ROPE, "factor": 2.0}},
            {"rope_scaling": {**LLAMA3_ROPE, "low_freq_factor": 2.0}},
            {"rope_scaling": {**LLAMA3_ROPE, "high_freq_factor": 8.0}},
            {"rope_scaling": {**LLAMA3_ROPE, "original_max_position_embeddings": 32}}],
           dtype=torch.bfloat16),
    Folder("llama-linear", {**LLAMA, "rope_scaling": {"type": "linear", "factor": 2.5}},
           [NO_ROPE_SCALING], dtype=torch.float16),
    Folder("llama-bias", {**LLAMA, "attention_bias": True, "mlp_bias": True,
                          "num_key_value_heads": 2},
           [rf"{part}_proj\.bias" for part in ("q", "k", "v", "o", "gate", "up", "down")],
           dtype=torch.bfloat16),
    # Spelled and cut up as newer versions of transformers save it.
    Folder("llama-sharded", {**{key: value for key, value in LLAMA3.items()
                                if key not in ("rope_theta", "rope_scaling")},
                             "rope_parameters": {**LLAMA3_ROPE, "rope_theta": 500000.0},
                             "tie_word_embeddings": False, "dtype": "float16"},
           [{"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
            {"rope_parameters": {**LLAMA3_ROPE, "rope_theta": 10000.0}}, UNTIED],
           dtype=torch.float16, files=3),
    Folder("llama-torch", {**LLAMA, "torch_dtype": "float32"}, [UNTIED], torch_zip=True),
    Folder("llama-torch-sharded", {**LLAMA, "torch_dtype": "bfloat16"}, [UNTIED],
           dtype=torch.bfloat16, torch_zip=True, files=2),
    Folder("mistral", {**MISTRAL, "sliding_window": 6},
           [{"sliding_window": None}, {"sliding_window": 5}, {"sliding_window": 7}, UNTIED],
           dtype=torch.bfloat16),
    Folder("phi3", {**PHI3, **SERVED, "sliding_window": 7},
           [{"sliding_window": None}, {"sliding_window": 6}, {"sliding_window": 8}, UNTIED],
           dtype=torch.bfloat16),
    Folder("phi3-longrope", {**PHI3, "num_key_value_heads": 2, "rope_scaling": LONG_ROPE,
                             "original_max_position_embeddings": 24,
                             "sliding_window": 262144},
           [NO_ROPE_SCALING, {"original_max_position_embeddings": 25},
            {"original_max_position_embeddings": 23}, {"max_position_embeddings": 24},
            {"rope_scaling": {**LONG_ROPE, "long_factor": LONG_ROPE["short_factor"]}},
            {"rope_scaling": {**LONG_ROPE, "short_factor": LONG_ROPE["long_factor"]}}],
           lengths=(5, 23, 24, 25, 56)),
    # The older name of longrope, which transformers 5 fails to read.
    Folder("phi3-su", {**PHI3, "rope_scaling": {**LONG_ROPE, "type": "su"},
                       "original_max_position_embeddings": 32, "sliding_window": 9},
           [NO_ROPE_SCALING, {"sliding_window": None}], dtype=torch.bfloat16,
           lengths=(3, 32, 33, 56), read_as={"rope_scaling": LONG_ROPE}),
    Folder("phi3-factor", {**PHI3, "rope_scaling": {**LONG_ROPE, "attention_factor": 1.5},
                           "original_max_position_embeddings": 32},
           [{"rope_scaling": LONG_ROPE}], dtype=torch.float16, lengths=(9, 40)),
    # Phi-4-mini turns three quarters of each head.
    Folder("phi3-partial", {**PHI3, "num_key_value_heads": 1, "partial_rotary_factor": 0.75,
                            "rope_scaling": {"type": "longrope",
                                             "short_factor": LONG_ROPE["short_factor"][:3],
                                             "long_factor": LONG_ROPE["long_factor"][:3]},
                            "original_max_position_embeddings": 32,
                            "tie_word_embeddings": True},
           [{"partial_rotary_factor": None, "rope_scaling": LONG_ROPE}],
           dtype=torch.bfloat16, lengths=(9, 40)),
    Folder("qwen2", {**QWEN2, **SERVED, "tie_word_embeddings": False},
           [r"q_proj\.bias", r"k_proj\.bias", r"v_proj\.bias", UNTIED,
            {"use_sliding_window": True}], dtype=torch.bfloat16),
    Folder("qwen2-tied", {**QWEN2, "tie_word_embeddings": True}, [r"_proj\.bias"],
           dtype=torch.float16, torch_zip=True),
    Folder("qwen2-window", {**QWEN2, "num_hidden_layers": 3, "use_sliding_window": True},
           [{"use_sliding_window": False}, {"max_window_layers": 0}, {"max_window_layers": 2},
            {"sliding_window": 5}, {"sliding_window": 7}], dtype=torch.bfloat16),
    Folder("qwen3", {**QWEN3, **SERVED, "tie_word_embeddings": True},
           ["q_norm", "k_norm"], dtype=torch.bfloat16),
    Folder("qwen3-window", {**{key: value for key, value in QWEN3.items()
                               if key not in ("rope_theta", "rope_scaling")},
                            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
                            "num_hidden_layers": 3, "attention_bias": True,
                            "use_sliding_window": True, "sliding_window": 5,
                            "layer_types": ["full_attention", "full_attention",
                                            "sliding_attention"],
                            "tie_word_embeddings": False, "dtype": "bfloat16"},
           [{"layer_types": ["full_attention"] * 3},
            {"layer_types": ["full_attention"] + ["sliding_attention"] * 2},
            {"sliding_window": 6}, UNTIED]
           + [rf"{part}_proj\.bias" for part in ("q", "k", "v", "o")], dtype=torch.bfloat16),
    # As the published analog foundation models are: a head of its own, equal to
    # the embedding table, in a file whose configuration ties them.
    Folder("analog-llama", {**LLAMA3, "architectures": ["AnalogWrapperLlamaForCausalLM"]},
           [NO_ROPE_SCALING], dtype=torch.float16, torch_zip=True, analog=True),
    Folder("analog-phi3", {**PHI3, "architectures": ["AnalogWrapperPhi3ForCausalLM"],
                           "sliding_window": 2047},
           [UNTIED], torch_zip=True, files=2, analog=True),
]

# ---- weights ----------------------------------------------------------------


def uniform(name, shape):
    """Numbers in [-1, 1) that depend on the name alone."""
    count = int(np.prod(shape))
    data = hashlib.shake_128(name.encode()).digest(2 * count)
    return torch.from_numpy(np.frombuffer(data, "<i2").reshape(shape) / 32768.0)


def weight(folder, name, shape):
    """Large enough that every part shows in the logits, which spread over several
    units; embeddings small enough beside the layers that a tied head does not answer
    with the token it was asked. A uniform number has a deviation of 1/sqrt(3)."""
    x = uniform(f"{folder.name}/{name}", shape)
    if name.endswith("norm.weight"):
        x = 1 + 0.5 * x
    elif name.endswith(".bias"):
        x = 0.75 * x
    elif "embed_tokens" in name:
        x = 0.5 * 3 ** 0.5 * x
    else:
        gain = 2.5 if re.search("lm_head|q_proj|k_proj|qkv_proj", name) else 1.25
        x = gain * (3 / shape[-1]) ** 0.5 * x
    return x.to(folder.dtype)


def weights(folder, config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    tensors = {name: weight(folder, name, tuple(tensor.shape))
               for name, tensor in model.state_dict().items()}
    tied = config.tie_word_embeddings
    if tied:
        del tensors["lm_head.weight"]
    if folder.analog:
        if tied:
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        tensors.update(analog_tensors(folder, tensors))
    return tensors


def analog_tensors(folder, tensors):
    """What an analog linear layer has beside its weight: analog inputs are cut off
    at input_range, here one tile wide."""
    layers = [name.removesuffix(".weight") for name in tensors
              if name.endswith(("_proj.weight", "lm_head.weight"))]
    made = {}
    for layer in layers:
        made[f"{layer}.input_range"] = 3 + uniform(f"{folder.name}/{layer}.input_range", (1,))
        made[f"{layer}.input_range_update_idx"] = torch.tensor([500.0])
        made[f"{layer}.x_min"] = -made[f"{layer}.input_range"]
        made[f"{layer}.x_max"] = made[f"{layer}.input_range"].clone()
    return {name: tensor.to(folder.dtype) for name, tensor in made.items()}


# ---- the tokenizer ----------------------------------------------------------


def byte_alphabet():
    """The characters that stand for the 256 bytes in a byte-level vocabulary."""
    printable = [*range(ord("!"), 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable},
            **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def save_tokenizer(path):
    """Byte-level BPE with six merges and two special tokens."""
    os.makedirs(path)
    merges = [("t", "h"), ("th", "e"), ("i", "n"), ("\u0120", "a"), ("e", "r"), ("o", "n")]
    words = [*(char for _, char in sorted(byte_alphabet().items())),
             *(a + b for a, b in merges)]
    special = ["<|begin|>", "<|end|>"]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    save_json({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": len(words) + i, "content": token, **flags, "special": True}
                         for i, token in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                          "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {word: i for i, word in enumerate(words)}, "merges": merges},
    }, os.path.join(path, "tokenizer.json"))
    save_json({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": special[0],
               "eos_token": special[1], "clean_up_tokenization_spaces": False,
               "model_max_length": int(1e30)},
              os.path.join(path, "tokenizer_config.json"))


# ---- files ------------------------------------------------------------------


def save_tensors(folder, tensors, path):
    """One file, or several with an index, in which neighbours are kept apart."""
    stem, ending = ("pytorch_model", "bin") if folder.torch_zip else ("model", "safetensors")

    def save(part, name):
        if folder.torch_zip:
            torch.save(part, os.path.join(path, name))
        else:
            save_file(part, os.path.join(path, name), {"format": "pt"})

    if folder.files == 1:
        save(tensors, f"{stem}.{ending}")
        return
    places = {}
    for i in range(folder.files):
        name = f"{stem}-{i + 1:05}-of-{folder.files:05}.{ending}"
        part = {key: tensors[key] for key in list(tensors)[i::folder.files]}
        save(part, name)
        places.update(dict.fromkeys(part, name))
    size = sum(tensor.nbytes for tensor in tensors.values())
    save_json({"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))},
              os.path.join(path, f"{stem}.{ending}.index.json"))


def save_json(value, path):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def patched(config, patch):
    """A copy with these fields changed, or removed where the value is None.
    (A deep one: transformers writes into what it is given.)"""
    both = copy.deepcopy({**config, **patch})
    return {key: value for key, value in both.items()
            if value is not None or key not in patch or key == "sliding_window"}


def save(folder, config, tensors, path):
    os.makedirs(path)
    save_json(config, os.path.join(path, "config.json"))
    save_tensors(folder, tensors, path)


# ---- the reference ----------------------------------------------------------


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32,
                                                attn_implementation="eager")


def all_logits(model, tokens):
    """[positions, vocabulary]: the whole text in one pass."""
    with torch.no_grad():
        return model(torch.tensor([tokens]), use_cache=False).logits[0]


def greedy(model, tokens):
    """The continuation, and by how much the closest choice was made."""
    with torch.no_grad():
        out = model.generate(
            torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            do_sample=False, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS,
            eos_token_id=-1, pad_token_id=0, output_logits=True, return_dict_in_generate=True)
    best = torch.stack(out.logits)[:, 0].topk(2).values
    return out.sequences[0, len(tokens):].tolist(), float((best[:, 0] - best[:, 1]).min())


def greedy_without_cache(model, tokens):
    """The same by the definition: each token from a pass over all before it."""
    tokens, start = list(tokens), len(tokens)
    while len(tokens) < start + NEW_TOKENS:
        tokens.append(int(all_logits(model, tokens)[-1].argmax()))
    return tokens[start:]


def prompt_tokens(folder, length, attempt):
    """The prompts of one attempt begin with one another, to meet in a prefix cache."""
    data = hashlib.shake_128(f"{folder.name}/prompt {attempt}".encode()).digest(2 * length)
    return [int(x) % folder.config["vocab_size"] for x in np.frombuffer(data, "<u2")]


def make_prompt(model, tokens):
    """With what the model answers; None if the continuation is unclear or dull."""
    continuation, margin = greedy(model, tokens)
    if margin < MARGIN or len(set(continuation)) < DISTINCT:
        return None
    assert continuation == greedy_without_cache(model, tokens), tokens
    step = -(-len(tokens) // POSITIONS)
    positions = list(range(len(tokens) - 1, -1, -step))[::-1]
    logits = all_logits(model, tokens)
    return {"tokens": tokens, "greedy": continuation, "positions": positions,
            "logits": [[round(float(x), 5) for x in logits[p]] for p in positions]}


def make_prompts(folder, model):
    for attempt in range(1000):
        prompts = []
        for length in folder.lengths:
            prompts.append(make_prompt(model, prompt_tokens(folder, length, attempt)))
            if prompts[-1] is None:
                break
        else:
            return prompts
    raise SystemExit(f"{folder.name}: no prompts with a clear continuation")


def save_reference(prompts, path):
    """A line for each list of a prompt and each row of logits, to be read in a diff."""
    def field(name, value):
        if name != "logits":
            return f'"{name}": {json.dumps(value)}'
        return '"logits": [\n' + ",\n".join(json.dumps(row) for row in value) + "]"

    with open(path, "w", encoding="utf-8") as f:
        f.write('{"prompts": [\n' + ",\n".join(
            "{" + ",\n".join(field(*item) for item in p.items()) + "}" for p in prompts) + "]}\n")


# ---- does it matter? --------------------------------------------------------


def neutral(tensors, pattern):
    """Biases of zero and norms of one where the name has the pattern."""
    changed = {name: torch.full_like(tensor, 0 if name.endswith("bias") else 1)
               for name, tensor in tensors.items() if re.search(pattern, name)}
    assert changed, pattern
    return {**tensors, **changed}


def without_head(tensors, change):
    """transformers goes by the file: tied is what has no head."""
    if not change.get("tie_word_embeddings"):
        return tensors
    return {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}


def check_settings_matter(folder, config, tensors, prompts, work):
    for i, change in enumerate(folder.without):
        path = os.path.join(work, f"{folder.name} without {i}")
        if isinstance(change, dict):
            save(folder, patched(config, change), without_head(tensors, change), path)
        else:
            save(folder, config, neutral(tensors, change), path)
        model = load(path)
        moved = max(float((all_logits(model, p["tokens"])[p["positions"]]
                           - torch.tensor(p["logits"])).abs().max()) for p in prompts)
        print(f"  without {change}: logits move by {moved:.3g}")
        if moved <= MATTERS:
            raise SystemExit(f"{folder.name}: {change} does not matter")


# ---- main -------------------------------------------------------------------


def make_folder(folder, out, work):
    path = os.path.join(out, folder.name)
    read_path = os.path.join(work, folder.name)
    read_config = patched(folder.config, folder.read_as)
    tensors = weights(folder, AutoConfig.for_model(**copy.deepcopy(read_config)))
    save(folder, folder.config, tensors, path)
    save(folder, read_config, tensors, read_path)
    model = load(read_path)
    prompts = make_prompts(folder, model)
    save_reference(prompts, os.path.join(path, "reference.json"))
    logits = torch.tensor([row for p in prompts for row in p["logits"]])
    size = sum(entry.stat().st_size for entry in os.scandir(path))
    print(f"{folder.name}: {size} bytes, logits of deviation {float(logits.std()):.2f}")
    check_settings_matter(folder, read_config, tensors, prompts, work)


def make(out):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    shutil.rmtree(os.path.join(out, "tokenizer"), ignore_errors=True)
    save_tokenizer(os.path.join(out, "tokenizer"))
    with tempfile.TemporaryDirectory() as work:
        for folder in FOLDERS:
            shutil.rmtree(os.path.join(out, folder.name), ignore_errors=True)
            make_folder(folder, out, work)


def close_enough(a, b):
    """Are two files of reference logits equal but for rounding?"""
    with open(a, encoding="utf-8") as f, open(b, encoding="utf-8") as g:
        a, b = json.load(f)["prompts"], json.load(g)["prompts"]
    return len(a) == len(b) and all(
        {**p, "logits": None} == {**q, "logits": None}
        and np.allclose(p["logits"], q["logits"], rtol=0, atol=1e-5) for p, q in zip(a, b))


def is_reward(name):
    """Does make_reward_fixtures.py make this file?"""
    return name.startswith("reward_")


def files_below(top):
    return {os.path.relpath(os.path.join(folder, name), top)
            for folder, _, names in os.walk(top) for name in names}


def check(committed, make_set, same, of_set):
    """0 if the files of a fresh set equal the committed ones."""
    failed = 0
    with tempfile.TemporaryDirectory() as fresh:
        make_set(fresh)
        for name in filter(of_set, sorted(files_below(fresh) | files_below(committed))):
            pair = os.path.join(committed, name), os.path.join(fresh, name)
            if not all(map(os.path.exists, pair)):
                print(f"{name}: only on one side")
            elif filecmp.cmp(*pair, shallow=False):
                continue
            elif name.endswith("reference.json") and same(*pair):
                print(f"{name}: equal but for rounding")
                continue
            else:
                print(f"{name}: DIFFERENT")
            failed += 1
    print(f"{failed} files differ")
    return 1 if failed else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--check":
        return check(arguments[1], make, close_enough, lambda name: not is_reward(name))
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    make(arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
