#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the fixtures of tests/unit/test_text.c with the reference tokenizer
library (pip install tokenizers; made with 0.23.3).

  make_text_fixtures.py OUT MODEL_DIR [COUNT]

OUT gets a folder for each small vocabulary trained here, with tokenizer.json
and cases.jsonl, and OUT/wordmath-2m/cases.jsonl for the tokenizer.json in
MODEL_DIR. The first line of cases.jsonl holds what is put around a text
("before", "after"), each other line a text and its ids, or ids and their text.
All choices come from one seed. Only characters that Unicode 14 has are used,
because libraries differ in the younger ones.
"""
import json
import os
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + REST
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + REST
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         + CONTRACTIONS + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS + r"?|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "They're here; we've won, I'm sure it'll do.",
    "Der Fluß fließt, die Bäche rauschen über Steine.", "Où est l'été, où sont les élèves ?",
    "¿Dónde está el niño pequeño?", "Съешь ещё этих мягких французских булок.",
    "Γαζέες και μυρτιές δεν θα βρω πια.", "דג סקרן שט בים מאוכזב", "نص حكيم له سر قاطع وذو شأن عظيم",
    "我能吞下玻璃而不伤身体。", "いろはにほへと ちりぬるを", "다람쥐 헌 쳇바퀴에 타고파", "ऋषियों को सताने वाले दुष्ट",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "for (int i = 0; i < n; i++) {\n\tsum += a[i];\n}\n",
    "def f(x):\n    return x**2 + 3.14159\n", "Step 1: 12 * 34 = 408\nStep 2: 408 - 8 = 400\n",
    "2024-01-31 12:34:56.789 +01:00", "a@b.example https://example.org/x?y=1&z=2#t",
    "Tiếng Việt có dấu", "👍🏽 👩‍👩‍👧 🇩🇪 ❤️ ☕", "x² + y³ = ½ Ⅻ ① ٣",
]
PIECES = [
    "'s", "'S", "'t", "'re", "'RE", "'Ve", "'ll", "'lL", "'d", "'M", "'\u017f", "\u2019s", "''", "'x",
    " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", "\u00a0", "\u3000", "\u2028", "\x85",
    "\u200b", "\u180e", "\x1c", "\x0b", "\x00", "\x7f", "\ufeff", "0", "12", "1234567", "\u0663",
    "\u00bd", "\u2160", "\U0001d7d8", "...", "!?", "//", "/*", "{}", "=>", "\u2026", "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "e\u0301", "\u00e9", "\u1e9b\u0323",
    "a\u0323\u0307", "a\u0307\u0323", "\u212b", "\uac00", "\u1100\u1161\u11a8", "\ufb01", "\u0130",
]
ADDED = ["<|endoftext|>", "<|begin|>", "<|user|>", "<|end|>", "<|en", "|>", "<mask>", "WORD", "\u212b-tok",
         "[X]", "[XY]"]


def assigned():
    """Code points that Unicode 14 has, private ones and surrogates left out."""
    skip = ("Cn", "Cs", "Co")
    return [chr(c) for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in skip]


def random_text(rng, chars, blocks):
    """A few words, separators and oddities, now and then of one script."""
    out = []
    for _ in range(rng.choice([1, 1, 2, 3, 4, 6])):
        kind = rng.random()
        if kind < 0.25:
            words = rng.choice(SENTENCES).split(" ")
            start = rng.randrange(len(words))
            out.append(" ".join(words[start:start + rng.randint(1, 4)]))
        elif kind < 0.6:
            out.append("".join(rng.choice(PIECES) for _ in range(rng.randint(1, 4))))
        elif kind < 0.7:
            out.append(rng.choice(ADDED))
        elif kind < 0.9:
            block = rng.choice(blocks)
            out.append("".join(rng.choice(block) for _ in range(rng.randint(1, 5))))
        else:
            out.append("".join(rng.choice(chars) for _ in range(rng.randint(1, 4))))
        if rng.random() < 0.4:
            out.append(" ")
    return "".join(out)


def train(pre, size, normalizer=None, ignore_merges=False):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tok.pre_tokenizer = pre
    if normalizer:
        tok.normalizer = normalizer
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, min_frequency=2,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    rng = random.Random(7)
    words = [rng.choice(SENTENCES) for _ in range(4000)]
    tok.train_from_iterator(words, trainer)
    return tok


def split_then_bytes(pattern, add_prefix_space=False):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=False)])


def with_extra_words(tok, words):
    """Words that no merge makes: only ignore_merges finds them."""
    doc = json.loads(tok.to_str())
    vocab = doc["model"]["vocab"]
    for word in words:
        vocab.setdefault(word, len(vocab))
    return Tokenizer.from_str(json.dumps(doc))


def gpt2():
    tok = train(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), 700)
    tok.add_special_tokens(["<|endoftext|>"])
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    return tok


def llama3():
    tok = train(split_then_bytes(LLAMA3), 700, ignore_merges=True)
    tok = with_extra_words(tok, ["\u0120brown", "xyzzy", "lazy", "123", "\u0120..."])
    tok.add_special_tokens(["<|begin|>", "<|endoftext|>", "<|user|>", "<|end|>"])
    begin, end = tok.token_to_id("<|begin|>"), tok.token_to_id("<|end|>")
    tok.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|begin|> $A <|end|>", pair=None,
                                      special_tokens=[("<|begin|>", begin), ("<|end|>", end)])])
    return tok


def qwen2():
    tok = train(split_then_bytes(QWEN2), 700, normalizer=normalizers.NFC())
    tok.add_special_tokens(["<|endoftext|>", "<|user|>", "<|end|>"])
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, special=True,
                                       normalized=False)])
    tok.add_tokens([AddedToken("WORD", single_word=True, normalized=True),
                    AddedToken("[X]", lstrip=True, normalized=True),
                    AddedToken("[XY", rstrip=True, normalized=False),
                    AddedToken("[X", normalized=False), AddedToken("\u00c5-tok", normalized=True)])
    return tok


def o200k():
    tok = train(split_then_bytes(O200K, add_prefix_space=True), 600)
    tok.add_special_tokens(["<|endoftext|>", "<|end|>"])
    return tok


def merges_as_strings(doc):
    doc["model"]["merges"] = [m if isinstance(m, str) else " ".join(m)
                              for m in doc["model"]["merges"]]


def write_cases(tok, path, rng, texts):
    body = tok.encode("x", add_special_tokens=False).ids
    full = tok.encode("x", add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i:i + len(body)] == body)
    rows = [{"before": full[:at], "after": full[at + len(body):]}]
    for text in texts:
        rows.append({"text": text, "ids": tok.encode(text, add_special_tokens=False).ids})
    # The library reads a character of the byte alphabet in an added token as a
    # byte when it decodes; analogd gives the token's text. No such tokens here.
    added = tok.get_added_tokens_decoder()
    known = [i for i in range(tok.get_vocab_size())
             if i not in added or added[i].content.isascii()]
    for _ in range(len(texts) // 8):
        ids = [rng.choice(known) for _ in range(rng.randint(1, 12))]
        rows.append({"from": ids, "to": tok.decode(ids, skip_special_tokens=False)})
    with open(path, "w", encoding="ascii") as f:
        for row in rows:
            f.write(json.dumps(row, separators=(",", ":")) + "\n")


def main():
    out, model = sys.argv[1], sys.argv[2]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 900
    rng = random.Random(20240131)
    chars = assigned()
    blocks = {}
    for c in chars:
        if ord(c) < 0x20000:
            blocks.setdefault(ord(c) >> 7, []).append(c)
    blocks = [blocks[k] for k in sorted(blocks)]
    for name, make in (("gpt2", gpt2), ("llama3", llama3), ("qwen2", qwen2), ("o200k", o200k)):
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        doc = json.loads(make().to_str())
        if name == "gpt2":
            merges_as_strings(doc)
        with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(doc, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
        tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        texts = SENTENCES + [random_text(rng, chars, blocks) for _ in range(count)]
        write_cases(tok, os.path.join(folder, "cases.jsonl"), rng, texts)
    folder = os.path.join(out, "wordmath-2m")
    os.makedirs(folder, exist_ok=True)
    tok = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    texts = SENTENCES + [random_text(rng, chars, blocks) for _ in range(count)]
    write_cases(tok, os.path.join(folder, "cases.jsonl"), rng, texts)


if __name__ == "__main__":
    main()
