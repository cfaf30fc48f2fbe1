# SPDX-License-Identifier: Apache-2.0
"""docs/peers.json and the tables of docs/peers.md, from what run.py measured."""
import json
import re

DECODE = ("decode_1", "decode_8", "decode_16", "decode_32")
PROMPTS = ("prefill_256", "prefill_1024", "candidates_1", "candidates_16")


def rate_cell(figure):
    return f"{figure['value']:.1f}, {100 * figure['share']:.0f}%" if figure else "-"


def prompt_cells(find):
    for name in ("prefill_256", "prefill_1024"):
        f = find(name)
        tokens = int(name.split("_")[1])
        if not f:
            yield "-"
        else:
            yield f"{tokens / f['value']:.0f}, {100 * f['share']:.0f}%"
    for name in ("prefill_256", "prefill_1024"):
        f = find(name)
        yield f"{f['value']:.2f} s" if f else "-"
    one, many = find("candidates_1"), find("candidates_16")
    yield (f"{many['value']:.2f} s ({many['value'] / one['value']:.1f})"
           if one and many else "-")


def tables(result):
    by_name = {f["name"]: f for f in result["figures"]}
    limits = result["limits"]
    yield (f"{result['processor']}, {result['threads']} threads, medians of "
           f"{result['rounds']} rounds. Read bandwidth {limits['read_bandwidth'] / 1e9:.1f} GB/s, "
           f"int8 peak {limits['int8_peak'] / 1e12:.2f} Tops, the medians of what was measured "
           "around each figure.")
    yield ""
    yield "Decoding, tokens a second of all sequences together, and the share of the limit:"
    yield ""
    yield "| | version | weights | 1 sequence | 8 | 16 | 32 |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, c in result["contestants"].items():
        cells = [rate_cell(by_name.get(f"{name}_{d}")) for d in DECODE]
        yield (f"| {c['title']} | {c['version']} | {c['weights'] / 1e9:.2f} GB | "
               + " | ".join(cells) + " |")
    yield ""
    yield ("Prompts: tokens a second and the share of the limit, the time to the first token, "
           "16 candidates of 8 tokens for one prompt of 128 (beside it, over the time of one), "
           "and the memory of the process, at its peak and afterwards:")
    yield ""
    yield ("| | 256 tokens | 1,024 | first token, 256 | 1,024 | 16 candidates | memory |")
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, c in result["contestants"].items():
        cells = prompt_cells(lambda figure, n=name: by_name.get(f"{n}_{figure}"))
        m = c["memory"]
        yield (f"| {c['title']} | " + " | ".join(cells)
               + f" | {m['peak'] / 1e9:.1f}, {m['resident'] / 1e9:.1f} GB |")


def write(result, json_path, page_path):
    with open(json_path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    with open(page_path, encoding="utf-8") as f:
        text = f.read()
    block = "<!-- figures -->\n" + "\n".join(tables(result)) + "\n<!-- end of figures -->"
    text = re.sub(r"<!-- figures -->.*<!-- end of figures -->", lambda _: block, text, flags=re.S)
    with open(page_path, "w", encoding="utf-8") as f:
        f.write(text)
