#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the fixtures of tests/unit/test_chat_fixtures.c with the reference
implementation (pip install transformers jinja2; made with transformers 5.23.0,
tokenizers 0.23.3 and jinja2 3.1.6).

  make_chat_fixtures.py DIR

DIR holds the templates, NAME.jinja. It gets two small vocabularies
(bytes.json, pieces.json), the conversations (conversations.jsonl), and
cases.jsonl: a line for each row of analogd's table with what
apply_chat_template makes of each conversation, [text, ids], or null where the
template refuses it or would leave a message out; several published texts of one
row must make the same. Where a content holds the text of a special token there are
no ids: transformers turns it into the token, analogd does not.
All choices come from one seed.
"""
import json
import os
import random
import sys

from jinja2.exceptions import TemplateError
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

# Template file: vocabulary, BOS, EOS. The row is what precedes an underscore.
LLAMA_3 = ("bytes", "<|begin_of_text|>", "<|eot_id|>")
LLAMA_2 = ("pieces", "<s>", "</s>")
PHI_3 = ("pieces", "<s>", "<|endoftext|>")
CHATML = ("bytes", "<|endoftext|>", "<|im_end|>")
QWEN = ("bytes", None, "<|im_end|>")
TEMPLATES = {
    "llama-3": LLAMA_3, "llama-3-open": LLAMA_3, "llama-3.1": LLAMA_3, "llama-3.1_3.2": LLAMA_3,
    "llama-2": LLAMA_2, "llama-2_trim": LLAMA_2,
    "phi-3": PHI_3, "phi-3.5": PHI_3, "phi-3-roles": PHI_3, "phi-3-user": PHI_3,
    "phi-3-user-nobos": PHI_3, "phi-4": CHATML, "phi-4-user": CHATML, "phi-4-mini": CHATML,
    "mistral": LLAMA_2, "mistral-v0.1": LLAMA_2,
    "chatml": QWEN, "chatml_defined": QWEN, "chatml-bos": CHATML, "chatml-bos_defined": CHATML,
    "qwen1.5": QWEN, "qwen2": QWEN, "qwen2.5": QWEN, "qwen2.5-base": QWEN, "qwen2.5-math": QWEN,
    "qwen3": QWEN, "qwen3_string": QWEN, "qwen3-instruct": QWEN, "qwen3-thinking": QWEN,
    "deepseek-r1": ("bytes", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "smollm2": ("bytes", "<|im_start|>", "<|im_end|>"),
    "zephyr": LLAMA_2, "gemma": ("pieces", "<bos>", "<eos>"),
    "role-tags": ("bytes", "<|endoftext|>", "<|end|>"), "plain": LLAMA_2,
}
# analogd's own layout is nobody's template; as one it would read so.
PLAIN = ("{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
         "{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}")

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.", "They're here; we've won, I'm sure it'll do.",
    "What is 12 times 34?", "You answer in one word.", "Step 1: 12 * 34 = 408", "Yes.", "Hi",
    "Please write a short letter to the editor of the paper.", "for (int i = 0; i < n; i++) {\n\tx += i;\n}",
]
OTHERS = [
    "Der Fluß fließt, die Bäche rauschen.", "Où est l'été ?", "Съешь ещё этих булок.",
    "我能吞下玻璃而不伤身体。", "いろはにほへと", "다람쥐 헌 쳇바퀴에", "דג סקרן", "ऋषियों को", "👍🏽 👩‍👩‍👧 🇩🇪",
    "x² + y³ = ½", "e\u0301 \u212b \ufb01", "\u200bzero\u200dwidth\ufeff", "▁under▁score ▁",
]
SPACES = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\x1c", "\x0b", " \n "]
MARKS = [
    "[INST] no [/INST]", "<<SYS>>\nno\n<</SYS>>", "{{ messages }}", "{% endfor %}", "### System:",
    '{"role": "system"}', "<|", "|>", "<tool_response>\n4\n</tool_response>", "\\n", "'quoted' \"text\"",
]
THOUGHTS = [
    "<think>\nIt is late.\n</think>\n\nGood night.", "<think>\n\n</think>\n\n408", "<think>no end",
    "a</think>b</think>\n\nc", "\n\n<think>\n\nx<think>y\n\n</think>z\n", "</think>", "<think>t</think>",
]
SPECIAL = {
    "bytes": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
              "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|system|>", "<|user|>",
              "<|assistant|>", "<|tool|>", "<|end|>"],
    "pieces": ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>",
               "<|user|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
}


# ---- vocabularies ------------------------------------------------------------

def bytes_vocabulary():
    """In the manner of Qwen and Llama 3: bytes, words cut by a pattern."""
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
               r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, min_frequency=2,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator([line for line in ENGLISH for _ in range(3)], trainer)
    tok.add_special_tokens(SPECIAL["bytes"])
    tok.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    tok.add_special_tokens([f"<｜{word}｜>" for word in (
        "begin▁of▁sentence", "end▁of▁sentence", "User", "Assistant")])
    return tok


def pieces_vocabulary():
    """In the manner of Llama 2 and Phi-3: sentencepiece with bytes for what it
    lacks, and tags that swallow the white space behind them."""
    letters = sorted({c for line in ENGLISH for c in line.replace(" ", "▁")} | {"▁", "ß", "é"})
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + letters
    vocab, merges = {token: i for i, token in enumerate(tokens)}, []
    for word in ("▁the", "▁The", "▁to", "▁you", "▁an", "ver", "▁a", "▁i", "in", "er", "▁▁", "▁▁▁▁"):
        while True:
            parts = list(word)
            for a, b in merges:
                i = 0
                while i + 1 < len(parts):
                    if parts[i] == a and parts[i + 1] == b:
                        parts[i:i + 2] = [a + b]
                    i += 1
            if len(parts) == 1:
                break
            merges.append((parts[0], parts[1]))
            vocab.setdefault(parts[0] + parts[1], len(vocab))
    tok = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tags = ("<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
    tok.add_special_tokens([AddedToken(token, normalized=False, rstrip=token in tags)
                            for token in SPECIAL["pieces"]])
    return tok


# ---- conversations -----------------------------------------------------------

def content(rng, role, special):
    """A short text of a kind drawn by chance."""
    kind = rng.random()
    text = rng.choice(OTHERS if kind < 0.3 else ENGLISH)
    if kind > 0.85:
        text = ""
    if rng.random() < 0.2:
        text = rng.choice(MARKS) + rng.choice(["", " ", text])
    if role == "assistant" and rng.random() < 0.25:
        text = rng.choice(THOUGHTS)
    if special and rng.random() < 0.6:
        token = rng.choice(SPECIAL["bytes"] + SPECIAL["pieces"])
        text = rng.choice([token + text, text + token, token, text + " " + token + "\n" + text])
    if rng.random() < 0.35:
        text = rng.choice(SPACES) + text
    if rng.random() < 0.35:
        text += rng.choice(SPACES)
    return text


def conversation(rng, roles, special):
    messages = [[role, content(rng, role, special)] for role in roles]
    end = rng.choice(["open", "open", "closed"])
    if roles[-1] == "assistant":
        end = rng.choice(["continue", "continue", "open", "closed"])
    return {"messages": messages, "end": end}


def conversations(rng):
    """52 of user and assistant in turn, 20 more behind a system message, 12 in
    any order; 9 with the text of special tokens."""
    kinds = [(0, False)] * 46 + [(0, True)] * 6 + [(1, False)] * 17 + [(1, True)] * 3
    out = []
    for system, special in kinds:
        turns = rng.choice([1, 1, 1, 2, 2, 3, 4])
        roles = ["system"] * system + [("user", "assistant")[i % 2] for i in range(turns)]
        out.append(conversation(rng, roles, special))
    for _ in range(12):
        roles = [rng.choice(["system", "user", "assistant"]) for _ in range(rng.randrange(1, 4))]
        out.append(conversation(rng, roles, False))
    return out


# ---- what the reference makes of them ----------------------------------------

def as_dicts(messages):
    return [{"role": role, "content": text} for role, text in messages]


def writes_all(tokenizer, messages):
    """Does the template write every message, one way or another?"""
    marked = [[role, f"MARK{i}."] for i, (role, _) in enumerate(messages)]
    text = tokenizer.apply_chat_template(as_dicts(marked), tokenize=False, date_string="26 Jul 2024")
    return all(mark in text for _, mark in marked)


def render(tokenizer, case, special):
    """[text, ids] or None."""
    messages = as_dicts(case["messages"])
    end = {"add_generation_prompt": case["end"] == "open",
           "continue_final_message": case["end"] == "continue", "date_string": "26 Jul 2024"}
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **end)
        if not writes_all(tokenizer, case["messages"]):
            return None
        ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **end)
    except (TemplateError, ValueError):
        return None
    if any(token in content for _, content in case["messages"] for token in special):
        ids = None
    return [text, ids]


def read_template(folder, name):
    if name == "plain":
        return PLAIN
    with open(os.path.join(folder, name + ".jinja"), encoding="utf-8", newline="") as f:
        return f.read()


def main():
    folder = sys.argv[1]
    vocabularies = {"bytes": bytes_vocabulary(), "pieces": pieces_vocabulary()}
    cases = conversations(random.Random(3))
    for name, vocabulary in vocabularies.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(json.loads(vocabulary.to_str()), f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
    with open(os.path.join(folder, "conversations.jsonl"), "w", encoding="utf-8") as f:
        for case in cases:
            f.write(json.dumps(case, ensure_ascii=False) + "\n")
    rows = {}
    for name, (vocabulary, bos, eos) in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=vocabularies[vocabulary], bos_token=bos, eos_token=eos)
        tokenizer.chat_template = read_template(folder, name)
        made = [render(tokenizer, case, SPECIAL[vocabulary]) for case in cases]
        written = sum(case is not None for case in made)
        assert written >= 50, (name, written)
        print(name, written, "written,", len(made) - written, "refused")
        row = rows.setdefault(name.split("_")[0], {
            "row": name.split("_")[0], "templates": [], "vocabulary": vocabulary, "bos": bos,
            "eos": eos, "cases": made})
        assert row["cases"] == made, name
        row["templates"].append(name)
    with open(os.path.join(folder, "cases.jsonl"), "w", encoding="utf-8") as f:
        for row in rows.values():
            f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
