/* SPDX-License-Identifier: Apache-2.0 */
/* analogd-bench [--json] [--quick | --rounds 1..9] [--only PATTERN,...] [paths]
 *
 * Measures the machine, then every case of cases.c beside the limit that this machine
 * sets in the same rounds: docs/benchmarks.md defines the figures. --only chooses them
 * by name ('decode_16_*'). Paths: --program ANALOGD, --model DIR, --profile FILE,
 * --make-checkpoint SCRIPT. Two tools of their own, which measure nothing else:
 *
 * analogd-bench --load DIR [--backend NAME]      how the checkpoint in DIR is loaded
 * analogd-bench --tokenizer DIR [--text FILE]    how fast a tokenizer encodes FILE */
#include "base/json.h"
#include "bench/cases.h"
#include "bench/load.h"
#include "bench/machine.h"
#include "bench/options.h"
#include "bench/tokenizer.h"

static bool is_figure(const char *pattern)
{
    return machine_has_figure(pattern) || cases_have_figure(pattern);
}

int main(int argc, char **argv)
{
    options_parse(argc, argv);
    const bench_options *o = options_get();
    aim_json_init();
    report_setup(o->json, o->only);
    if (o->load)
        return bench_load(o->program, o->load, o->backend) ? 1 : 0;
    if (o->tokenizer)
        return bench_tokenizer(o->tokenizer, o->text) ? 1 : 0;
    report_check_patterns(is_figure);
    machine_report();
    models_setup(o->model, o->profile);
    cases_set_rounds(o->rounds);
    cases_run();
    return 0;
}
