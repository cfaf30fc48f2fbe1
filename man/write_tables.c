/* SPDX-License-Identifier: Apache-2.0 */
/* write_tables.c - prints what the documents take from options.def,
 * metrics.def and profile_keys.def; `make update-tables` puts it there. */
#include "config.h"

#include "man/write_tables.h"
#include "server/options_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void print_wrapped(const char *lead, const char *text)
{
    size_t column = 0;
    for (size_t word; *text; text += word + (text[word] == ' ')) {
        word = strcspn(text, " ");
        if (column && column + 1 + word <= 78)
            column += (size_t)printf(" %.*s", (int)word, text);
        else
            column = (size_t)printf("%s%s%.*s", column ? "\n" : "", lead, (int)word, text);
    }
    putchar('\n');
}

/* ---- analogd.conf(5) and analogd(8) -------------------------------------- */

static void print_sentence(const char *help)
{
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%c%s.", toupper((unsigned char)help[0]), help + 1);
    print_wrapped("", sentence);
}

/* Choices, between which a line may break. */
static void print_values(const char *values)
{
    for (; *values; values++) {
        putchar(*values);
        if (*values == '|')
            fputs("\\:", stdout);
    }
    putchar('\n');
}

static void print_conf_row(const aimd_option *row)
{
    printf(".It Ic %s No = Ar ", row->name);
    print_values(row->type == AIMD_OPTION_BOOL ? "true|false" : row->values);
    print_sentence(row->help);
    bool is_number = row->type == AIMD_OPTION_INT || row->type == AIMD_OPTION_SEED ||
                     row->type == AIMD_OPTION_REAL;
    if (is_number && !strchr(row->values, '|'))
        printf("From %lld to %lld.\n", (long long)row->low, (long long)row->high);
    if (row->standard)
        printf("The default is\n.Li %s .\n", row->standard);
    else
        puts("Not set by default.");
}

static void print_options(enum aimd_option_where where)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (aimd__options[i].where == where)
            print_conf_row(&aimd__options[i]);
    puts(".El");
}

static void print_daemon_options(void)
{
    print_options(AIMD_AT_DAEMON);
}

static void print_model_options(void)
{
    print_options(AIMD_AT_MODEL);
}

static void print_flag(char letter, const char *name, const char *values, const char *help)
{
    fputs(".It ", stdout);
    if (letter)
        printf("Fl %c , ", letter);
    printf("Fl -%s", name);
    if (values)
        printf(" Ar %s", values);
    putchar('\n');
    print_sentence(help);
}

static void print_flags(void)
{
    puts(".Bl -tag -width Ds");
#define FLAG(letter, id, name, values, help) print_flag(letter, name, values, help);
#include "server/options.def"
    puts(".El");
}

/* ---- conf/analogd.conf ---------------------------------------------------- */

static void print_example_row(const char *indent, const aimd_option *row)
{
    bool quoted = row->type == AIMD_OPTION_STRING || row->type == AIMD_OPTION_CHOICE ||
                  row->type == AIMD_OPTION_ADDRESS;
    const char *value = row->standard ? row->standard : "";
    char lead[16];
    snprintf(lead, sizeof lead, "%s# ", indent);
    putchar('\n');
    print_wrapped(lead, row->help);
    if (row->type == AIMD_OPTION_LIST)
        printf("%s#%s = {}\n", indent, row->name);
    else
        printf(quoted ? "%s#%s = \"%s\"\n" : "%s#%s = %s\n", indent, row->name, value);
}

static void print_example(void)
{
    puts("# SPDX-License-Identifier: Apache-2.0\n"
         "# analogd.conf - every option, commented out, with its default; analogd.conf(5)\n"
         "# says more. Check with: analogd --check-config --config FILE");
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (aimd__options[i].where == AIMD_AT_DAEMON)
            print_example_row("", &aimd__options[i]);
    puts("\n# One section a model. What stands in it may also stand outside, for all models.\n"
         "model \"wordmath-2m\" {\n"
         "    dir = \"/usr/share/analogd/models/wordmath-2m\"");
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (aimd__options[i].where == AIMD_AT_MODEL)
            print_example_row("    ", &aimd__options[i]);
    puts("}\n"
         "\n# The reward model that requests with best_of choose by; it has the options of any\n"
         "# model.\n"
         "model \"wordmath-2m-prm\" {\n"
         "    dir = \"/usr/share/analogd/models/wordmath-2m-prm\"\n"
         "    role = \"reward\"\n"
         "}\n"
         "\n# The same checkpoint on a simulated analog chip, beside its digital twin. More\n"
         "# chips can be made while the daemon runs; see docs/api.md.\n"
         "#model \"wordmath-2m@chip\" {\n"
         "    #dir = \"/usr/share/analogd/models/wordmath-2m\"\n"
         "    #backend = \"analog\"\n"
         "    #profile = \"pcm-aihwkit\"   # analogd-profile(5) tells what one says\n"
         "    #chip_seed = 1             # another seed is another chip\n"
         "    #chip_age = 1h             # matters where the profile has drift\n"
         "#}");
}

/* ---- docs/metrics.md ------------------------------------------------------ */

#define PREFIX "analogd_"
#define MODEL "model_name"
#define DAEMON ""

static void print_metric(const char *name, const char *type, const char *scope, const char *label,
                         const char *help)
{
    if (strcmp(label, "*") == 0)
        label = "handler, method, status";
    printf("| `%s` | %s | %s%s%s | %s |\n", name, type, scope, *scope && *label ? ", " : "", label,
           help);
}

static void print_metrics(void)
{
    puts("| metric | type | labels | meaning |\n|---|---|---|---|");
#define COUNTER(id, name, scope, label, help)                                                      \
    print_metric(PREFIX name, "counter", scope, label, help);
#define HISTOGRAM(id, name, scope, label, buckets, help)                                           \
    print_metric(PREFIX name, "histogram", scope, label, help);
#define GAUGE(id, name, scope, label, help) print_metric(PREFIX name, "gauge", scope, label, help);
#define ENGINE(name, type, value, help) print_metric(PREFIX name, type, MODEL, "", help);
#define CHIP(name, type, value, help) print_metric(PREFIX name, type, MODEL, "", help);
#define CHIP_INFO(name, labels, help) print_metric(PREFIX name, "gauge", MODEL, labels, help);
#define STEPS(name, help) print_metric(PREFIX name, "histogram", MODEL, "", help);
#define INFO(name, labels, help) print_metric(PREFIX name, "gauge", "", "version", help);
#define PROCESS(name, type, field, help) print_metric(name, type, "", "", help);
#include "server/metrics.def"
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } tables[] = {
        {"daemon-options", print_daemon_options},
        {"model-options", print_model_options},
        {"flags", print_flags},
        {"example", print_example},
        {"metrics", print_metrics},
        {"profile-keys", print_profile_keys},
    };
    for (size_t i = 0; argc == 2 && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].print();
            return fflush(stdout) != 0;
        }
    }
    fputs("usage: write-tables daemon-options|model-options|flags|example|metrics|profile-keys\n",
          stderr);
    return 2;
}
