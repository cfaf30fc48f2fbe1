/* SPDX-License-Identifier: Apache-2.0 */
/* reward_json.c - the file reward.json. */
#include "search/reward_impl.h"

#include "base/alloc.h"
#include "base/json.h"

#include <string.h>

/* The keys that hold text, with the most bytes it may have. */
static const struct {
    const char *object; /* the key whose object it is in, or NULL */
    const char *key, *name;
    size_t most;
} keys[AIM__N_REWARD_KEYS] = {
    [AIM__REWARD_SEPARATOR] = {NULL, "step_separator", "step_separator", 64},
    [AIM__REWARD_POSITIVE] = {"labels", "positive", "labels.positive", 64},
    [AIM__REWARD_NEGATIVE] = {"labels", "negative", "labels.negative", 64},
    [AIM__REWARD_TAG] = {NULL, "step_tag", "step_tag", 64},
    [AIM__REWARD_TEMPLATE] = {NULL, "template", "template", 65536},
    [AIM__REWARD_SYSTEM] = {NULL, "system", "system", 65536},
};

const char *aim__reward_key_name(enum aim__reward_key key)
{
    return keys[key].name;
}

void aim__reward_settings_free(struct aim__reward_settings *s)
{
    for (int i = 0; i < AIM__N_REWARD_KEYS; i++)
        aim_free(s->text[i]);
    *s = (struct aim__reward_settings){0};
}

static bool is_key(const char *object, const char *name)
{
    bool known = !object && (strcmp(name, "layout") == 0 || strcmp(name, "labels") == 0);
    for (int i = 0; i < AIM__N_REWARD_KEYS && !known; i++)
        known = strcmp(keys[i].key, name) == 0 && !keys[i].object == !object;
    return known;
}

/* A key that nobody knows is a mistake that would change every score. */
static int check_keys(json_t *doc, const char *object, aim_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(doc, name, value)
    {
        if (!is_key(object, name))
            return aim_fail_param(err, AIM_EFORMAT, name,
                                  AIM__REWARD_JSON ": \"%s%s%.64s\" is not known here",
                                  object ? object : "", object ? "." : "", name);
    }
    return AIM_OK;
}

static int read_layout(const json_t *doc, struct aim__reward_settings *out, aim_error *err)
{
    const char *name = NULL;
    int code = aim_json_string(doc, "layout", false, AIM__REWARD_JSON, &name, err);
    int found = name ? aim__layout_find(name) : -1;
    if (name && found < 0)
        return aim_fail_param(err, AIM_EFORMAT, "layout",
                              AIM__REWARD_JSON ": layout \"%.64s\" is not one "
                                               "of " AIM_REWARD_LAYOUT_NAMES,
                              name);
    out->has_layout = name != NULL;
    if (name)
        out->layout = (enum aim_reward_layout)found;
    return code;
}

static int read_text(const json_t *obj, int i, struct aim__reward_settings *out, aim_error *err)
{
    const char *text = NULL, *name = keys[i].name;
    int code = aim_json_string(obj, keys[i].key, false, AIM__REWARD_JSON, &text, err);
    if (code || !text)
        return code;
    if (strlen(text) > keys[i].most)
        return aim_fail_param(err, AIM_EFORMAT, name,
                              AIM__REWARD_JSON ": \"%s\" has %zu bytes, at most %zu are allowed",
                              name, strlen(text), keys[i].most);
    if (!*text && i != AIM__REWARD_SYSTEM)
        return aim_fail_param(err, AIM_EFORMAT, name, AIM__REWARD_JSON ": \"%s\" is empty", name);
    if (!(out->text[i] = aim_strdup(text)))
        return aim_fail_nomem(err, AIM__REWARD_JSON);
    return AIM_OK;
}

static int read_document(json_t *doc, struct aim__reward_settings *out, aim_error *err)
{
    json_t *labels = json_object_get(doc, "labels");
    if (!json_is_object(doc))
        return aim_fail(err, AIM_EFORMAT, AIM__REWARD_JSON ": not an object");
    if (labels && !json_is_object(labels))
        return aim_fail_param(err, AIM_EFORMAT, "labels",
                              AIM__REWARD_JSON ": \"labels\" must be {positive, negative}");
    int code = check_keys(doc, NULL, err);
    if (!code && labels)
        code = check_keys(labels, "labels", err);
    if (!code)
        code = read_layout(doc, out, err);
    for (int i = 0; i < AIM__N_REWARD_KEYS && !code; i++)
        code = read_text(keys[i].object ? labels : doc, i, out, err);
    return code;
}

int aim__reward_settings_parse(const char *json, size_t len, struct aim__reward_settings *out,
                               aim_error *err)
{
    *out = (struct aim__reward_settings){0};
    json_t *doc = aim_json_parse(json, len, 0, AIM__REWARD_JSON, err);
    if (!doc)
        return err ? (int)err->code : AIM_EFORMAT;
    int code = read_document(doc, out, err);
    json_decref(doc);
    if (code)
        aim__reward_settings_free(out);
    return code;
}
