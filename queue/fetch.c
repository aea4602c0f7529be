#include "queue/fetch.h"

#include <stdio.h>

#include "service/base/crypto.h"
#include "service/base/metrics.h"

#define WAIT_MAX_MS 5000
#define SWEEP_MS "10000"

static int64_t now_ms(void)
{
    return met_now_ns() / 1000000;
}

const char *fet_wake_key(void)
{
    return RDS_PREFIX "fetchwake";
}

/* ---- lease ---- */

/* Head of fetch_lease.lua's answer: store, failures; items follow. */
#define LEASE_HEAD 2

static void read_lease(const struct rds_reply *v, struct fet_lease *l)
{
    snprintf(l->store, sizeof l->store, "%.*s", STR_FMT(rds_text(rds_at(v, 0))));
    l->failures = rds_int(rds_at(v, 1));
    l->count = (rds_len(v) - LEASE_HEAD) / 2;
    l->items = arena_array(&l->arena, l->count, sizeof *l->items);
    for (size_t i = 0; i < l->count; i++) {
        l->items[i].id = arena_str(&l->arena, rds_text(rds_at(v, LEASE_HEAD + 2 * i)));
        l->items[i].state = arena_str(&l->arena, rds_text(rds_at(v, LEASE_HEAD + 2 * i + 1)));
    }
}

enum err fet_lease(struct rds *r, const char *who, int64_t lease_ms, int max, struct fet_lease *out,
                   int64_t *wait_ms, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct rds_args a;

    *out = (struct fet_lease){0};
    cry_uuid(out->token);
    rds_args_init(&a, &out->arena);
    rds_argz(&a, out->token);
    rds_argi(&a, lease_ms);
    rds_argi(&a, max);
    rds_argz(&a, who);
    out->until_ms = now_ms() + lease_ms;
    enum err e = rds_script(r, "fetch_lease", a.v, a.n, &reply, info);
    if (e == ERR_OK && rds_text(rds_at(reply, 0)).n == 0) {
        int64_t wait = rds_int(rds_at(reply, 1));
        *wait_ms = wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
        e = ERR_NOT_FOUND;
    }
    if (e == ERR_OK)
        read_lease(reply, out);
    else
        fet_lease_free(out);
    rds_free(reply);
    return e;
}

void fet_lease_free(struct fet_lease *l)
{
    arena_free(&l->arena);
    *l = (struct fet_lease){0};
}

/* ---- permit and done ---- */

static void add_said(struct rds_args *a, const struct fet_said *said)
{
    bool any = said && said->kind;

    rds_argz(a, any ? said->kind : "");
    rds_argz(a, any ? said->rate : "");
    rds_argz(a, any ? said->burst : "");
    rds_argz(a, any ? said->left : "");
}

enum err fet_permit(struct rds *r, struct fet_lease *l, int64_t lease_ms, const char *kind,
                    int64_t cost, const struct fet_said *said, enum fet_permit *permit,
                    int64_t *wait_ms, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;

    *permit = FET_LOST;
    rds_args_init(&a, &arena);
    rds_argz(&a, l->store);
    rds_argz(&a, l->token);
    rds_argi(&a, lease_ms);
    rds_argz(&a, kind);
    rds_argi(&a, cost);
    add_said(&a, said);
    int64_t until = now_ms() + lease_ms;
    enum err e = rds_script(r, "fetch_permit", a.v, a.n, &reply, info);
    struct str word = rds_text(rds_at(reply, 0));
    if (e == ERR_OK && str_eq(word, STR("go"))) {
        *permit = FET_GO;
    } else if (e == ERR_OK && str_eq(word, STR("wait"))) {
        *permit = FET_WAIT;
        *wait_ms = rds_int(rds_at(reply, 1));
    }
    if (*permit != FET_LOST)
        l->until_ms = until;
    rds_free(reply);
    arena_free(&arena);
    return e;
}

enum err fet_alive(struct rds *r, const struct fet_lease *l, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;

    rds_args_init(&a, &arena);
    rds_argz(&a, "HDEL");
    rds_argz(&a, arena_printf(&arena, RDS_PREFIX "fetchdied:%s", l->store));
    for (size_t i = 0; i < l->count; i++)
        rds_arg(&a, l->items[i].id);
    enum err e = rds_call(r, a.v, a.n, &reply, info);
    rds_free(reply);
    arena_free(&arena);
    return e;
}

enum err fet_tried(struct rds *r, const struct fet_lease *l, const struct fet_item *item,
                   int64_t *tries, struct errinfo *info)
{
    const struct str argv[] = {str_of(l->store), str_of(l->token), item->id};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "fetch_tried", argv, 3, &reply, info);

    *tries = e == ERR_OK ? rds_int(reply) : 0;
    rds_free(reply);
    return e;
}

enum err fet_done(struct rds *r, const struct fet_lease *l, const struct fet_end *end,
                  struct errinfo *info)
{
    static const char *const outcomes[] = {"done", "again", "failed"};
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;

    rds_args_init(&a, &arena);
    rds_argz(&a, l->store);
    rds_argz(&a, l->token);
    rds_argi(&a, end->hold_ms);
    rds_argz(&a, end->why ? end->why : "");
    add_said(&a, end->said);
    rds_arg(&a, end->reconciled_to);
    rds_argi(&a, end->refused);
    rds_argi(&a, (int64_t)end->count);
    for (size_t i = 0; i < end->count; i++) {
        const struct fet_report *p = &end->reports[i];
        rds_arg(&a, p->item);
        rds_argz(&a, outcomes[p->outcome]);
        rds_argi(&a, p->delay_ms);
        rds_arg(&a, p->state);
        rds_arg(&a, p->progress);
        rds_arg(&a, p->result);
    }
    enum err e = rds_script(r, "fetch_done", a.v, a.n, &reply, info);
    if (e == ERR_OK && !str_eq(rds_text(rds_at(reply, 0)), STR("ok")))
        e = err_set(info, ERR_LOST, "The lease of %s was taken over by another worker.", l->store);
    rds_free(reply);
    arena_free(&arena);
    return e;
}

/* ---- asking ---- */

enum err fet_ask(struct rds *r, const char *store_key, struct str id, struct str state, bool later,
                 struct errinfo *info)
{
    struct str argv[] = {str_of(store_key), id, state, later ? STR("fetchlater:") : STR("fetch:")};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "fetch_ask", argv, 4, &reply, info);

    if (e == ERR_OK && rds_int(reply) != 1)
        e = err_set(info, ERR_NOT_FOUND, "There is no store %s.", store_key);
    rds_free(reply);
    return e;
}

static enum fet_place place_of(struct str word)
{
    static const char *const words[] = {"", "gone", "reading", "asked", "later"};
    size_t i = sizeof words / sizeof *words - 1;

    while (i > 0 && !str_eq(word, str_of(words[i])))
        i--;
    return (enum fet_place)i;
}

enum err fet_where(struct rds *r, struct fet_where *orders, size_t n, struct arena *arena,
                   struct errinfo *info)
{
    struct str *argv = arena_array(arena, 2 * n, sizeof *argv);
    struct rds_reply *reply = NULL;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++) {
        argv[2 * i] = orders[i].store;
        argv[2 * i + 1] = orders[i].id;
    }
    if (n > 0)
        e = rds_script(r, "fetch_where", argv, 2 * n, &reply, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        orders[i].place = place_of(rds_text(rds_at(reply, 4 * i)));
        orders[i].due_ms = rds_int(rds_at(reply, 4 * i + 1));
        orders[i].not_before_ms = rds_int(rds_at(reply, 4 * i + 2));
        orders[i].why = arena_str(arena, rds_text(rds_at(reply, 4 * i + 3)));
    }
    rds_free(reply);
    return e;
}

enum err fet_waits(struct rds *r, const char *store_key, struct str id, bool *waits,
                   struct errinfo *info)
{
    struct fet_where order = {.store = str_of(store_key), .id = id};
    struct arena arena = {0};
    enum err e = fet_where(r, &order, 1, &arena, info);

    *waits = e == ERR_OK && (order.place == FET_READING || order.place == FET_ASKED);
    arena_free(&arena);
    return e;
}

enum err fet_release(struct rds *r, const char *store_key, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "fetch_release", (struct str[]){str_of(store_key)}, 1, &reply, info);

    rds_free(reply);
    return e;
}

enum err fet_reconciled_to(struct rds *r, const char *store_key, struct arena *arena,
                           struct str *out, struct errinfo *info)
{
    struct str key = str_of(arena_printf(arena, RDS_PREFIX "store:%s", store_key));
    struct rds_reply *reply = NULL;
    enum err e =
        rds_call(r, (struct str[]){STR("HGET"), key, STR("reconciled_to")}, 3, &reply, info);

    *out = e == ERR_OK ? arena_str(arena, rds_text(reply)) : STR("");
    rds_free(reply);
    return e;
}

/* ---- upkeep and tasks ---- */

enum err fet_sweep(struct rds *r, bool reconcile, int64_t *repairs, struct errinfo *info)
{
    struct str argv[] = {STR(SWEEP_MS), reconcile ? STR("1") : STR("0")};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "fetch_sweep", argv, 2, &reply, info);

    *repairs = rds_int(rds_at(reply, 1));
    met_add(MET_REPAIRS, *repairs, NULL, NULL, NULL);
    rds_free(reply);
    return e;
}

enum err fet_task_add(struct rds *r, const char *kind, const char *store_key, struct str input,
                      const char *who, char id[37], struct errinfo *info)
{
    struct rds_reply *reply = NULL;

    cry_uuid(id);
    struct str argv[] = {str_of(id),        STR("add"),   str_of(who),
                         str_of(store_key), str_of(kind), input};
    enum err e = rds_script(r, "fetch_task", argv, 6, &reply, info);
    if (e == ERR_OK && !str_eq(rds_text(rds_at(reply, 0)), STR("ok")))
        e = err_set(info, ERR_NOT_FOUND, "There is no store %s.", store_key);
    rds_free(reply);
    return e;
}

enum err fet_task_set(struct rds *r, const char *id, const char *what, const char *who,
                      struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct str argv[] = {str_of(id), str_of(what), str_of(who)};
    enum err e = rds_script(r, "fetch_task", argv, 3, &reply, info);
    struct str word = rds_text(rds_at(reply, 0));

    if (e == ERR_OK && str_eq(word, STR("none")))
        e = err_set(info, ERR_NOT_FOUND, "There is no such task, or it ended more than a day ago.");
    else if (e == ERR_OK && str_eq(word, STR("kind")))
        e = err_set(info, ERR_CONFLICT,
                    "Only a backfill or a check can be paused, resumed or cancelled.");
    else if (e == ERR_OK && !str_eq(word, STR("ok")))
        e = err_set(info, ERR_CONFLICT, "The task cannot do that: it is %.*s.",
                    STR_FMT(rds_text(rds_at(reply, 1))));
    rds_free(reply);
    return e;
}
