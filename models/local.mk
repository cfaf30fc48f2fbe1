# SPDX-License-Identifier: Apache-2.0
# The shipped models, installed where the example configuration looks for them.
wordmathdir = $(pkgdatadir)/models/wordmath-2m
dist_wordmath_DATA = \
	models/wordmath-2m/README.md \
	models/wordmath-2m/config.json \
	models/wordmath-2m/generation_config.json \
	models/wordmath-2m/model.safetensors \
	models/wordmath-2m/tokenizer.json \
	models/wordmath-2m/tokenizer_config.json
EXTRA_DIST += models/wordmath-2m/eval/logits.json models/wordmath-2m/eval/problems.jsonl

# The reward model beside it.
wordmathprmdir = $(pkgdatadir)/models/wordmath-2m-prm
dist_wordmathprm_DATA = \
	models/wordmath-2m-prm/README.md \
	models/wordmath-2m-prm/config.json \
	models/wordmath-2m-prm/generation_config.json \
	models/wordmath-2m-prm/model.safetensors \
	models/wordmath-2m-prm/reward.json \
	models/wordmath-2m-prm/tokenizer.json \
	models/wordmath-2m-prm/tokenizer_config.json
EXTRA_DIST += models/wordmath-2m-prm/eval/scores.jsonl
