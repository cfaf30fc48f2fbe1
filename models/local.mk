# SPDX-License-Identifier: Apache-2.0
# The shipped model, installed where the example configuration looks for it.
wordmathdir = $(pkgdatadir)/models/wordmath-2m
dist_wordmath_DATA = \
	models/wordmath-2m/README.md \
	models/wordmath-2m/config.json \
	models/wordmath-2m/generation_config.json \
	models/wordmath-2m/model.safetensors \
	models/wordmath-2m/tokenizer.json \
	models/wordmath-2m/tokenizer_config.json
EXTRA_DIST += models/wordmath-2m/eval/logits.json models/wordmath-2m/eval/problems.jsonl
