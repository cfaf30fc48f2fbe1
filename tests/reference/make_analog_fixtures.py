#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the tiny analog checkpoints of tests/data/models on tiles, and record what every
linear layer takes in and gives out.

  make_analog_fixtures.py OUT          write model-llama and model-phi3 below OUT
  make_analog_fixtures.py --check DIR  make them again and compare with those in DIR

pip install torch transformers numpy; made with torch 2.15.0 (CPU) and transformers
5.23.0. The checkpoints are looked for in tests/data/models of this source tree.

The model is that of transformers in float32, with each linear layer (the head too)
replaced by the evaluation formula of aihwkit-lightning 2.0 (AnalogLinear, torch_linear.py
and quant_utils.py) with the settings of "Analog Foundation Models": one tile a layer,
learned input ranges, inputs and outputs of 8 bits, outputs limited at 14 times range times
the largest weight of the channel. Its code is not used: a port is what is wanted here.

A folder holds index.json (prompt, settings, and for each linear layer its shape and where
its arrays begin, counted in elements) and three files of arrays in row-major order:
  x.f32     inputs [tokens, in], little-endian float32; layers that share them share these
  y.f32     outputs [tokens, out] behind the ADC, little-endian float32
  codes.i8  of the DAC [tokens, in], int8

Prompts come from a hash and are tried in turn until every code is clear: no ADC reading
lies nearer to a tie than float32 sums in any order can be off, and no DAC input nearer
than MARGIN steps. Another CPU may thus find x different in the last bits, but not the
codes, and so not y: --check asks for equal bytes of all files but x.f32.
"""
import argparse
import hashlib
import json
import os
import sys
import tempfile

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "models")
FOLDERS = {"model-llama": "analog-llama", "model-phi3": "analog-phi3"}
TOKENS = 16
RESOLUTION = 254.0  # steps of DAC and ADC
OUT_BOUND = 14.0
TINY = torch.finfo(torch.float32).tiny
MARGIN = 5e-5  # of a DAC step
ATTEMPTS = 200000

# ---- the layer --------------------------------------------------------------


def quantize(values, bound):
    """Rounded to steps of the range [-bound, bound], and the codes."""
    step = 2 * bound / RESOLUTION
    codes = torch.round(values / torch.clamp(step, min=TINY))
    return codes * step, codes


def tie_distance(steps):
    """Of values counted in steps: how far they are from where rounding tips over."""
    return torch.abs(steps - torch.floor(steps) - 0.5)


class AnalogLinear(torch.nn.Module):
    """y = ADC(DAC(x) W^T). record holds its last call."""

    def __init__(self, weight, input_range):
        super().__init__()
        self.weight, self.range = weight, input_range
        self.bound = input_range * OUT_BOUND * weight.abs().amax(dim=1)  # in this order
        self.record = None

    def forward(self, x):
        limited = torch.clamp(x, -self.range, self.range)
        inputs, codes = quantize(limited, self.range)
        sums = inputs @ self.weight.T
        rounded, _ = quantize(sums, self.bound)
        y = torch.clamp(rounded, -self.bound, self.bound) + 0.0  # no negative zeros
        self.record = {"x": x[0], "y": y[0], "codes": codes[0], "inputs": inputs[0],
                       "limited": limited[0]}
        return y

    def dac_is_clear(self):
        steps = self.record["limited"].double() / (2 * self.range.double() / RESOLUTION)
        return bool((tie_distance(steps) > MARGIN).all())

    def adc_is_clear(self):
        """Sums of n products in float32 are off by n 2^-24 of their magnitudes at most."""
        inputs, weight = self.record["inputs"].double(), self.weight.double()
        step = 2 * self.bound.double() / RESOLUTION
        error = weight.shape[1] * 2.0 ** -24 * (inputs.abs() @ weight.abs().T) / step
        return bool((tie_distance(inputs @ weight.T / step) > error).all())

# ---- the model --------------------------------------------------------------


def read_tensors(path):
    tensors = {}
    for name in sorted(os.listdir(path)):
        if name.endswith(".bin"):
            tensors.update(torch.load(os.path.join(path, name), weights_only=True))
    return {name: tensor.float() for name, tensor in tensors.items()}


def load(path):
    """The model, and its linear layers by name."""
    tensors = read_tensors(path)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path),
                                             attn_implementation="eager").float().eval()
    digital = {name: tensor for name, tensor in tensors.items()
               if name.endswith(("norm.weight", "embed_tokens.weight"))}
    missing, unexpected = model.load_state_dict(digital, strict=False)
    assert not unexpected and all("proj" in name or "lm_head" in name for name in missing)
    linears = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear):
            linears[name] = AnalogLinear(tensors[f"{name}.weight"], tensors[f"{name}.input_range"])
            model.set_submodule(name, linears[name])
    return model, linears


def run(model, tokens):
    with torch.no_grad():
        model(torch.tensor([tokens]), use_cache=False)


def prompt_tokens(name, vocab, attempt):
    data = hashlib.shake_128(f"{name}/analog prompt {attempt}".encode()).digest(2 * TOKENS)
    return [int(x) % vocab for x in np.frombuffer(data, "<u2")]


def find_prompt(name, model, linears):
    for attempt in range(ATTEMPTS):
        tokens = prompt_tokens(name, model.config.vocab_size, attempt)
        run(model, tokens)
        if all(layer.adc_is_clear() and layer.dac_is_clear() for layer in linears.values()):
            print(f"{name}: prompt {attempt}")
            return tokens
    raise SystemExit(f"{name}: no prompt whose codes are all clear")


def check_converters_matter(name, linears):
    """A port without limits, or that is one code off at the end of the range, shows."""
    limited = sum(int((layer.record["x"].abs() > layer.range).sum()) for layer in linears.values())
    inputs = sum(layer.record["x"].numel() for layer in linears.values())
    print(f"{name}: {limited} of {inputs} inputs limited")
    assert limited > 0, "no input is limited"

# ---- files ------------------------------------------------------------------


class Arrays:
    """A file of arrays; equal ones are kept once."""

    def __init__(self, dtype):
        self.dtype, self.parts, self.places, self.size = dtype, [], {}, 0

    def add(self, tensor):
        data = tensor.numpy().astype(self.dtype).tobytes()
        if data not in self.places:
            self.places[data] = self.size
            self.parts.append(data)
            self.size += tensor.numel()
        return self.places[data]

    def save(self, path):
        with open(path, "wb") as f:
            f.write(b"".join(self.parts))


def layer_name(name):
    """As analogd tells it."""
    for part in ("model.", "self_attn.", "mlp."):
        name = name.replace(part, "")
    return name


def save(name, model_name, tokens, linears, out):
    arrays = {"x": Arrays("<f4"), "y": Arrays("<f4"), "codes": Arrays("i1")}
    rows = [{"name": layer_name(full), "out": layer.weight.shape[0], "in": layer.weight.shape[1],
             **{key: array.add(layer.record[key]) for key, array in arrays.items()}}
            for full, layer in linears.items()]
    path = os.path.join(out, name)
    os.makedirs(path, exist_ok=True)
    for key, array in arrays.items():
        array.save(os.path.join(path, f"{key}.{'i8' if key == 'codes' else 'f32'}"))
    with open(os.path.join(path, "index.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps({"model": model_name, "out_bound": OUT_BOUND, "tokens": tokens})[:-1])
        f.write(', "linears": [\n' + ",\n".join(map(json.dumps, rows)) + "]}\n")
    print(f"{name}: {sum(entry.stat().st_size for entry in os.scandir(path))} bytes")


def make(out):
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    for name, model_name in FOLDERS.items():
        model, linears = load(os.path.join(MODELS, model_name))
        tokens = find_prompt(name, model, linears)
        check_converters_matter(name, linears)
        save(name, model_name, tokens, linears, out)


def compare(a, b):
    """Two files of the same name: equal, or inputs that are but for rounding?"""
    with open(a, "rb") as f, open(b, "rb") as g:
        a, b, name = f.read(), g.read(), os.path.basename(a)
    if a == b:
        return True
    if name != "x.f32" or len(a) != len(b):
        return False
    a, b = np.frombuffer(a, "<f4"), np.frombuffer(b, "<f4")
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-5))


def check(committed):
    failed = 0
    with tempfile.TemporaryDirectory() as fresh:
        make(fresh)
        for folder in FOLDERS:
            for name in ("index.json", "x.f32", "y.f32", "codes.i8"):
                path = os.path.join(folder, name)
                if not compare(os.path.join(committed, path), os.path.join(fresh, path)):
                    print(f"{path}: DIFFERENT")
                    failed += 1
    print(f"{failed} files differ")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="where the two folders are")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    return check(arguments.folder) if arguments.check else make(arguments.folder)


if __name__ == "__main__":
    sys.exit(main())
