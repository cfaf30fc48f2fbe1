# SPDX-License-Identifier: Apache-2.0
# One program a module; each links only the libraries it may use.
UNIT_TESTS =
# Those in which several threads meet: the others have nothing for ThreadSanitizer,
# under which they take minutes.
THREADED_TESTS = \
	tests/unit/test_analog_layer \
	tests/unit/test_analog_model \
	tests/unit/test_attention_rows \
	tests/unit/test_engine \
	tests/unit/test_engine_step \
	tests/unit/test_matmul_f32 \
	tests/unit/test_metrics \
	tests/unit/test_model \
	tests/unit/test_pool \
	tests/unit/test_probe \
	tests/unit/test_scores \
	tests/unit/test_segments \
	tests/unit/test_tokenizers
# Those of results that must be the same bits on every CPU: runtests runs them for Arm
# under emulation.
ARM_TESTS = \
	tests/unit/test_analog_checkpoint \
	tests/unit/test_analog_layer \
	tests/unit/test_analog_tile \
	tests/unit/test_attention \
	tests/unit/test_attention_rows \
	tests/unit/test_fixmath \
	tests/unit/test_float_kernels \
	tests/unit/test_integer_tile \
	tests/unit/test_noise_loops \
	tests/unit/test_normals \
	tests/unit/test_program \
	tests/unit/test_read_noise \
	tests/unit/test_rope \
	tests/unit/test_sampler \
	tests/unit/test_selection \
	tests/unit/test_switches \
	tests/unit/test_tensor \
	tests/unit/test_tile_kernels
# Those of the files that a package of the sources must have: runtests runs them, with
# scripts of the same kind, in what make distcheck unpacks.
PACKAGE_TESTS = $(TREE_TESTS) man/check_tables.sh \
	tests/analog/test_tile_vectors.py \
	tests/fuzz/replay.sh \
	tests/search/test_search.py \
	tests/unit/test_analog_checkpoint \
	tests/unit/test_answer \
	tests/unit/test_answer_extract \
	tests/unit/test_chat_fixtures \
	tests/unit/test_chat_template \
	tests/unit/test_families \
	tests/unit/test_head_config \
	tests/unit/test_pretokenizer \
	tests/unit/test_profile \
	tests/unit/test_reward \
	tests/unit/test_score_head \
	tests/unit/test_tokenizers \
	tests/unit/test_torch
if HAVE_CHECK
if TSAN
check_PROGRAMS += $(THREADED_TESTS)
TESTS += $(THREADED_TESTS)
else
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
endif
UNIT_LDADD = $(CHECK_LIBS)

UNIT_TESTS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(UNIT_LDADD) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm

UNIT_TESTS += tests/unit/test_hf_config
tests_unit_test_hf_config_SOURCES = tests/unit/test_hf_config.c
tests_unit_test_hf_config_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(UNIT_LDADD) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm

UNIT_TESTS += tests/unit/test_torch tests/unit/test_torch_hostile
TORCH_TEST_LDADD = runtime/libcheckpoint.a runtime/libbase.a $(UNIT_LDADD) $(JANSSON_LIBS) \
	$(PTHREAD_LIBS) -lm
tests_unit_test_torch_SOURCES = tests/unit/test_torch.c
tests_unit_test_torch_LDADD = $(TORCH_TEST_LDADD)
tests_unit_test_torch_hostile_SOURCES = tests/unit/test_torch_hostile.c tests/unit/torch_archive.h
tests_unit_test_torch_hostile_LDADD = $(TORCH_TEST_LDADD)
EXTRA_DIST += tests/data/torch tests/reference/make_torch_fixtures.py

UNIT_TESTS += tests/unit/test_sampler tests/unit/test_engine tests/unit/test_memory_plan \
	tests/unit/test_engine_step tests/unit/test_pace tests/unit/test_selection
tests_unit_test_engine_step_SOURCES = tests/unit/test_engine_step.c tests/unit/chip_rig.h
tests_unit_test_engine_step_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_selection_SOURCES = tests/unit/test_selection.c \
	tests/unit/sampler_reference.c tests/unit/sampler_reference.h \
	tests/unit/kernels_under_test.h
tests_unit_test_selection_LDADD = $(EVEX_LIBS) $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_pace_SOURCES = tests/unit/test_pace.c
tests_unit_test_pace_LDADD = runtime/libengine.a $(UNIT_LDADD) -lm
tests_unit_test_sampler_SOURCES = tests/unit/test_sampler.c
tests_unit_test_sampler_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_memory_plan_SOURCES = tests/unit/test_memory_plan.c
tests_unit_test_memory_plan_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
ENGINE_CLIENT = tests/unit/engine_client.c tests/unit/engine_client.h \
	tests/unit/chip_rig.h tests/unit/tsan.h
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(ENGINE_CLIENT)
tests_unit_test_engine_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
UNIT_TESTS += tests/unit/test_segments tests/unit/test_scores
tests_unit_test_segments_SOURCES = tests/unit/test_segments.c $(ENGINE_CLIENT)
tests_unit_test_segments_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_scores_SOURCES = tests/unit/test_scores.c $(ENGINE_CLIENT)
tests_unit_test_scores_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_probe
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c tests/unit/chip_rig.h \
	tests/unit/tsan.h
tests_unit_test_probe_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)

# The kernels of AVX-VNNI in the encoding of AVX-512 VNNI, so that more CPUs run them.
if AVXVNNI_KERNELS
check_LIBRARIES = tests/unit/libevex.a
EVEX_LIBS = tests/unit/libevex.a
tests_unit_libevex_a_CPPFLAGS = $(AM_CPPFLAGS) -include $(srcdir)/tests/unit/evex.h
tests_unit_libevex_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVX512VNNI_CFLAGS)
tests_unit_libevex_a_SOURCES = tests/unit/evex.h \
	runtime/tensor/float_avxvnni.c runtime/tensor/matmul_i8_avxvnni.c
endif

UNIT_TESTS += tests/unit/test_tensor tests/unit/test_tile_kernels \
	tests/unit/test_float_kernels tests/unit/test_attention tests/unit/test_matmul_f32
TENSOR_TEST_LDADD = $(TENSOR_LIBS) runtime/libbase.a $(UNIT_LDADD) \
	$(OPENBLAS_LIBS) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm
tests_unit_test_tensor_SOURCES = tests/unit/test_tensor.c tests/unit/kernels_under_test.h
tests_unit_test_tensor_LDADD = $(EVEX_LIBS) $(TENSOR_TEST_LDADD)
tests_unit_test_tile_kernels_SOURCES = tests/unit/test_tile_kernels.c \
	tests/unit/kernels_under_test.h
tests_unit_test_tile_kernels_LDADD = $(EVEX_LIBS) $(TENSOR_TEST_LDADD)
tests_unit_test_float_kernels_SOURCES = tests/unit/test_float_kernels.c \
	tests/unit/kernels_under_test.h
tests_unit_test_float_kernels_LDADD = $(EVEX_LIBS) $(TENSOR_TEST_LDADD)
tests_unit_test_attention_SOURCES = tests/unit/test_attention.c tests/unit/plain_attention.h \
	tests/unit/kernels_under_test.h
tests_unit_test_attention_LDADD = $(EVEX_LIBS) $(TENSOR_TEST_LDADD)
UNIT_TESTS += tests/unit/test_attention_rows
tests_unit_test_attention_rows_SOURCES = tests/unit/test_attention_rows.c \
	tests/unit/plain_attention.h tests/unit/kernels_under_test.h
tests_unit_test_attention_rows_LDADD = $(EVEX_LIBS) $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_matmul_f32_SOURCES = tests/unit/test_matmul_f32.c
tests_unit_test_matmul_f32_LDADD = $(TENSOR_TEST_LDADD)

UNIT_TESTS += tests/unit/test_analog_tile tests/unit/test_integer_tile
tests_unit_test_analog_tile_SOURCES = tests/unit/test_analog_tile.c
tests_unit_test_analog_tile_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
tests_unit_test_integer_tile_SOURCES = tests/unit/test_integer_tile.c
tests_unit_test_integer_tile_LDADD = $(ANALOG_LIBS) $(TENSOR_TEST_LDADD)
UNIT_TESTS += tests/unit/test_device_noise
tests_unit_test_device_noise_SOURCES = tests/unit/test_device_noise.c \
	tests/unit/device_constants.h tests/unit/draws.h
tests_unit_test_device_noise_LDADD = $(ANALOG_LIBS) $(BASE_TEST_LDADD)
UNIT_TESTS += tests/unit/test_device_statistics
tests_unit_test_device_statistics_SOURCES = tests/unit/test_device_statistics.c \
	tests/unit/device_constants.h tests/unit/draws.h
tests_unit_test_device_statistics_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
UNIT_TESTS += tests/unit/test_device_pairs
tests_unit_test_device_pairs_SOURCES = tests/unit/test_device_pairs.c tests/unit/device_constants.h
tests_unit_test_device_pairs_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
UNIT_TESTS += tests/unit/test_normals
tests_unit_test_normals_SOURCES = tests/unit/test_normals.c
tests_unit_test_normals_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
UNIT_TESTS += tests/unit/test_noise_loops tests/unit/test_read_noise
tests_unit_test_noise_loops_SOURCES = tests/unit/test_noise_loops.c tests/unit/device_constants.h
tests_unit_test_noise_loops_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
tests_unit_test_read_noise_SOURCES = tests/unit/test_read_noise.c
tests_unit_test_read_noise_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) -lm
UNIT_TESTS += tests/unit/test_program
tests_unit_test_program_SOURCES = tests/unit/test_program.c tests/unit/device_constants.h
tests_unit_test_program_LDADD = $(ANALOG_LIBS) $(BASE_TEST_LDADD)

UNIT_TESTS += tests/unit/test_kv_cache
tests_unit_test_kv_cache_SOURCES = tests/unit/test_kv_cache.c
tests_unit_test_kv_cache_LDADD = runtime/libmodel.a runtime/libbase.a $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_rope
tests_unit_test_rope_SOURCES = tests/unit/test_rope.c
tests_unit_test_rope_LDADD = runtime/libmodel.a runtime/libbase.a $(UNIT_LDADD) -lm

UNIT_TESTS += tests/unit/test_model tests/unit/test_switches
tests_unit_test_model_SOURCES = tests/unit/test_model.c tests/unit/decoder_rig.h \
	tests/unit/tiny_checkpoint.h
MODEL_TEST_LDADD = runtime/libmodel.a runtime/libcheckpoint.a $(ANALOG_LIBS) $(TENSOR_LIBS) \
	runtime/libbase.a $(UNIT_LDADD) $(JANSSON_LIBS) $(OPENBLAS_LIBS) $(PTHREAD_LIBS) -lm
tests_unit_test_model_LDADD = $(MODEL_TEST_LDADD)
tests_unit_test_switches_SOURCES = tests/unit/test_switches.c tests/unit/decoder_rig.h \
	tests/unit/tiny_checkpoint.h
tests_unit_test_switches_LDADD = $(MODEL_TEST_LDADD)
UNIT_TESTS += tests/unit/test_analog_layer tests/unit/test_analog_model
tests_unit_test_analog_layer_SOURCES = tests/unit/test_analog_layer.c \
	tests/unit/linear_call.h tests/unit/tile_reference.h tests/unit/device_constants.h
tests_unit_test_analog_layer_LDADD = $(MODEL_TEST_LDADD)
tests_unit_test_analog_model_SOURCES = tests/unit/test_analog_model.c tests/unit/decoder_rig.h
tests_unit_test_analog_model_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_families
tests_unit_test_families_SOURCES = tests/unit/test_families.c tests/unit/decoder_rig.h
tests_unit_test_families_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
UNIT_TESTS += tests/unit/test_score_head tests/unit/test_head_config
tests_unit_test_head_config_SOURCES = tests/unit/test_head_config.c
tests_unit_test_head_config_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_score_head_SOURCES = tests/unit/test_score_head.c tests/unit/chip_rig.h \
	tests/unit/decoder_rig.h
tests_unit_test_score_head_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
EXTRA_DIST += tests/data/models tests/reference/make_model_fixtures.py \
	tests/reference/make_reward_fixtures.py

UNIT_TESTS += tests/unit/test_analog_checkpoint
tests_unit_test_analog_checkpoint_SOURCES = tests/unit/test_analog_checkpoint.c \
	tests/unit/decoder_rig.h tests/unit/linear_call.h
tests_unit_test_analog_checkpoint_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
EXTRA_DIST += tests/reference/make_analog_fixtures.py

UNIT_TESTS += tests/unit/test_base tests/unit/test_decimal tests/unit/test_fixmath \
	tests/unit/test_memory tests/unit/test_pool
BASE_TEST_LDADD = runtime/libbase.a $(UNIT_LDADD) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm
tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_LDADD = $(BASE_TEST_LDADD)
tests_unit_test_decimal_SOURCES = tests/unit/test_decimal.c
tests_unit_test_decimal_LDADD = $(BASE_TEST_LDADD)
tests_unit_test_fixmath_SOURCES = tests/unit/test_fixmath.c
tests_unit_test_fixmath_LDADD = $(BASE_TEST_LDADD)
tests_unit_test_memory_SOURCES = tests/unit/test_memory.c tests/unit/fake_tree.h
tests_unit_test_memory_LDADD = $(BASE_TEST_LDADD)
UNIT_TESTS += tests/unit/test_cpus
tests_unit_test_cpus_SOURCES = tests/unit/test_cpus.c tests/unit/fake_tree.h
tests_unit_test_cpus_LDADD = $(BASE_TEST_LDADD)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_LDADD = $(BASE_TEST_LDADD)

UNIT_TESTS += tests/unit/test_params tests/unit/test_request tests/unit/test_response
tests_unit_test_params_SOURCES = tests/unit/test_params.c
tests_unit_test_params_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)
tests_unit_test_request_SOURCES = tests/unit/test_request.c
tests_unit_test_request_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)
tests_unit_test_response_SOURCES = tests/unit/test_response.c
tests_unit_test_response_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_server_options tests/unit/test_fingerprint tests/unit/test_metrics
tests_unit_test_server_options_SOURCES = tests/unit/test_server_options.c
tests_unit_test_server_options_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)
tests_unit_test_fingerprint_SOURCES = tests/unit/test_fingerprint.c
tests_unit_test_fingerprint_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_LDADD = $(SERVER_LDADD) $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_text tests/unit/test_tokenizer_file \
	tests/unit/test_scan tests/unit/test_chat_template tests/unit/test_pretokenizer \
	tests/unit/test_tokenizers tests/unit/test_sentencepiece tests/unit/test_tokenizer_limits
TEXT_TEST_SHARED = tests/unit/byte_vocab.h tests/unit/text_fixture.h
TEXT_TEST_LDADD = runtime/libtext.a runtime/libbase.a $(UNIT_LDADD) \
	$(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS) $(PTHREAD_LIBS) -lm
tests_unit_test_text_SOURCES = tests/unit/test_text.c $(TEXT_TEST_SHARED)
tests_unit_test_text_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_tokenizer_file_SOURCES = tests/unit/test_tokenizer_file.c $(TEXT_TEST_SHARED)
tests_unit_test_tokenizer_file_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_tokenizer_limits_SOURCES = tests/unit/test_tokenizer_limits.c $(TEXT_TEST_SHARED)
tests_unit_test_tokenizer_limits_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_scan_SOURCES = tests/unit/test_scan.c $(TEXT_TEST_SHARED)
tests_unit_test_scan_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_pretokenizer_SOURCES = tests/unit/test_pretokenizer.c $(TEXT_TEST_SHARED)
tests_unit_test_pretokenizer_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_tokenizers_SOURCES = tests/unit/test_tokenizers.c $(TEXT_TEST_SHARED)
tests_unit_test_tokenizers_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_sentencepiece_SOURCES = tests/unit/test_sentencepiece.c $(TEXT_TEST_SHARED)
tests_unit_test_sentencepiece_LDADD = $(TEXT_TEST_LDADD)
UNIT_TESTS += tests/unit/test_answer tests/unit/test_answer_extract
tests_unit_test_answer_SOURCES = tests/unit/test_answer.c $(TEXT_TEST_SHARED)
tests_unit_test_answer_LDADD = $(TEXT_TEST_LDADD)
tests_unit_test_answer_extract_SOURCES = tests/unit/test_answer_extract.c $(TEXT_TEST_SHARED)
tests_unit_test_answer_extract_LDADD = $(TEXT_TEST_LDADD)
UNIT_TESTS += tests/unit/test_chat_fixtures
tests_unit_test_chat_fixtures_SOURCES = tests/unit/test_chat_fixtures.c $(TEXT_TEST_SHARED)
tests_unit_test_chat_fixtures_LDADD = $(TEXT_TEST_LDADD)
EXTRA_DIST += tests/data/chat tests/reference/make_chat_fixtures.py
tests_unit_test_chat_template_SOURCES = tests/unit/test_chat_template.c $(TEXT_TEST_SHARED)
tests_unit_test_chat_template_LDADD = $(TEXT_TEST_LDADD)
EXTRA_DIST += tests/data/text tests/reference/make_text_fixtures.py \
	tests/reference/make_pretokenizer_fixtures.py tests/reference/text_strings.py

UNIT_TESTS += tests/unit/test_http_rules
tests_unit_test_http_rules_SOURCES = tests/unit/test_http_rules.c
tests_unit_test_http_rules_LDADD = server/libserver.a runtime/libbase.a $(UNIT_LDADD) \
	$(JANSSON_LIBS) $(PTHREAD_LIBS) -lm

UNIT_TESTS += tests/unit/test_profile tests/unit/test_input_ranges
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c tests/unit/device_constants.h
tests_unit_test_profile_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(UNIT_LDADD) \
	$(CONFUSE_LIBS) -lm
tests_unit_test_input_ranges_SOURCES = tests/unit/test_input_ranges.c
tests_unit_test_input_ranges_LDADD = $(ANALOG_LIBS) $(BASE_TEST_LDADD)

UNIT_TESTS += tests/unit/test_reward tests/unit/test_reward_aggregate \
	tests/unit/test_reward_json tests/unit/test_reward_scores
tests_unit_test_reward_SOURCES = tests/unit/test_reward.c tests/unit/reward_fixture.h \
	$(TEXT_TEST_SHARED)
tests_unit_test_reward_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_reward_aggregate_SOURCES = tests/unit/test_reward_aggregate.c \
	tests/unit/reward_fixture.h $(TEXT_TEST_SHARED)
tests_unit_test_reward_aggregate_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_reward_json_SOURCES = tests/unit/test_reward_json.c \
	tests/unit/reward_fixture.h $(TEXT_TEST_SHARED)
tests_unit_test_reward_json_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_reward_scores_SOURCES = tests/unit/test_reward_scores.c \
	tests/unit/decoder_rig.h tests/unit/reward_fixture.h $(TEXT_TEST_SHARED)
tests_unit_test_reward_scores_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_search
tests_unit_test_search_SOURCES = tests/unit/test_search.c
tests_unit_test_search_LDADD = runtime/libsearch.a runtime/libtext.a runtime/libbase.a \
	$(UNIT_LDADD) $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS) $(PTHREAD_LIBS) -lm
