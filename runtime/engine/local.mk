# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libengine.a
runtime_libengine_a_SOURCES = \
	runtime/engine/calibrate.c runtime/engine/calibrate.h \
	runtime/engine/deliver.c runtime/engine/deliver.h \
	runtime/engine/engine.c runtime/engine/engine.h runtime/engine/engine_impl.h \
	runtime/engine/engine_config.c \
	runtime/engine/engine_loop.c \
	runtime/engine/event_pool.c runtime/engine/event_pool.h \
	runtime/engine/input_statistics.c runtime/engine/input_statistics.h \
	runtime/engine/logprobs.c \
	runtime/engine/measure.h \
	runtime/engine/measure_run.c runtime/engine/measure_run.h \
	runtime/engine/memory_plan.c runtime/engine/memory_plan.h \
	runtime/engine/model_facts.c runtime/engine/model_facts.h \
	runtime/engine/pace.c runtime/engine/pace.h \
	runtime/engine/probe.c runtime/engine/probe.h \
	runtime/engine/random_shapes.c runtime/engine/random_shapes.h \
	runtime/engine/request.c \
	runtime/engine/sampler.c runtime/engine/sampler.h \
	runtime/engine/scheduler.c runtime/engine/scheduler.h \
	runtime/engine/selection.c runtime/engine/selection.h \
	runtime/engine/selection_exact.c \
	runtime/engine/sequence.c runtime/engine/sequence.h \
	runtime/engine/served_model.c runtime/engine/served_model.h \
	runtime/engine/step.c runtime/engine/step.h \
	runtime/engine/stop_match.c runtime/engine/stop_match.h \
	runtime/engine/submit.c
