/* SPDX-License-Identifier: Apache-2.0 */
/* options_file.c - analogd.conf through libconfuse.
 *
 * libconfuse knows every option as a string and asks check_value() about each
 * value while it still knows the line, so that the file and the flags share
 * readers, ranges and messages. Values are stored once the whole file is good. */
#include "server/options_table.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/conf_text.h"

#include <confuse.h>
#include <string.h>

/* libconfuse passes no user data to its callbacks. */
static _Thread_local struct {
    const char *name; /* of the file */
    /* Which options, by row (dir comes after them), are set at the top level
     * and in the model section that is being read. */
    bool top[AIMD_N_OPTIONS + 1], section[AIMD_N_OPTIONS + 1];
    const cfg_t *in;
} parsing;

/* Note that an option is set; false if it was before. libconfuse would take the
 * last value and say nothing. */
static bool first_time(const cfg_t *cfg, const aimd_option *row)
{
    bool is_section = cfg->title;
    if (is_section && parsing.in != cfg) {
        memset(parsing.section, 0, sizeof parsing.section);
        parsing.in = cfg;
    }
    bool *set = is_section ? parsing.section : parsing.top;
    set += row ? row - aimd__options : AIMD_N_OPTIONS;
    bool before = *set;
    *set = true;
    return !before;
}

/* The parse callback of every option; for a list it is called with each item. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    aim_error err = {0};
    bool is_list = opt->flags & CFGF_LIST;
    const aimd_option *row = aimd__option_find(opt->name);
    if (!is_list && !first_time(cfg, row)) {
        cfg_error(cfg, "%s is set twice", opt->name);
        return -1;
    }
    if (row && row->where == AIMD_AT_DAEMON && cfg_title(cfg)) {
        cfg_error(cfg, "%s belongs outside of model sections", opt->name);
        return -1;
    }
    if (row && aimd__option_set(row, NULL, value, &err)) {
        cfg_error(cfg, "%s: %s", opt->name, err.text);
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

static int check_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    (void)opt;
    if (cfg_title(cfg)) {
        cfg_error(cfg, "the section of model \"%s\" is not closed", cfg_title(cfg));
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

static cfg_opt_t option_slot(const char *name, bool is_list)
{
    cfg_opt_t list = CFG_STR_LIST(name, NULL, CFGF_NODEFAULT);
    cfg_opt_t single = CFG_STR_CB(name, NULL, CFGF_NODEFAULT, check_value);
    list.parsecb = check_value;
    return is_list ? list : single;
}

enum { MAX_SLOTS = AIMD_N_OPTIONS + 4 };

/* The options of one level of the file, and the end mark. Returns how many. A
 * section takes those of the daemon too, for check_value to say where they belong. */
static int fill_slots(cfg_opt_t slots[MAX_SLOTS], bool model_level)
{
    int n = 0;
    for (int i = 0; i < AIMD_N_OPTIONS; i++) {
        const aimd_option *row = &aimd__options[i];
        slots[n++] = option_slot(row->name, row->type == AIMD_OPTION_LIST);
    }
    if (model_level)
        slots[n++] = option_slot("dir", false);
    slots[n++] = (cfg_opt_t)CFG_STR_CB(AIM_CONF_END, NULL, CFGF_NODEFAULT, check_end);
    slots[n] = (cfg_opt_t)CFG_END();
    return n;
}

/* All values of a slot with commas between them: what the readers take. */
static int join_values(cfg_opt_t *opt, aim_buf *out, aim_error *err)
{
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        aim_buf_puts(out, i ? "," : "");
        aim_buf_puts(out, cfg_opt_getnstr(opt, i));
    }
    return out->failed ? aim_fail_nomem(err, "option") : 0;
}

static int store_slot(const aimd_option *row, cfg_opt_t *opt, void *target, aim_error *err)
{
    if (!opt || cfg_opt_size(opt) == 0)
        return 0;
    aim_buf value = AIM_BUF_INIT;
    int rc = join_values(opt, &value, err);
    if (rc == 0)
        rc = aimd__option_set(row, target, value.data, err);
    aim_buf_free(&value);
    return rc;
}

/* Store the rows of `where` that stand in section cfg. */
static int store_section(cfg_t *cfg, enum aimd_option_where where, void *target, aim_error *err)
{
    int rc = 0;
    for (int i = 0; i < AIMD_N_OPTIONS && rc == 0; i++)
        if (aimd__options[i].where == where)
            rc = store_slot(&aimd__options[i], cfg_getopt(cfg, aimd__options[i].name), target, err);
    return rc;
}

static int store_model(cfg_t *section, aimd_config *config, aim_error *err)
{
    const char *dir = cfg_getstr(section, "dir");
    if (!dir || !*dir)
        return aim_fail(err, AIM_EINVAL, "%s:%d: model \"%.128s\" has no dir", parsing.name,
                        section->line, cfg_title(section));
    int rc = aimd__config_add_model(config, cfg_title(section), dir, err);
    if (rc)
        return rc;
    aimd_options *o = config->options;
    return store_section(section, AIMD_AT_MODEL, &o->models[o->n_models - 1], err);
}

static int store_all(cfg_t *cfg, aimd_config *config, aim_error *err)
{
    int rc = store_section(cfg, AIMD_AT_DAEMON, config->options, err);
    if (rc == 0)
        rc = store_section(cfg, AIMD_AT_MODEL, &config->standard, err);
    for (unsigned i = 0; rc == 0 && i < cfg_size(cfg, "model"); i++)
        rc = store_model(cfg_getnsec(cfg, "model", i), config, err);
    return rc;
}

static int parse(cfg_t *cfg, const char *text, aim_error *err)
{
    char *whole = aim_conf_text(text);
    int rc =
        whole ? aim_conf_parse(cfg, whole, parsing.name, err) : aim_fail_nomem(err, parsing.name);
    aim_free(whole);
    return rc;
}

int aimd__file_parse(aimd_config *config, const char *text, const char *name, aim_error *err)
{
    cfg_opt_t model[MAX_SLOTS], top[MAX_SLOTS];
    fill_slots(model, true);
    int n = fill_slots(top, false);
    top[n] = (cfg_opt_t)CFG_SEC("model", model, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    top[n + 1] = (cfg_opt_t)CFG_END();
    memset(&parsing, 0, sizeof parsing);
    parsing.name = name;
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    if (!cfg)
        return aim_fail_nomem(err, name);
    int rc = parse(cfg, text, err);
    if (rc == 0)
        rc = store_all(cfg, config, err);
    cfg_free(cfg);
    return rc;
}
