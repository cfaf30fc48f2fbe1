#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the fixtures of tests/unit/test_tokenizers.c with the reference tokenizer
library (pip install tokenizers; made with 0.23.3, Python 3.11).

  make_text_fixtures.py OUT MODEL PUBLISHED

PUBLISHED holds folders of published vocabularies, each with tokenizer.json,
cases.inp (texts between lines "__ggml_vocab_test__") and cases.out (their ids,
checked here). MODEL is the folder of wordmath-2m. OUT gets:

  strings.jsonl          the texts, a JSON string a line
  NAME/tokenizer.json    a vocabulary, published or trained here
  NAME/cases.jsonl       what is put around a text ("before", "after"), then the
                         first texts with their ids, and ids with their text
  NAME/digests.bin       32-bit hashes (FNV-1a), little-endian: for each text of
                         its ids and of the text they decode to, then for each
                         of SEQUENCES random sequences of ids of its text

See README.md there for the licences.
"""
import collections
import json
import os
import random
import struct
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

from text_strings import SENTENCES, strings

SEQUENCES = 4096
READABLE = 240  # texts with all of their ids

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + REST
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + REST
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         + CONTRACTIONS + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS + r"?|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTE_TOKENS = [f"<0x{b:02X}>" for b in range(256)]


# ---- vocabularies trained here -------------------------------------------------


def training_texts():
    rng = random.Random(7)
    return [rng.choice(SENTENCES) for _ in range(4000)]


def train_bytes(pre, size, normalizer=None, ignore_merges=False):
    """A byte-level vocabulary."""
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tok.pre_tokenizer = pre
    if normalizer:
        tok.normalizer = normalizer
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, min_frequency=2,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(training_texts(), trainer)
    return tok


def common_characters(count):
    """The mark, and the most frequent characters. Left to itself the trainer
    takes others of the rare ones each time."""
    seen = collections.Counter("".join(training_texts()))
    ranked = sorted(seen, key=lambda c: (-seen[c], c))
    return ["\u2581"] + ranked[:count]


def train_characters(pre, decoder, size=1100, normalizer=None):
    """A vocabulary in the manner of sentencepiece: characters, and tokens for
    the bytes of those it lacks."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if pre:
        tok.pre_tokenizer = pre
    if normalizer:
        tok.normalizer = normalizer
    named = ["<unk>", "<s>", "</s>"]
    characters = common_characters(200)
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, min_frequency=2,
                                  initial_alphabet=characters, limit_alphabet=len(characters),
                                  special_tokens=named + BYTE_TOKENS)
    tok.train_from_iterator(training_texts(), trainer)
    tok.decoder = decoder
    doc = json.loads(tok.to_str())
    doc["added_tokens"] = [t for t in doc["added_tokens"] if t["content"] in named]
    tok = Tokenizer.from_str(json.dumps(doc))
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair=None,
                                                       special_tokens=[("<s>", 1)])
    return tok


def cut(pattern, behavior="isolated"):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=False)


def then_bytes(*steps, add_prefix_space=False, use_regex=False):
    last = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)
    return pre_tokenizers.Sequence([*steps, last])


def with_extra_words(tok, words):
    """Words that no merge makes: only ignore_merges finds them."""
    doc = json.loads(tok.to_str())
    vocab = doc["model"]["vocab"]
    for word in words:
        vocab.setdefault(word, len(vocab))
    return Tokenizer.from_str(json.dumps(doc))


def llama3():
    tok = train_bytes(then_bytes(cut(LLAMA3)), 700, ignore_merges=True)
    tok = with_extra_words(tok, ["\u0120brown", "xyzzy", "lazy", "123", "\u0120..."])
    tok.add_special_tokens(["<|begin|>", "<|endoftext|>", "<|user|>", "<|end|>"])
    begin, end = tok.token_to_id("<|begin|>"), tok.token_to_id("<|end|>")
    tok.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|begin|> $A <|end|>", pair=None,
                                      special_tokens=[("<|begin|>", begin), ("<|end|>", end)])])
    return tok


def qwen2():
    tok = train_bytes(then_bytes(cut(QWEN2)), 700, normalizer=normalizers.NFC())
    tok.add_special_tokens(["<|endoftext|>", "<|user|>", "<|end|>"])
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, special=True,
                                       normalized=False)])
    tok.add_tokens([AddedToken("WORD", single_word=True, normalized=True),
                    AddedToken("[X]", lstrip=True, normalized=True),
                    AddedToken("[XY", rstrip=True, normalized=False),
                    AddedToken("[X", normalized=False), AddedToken("\u1e69-tok", normalized=True),
                    AddedToken("\u212b-tok", normalized=True)])
    return tok


def o200k():
    tok = train_bytes(then_bytes(cut(O200K), add_prefix_space=True), 600)
    tok.add_special_tokens(["<|endoftext|>", "<|end|>"])
    return tok


def digits():
    """As StarCoder's: every digit by itself, then GPT-2's words."""
    step = pre_tokenizers.Digits(individual_digits=True)
    tok = train_bytes(then_bytes(step, use_regex=True), 650)
    tok.add_special_tokens(["<|endoftext|>"])
    return tok


def deepseek():
    """As DeepSeek's: several patterns, none of which covers all of a text."""
    steps = [cut(p) for p in (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+")]
    tok = train_bytes(then_bytes(*steps, pre_tokenizers.Digits(individual_digits=True)), 650)
    tok.add_special_tokens(["<|endoftext|>", "<|end|>"])
    tok.add_tokens([AddedToken("\u00e9t\u00e9", normalized=False)])
    return tok


def whitespace():
    """Words and punctuation; the space between is lost."""
    tok = train_bytes(then_bytes(pre_tokenizers.Whitespace(), add_prefix_space=True), 600,
                      normalizer=normalizers.NFKC())
    tok.add_special_tokens(["<|endoftext|>", "<unk>"])
    return tok


def spm_first():
    """As Llama 2's tokenizer is converted today."""
    decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                 decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok = train_characters(pre_tokenizers.Metaspace("\u2581", "first", split=False), decoder)
    tok.add_special_tokens([AddedToken("<|end|>", rstrip=True, special=True, normalized=False)])
    tok.add_tokens([AddedToken("WORD", single_word=True, lstrip=True, normalized=False)])
    return tok


def spm_always():
    """As T5's and XLM's are: NFKC, and words that start with the mark."""
    return train_characters(pre_tokenizers.Metaspace("\u2581", "always", split=True),
                            decoders.Metaspace("\u2581", "always", split=True),
                            normalizer=normalizers.NFKC())


def spm_never():
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("\t", "  ")])
    return train_characters(pre_tokenizers.Metaspace("\u2581", "never", split=True),
                            decoders.Metaspace("\u2581", "never", split=True), normalizer=normalizer)


def gemma():
    """As Gemma's: spaces are replaced before and cut after."""
    decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tok = train_characters(pre_tokenizers.Split(" ", "merged_with_previous", invert=False), decoder,
                           normalizer=normalizers.Replace(" ", "\u2581"))
    tok.add_special_tokens(["<bos>"])
    return tok


TRAINED = [llama3, qwen2, o200k, digits, deepseek, whitespace, spm_first, spm_always, spm_never, gemma]


# ---- results --------------------------------------------------------------------


def fnv1a(data):
    h = 0x811C9DC5
    for byte in data:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def digest_of_ids(ids):
    return fnv1a(struct.pack(f"<{len(ids)}I", *ids))


class Draw:
    """xorshift64*, as the tests in C have it."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        x = self.state
        x ^= x >> 12
        x = (x ^ x << 25) & (1 << 64) - 1
        x ^= x >> 27
        self.state = x
        return ((x * 2685821657736338717 & (1 << 64) - 1) >> 33) % n


def random_ids(tok, count):
    """Sequences of 1 to 12 ids below one more than the highest."""
    draw = Draw(1)
    size = max(tok.get_vocab(with_added_tokens=True).values()) + 1
    for _ in range(count):
        n = 1 + draw.below(12)
        yield [draw.below(size) for _ in range(n)]


def around(tok):
    body = tok.encode("x", add_special_tokens=False).ids
    full = tok.encode("x", add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i:i + len(body)] == body)
    return {"before": full[:at], "after": full[at + len(body):]}


def write_cases(tok, path, encoded):
    rows = [around(tok)]
    rows += [{"text": text, "ids": ids} for text, ids in encoded[:READABLE]]
    for ids in random_ids(tok, READABLE // 4):
        rows.append({"from": ids, "to": tok.decode(ids, skip_special_tokens=False)})
    with open(path, "w", encoding="ascii") as f:
        for row in rows:
            f.write(json.dumps(row, separators=(",", ":")) + "\n")


def write_digests(tok, path, encoded):
    """Every other random sequence is decoded without its special tokens."""
    hashes = []
    for _, ids in encoded:
        decoded = tok.decode(ids, skip_special_tokens=False)
        hashes += [digest_of_ids(ids), fnv1a(decoded.encode())]
    for i, ids in enumerate(random_ids(tok, SEQUENCES)):
        hashes.append(fnv1a(tok.decode(ids, skip_special_tokens=i % 2 == 1).encode()))
    with open(path, "wb") as f:
        f.write(struct.pack(f"<{len(hashes)}I", *hashes))


def write_results(folder, tokenizer, texts):
    os.makedirs(folder, exist_ok=True)
    tok = Tokenizer.from_file(tokenizer)
    encoded = [(text, tok.encode(text, add_special_tokens=False).ids) for text in texts]
    write_cases(tok, os.path.join(folder, "cases.jsonl"), encoded)
    write_digests(tok, os.path.join(folder, "digests.bin"), encoded)
    return dict(encoded)


# ---- files ------------------------------------------------------------------------


def published_cases(folder):
    """Texts and the ids that came with the vocabulary."""
    with open(os.path.join(folder, "cases.inp"), encoding="utf-8", newline="") as f:
        texts = f.read().split("\n__ggml_vocab_test__\n")
    with open(os.path.join(folder, "cases.out"), encoding="ascii") as f:
        ids = [[int(i) for i in line.split()] for line in f.read().split("\n")]
    return list(zip(texts, ids))


def write_json(doc, path):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def make_published(out, folder, texts):
    """The published file without its spaces, and its own cases checked."""
    target = os.path.join(out, os.path.basename(folder))
    os.makedirs(target, exist_ok=True)
    path = os.path.join(target, "tokenizer.json")
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        write_json(json.load(f), path)
    made = write_results(target, path, texts)
    for text, ids in published_cases(folder):
        assert made[text] == ids, (folder, text, made[text], ids)


def make_trained(out, make, texts):
    target = os.path.join(out, make.__name__.replace("_", "-"))
    os.makedirs(target, exist_ok=True)
    path = os.path.join(target, "tokenizer.json")
    write_json(json.loads(make().to_str()), path)
    write_results(target, path, texts)


def main():
    out, model, published = sys.argv[1:4]
    folders = [os.path.join(published, name) for name in ("gpt-2", "llama-spm", "phi-3")]
    texts = strings(text for text, _ in published_cases(folders[0]))
    with open(os.path.join(out, "strings.jsonl"), "w", encoding="utf-8") as f:
        for text in texts:
            f.write(json.dumps(text, ensure_ascii=False) + "\n")
    for folder in folders:
        make_published(out, folder, texts)
    for make in TRAINED:
        make_trained(out, make, texts)
    write_results(os.path.join(out, "wordmath-2m"), os.path.join(model, "tokenizer.json"), texts)


if __name__ == "__main__":
    main()
