# SPDX-License-Identifier: Apache-2.0
"""Who is measured, how its worker is started, and how much memory its weights are."""
import collections
import os

PARAMETERS = 1_235_814_400  # of the shape, the tied embedding counted once
HEAD = 128256 * 2048        # of them, the embedding that is the head too
LAYERS = PARAMETERS - HEAD
FLOAT_TABLE = 4 * HEAD      # bytes of an embedding table beside the head: rows are read

Contestant = collections.namedtuple("Contestant", "name title bits command weights")


def analogd(paths, name, bits, *flags):
    here = os.path.dirname(os.path.abspath(__file__))
    command = [paths.this_python, "-B", os.path.join(here, "peer_analogd.py"), paths.analogd,
               paths.model, paths.threads, *flags]
    return Contestant(f"analogd_{name}", f"analogd {name}", bits, command, PARAMETERS * bits // 8)


def file_bytes(path):
    """Of a model: one file, or those of a folder that hold weights."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    names = ("openvino_model.bin", "model.onnx.data")
    return sum(os.path.getsize(os.path.join(path, n)) for n in names
               if os.path.exists(os.path.join(path, n)))


def peer(paths, interpreter, script, title, bits, model, unread=0):
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(paths.models, model)
    name = title.lower().replace(".", "").replace(" ", "_")
    command = [*interpreter, os.path.join(here, script), path, paths.threads]
    return Contestant(name, title, bits, command, max(file_bytes(path) - unread, 0))


def all_contestants(paths):
    python = [paths.python, "-B"]
    chip = ["--backend", "analog", "--conductance-bits", "8", "--profile", paths.profile]
    return [
        analogd(paths, "int8", 8, "--backend", "int8"),
        analogd(paths, "analog8", 8, *chip),
        peer(paths, ["node"], "peer_llamacpp.mjs", "llama.cpp Q8_0", 8, "q8_0.gguf"),
        peer(paths, python, "peer_openvino.py", "OpenVINO int8", 8, "openvino-int8"),
        peer(paths, python, "peer_onnxruntime.py", "onnxruntime int8", 8, "onnxruntime-int8",
             unread=FLOAT_TABLE),
        analogd(paths, "int4", 4, "--backend", "int4"),
        peer(paths, ["node"], "peer_llamacpp.mjs", "llama.cpp Q4_0", 4, "q4_0.gguf"),
        peer(paths, python, "peer_openvino.py", "OpenVINO int4", 4, "openvino-int4"),
        peer(paths, python, "peer_onnxruntime.py", "onnxruntime int4", 4, "onnxruntime-int4"),
    ]
