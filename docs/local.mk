# SPDX-License-Identifier: Apache-2.0
# Installed with their folders, so that links between them hold.
nobase_dist_doc_DATA = \
	CHANGELOG.md \
	CONTRIBUTING.md \
	LICENSE \
	README.md \
	docs/README.md \
	docs/accuracy.json \
	docs/accuracy.md \
	docs/accuracy.svg \
	docs/api.md \
	docs/benchmarks.json \
	docs/benchmarks.md \
	docs/design.md \
	docs/hacking.md \
	docs/metrics.md \
	docs/models.md \
	docs/operators.md \
	docs/peers.json \
	docs/peers.md \
	docs/research.md \
	docs/scaling.json \
	docs/scaling.md \
	docs/scaling.svg \
	docs/test-time-compute.json \
	docs/test-time-compute.md \
	docs/test-time-compute.svg
