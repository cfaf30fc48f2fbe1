/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_folder.c - a tokenizer from the files of a model's folder. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "base/file.h"
#include "text/utf8.h"

/* A file of the folder; NULL text if it is not there. */
struct file {
    char *text;
    size_t len;
};

/* The file dir/name. A missing one is a failure only if it is required. */
static int read_file(const char *dir, const char *name, bool required, struct file *file,
                     aim_error *err)
{
    aim_error reason = {0};
    char *path = aim_path_join(dir, name);
    if (!path)
        return aim_fail_nomem(err, name);
    file->text = aim_read_file(path, AIM__MAX_FILE, &file->len, &reason);
    aim_free(path);
    if (file->text)
        return aim_check_content(file->text, file->len, name, err);
    if (!required && reason.code == AIM_ENOTFOUND)
        return AIM_OK;
    return aim_fail(err, reason.code, "%s", reason.text);
}

/* A file of its own takes the place of the template in tokenizer_config.json. */
static int take_template(aim_tokenizer *t, struct file *template, aim_error *err)
{
    size_t valid = template->text ? aim__utf8_check(template->text, template->len) : 0;
    if (!template->text)
        return AIM_OK;
    if (valid < template->len)
        return aim_fail_param(err, AIM_EFORMAT, "chat_template",
                              AIM__CHAT_TEMPLATE ": not valid UTF-8 at byte %zu", valid);
    aim_free(t->chat_template);
    t->chat_template = template->text;
    template->text = NULL;
    return AIM_OK;
}

aim_tokenizer *aim_tokenizer_load(const char *dir, aim_error *err)
{
    struct file json = {0}, config = {0}, template = {0};
    aim_tokenizer *t = NULL;
    int code = read_file(dir, AIM__TOKENIZER_JSON, true, &json, err);
    if (!code)
        code = read_file(dir, AIM__TOKENIZER_CONFIG, false, &config, err);
    if (!code)
        code = read_file(dir, AIM__CHAT_TEMPLATE, false, &template, err);
    if (!code)
        t = aim_tokenizer_parse(json.text, json.len, config.text, config.len, err);
    if (t && take_template(t, &template, err)) {
        aim_tokenizer_free(t);
        t = NULL;
    }
    aim_free(json.text);
    aim_free(config.text);
    aim_free(template.text);
    return t;
}
