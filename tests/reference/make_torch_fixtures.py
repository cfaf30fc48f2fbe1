#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the fixtures of tests/unit/test_torch.c with torch itself (pip install
torch safetensors numpy; made with torch 2.15.0 and safetensors 0.8.0).

  make_torch_fixtures.py OUT

OUT/read gets a folder for each kind of checkpoint: pytorch_model.bin, or shards
and their index, as torch.save writes them, and twin.safetensors with the same
tensors in row-major order. OUT/refused gets files that torch writes and the
reader refuses. A second run writes the same bytes, but for old_pickle.bin, whose
keys are addresses. The files tiny_*.bin and manifest.json beside them are not made
here: they come from aihwkit-lightning.
"""
import json
import os
import sys
from collections import OrderedDict

import torch
from safetensors.torch import save_file


def numbers(*shape):
    return torch.randn(shape)


def shapes(dtype):
    """One tensor of each rank, one without elements, and values at the edges."""
    edges = torch.tensor([0.0, -0.0, 1e-7, 65504.0, float("inf"), float("-inf"), float("nan")])
    return {"scalar": numbers().to(dtype), "vector": numbers(7).to(dtype),
            "matrix": numbers(3, 5).to(dtype), "cube": numbers(2, 3, 4).to(dtype),
            "empty": numbers(0, 4).to(dtype), "edges": edges.to(dtype)}


def other_dtypes():
    kinds = {"f64": torch.float64, "i64": torch.int64, "i32": torch.int32, "i16": torch.int16,
             "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}
    result = {name: torch.arange(6).to(dtype) for name, dtype in kinds.items()}
    result["weight"] = numbers(2, 2)
    return result


def views():
    """What a state dict may hold besides whole tensors in row-major order."""
    a, b = numbers(6, 8), numbers(2, 3, 4)
    half, brain = numbers(40, 300).half(), numbers(5, 7).bfloat16()
    return OrderedDict(transposed=a.t(), row=a[2], column=a[:, 3], window=a[1:4, 2:7],
                       every_second=a[::2, ::3], permuted=b.permute(2, 0, 1), whole=a,
                       swapped=b.transpose(0, 1), half_transposed=half.t()[:, ::4],
                       brain_transposed=brain.t(), brain_end=brain[4:, 6:],
                       unsqueezed=a.t().unsqueeze(0).unsqueeze(-1), no_rows=a[6:])


def tied():
    embedding = numbers(6, 4)
    return OrderedDict([("embed_tokens.weight", embedding), ("norm.weight", numbers(4)),
                        ("lm_head.weight", embedding)])


def parameters():
    weight = numbers(3, 4)
    return OrderedDict(trained=torch.nn.Parameter(weight), view=torch.nn.Parameter(weight.t()),
                       frozen=torch.nn.Parameter(numbers(5).half(), requires_grad=False),
                       plain=numbers(2))


def module():
    """state_dict() of a module carries _metadata."""
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    for p in net.parameters():
        p.data = numbers(*p.shape)
    return net.state_dict()


READ = {
    "f32": lambda: shapes(torch.float32),
    "f16": lambda: shapes(torch.float16),
    "bf16": lambda: shapes(torch.bfloat16),
    "other_dtypes": other_dtypes,
    "views": views,
    "tied": tied,
    "parameters": parameters,
    "module": module,
    # Enough for memo numbers beyond one byte.
    "many": lambda: {f"layers.{i}.norm.weight": numbers(2) for i in range(140)},
    "nothing": dict,
}


def write_twin(folder, tensors):
    row_major = {name: t.detach().contiguous().clone() for name, t in tensors.items()}
    save_file(row_major, os.path.join(folder, "twin.safetensors"))


def write_sharded(folder):
    tensors = {f"layers.{i}.weight": numbers(2, 3) for i in range(5)}
    place = {name: f"pytorch_model-0000{1 + i // 3}-of-00002.bin"
             for i, name in enumerate(tensors)}
    for file in sorted(set(place.values())):
        torch.save({n: t for n, t in tensors.items() if place[n] == file},
                   os.path.join(folder, file))
    with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w", encoding="ascii") as out:
        json.dump({"metadata": {"total_size": 120}, "weight_map": place}, out, indent=1)
        out.write("\n")
    write_twin(folder, tensors)


def write_refused(folder):
    state = {"a": torch.ones(2)}
    files = {
        "old_pickle": (state, {"_use_new_zipfile_serialization": False}),
        "protocol_4": (state, {"pickle_protocol": 4}),
        "wrapped": ({"epoch": 3, "state_dict": module()}, {}),
        "bare_tensor": (state["a"], {}),
        "with_number": ({"a": state["a"], "steps": 7}, {}),
        "list": ([state["a"]], {}),
        "float8": ({"a": state["a"].to(torch.float8_e4m3fn)}, {}),
        "expanded": ({"a": torch.ones(1).expand(3, 4)}, {}),
        "dtype": ({"a": state["a"], "kind": torch.float32}, {}),
        "pickled_module": (torch.nn.Linear(1, 1), {}),
    }
    for name, (content, options) in files.items():
        torch.save(content, os.path.join(folder, name + ".bin"), **options)


def main():
    out = sys.argv[1]
    for name, make in READ.items():
        folder = os.path.join(out, "read", name)
        os.makedirs(folder, exist_ok=True)
        tensors = make()
        torch.save(tensors, os.path.join(folder, "pytorch_model.bin"))
        write_twin(folder, tensors)
    for folder, write in (("read/sharded", write_sharded), ("refused", write_refused)):
        os.makedirs(os.path.join(out, folder), exist_ok=True)
        write(os.path.join(out, folder))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(3)
    main()
