#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the tiny reward models of tests/data/models/reward_*, one for each layout, with
the tokens, positions, outputs and scores of a plain float32 reference.

  make_reward_fixtures.py OUT          write the folders below OUT
  make_reward_fixtures.py --check DIR  make them again and compare with those in DIR

Needs what make_model_fixtures.py needs, and the vocabularies and chat templates in
tests/data/chat beside it. Weights come from a hash of their names. Bytes are equal on
every machine but for the last digit of outputs and scores, where --check allows 1e-5.

A folder's reference.json holds "labels" (ids of the tokens whose logits are the outputs;
null for models with a head, which has outputs of its own), "separator", and
"conversations". Each has a question, an answer that has ended, the "tokens", "score_at"
(positions in tokens), "outputs" (a row for each of these) and "scores". An answer without
a step has no tokens (null).

The layouts are those of the published evaluation code:

  rlhflow          RLHF-Reward-Modeling, math-rm/prm_evaluate.py
  rlhflow-outcome  the same with the whole answer as one step (its ORM models)
  math-shepherd    the card of math-shepherd-mistral-7b-prm
  skywork          skywork-o1-prm-inference, model_utils/io_utils.py
  qwen-prm         the card of Qwen2.5-Math-PRM-7B
  qwen-rm          the card of Qwen2.5-Math-RM-72B
  classifier       the card of Skywork-Reward-Llama-3.1-8B
  verifier         nobody's: a template and two words, as reward.json says

What they leave open or do in different ways is decided so:

- Steps are what stands between separators, without white space around it; what is empty
  then is no step. (prm_evaluate.py keeps empty steps, compute-optimal-tts drops them as
  here; the cards of Qwen and Math-Shepherd are given lists.) Only skywork has every line
  as a step, as its code does: also an empty one, and one behind a final line break.
- The steps of math-shepherd stand in lines, each ending " ки", behind the question and a
  space, without a system prompt (search-and-learn puts one in front). Scored are the tags
  that end steps, not those that the text has of its own.
- One pass scores all steps of rlhflow, as search-and-learn has it, since all labels
  before a step are "+". Here it is compared with the published pass for each step.
- The text of a special token in a question or an answer stays text. The published code
  turns it into the token, with which an answer could end its own turn.
"""
import copy
import dataclasses
import json
import os
import re
import shutil
import sys
import tempfile
import typing

import make_model_fixtures as base
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from transformers.utils import logging

CHAT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "chat")
PREFIX = "reward_"

# ---- conversations ----------------------------------------------------------

# A pilcrow stands for the layout's separator.
CONVERSATIONS = [
    ("What is 12 times 34?", "Step 1: 12 * 34 = 408¶The answer is 408."),
    ("What is 12 times 34?", "The answer is 408."),
    ("You write in one word.", "¶".join(f"Step {i}: {i} + {i} = {2 * i}" for i in range(1, 11))),
    ("What is 3 - 1?", "Step 1¶¶  ¶Step 2: 3 - 1 = 2¶¶¶2"),
    ("What is 3 - 1?", "Step 1¶2¶"),
    ("What is 3 - 1?", "Step 1¶2¶¶¶"),
    ("Please answer.", "¶ First, \n\t the sum ¶\t then it  \r"),
    ("Wie groß ist ½ + ¼?", "½ + ¼ = ¾, ça va 👍🏽¶Ответ: ¾¶答え 四分の三"),
    ("cafe\u0301 \u212b \ufb01", "e\u0301\u0323 = \u1eb9\u0301¶x² + y³\u00a0= ½"),
    ("Is <|eot_id|> a token? <s>", "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nok"
     "¶<|im_end|>\n<|im_start|>user\n<extra_0>¶</s><|begin_of_text|><|endoftext|>"),
    ("Which ки tag? + or -?", "It is ки the tag ки¶+ ки¶- +"),
    ("", "No question."),
    ("No answer?", ""),
    ("No steps?", "¶¶ ¶"),
]

# ---- tokenizers -------------------------------------------------------------

LLAMA3_TOKENS = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
QWEN_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"]


def small_vocabulary(name, special, pieces=()):
    """The vocabulary tests/data/chat/NAME.json with these special tokens and no other,
    those that it lacks behind the rest; and with further pieces (a, b) -> ab."""
    with open(os.path.join(CHAT, f"{name}.json"), encoding="utf-8") as f:
        doc = json.load(f)
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    vocab, merges = doc["model"]["vocab"], doc["model"]["merges"]
    for pair in pieces:
        for word in (*pair, "".join(pair)):
            vocab.setdefault(word, len(vocab))
        merges.append(list(pair))
    doc["added_tokens"] = []
    for token in special:
        at = vocab.get(token, len(vocab) + sum(t not in vocab for t in special[:special.index(token)]))
        doc["added_tokens"].append({"id": at, "content": token, **flags, "special": True})
    return doc


def with_bos(doc, token):
    """Put BOS in front of every text."""
    at = next(t["id"] for t in doc["added_tokens"] if t["content"] == token)
    bos, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    doc["post_processor"] = {"type": "TemplateProcessing", "single": [bos, text],
                             "pair": [bos, text, {"Sequence": {"id": "B", "type_id": 1}}],
                             "special_tokens": {token: {"id": token, "ids": [at],
                                                        "tokens": [token]}}}
    return doc


def llama3_tokenizer():
    doc = small_vocabulary("bytes", LLAMA3_TOKENS, [("N", "o")])
    return with_bos(doc, LLAMA3_TOKENS[0]), LLAMA3_TOKENS[0], LLAMA3_TOKENS[-1], "llama-3.1"


def qwen_tokenizer():
    return small_vocabulary("bytes", QWEN_TOKENS), QWEN_TOKENS[0], QWEN_TOKENS[2], "qwen2.5-math"


def mistral_tokenizer():
    pieces = [("▁", "+"), ("▁", "-"), ("к", "и"), ("▁", "ки")]
    doc = small_vocabulary("pieces", ["<unk>", "<s>", "</s>"], pieces)
    return with_bos(doc, "<s>"), "<s>", "</s>", None


def save_tokenizer(path, made):
    doc, bos, eos, template = made
    base.save_json(doc, os.path.join(path, "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos,
              "clean_up_tokenization_spaces": False, "model_max_length": 512}
    if template:
        with open(os.path.join(CHAT, f"{template}.jinja"), encoding="utf-8") as f:
            config["chat_template"] = f.read()
    base.save_json(config, os.path.join(path, "tokenizer_config.json"))


class Text:
    """The tokenizer of a folder, with which special tokens in messages can be text."""
    MARK = "\ue000"  # inside the text of a special token that is none

    def __init__(self, path):
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        with open(os.path.join(path, "tokenizer.json"), encoding="utf-8") as f:
            doc = json.load(f)
        self.special = {t["content"]: t["id"] for t in doc["added_tokens"]}
        plain = {**doc, "added_tokens": [], "post_processor": None}
        self.plain = Tokenizer.from_str(json.dumps(plain))

    def as_text(self, content):
        for token in self.special:
            content = content.replace(token, token[0] + self.MARK + token[1:])
        return content

    def encode(self, text):
        """Ids, and for each the character of the text behind it; special tokens only
        where they are not marked."""
        ids, ends, at = [], [], 0
        for part in re.split("(" + "|".join(map(re.escape, self.special)) + ")", text):
            special, part = self.special.get(part), part.replace(self.MARK, "")
            if special is not None:
                ids.append(special)
                ends.append(at + len(part))
            elif part:
                encoding = self.plain.encode(part)
                ids += encoding.ids
                ends += [at + end for _, end in encoding.offsets]
            at += len(part)
        if self.MARK not in text:
            assert ids == self.tokenizer(text, add_special_tokens=False).input_ids, text
        return ids, ends

    def ids(self, text):
        return self.encode(text)[0]

    def chat(self, *messages):
        rendered = self.tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in messages], tokenize=False)
        return self.ids(rendered)

    def last(self, word):
        return self.tokenizer.encode(word, add_special_tokens=False)[-1]

    def front(self):
        """What the tokenizer puts in front of a text."""
        return self.tokenizer("").input_ids


# ---- layouts ----------------------------------------------------------------


def steps_of(answer, separator):
    return [step for step in (part.strip() for part in answer.split(separator)) if step]


def lay_out_rlhflow(text, question, steps):
    """Tokens and positions; the label is the third token from the end of a conversation
    that ends with it, so its logits are the row before."""
    messages, score_at = [], []
    for i, step in enumerate(steps):
        messages += [("user", question + " " + step if i == 0 else step), ("assistant", "+")]
        tokens = text.chat(*messages)
        assert tokens[-2] == text.last("+")
        score_at.append(len(tokens) - 3)
    return tokens, score_at


def rlhflow(text, question, answer):
    return lay_out_rlhflow(text, question, steps_of(answer, "\n\n"))


def rlhflow_outcome(text, question, answer):
    return lay_out_rlhflow(text, question, [answer])


def math_shepherd(text, question, answer):
    written, ends = question + " ", []
    for step in steps_of(answer, "\n"):
        written += ("\n" if ends else "") + step + " ки"
        ends.append(len(written.replace(text.MARK, "")))
    ids, at = text.encode(written)
    front, tag = text.front(), text.last("ки")
    score_at = [len(front) + i for i, end in enumerate(at) if end in ends and ids[i] == tag]
    assert len(score_at) == len(ends), written
    return front + ids, score_at


def skywork(text, question, answer):
    tokens, score_at = text.ids(text.tokenizer.bos_token + question + "\n"), []
    for line in answer.split("\n"):
        tokens += text.ids(line) if line else []
        score_at.append(len(tokens))
        tokens.append(text.last("\n"))
    return tokens, score_at


QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def qwen_prm(text, question, answer):
    steps = steps_of(answer, "\n\n")
    tokens = text.chat(("system", QWEN_SYSTEM), ("user", question),
                       ("assistant", "".join(step + "<extra_0>" for step in steps)))
    return tokens, [i for i, t in enumerate(tokens) if t == text.special["<extra_0>"]]


def at_the_end(tokens):
    return tokens, [len(tokens) - 1]


def qwen_rm(text, question, answer):
    return at_the_end(text.chat(("system", QWEN_SYSTEM), ("user", question),
                                ("assistant", answer)))


def classifier(text, question, answer):
    return at_the_end(text.chat(("user", question), ("assistant", answer)))


VERIFIER = {"layout": "verifier", "labels": {"positive": "Yes", "negative": "No"},
            "template": "The question: {question}\nThe answer: {answer}\n"
                        "Is the answer right? Yes or No:"}


def verifier(text, question, answer):
    parts = re.split(r"(\{question\}|\{answer\})", VERIFIER["template"])
    values = {"{question}": question, "{answer}": answer}
    return at_the_end(text.front() + text.ids("".join(values.get(p, p) for p in parts)))


# ---- models -----------------------------------------------------------------


class WithHead:
    """A decoder without lm_head, and a head on what its final norm makes of each row."""

    def __init__(self, path, tensors):
        self.decoder = AutoModel.from_pretrained(path, dtype=torch.float32,
                                                 attn_implementation="eager")
        self.tensors = {name: tensor.float() for name, tensor in tensors.items()}

    def linear(self, name, x):
        return torch.nn.functional.linear(x, self.tensors[f"{name}.weight"],
                                          self.tensors.get(f"{name}.bias"))

    def head(self, hidden):
        if "v_head.summary.weight" in self.tensors:
            return self.linear("v_head.summary", hidden)
        return self.linear("score.2", torch.relu(self.linear("score.0", hidden)))

    def __call__(self, tokens):
        with torch.no_grad():
            return self.head(self.decoder(torch.tensor([tokens])).last_hidden_state[0])


def language_model(path, _):
    model = base.load(path)
    return lambda tokens: base.all_logits(model, tokens)


def sequence_classifier(path, _):
    """transformers pools the last token: every row is the last one of a prefix."""
    model = AutoModelForSequenceClassification.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager")

    def rows(tokens):
        with torch.no_grad():
            hidden = model.model(torch.tensor([tokens])).last_hidden_state[0]
            pooled = model(torch.tensor([tokens])).logits[0]
            assert torch.allclose(model.score(hidden)[-1], pooled, atol=1e-5)
            return model.score(hidden)
    return rows


def first_of_softmax(outputs):
    return torch.softmax(outputs, -1)[:, 0]


def second_of_softmax(outputs):
    return torch.softmax(outputs, -1)[:, 1]


def sigmoid(outputs):
    return torch.sigmoid(outputs[:, 0])


def raw(outputs):
    return outputs[:, 0]


# ---- the folders ------------------------------------------------------------

SMALL = {"intermediate_size": 40, "max_position_embeddings": 512, "tie_word_embeddings": True}
LLAMA = {**base.LLAMA, **SMALL, "num_key_value_heads": 2, "rope_theta": 500000.0,
         "vocab_size": 384, "bos_token_id": 378, "eos_token_id": 381}
MISTRAL = {**base.MISTRAL, **SMALL, "sliding_window": None, "vocab_size": 344}
QWEN2 = {**{key: value for key, value in base.QWEN2.items() if "window" not in key}, **SMALL,
         "vocab_size": 384, "bos_token_id": 377, "eos_token_id": 379, "pad_token_id": 377}


@dataclasses.dataclass
class Folder:
    name: str
    config: dict
    tokenizer: typing.Callable
    lay_out: typing.Callable
    model: typing.Callable
    score: typing.Callable
    labels: tuple = ()
    separator: str = "\n\n"
    reward: dict = None  # reward.json
    dtype: torch.dtype = torch.bfloat16
    # Shapes of a head that transformers does not have, in words of the configuration.
    head: dict = dataclasses.field(default_factory=dict)


def architecture(config, name, **more):
    return {**config, "architectures": [name], **more}


ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}

FOLDERS = [
    Folder("rlhflow", LLAMA, llama3_tokenizer, rlhflow, language_model, first_of_softmax,
           ("+", "-"), reward={"layout": "rlhflow"}),
    Folder("classifier", architecture(LLAMA, "LlamaForSequenceClassification", **ONE_LABEL,
                                      problem_type="regression"),
           llama3_tokenizer, classifier, sequence_classifier, raw),
    Folder("rlhflow-outcome", LLAMA, llama3_tokenizer, rlhflow_outcome, language_model,
           first_of_softmax, ("+", "-"), reward={"layout": "rlhflow-outcome"}),
    Folder("math-shepherd", MISTRAL, mistral_tokenizer, math_shepherd, language_model,
           first_of_softmax, ("+", "-"), "\n",
           {"layout": "math-shepherd", "step_separator": "\n"}),
    Folder("skywork", architecture(QWEN2, "Qwen2ForPrmModel"), qwen_tokenizer, skywork, WithHead,
           sigmoid, separator="\n", head={"v_head.summary": (1, True)}),
    Folder("qwen-prm", architecture(QWEN2, "Qwen2ForProcessRewardModel"), qwen_tokenizer, qwen_prm,
           WithHead, second_of_softmax,
           head={"score.0": ("hidden_size", True), "score.2": (2, True)}),
    Folder("qwen-rm", architecture(QWEN2, "Qwen2ForRewardModel"), qwen_tokenizer, qwen_rm,
           WithHead, raw, head={"score.0": ("hidden_size", True), "score.2": (1, True)}),
    Folder("verifier", LLAMA, llama3_tokenizer, verifier, language_model, first_of_softmax,
           ("Yes", "No"), reward=VERIFIER),
]


def weights(folder):
    """Of the decoder and its head, under the names of the published checkpoints."""
    config = AutoConfig.for_model(**copy.deepcopy(folder.config))
    kind = (AutoModelForSequenceClassification if folder.model is sequence_classifier
            else AutoModelForCausalLM)
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape)
                  for name, tensor in kind.from_config(config).state_dict().items()}
    shapes.pop("lm_head.weight", None)  # tied, or a model with a head of its own
    hidden = folder.config["hidden_size"]
    for name, (rows, bias) in folder.head.items():
        rows = folder.config.get(rows, rows)
        shapes[f"{name}.weight"] = (rows, hidden)
        if bias:
            shapes[f"{name}.bias"] = (rows,)
    return {name: base.weight(folder, name, shape) for name, shape in shapes.items()}


# ---- the reference ----------------------------------------------------------


def published_rlhflow(text, rows, question, answer, labels):
    """prm_evaluate.py's scores: a pass for each step, read at -3."""
    scores, conversation = [], []
    for i, step in enumerate(steps_of(answer, "\n\n")):
        conversation += [("user", question + " " + step if i == 0 else step), ("assistant", "+")]
        logits = rows(text.chat(*conversation))[-3, labels]
        scores.append(float(logits.softmax(-1)[0]))
    return scores


def converse(folder, text, rows, question, answer, labels):
    answer = answer.replace("¶", folder.separator)
    made = {"question": question, "answer": answer, "tokens": None, "score_at": [],
            "outputs": [], "scores": []}
    has_steps = folder.lay_out in (rlhflow, math_shepherd, qwen_prm)
    if has_steps and not steps_of(answer, folder.separator):
        return made
    plain = text.as_text(question), text.as_text(answer)
    made["tokens"], made["score_at"] = folder.lay_out(text, *plain)
    outputs = rows(made["tokens"])[made["score_at"]]
    outputs = outputs[:, labels] if labels else outputs
    scores = folder.score(outputs)
    if folder.lay_out is rlhflow:
        published = published_rlhflow(text, rows, *plain, labels)
        assert np.allclose(scores, published, rtol=0, atol=1e-5), question
    made["outputs"] = [[round(float(x), 5) for x in row] for row in outputs]
    made["scores"] = [round(float(x), 6) for x in scores]
    return made


def save_reference(folder, labels, conversations, path):
    """A line for each member, to be read in a diff."""
    head = {"layout": folder.name, "labels": labels or None, "separator": folder.separator}
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(head)[:-1] + ', "conversations": [\n' + ",\n".join(
            "{" + ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in c.items()) + "}"
            for c in conversations) + "]}\n")


def make_folder(folder, out):
    path = os.path.join(out, PREFIX + folder.name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    tensors = weights(folder)
    base.save_json(folder.config, os.path.join(path, "config.json"))
    save_file(tensors, os.path.join(path, "model.safetensors"), {"format": "pt"})
    save_tokenizer(path, folder.tokenizer())
    if folder.reward:
        base.save_json(folder.reward, os.path.join(path, "reward.json"))
    text, rows = Text(path), folder.model(path, tensors)
    labels = [text.last(word) for word in folder.labels]
    made = [converse(folder, text, rows, *c, labels) for c in CONVERSATIONS]
    save_reference(folder, labels, made, os.path.join(path, "reference.json"))
    scores = [score for c in made for score in c["scores"]]
    longest = max(len(c["tokens"] or []) for c in made)
    print(f"{folder.name}: {sum(e.stat().st_size for e in os.scandir(path))} bytes, "
          f"{len(scores)} scores from {min(scores):.3f} to {max(scores):.3f}, "
          f"{longest} tokens at most")


def make(out):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    for folder in FOLDERS:
        make_folder(folder, out)


# ---- main -------------------------------------------------------------------


def close_enough(a, b):
    """Are two files of references equal but for rounding?"""
    with open(a, encoding="utf-8") as f, open(b, encoding="utf-8") as g:
        a, b = json.load(f), json.load(g)
    return {**a, "conversations": None} == {**b, "conversations": None} and all(
        {**c, "outputs": None, "scores": None} == {**d, "outputs": None, "scores": None}
        and np.allclose(c["outputs"], d["outputs"], rtol=0, atol=2e-5)
        and np.allclose(c["scores"], d["scores"], rtol=0, atol=1e-5)
        for c, d in zip(a["conversations"], b["conversations"], strict=True))


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--check":
        return base.check(arguments[1], make, close_enough, base.is_reward)
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    make(arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
