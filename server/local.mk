# SPDX-License-Identifier: Apache-2.0
# Everything but main() is a library, so that tests can link it.
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/auth.c \
	server/auth.h \
	server/check_config.c \
	server/check_config.h \
	server/chip.c \
	server/chip.h \
	server/chip_body.c \
	server/chip_body.h \
	server/chip_files.c \
	server/chip_files.h \
	server/chip_json.c \
	server/chip_operation.c \
	server/chip_operation.h \
	server/chip_record.c \
	server/chip_record.h \
	server/chip_routes.h \
	server/chip_settings.c \
	server/chip_settings.h \
	server/chip_state.c \
	server/chip_store.c \
	server/chip_store.h \
	server/choice.c \
	server/choice.h \
	server/daemon.c \
	server/daemon.h \
	server/deadlines.c \
	server/exchange.c \
	server/fingerprint.c \
	server/fingerprint.h \
	server/header_check.c \
	server/header_check.h \
	server/http.c \
	server/http.h \
	server/http_connection.c \
	server/http_private.h \
	server/http_request.c \
	server/http_response.c \
	server/http_stream.c \
	server/job.c \
	server/job.h \
	server/job_pause.c \
	server/job_prepare.c \
	server/job_stats.c \
	server/json_out.c \
	server/json_out.h \
	server/lane.c \
	server/lane.h \
	server/lifecycle.c \
	server/lifecycle.h \
	server/listen.c \
	server/listeners.c \
	server/listeners.h \
	server/load.c \
	server/load.h \
	server/load_log.c \
	server/load_log.h \
	server/log.c \
	server/log.h \
	server/logprob_limits.c \
	server/logprobs_json.c \
	server/logprobs_json.h \
	server/mailbox.c \
	server/mailbox.h \
	server/metrics.c \
	server/metrics.def \
	server/metrics.h \
	server/model_table.c \
	server/model_table.h \
	server/metrics_models.c \
	server/metrics_text.c \
	server/metrics_text.h \
	server/notify.c \
	server/notify.h \
	server/offload.c \
	server/offload.h \
	server/open_model.c \
	server/open_model.h \
	server/options.c \
	server/options.def \
	server/options.h \
	server/options_file.c \
	server/options_flags.c \
	server/options_roles.c \
	server/options_table.c \
	server/options_table.h \
	server/params.c \
	server/params.def \
	server/params.h \
	server/params_doc.c \
	server/params_rows.c \
	server/params_rows.h \
	server/process_stats.c \
	server/process_stats.h \
	server/prompt.c \
	server/request.c \
	server/request.h \
	server/request_list.c \
	server/request_list.h \
	server/request_log.c \
	server/response.c \
	server/response.h \
	server/route_chip_delete.c \
	server/route_chip_probe.c \
	server/route_chips.c \
	server/route_generate.c \
	server/route_health.c \
	server/route_models.c \
	server/route_pooling.c \
	server/route_rerank.c \
	server/route_score.c \
	server/route_tokenize.c \
	server/routes.c \
	server/routes.h \
	server/score_input.c \
	server/score_job.c \
	server/score_job.h \
	server/score_request.c \
	server/score_request.h \
	server/search_early_stop.c \
	server/search_job.c \
	server/search_job.h \
	server/search_prepare.c \
	server/search_question.c \
	server/search_request.c \
	server/search_request.h \
	server/search_response.c \
	server/search_response.h \
	server/search_sample.c \
	server/search_score.c \
	server/search_stats.c \
	server/search_tokens.c \
	server/usage.c \
	server/usage.h \
	server/utf8.c \
	server/utf8.h

SERVER_LDADD = server/libserver.a $(RUNTIME_LDADD) $(MICROHTTPD_LIBS) $(UV_LIBS) \
	$(SYSTEMD_LIBS)

sbin_PROGRAMS += analogd
analogd_SOURCES = server/main.c
analogd_LDADD = $(SERVER_LDADD)

# Prints the tables of request fields, which docs/api.md shows between two marks.
noinst_PROGRAMS += server/params-doc
server_params_doc_SOURCES = server/params_doc_main.c
server_params_doc_LDADD = $(SERVER_LDADD)

update-tables:: server/params-doc$(EXEEXT)
	server/params-doc$(EXEEXT) >fields.tmp
	sed -i -e '/^<!-- fields -->$$/,/^<!-- end of fields -->$$/{//!d}' \
		-e '/^<!-- fields -->$$/r fields.tmp' $(srcdir)/docs/api.md
	rm -f fields.tmp
