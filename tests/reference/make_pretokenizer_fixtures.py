#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the fixtures of tests/unit/test_pretokenizer.c with the reference
tokenizer library (pip install tokenizers; made with 0.23.3).

  make_pretokenizer_fixtures.py OUT

OUT/pretokenizers.jsonl gets a line for each setting: the "pre_tokenizer" of a
tokenizer.json, and "cases", pairs of a text and the words it is cut into.
"""
import json
import os
import sys

from tokenizers import Tokenizer, decoders

TEXTS = [
    "a", " ", "  ", "Hello, world!", " Hello  world ", "a\tb\n c\r\n\r\nd", "\n", " \n ", "x  ", "1", "12345", "a1b22c333",
    "3.14 + 2\u00b2 = \u0663 \u2167 \u00bd", "it's we'll I'VE 'x''s", "snake_case camelCase HTTPServer x\u0301Y", "!?... --a,b;c",
    "\u2581", "\u2581\u2581a\u2581b \u2581c\u2581", "a \u2581 b", "\u00a0a\u3000b\u2028c\x85d\u200be", "\u4f60\u597d\uff0c\u4e16\u754c 2024",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u05e2\u05d1", "\U0001f44d\U0001f3fd \u2764\ufe0f\u200d\U0001f525 \U0001f1e9\U0001f1ea",
    "\u24d0\u24b6 \u2070 \u203f \u00aa", "ab,cd,,ef,", ",,", ",a", "aXbXXc", "XX", "caf\u00e9 e\u0301", "-->x<--", "\x00\x01 \x1f", "a\u200db c",
    "D\u00fcsseldorf/Stra\u00dfe n\u00ba 5\nif (a<b) {\n\t\treturn 0;\n}\n", "  \u0301x", "'\u017f 'S", "ABCdef \u01c5x \u02b0A \u05d0B A\u05d0",
    "\u4f60\u597d" * 15 + "," + "\u00e4" * 20 + ",b", "x" * 17 + "," + "x" * 16 + "," + "x" * 33 + "A",
]


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def metaspace(scheme, cut=True, replacement="\u2581"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": cut}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


DIGITS = {"type": "Digits", "individual_digits": True}
NUMBERS = {"type": "Digits", "individual_digits": False}
WHITESPACE = {"type": "Whitespace"}
WHITESPACE_SPLIT = {"type": "WhitespaceSplit"}
BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SETTINGS = [
    None, sequence(), sequence(sequence(DIGITS), sequence(sequence(WHITESPACE))),
    DIGITS, NUMBERS, WHITESPACE, WHITESPACE_SPLIT, byte_level(), byte_level(True), byte_level(True, False),
    byte_level(False, False), metaspace("always"), metaspace("first"), metaspace("never"), metaspace("always", False),
    metaspace("first", False), metaspace("never", False), metaspace("always", True, "X"), metaspace("always", True, " "),
    {"type": "Metaspace", "replacement": "\u2581"}, {"type": "Metaspace", "replacement": "_", "add_prefix_space": True},
    {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": False, "prepend_scheme": "never"},
    sequence(DIGITS, byte_level()), sequence(NUMBERS, byte_level(True)), sequence(WHITESPACE_SPLIT, byte_level(True, False)),
    sequence(WHITESPACE, DIGITS), sequence(WHITESPACE_SPLIT, metaspace("always")),
    sequence(WHITESPACE_SPLIT, metaspace("first")), sequence(metaspace("first"), DIGITS),
    sequence(metaspace("always"), split("\u2581", "Removed", kind="String")),
    sequence(split("X", "Isolated", kind="String"), metaspace("first")),
    sequence(split(r"[\r\n]", "Isolated"), split(r"\s?\p{L}+", "Isolated"), split(r"\s?\p{P}+", "Isolated"), DIGITS,
             byte_level(False, False)),
    split(CL100K, "Removed", True), split(CL100K, "Removed"), split(CL100K, "Contiguous"), split(CL100K, "MergedWithNext", True),
]
for name in BEHAVIORS:
    for inverted in (False, True):
        SETTINGS += [split(p, name, inverted) for p in (r"\s+", r",", r"[A-Z]", r"(?=[A-Z])", r"\p{N}*")]
        SETTINGS += [split(p, name, inverted, "String") for p in (" ", ",", "XX")]


def pre_tokenizer(setting):
    doc = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
           "pre_tokenizer": setting, "post_processor": None, "decoder": None,
           "model": {"type": "BPE", "vocab": {}, "merges": []}}
    return Tokenizer.from_str(json.dumps(doc)).pre_tokenizer


def words(setting, text):
    """The words as text; those of ByteLevel come in its alphabet."""
    made = pre_tokenizer(setting)
    if made is None:
        return [text]
    cut = [word for word, _ in made.pre_tokenize_str(text)]
    return [decoders.ByteLevel().decode([w]) for w in cut] if "ByteLevel" in json.dumps(setting) else cut


def main():
    with open(os.path.join(sys.argv[1], "pretokenizers.jsonl"), "w", encoding="ascii") as f:
        for setting in SETTINGS:
            row = {"pre_tokenizer": setting, "cases": [[text, words(setting, text)] for text in TEXTS]}
            f.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
