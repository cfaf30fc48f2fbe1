# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libtext.a
runtime_libtext_a_SOURCES = \
	runtime/text/added_tokens.c runtime/text/added_tokens.h \
	runtime/text/allowance.h \
	runtime/text/answer.h runtime/text/answer_internal.h \
	runtime/text/answer_bytes.h \
	runtime/text/answer_canonical.c runtime/text/answer_parts.h \
	runtime/text/answer_escape.c \
	runtime/text/answer_extract.c \
	runtime/text/answer_factor.c \
	runtime/text/answer_lexer.c runtime/text/answer_lexer.h \
	runtime/text/answer_list.c \
	runtime/text/answer_numeral.c runtime/text/answer_numeral.h \
	runtime/text/answer_pattern.c \
	runtime/text/answer_product.c \
	runtime/text/answer_rational.c runtime/text/answer_rational.h \
	runtime/text/answer_spelling.c \
	runtime/text/answer_tokens.c runtime/text/answer_tokens.h \
	runtime/text/answer_units.c \
	runtime/text/answer_words.c \
	runtime/text/bpe.c runtime/text/bpe.h \
	runtime/text/byte_alphabet.c runtime/text/byte_alphabet.h \
	runtime/text/char_class.c runtime/text/char_class.h \
	runtime/text/chat_program.c runtime/text/chat_program.h \
	runtime/text/chat_published.def \
	runtime/text/chat_render.c \
	runtime/text/chat_rows.c runtime/text/chat_rows.h \
	runtime/text/chat_slice.c runtime/text/chat_slice.h \
	runtime/text/chat_template.c runtime/text/chat_template.h \
	runtime/text/decoder.c runtime/text/decoder.h \
	runtime/text/detok.c \
	runtime/text/encode.c \
	runtime/text/normal_form.c runtime/text/normal_form.h \
	runtime/text/normalizer.c runtime/text/normalizer.h \
	runtime/text/pattern.c runtime/text/pattern.h \
	runtime/text/pattern_code.c runtime/text/pattern_code.h \
	runtime/text/pretokenizer.c runtime/text/pretokenizer.h \
	runtime/text/scan.c runtime/text/scan.h \
	runtime/text/scan_class.c \
	runtime/text/spelling.c runtime/text/spelling.h \
	runtime/text/split.c runtime/text/split.h \
	runtime/text/tokenizer.c runtime/text/tokenizer.h \
	runtime/text/tokenizer_added.c \
	runtime/text/tokenizer_config.c \
	runtime/text/tokenizer_decoder.c \
	runtime/text/tokenizer_fields.c \
	runtime/text/tokenizer_folder.c \
	runtime/text/tokenizer_internal.h \
	runtime/text/tokenizer_merges.c \
	runtime/text/tokenizer_model.c \
	runtime/text/tokenizer_normalizer.c \
	runtime/text/tokenizer_post.c \
	runtime/text/tokenizer_pretokenizer.c \
	runtime/text/tokenizer_vocab.c \
	runtime/text/utf8.c runtime/text/utf8.h \
	runtime/text/vocab.c runtime/text/vocab.h \
	runtime/text/white_space.h
