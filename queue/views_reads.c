#include "queue/views_parts.h"

#include "queue/fetch.h"
#include "service/base/limits.h"
#include <stdlib.h>
#include <string.h>

/* Of each store: who it belongs to, sizes of both queues, what is in front of them, its lease, its
 * tasks and its hold. */
enum {
    ASK_STORE,
    ASK_ASKED,
    ASK_LATER,
    ASK_FIRST,
    ASK_BEHIND,
    ASK_LEASE,
    ASK_TASKS,
    ASK_RECONCILE,
    ASK_SELLER,
    ASK_COUNT
};

bool view_is_task(struct str item)
{
    const char *slash = item.n > 0 ? memrchr(item.p, '/', item.n) : NULL;
    const char *first = slash ? slash + 1 : item.p;

    return first < item.p + item.n && *first == '*';
}

static enum err ask_stores(struct view_batch *b, struct rds *r, const struct str *stores, size_t n,
                           struct errinfo *info)
{
    const struct str store[] = {STR("HMGET"), STR(""), STR("connection"), STR("deleted")};
    const struct str size[] = {STR("ZCARD"), STR("")};
    const struct str front[] = {STR("ZRANGE"), STR(""), STR("0"), STR("3"), STR("WITHSCORES")};
    const struct str lease[] = {STR("ZRANGE"), STR(""), STR("0"), STR("0"), STR("WITHSCORES")};
    const struct str tasks[] = {STR("SMEMBERS"), STR("")};
    const struct str reconcile[] = {STR("ZSCORE"), STR(""), STR(FET_RECONCILE)};
    const struct str seller[] = {STR("HMGET"), STR(""), STR("nb"), STR("why")};

    view_batch_init(b, r, n * ASK_COUNT);
    for (size_t i = 0; i < n; i++) { /* in the order of ASK_... */
        view_ask(b, "store:", stores[i], store, 4);
        view_ask(b, "fetch:", stores[i], size, 2);
        view_ask(b, "fetchlater:", stores[i], size, 2);
        view_ask(b, "fetch:", stores[i], front, 5);
        view_ask(b, "fetchlater:", stores[i], front, 5);
        view_ask(b, "fetchlease:", stores[i], lease, 5);
        view_ask(b, "fetchtasks:", stores[i], tasks, 2);
        view_ask(b, "fetchlater:", stores[i], reconcile, 3);
        view_ask(b, "seller:", stores[i], seller, 4);
    }
    return view_send(b, info);
}

/* Since when the first order among what is in front waits; 0: none does yet. */
static int64_t since(const struct rds_reply *front, int64_t now_ms)
{
    for (size_t i = 0; i + 1 < rds_len(front); i += 2) {
        int64_t due = rds_int(rds_at(front, i + 1));

        if (!view_is_task(rds_text(rds_at(front, i))))
            return due <= now_ms ? due : 0;
    }
    return 0;
}

static void read_store(struct view_reads *v, struct rds_reply *const *said, int64_t now_ms,
                       struct arena *arena)
{
    int64_t asked = since(said[ASK_FIRST], now_ms), behind = since(said[ASK_BEHIND], now_ms);

    v->connection = arena_str(arena, rds_text(rds_at(said[ASK_STORE], 0)));
    if (rds_type(rds_at(said[ASK_STORE], 1)) != RDS_NIL)
        v->connection = STR("");
    v->asked = rds_int(said[ASK_ASKED]);
    v->later = rds_int(said[ASK_LATER]) - (rds_type(said[ASK_RECONCILE]) != RDS_NIL);
    v->oldest_ms = asked > 0 && (behind == 0 || asked < behind) ? asked : behind;
    v->over = rds_int(rds_at(said[ASK_LEASE], 1)) <= now_ms;
    v->held = view_shop_held(rds_int(rds_at(said[ASK_SELLER], 0)),
                             rds_text(rds_at(said[ASK_SELLER], 1)), now_ms, arena, &v->hold);
}

static void take_leased(struct view_reads *v, const struct rds_reply *items, struct arena *arena)
{
    v->leased = arena_array(arena, rds_len(items), sizeof *v->leased);
    for (size_t i = 0; i < rds_len(items); i++) {
        struct str item = rds_text(rds_at(items, i));

        if (!view_is_task(item))
            v->leased[v->leased_count++] =
                str_of(arena_printf(arena, "%.*s/%.*s", STR_FMT(v->store), STR_FMT(item)));
    }
}

/* What the leases read, and which of the tasks stand among the orders that may wait. */
static enum err read_items(struct rds *r, struct view_reads *v, size_t n,
                           struct rds_reply *const *said, struct arena *arena, struct errinfo *info)
{
    struct view_batch b;
    size_t room = 0, at = 0;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++)
        room += 1 + rds_len(said[i * ASK_COUNT + ASK_TASKS]);
    view_batch_init(&b, r, room);
    for (size_t i = 0; i < n; i++) {
        const struct rds_reply *tasks = said[i * ASK_COUNT + ASK_TASKS];
        struct str token = rds_text(rds_at(said[i * ASK_COUNT + ASK_LEASE], 0));
        struct str batch =
            str_of(arena_printf(arena, "%.*s:%.*s", STR_FMT(v[i].store), STR_FMT(token)));

        view_ask(&b, "fetchbatch:", batch, (struct str[]){STR("HKEYS"), STR("")}, 2);
        for (size_t k = 0; k < rds_len(tasks); k++)
            view_ask(&b, "fetchlater:", v[i].store,
                     (struct str[]){STR("ZSCORE"), STR(""), rds_text(rds_at(tasks, k))}, 3);
    }
    e = view_send(&b, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        take_leased(&v[i], b.replies[at++], arena);
        for (size_t k = 0; k < rds_len(said[i * ASK_COUNT + ASK_TASKS]); k++)
            v[i].later -= rds_type(b.replies[at++]) != RDS_NIL;
        if (v[i].later < 0) /* it moved between the two looks */
            v[i].later = 0;
    }
    view_batch_free(&b);
    return e;
}

static int by_place(const void *a, const void *b)
{
    const struct view_reads *x = a, *y = b;
    int c = str_compare(x->connection, y->connection);

    return c != 0 ? c : str_compare(x->store, y->store);
}

/* The stores that have a lane: `fetchdue` names all with something to do. */
static enum err list_stores(struct rds *r, struct arena *arena, struct str **out, size_t *n,
                            struct errinfo *info)
{
    struct str argv[] = {STR("ZRANGE"), STR(RDS_PREFIX "fetchdue"), STR("0"), STR("-1")};
    struct rds_reply *reply = NULL;
    enum err e = rds_call(r, argv, 4, &reply, info);

    *n = e == ERR_OK ? rds_len(reply) : 0;
    *out = arena_array(arena, *n, sizeof **out);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = arena_str(arena, rds_text(rds_at(reply, i)));
    rds_free(reply);
    return e;
}

enum err view_unread(struct rds *r, struct str connection, struct arena *arena,
                     struct view_unread **out, size_t *n, struct errinfo *info)
{
    struct view_reads *reads = NULL;
    size_t stores = 0;
    enum err e = view_reads(r, connection, INT64_MAX, arena, &reads, &stores, info);

    *out = arena_array(arena, stores, sizeof **out);
    *n = 0;
    for (size_t i = 0; i < stores && e == ERR_OK; i++) {
        if (*n == 0 || !str_eq((*out)[*n - 1].connection, reads[i].connection))
            (*out)[(*n)++] = (struct view_unread){reads[i].connection, 0};
        (*out)[*n - 1].orders += reads[i].asked + reads[i].later + (int64_t)reads[i].leased_count;
    }
    return e;
}

enum err view_reads(struct rds *r, struct str connection, int64_t now_ms, struct arena *arena,
                    struct view_reads **out, size_t *n, struct errinfo *info)
{
    struct view_batch said = {0};
    struct str *stores = NULL;
    size_t all = 0, kept = 0;
    enum err e = list_stores(r, arena, &stores, &all, info);

    *out = arena_array(arena, all, sizeof **out);
    *n = 0;
    if (e == ERR_OK)
        e = ask_stores(&said, r, stores, all, info);
    for (size_t i = 0; i < all && e == ERR_OK; i++) {
        (*out)[i].store = stores[i];
        read_store(&(*out)[i], said.replies + i * ASK_COUNT, now_ms, arena);
    }
    if (e == ERR_OK)
        e = read_items(r, *out, all, said.replies, arena, info);
    view_batch_free(&said);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < all; i++) {
        const struct view_reads *v = &(*out)[i];
        bool wanted = connection.n == 0 || str_eq(connection, v->connection);

        if (wanted && v->connection.n > 0 && v->asked + v->later + (int64_t)v->leased_count > 0)
            (*out)[kept++] = *v;
    }
    *n = kept;
    if (kept > 1)
        qsort(*out, kept, sizeof **out, by_place);
    return e;
}
