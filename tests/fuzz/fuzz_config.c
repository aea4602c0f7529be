/* Any environment, one NAME=value a line: loading ends in a configuration or in problems that are
 * told. Names that read files are left out, so that the run touches none. */
#include <stdlib.h>

#include "service/base/config.h"

#define ENV_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(enum cfg_program program, char *const *env)
{
    struct buf problems = BUF_CAP(1 << 20);
    struct cfg cfg;
    enum err e = cfg_load(program, env, &cfg, &problems);

    if ((e == ERR_OK) != (problems.n == 0) || (e == ERR_OK) != (cfg.arena.head != NULL))
        abort();
    if (e == ERR_OK && (!cfg.redis_url || !cfg.ops_listen || cfg.hook_key.n == 0))
        abort();
    cfg_free(&cfg);
    buf_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *env[ENV_MAX + 1] = {NULL};
    size_t n = 0;

    for (struct str rest = {(const char *)data, size}; rest.p && n < ENV_MAX;) {
        struct str line = str_split(&rest, '\n');

        if (line.n == 0 || memmem(line.p, line.n, "_FILE=", 6))
            continue;
        env[n] = x_alloc(line.n + 1);
        memcpy(env[n++], line.p, line.n);
    }
    load(CFG_RECEIVER, env);
    load(CFG_WORKER, env);
    for (size_t i = 0; i < n; i++)
        x_free(env[i]);
    return 0;
}
