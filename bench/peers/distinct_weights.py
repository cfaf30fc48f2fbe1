#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the matrices of a checkpoint of make_random_checkpoint.py differ.

  distinct_weights.py CHECKPOINT

Those of one shape hold the same numbers in every layer, and converters store equal
tensors once: the converted model would be a quarter of its size, and its layers would
find each other's weights in the cache. The signs of the first sixteen elements of each
matrix spell its number; their size, 1/64, is far from rounding to zero in 4 bits.
Standard library only.
"""
import json
import os
import struct
import sys

ONE_64TH = 0x3C80  # as a bfloat16

def main():
    path = os.path.join(sys.argv[1], "model.safetensors")
    with open(path, "r+b") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        header.pop("__metadata__", None)
        for i, t in enumerate(header.values()):
            if len(t["shape"]) == 2:
                f.seek(8 + size + t["data_offsets"][0])
                signs = (i >> bit & 1 for bit in range(16))
                f.write(struct.pack("<16H", *(sign << 15 | ONE_64TH for sign in signs)))

if __name__ == "__main__":
    main()
