#include "queue/tasks.h"

#include "service/base/crypto.h"
#include "service/base/json.h"
#include "service/base/limits.h"
#include <stdio.h>
#include <string.h>

/* A secret of 4 KiB, sealed. */
#define SEALED_MAX ((size_t)8192)

enum err tsk_add(struct rds *r, const char *kind, struct str input, char id[37],
                 struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = ERR_OK;

    cry_uuid(id);
    e = rds_script(r, "task_add", (struct str[]){str_of(id), str_of(kind), input}, 3, &reply, info);
    rds_free(reply);
    return e;
}

enum err tsk_add_secret(struct rds *r, const struct cry_keys *keys, const char *kind,
                        struct str object, struct str secret, const struct str *members, size_t n,
                        struct errinfo *info)
{
    struct buf context = BUF_CAP(512), sealed = BUF_CAP(SEALED_MAX), input = BUF_CAP(16384);
    struct js_out w;
    char id[37];
    enum err e = ERR_OK;

    buf_printf(&context, "task/%s/%.*s", kind, STR_FMT(object));
    if (secret.p)
        e = cry_seal(keys, secret, buf_str(&context), &sealed);
    if (e != ERR_OK) {
        err_set(info, e, "The secret cannot be sealed.");
        goto out;
    }
    jw_init(&w, &input);
    jw_begin_object(&w);
    for (size_t i = 0; i + 1 < n; i += 2) {
        jw_key_str(&w, members[i]);
        jw_str(&w, members[i + 1]);
    }
    jw_kstr(&w, "secret", buf_str(&sealed));
    jw_end_object(&w);
    e = buf_check(&input);
    if (e == ERR_OK)
        e = tsk_add(r, kind, buf_str(&input), id, info);
out:
    buf_free(&input);
    buf_free(&sealed);
    buf_free(&context);
    return e;
}

enum err tsk_lease(struct rds *r, int64_t lease_ms, struct tsk_task *out, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct rds_args args;
    enum err e = ERR_OK;

    *out = (struct tsk_task){0};
    rds_args_init(&args, &out->arena);
    rds_argi(&args, lease_ms);
    e = rds_script(r, "task_lease", args.v, args.n, &reply, info);
    if (e != ERR_OK)
        goto out;
    if (rds_len(reply) == 0) {
        e = err_set(info, ERR_NOT_FOUND, "No task waits.");
        goto out;
    }
    snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(rds_text(rds_at(reply, 0))));
    snprintf(out->kind, sizeof out->kind, "%.*s", STR_FMT(rds_text(rds_at(reply, 1))));
    out->input = arena_str(&out->arena, rds_text(rds_at(reply, 2)));
    out->attempt = rds_int(rds_at(reply, 3));
out:
    rds_free(reply);
    if (e != ERR_OK)
        tsk_free(out);
    return e;
}

enum err tsk_done(struct rds *r, const struct tsk_task *t, const char *status, struct str result,
                  struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct arena arena = {0};
    struct rds_args args;
    enum err e = ERR_OK;

    rds_args_init(&args, &arena);
    rds_argz(&args, t->id);
    rds_argi(&args, t->attempt);
    rds_argz(&args, status);
    rds_arg(&args, result);
    e = rds_script(r, "task_done", args.v, args.n, &reply, info);
    if (e == ERR_OK && rds_int(reply) != 1)
        e = err_set(info, ERR_LOST, "Task %s is no longer this worker's.", t->id);
    rds_free(reply);
    arena_free(&arena);
    return e;
}

enum err tsk_status(struct rds *r, const char *id, char status[16], struct errinfo *error,
                    struct errinfo *info)
{
    char key[sizeof RDS_PREFIX + 48];
    struct str argv[] = {STR("HMGET"), {NULL, 0}, STR("status"), STR("result")};
    struct rds_reply *reply = NULL;
    struct js_doc doc = {0};
    struct str text = STR("");

    snprintf(key, sizeof key, RDS_PREFIX "task:%.36s", id);
    argv[1] = str_of(key);
    enum err e = rds_call(r, argv, 4, &reply, info);
    if (e == ERR_OK && rds_text(rds_at(reply, 0)).n == 0)
        e = err_set(info, ERR_NOT_FOUND, "There is no task %s.", id);
    if (e == ERR_OK) {
        snprintf(status, 16, "%.*s", STR_FMT(rds_text(rds_at(reply, 0))));
        if (error && js_parse(rds_text(rds_at(reply, 1)), LIM_API_BODY, &doc, NULL) == ERR_OK &&
            js_string(js_get(doc.root, "error"), &text))
            err_set(error, ERR_OK, "%.*s", STR_FMT(text));
    }
    js_free(&doc);
    rds_free(reply);
    return e;
}

void tsk_free(struct tsk_task *t)
{
    arena_free(&t->arena);
    *t = (struct tsk_task){0};
}
