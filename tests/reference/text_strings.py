# SPDX-License-Identifier: Apache-2.0
"""The texts of tests/data/text/strings.jsonl: scripts, emoji, controls, mixed
newlines, code, random bytes made valid and text of special tokens, all drawn
from one seed. Python 3.11, whose characters are those of Unicode 14: libraries
differ in the younger ones.
"""
import random
import unicodedata

COUNT = 20480

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
    "\u2581", "\u2581\u2581a", "\ufffd", "\uff21\uff42", "\u2460", "\u3300", "\uff76\uff9e",
    "\u32ff", "\ua7f2", "a\u0898\u0323", "\U0001fbf9", "\ue000", "\uffff", "\U0010ffff",
]
SPECIAL = [
    "<|endoftext|>", "<|begin|>", "<|user|>", "<|end|>", "<|en", "|>", "<mask>", "WORD", "s\u0323\u0307-tok",
    "s\u0307\u0323-tok", "\u1e69-tok", "\u212b-tok", "\u00e9t\u00e9", "[X]", "[XY]", "<s>", "</s>", "<unk>", "<0x41>", "<0x0A>", "<|assistant|>",
    "<|system|>", "<|im_start|>", "<|placeholder1|>", "[INST]", "<bos>", "<pad>", "</S>", "< s>",
]
CODE = [
    "#include <stdio.h>", "int main(void)", "{", "}", "\treturn 0;", "    if x != None:", "self.value += 1", "// TODO(me): why?",
    "/* a */", "x = [i*i for i in range(10)]", "std::vector<int> v{1,2,3};", "<div class=\"a b\">text</div>", "SELECT * FROM t WHERE a='b';",
    "#!/bin/sh", "printf(\"%5.2f\\n\", x);", "fn main() -> Result<(), Error> {", "$x = $y ?? 'z';", "a && b || !c", "0xDEADBEEF",
    "\\frac{1}{2}\\sum_{i=0}^{n}", "{\"key\": [1, 2.5e-3, null, true]}", "HTTPServer_v2", "camelCaseWord", "SCREAMING_SNAKE", "ls -la | grep foo > /dev/null",
]
CONTROLS = [chr(c) for c in range(1, 32)] + ["\x00", "\x7f", "\x80", "\x85", "\x9f", "\xa0", "\xad", "\u200b", "\u200d", "\u2060", "\ufeff", "\u202e"]
NEWLINES = ["\n", "\r", "\r\n", "\n\r", "\n\n\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\t", " ", "  ", "        "]
EMOJI_PARTS = ["\u200d", "\ufe0f", "\u20e3", "\U0001f3fb", "\U0001f3ff", "\u2640", "\u2642", "#", "1"]


def assigned():
    """Code points that Unicode 14 has, private ones and surrogates left out."""
    skip = ("Cn", "Cs", "Co")
    return [chr(c) for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in skip]


class Strings:
    """Draws texts; each method is one kind."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.chars = assigned()
        self.known = set(self.chars) | {"\x00"}
        blocks = {}
        for c in self.chars:
            if ord(c) < 0x20000:
                blocks.setdefault(ord(c) >> 7, []).append(c)
        self.blocks = [blocks[k] for k in sorted(blocks)]
        self.emoji = [c for c in self.chars if unicodedata.category(c) == "So" and ord(c) > 0x2300]

    def some(self, parts, least, most, between=""):
        return between.join(self.rng.choice(parts) for _ in range(self.rng.randint(least, most)))

    def mixed(self):
        """A few words, separators and oddities, now and then of one script."""
        rng, out = self.rng, []
        for _ in range(rng.choice([1, 1, 2, 3, 4])):
            kind = rng.random()
            if kind < 0.3:
                words = rng.choice(SENTENCES).split(" ")
                start = rng.randrange(len(words))
                out.append(" ".join(words[start:start + rng.randint(1, 4)]))
            elif kind < 0.7:
                out.append(self.some(PIECES, 1, 4))
            elif kind < 0.78:
                out.append(rng.choice(SPECIAL))
            elif kind < 0.9:
                out.append(self.some(rng.choice(self.blocks), 1, 5))
            else:
                out.append(self.some(self.chars, 1, 3))
            if rng.random() < 0.4:
                out.append(" ")
        return "".join(out)

    def script(self):
        """Words of one block of 128 characters."""
        block = self.rng.choice(self.blocks)
        return " ".join(self.some(block, 1, 5) for _ in range(self.rng.randint(1, 3)))

    def emojis(self):
        return self.some(self.emoji + EMOJI_PARTS * 20 + [" "] * 40, 1, 6)

    def controls(self):
        return self.some(CONTROLS + ["a", " ", "1", "."], 1, 8)

    def newlines(self):
        return self.some(NEWLINES + ["a", "B", "9", ".", "end", "\u4f60"], 1, 8)

    def code(self):
        return self.some(CODE, 1, 3, self.rng.choice(["\n", "\n\t", "\r\n", " ", "\n    ", ""]))

    def numbers(self):
        return self.some(list("0123456789") * 3 + list(".,-+ e/:%$\u00a3\u0660\u0967\u00b2"), 1, 14)

    def random_bytes(self):
        """Random bytes, what is no character replaced."""
        leads = bytes(range(256)) + bytes(range(0xC2, 0xF5)) * 3 + bytes(range(0x80, 0xC0)) * 4
        raw = bytes(self.rng.choice(leads) for _ in range(self.rng.randint(1, 14)))
        return "".join(c for c in raw.decode("utf-8", errors="replace") if c in self.known)

    def special(self):
        return self.some(SPECIAL + SPECIAL + ["a", " ", "  ", "\n", "word", "\u4f60", "1"], 1, 5)

    def latin(self):
        """Words nobody has seen, in any case."""
        letters = "etaoinshrdlucmfwypvbgkqjxz" + "ETAOIN" + "\u00e4\u00e9\u0142\u0111" + "'-"
        return " ".join(self.some(letters, 1, 11) for _ in range(self.rng.randint(1, 6)))

    def repeated(self):
        return self.some(PIECES + ["a", "A", "ab", "\u4f60"], 1, 2) * self.rng.randint(2, 40)


def strings(published):
    """COUNT texts; those of the published cases come first."""
    s = Strings(20240131)
    shares = [(s.mixed, 30), (s.script, 16), (s.emojis, 6), (s.controls, 5), (s.newlines, 7), (s.code, 6), (s.numbers, 5),
              (s.random_bytes, 7), (s.special, 7), (s.latin, 10), (s.repeated, 1)]
    kinds = [make for make, share in shares for _ in range(share)]
    texts = list(published) + SENTENCES + ["\n".join(SENTENCES)]
    while len(texts) < COUNT:
        texts.append(kinds[len(texts) % len(kinds)]())
    return texts
