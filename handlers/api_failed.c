#include "handlers/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "queue/jobs.h"
#include "queue/trail.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"
#include "service/sync/catalogue.h"

/* Orders that one call for "all" takes; what is left needs another call. */
#define ALL_MAX 100000

/* Orders handed to one script, and asked about in one round trip. */
#define CHUNK 1000

/* Rows of the answer to an export. */
#define RESULTS_MAX LIM_PAGE_MAX

#define WAIT_MAX_S 30
/* Pause between two looks, and what each order that is still open adds to it. */
#define POLL_NS 50000000
#define POLL_NS_EACH 500000

/* One order that is to be exported again, or taken off the list. */
struct pick {
    struct str connection, order;
};

/* One call on its way. */
struct bulk {
    struct srv_env *env;
    struct srv_req *req;
    struct srv_res *res;
    struct errinfo info;
    struct pick *picks; /* sorted by connection */
    size_t count, room;
};

static const char *zero_ended(struct bulk *b, struct str s)
{
    return arena_printf(b->req->arena, "%.*s", STR_FMT(s));
}

/* ---- the list ---- */

static struct trl_filter query_filter(const struct srv_req *req)
{
    return (struct trl_filter){srv_query(req, "connection"), srv_query(req, "store"),
                               srv_query(req, "q"), srv_query(req, "error")};
}

static void list(struct srv_req *req, struct srv_res *res)
{
    struct trl_filter filter = query_filter(req);
    struct str *names = NULL;
    struct errinfo info = {0};
    int64_t limit = 0;
    size_t n = 0;
    enum err e = ERR_OK;

    if (!api_limit(req, &limit, res))
        return;
    e = set_conn_list(req->redis, req->arena, &names, &n, &info);
    if (e == ERR_OK)
        e = trl_failed_page(req->redis, &filter, names, n, srv_query(req, "cursor"), limit,
                            &res->body, &info);
    if (e == ERR_RANGE)
        api_refuse(res, req->arena, "cursor", "is not one that this list gave");
    else if (e != ERR_OK)
        api_error(res, e, &info);
}

/* ---- which orders ---- */

static void pick(struct bulk *b, struct str connection, struct str order)
{
    if (b->count == b->room) {
        size_t room = b->room ? b->room * 2 : 16;
        struct pick *more = arena_array(b->req->arena, room, sizeof *more);

        if (b->count > 0)
            memcpy(more, b->picks, b->count * sizeof *more);
        b->picks = more;
        b->room = room;
    }
    b->picks[b->count++] = (struct pick){connection, order};
}

static bool pick_id(struct bulk *b, struct str id)
{
    struct buf store = BUF_CAP(LIM_ORDER_KEY + LIM_CONN_NAME + 64);
    struct str connection = {NULL, 0}, order = {NULL, 0};
    bool good = trl_row_id_read(id, &store, &connection, &order) && set_conn_name_ok(connection);

    if (good)
        pick(b, arena_str(b->req->arena, connection), arena_str(b->req->arena, order));
    buf_free(&store);
    return good;
}

static int by_connection(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    int c = str_compare(x->connection, y->connection);

    return c ? c : str_compare(x->order, y->order);
}

/* Sorts the picks, and drops what was named twice. */
static void sort_picks(struct bulk *b)
{
    size_t kept = 0;

    if (b->count > 1)
        qsort(b->picks, b->count, sizeof *b->picks, by_connection);
    for (size_t i = 0; i < b->count; i++) {
        if (i == 0 || by_connection(&b->picks[i], &b->picks[kept - 1]) != 0)
            b->picks[kept++] = b->picks[i];
    }
    b->count = kept;
}

static void pick_ids(struct bulk *b, const struct js_value *ids, struct opt_errors *errors)
{
    if (js_type(ids) != JS_ARRAY || js_len(ids) == 0 || js_len(ids) > LIM_BULK_IDS) {
        opt_complain(errors, b->req->arena, STR("ids"), "must be a list of 1 to %d ids",
                     LIM_BULK_IDS);
        return;
    }
    for (size_t i = 0; i < js_len(ids); i++) {
        struct str id = {NULL, 0};

        if (!js_string(js_at(ids, i), &id) || !pick_id(b, id))
            opt_complain(errors, b->req->arena, str_of(arena_printf(b->req->arena, "ids[%zu]", i)),
                         "is not the id of a failed row");
    }
    sort_picks(b);
}

/* All orders of one connection's list that match. */
static enum err pick_matching(struct bulk *b, struct str connection,
                              const struct trl_filter *filter)
{
    struct str *keys = arena_array(b->req->arena, CHUNK, sizeof *keys);
    struct trl_walk at = {0};
    size_t n = CHUNK;
    enum err e = ERR_OK;

    while (e == ERR_OK && n == CHUNK && b->count < ALL_MAX) {
        e = trl_failed_next(b->req->redis, connection, filter, &at, CHUNK, b->req->arena, keys, &n,
                            &b->info);
        for (size_t i = 0; i < n && e == ERR_OK && b->count < ALL_MAX; i++)
            pick(b, connection, keys[i]);
    }
    return e;
}

static enum err pick_all(struct bulk *b, const struct js_value *filter, struct opt_errors *errors)
{
    static const char *const fields[] = {"connection", "store", "q", "error", NULL};
    struct trl_filter f = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct str *const texts[] = {&f.connection, &f.store, &f.q, &f.error}, *names = NULL;
    size_t n = 0;
    enum err e = ERR_OK;

    if (!js_is_null(filter) && js_type(filter) != JS_OBJECT)
        opt_complain(errors, b->req->arena, STR("filter"), "must be an object");
    api_name_unknown(filter, "filter.", fields, b->req->arena, errors);
    for (size_t i = 0; fields[i]; i++) {
        const struct js_value *v = js_get(filter, fields[i]);

        if (!js_is_null(v) && !js_string(v, texts[i]))
            opt_complain(errors, b->req->arena,
                         str_of(arena_printf(b->req->arena, "filter.%s", fields[i])),
                         "must be text");
    }
    if (errors->count > 0)
        return ERR_OK;
    e = set_conn_list(b->req->redis, b->req->arena, &names, &n, &b->info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (!f.connection.p || str_eq(f.connection, names[i]))
            e = pick_matching(b, names[i], &f);
    }
    return e;
}

/* Reads {"ids":[...]} or {"all":true,"filter":{...}}. False after a refusal. */
static bool read_bulk(struct bulk *b)
{
    static const char *const fields[] = {"ids", "all", "filter", NULL};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    const struct js_value *ids = NULL;
    enum err e = ERR_OK;
    bool good = api_read(b->req, false, &doc, b->res);

    if (!good)
        goto out;
    ids = js_get(doc.root, "ids");
    api_name_unknown(doc.root, "", fields, b->req->arena, &errors);
    if (ids && (js_get(doc.root, "all") || js_get(doc.root, "filter")))
        opt_complain(&errors, b->req->arena, STR("ids"), "cannot stand beside all or filter");
    else if (ids)
        pick_ids(b, ids, &errors);
    else if (!js_true(js_get(doc.root, "all")))
        opt_complain(&errors, b->req->arena, STR("ids"),
                     "is required: a list of ids, or \"all\":true instead");
    else
        e = pick_all(b, js_get(doc.root, "filter"), &errors);
    good = !api_refused(&errors, b->res) && e == ERR_OK;
    if (e != ERR_OK)
        api_error(b->res, e, &b->info);
out:
    js_free(&doc);
    return good;
}

/* ---- what is done with them ---- */

/* Runs MOVE over the picks, a connection and a chunk at a time. */
static enum err move_all(struct bulk *b,
                         enum err (*move)(struct rds *r, const char *connection,
                                          const struct str *keys, size_t n, const char *who,
                                          int64_t *moved, struct errinfo *info),
                         int64_t *moved)
{
    struct str *keys = arena_array(b->req->arena, CHUNK, sizeof *keys);
    enum err e = ERR_OK;

    *moved = 0;
    for (size_t i = 0; i < b->count && e == ERR_OK;) {
        struct str connection = b->picks[i].connection;
        int64_t some = 0;
        size_t n = 0;

        for (; i < b->count && n < CHUNK && str_eq(b->picks[i].connection, connection); i++)
            keys[n++] = b->picks[i].order;
        e = move(b->req->redis, zero_ended(b, connection), keys, n, b->req->who, &some, &b->info);
        *moved += some;
    }
    return e;
}

/* Refuses before anything is moved if one of the connections cannot export. */
static enum err check_connections(struct bulk *b)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < b->count && e == ERR_OK; i++) {
        struct set_conn c;

        if (i > 0 && str_eq(b->picks[i].connection, b->picks[i - 1].connection))
            continue;
        e = set_conn_get(b->req->redis, zero_ended(b, b->picks[i].connection), &c, &b->info);
        if (e == ERR_OK)
            e = set_conn_ready(&c, &b->info);
    }
    return e;
}

/* ---- what became of them ---- */

enum outcome { OUTCOME_WAITING, OUTCOME_EXPORTED, OUTCOME_FAILED };

struct result {
    enum outcome outcome;
    const char *why; /* failed without a row on the failed list; a sentence */
    struct str name, number;
    struct str row; /* of the failed list, JSON */
};

/* The record and the failed row of one order: two commands. */
enum { ASK = 2, RECORD_ARGS = 5, ROW_ARGS = 3 };

static void ask(const struct pick *p, struct arena *arena, struct rds_command commands[ASK])
{
    struct str *v = arena_array(arena, RECORD_ARGS + ROW_ARGS, sizeof *v);
    const char *row = arena_printf(arena, RDS_PREFIX "failrow:%.*s", STR_FMT(p->connection));

    v[0] = STR("HMGET");
    v[1] = str_of(arena_printf(arena, RDS_PREFIX "order:%.*s", STR_FMT(p->order)));
    v[2] = STR("st");
    v[3] = STR("name");
    v[4] = STR("doc:invoice");
    v[5] = STR("HGET");
    v[6] = str_of(row);
    v[7] = p->order;
    commands[0] = (struct rds_command){v, RECORD_ARGS};
    commands[1] = (struct rds_command){v + RECORD_ARGS, ROW_ARGS};
}

static void learn(struct bulk *b, const struct rds_reply *record, const struct rds_reply *row,
                  struct result *r)
{
    struct str st = rds_text(rds_at(record, 0)), number = {NULL, 0};
    struct js_doc invoice = {0};

    if (r->name.n == 0)
        r->name = arena_str(b->req->arena, rds_text(rds_at(record, 1)));
    if (str_eq(st, STR("failed"))) {
        r->outcome = OUTCOME_FAILED;
        r->row = arena_str(b->req->arena, rds_text(row));
    } else if (str_eq(st, STR("done")) && rds_text(rds_at(record, 2)).n == 0) {
        r->outcome = OUTCOME_FAILED;
        r->why = cat_reason_sentence(CAT_NOTHING_TO_EXPORT);
    } else if (str_eq(st, STR("done"))) {
        r->outcome = OUTCOME_EXPORTED;
        if (js_parse(rds_text(rds_at(record, 2)), LIM_API_BODY, &invoice, NULL) == ERR_OK &&
            js_string(js_get(invoice.root, "number"), &number))
            r->number = arena_str(b->req->arena, number);
        js_free(&invoice);
    } else if (!str_eq(st, STR("waiting")) && !str_eq(st, STR("leased"))) {
        r->outcome = OUTCOME_FAILED;
        r->why = "It is not on the failed list any more and does not wait either.";
    }
}

/* Asks about every order that is still waiting, in one round trip. *OPEN: how many still are. */
static enum err look(struct bulk *b, struct result *results, size_t n, size_t *open)
{
    struct arena arena = {0};
    struct rds_command *commands = arena_array(&arena, ASK * n, sizeof *commands);
    struct rds_reply **replies = arena_array(&arena, ASK * n, sizeof(void *));
    size_t *of = arena_array(&arena, n, sizeof *of), asked = 0;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++) {
        if (results[i].outcome == OUTCOME_WAITING) {
            ask(&b->picks[i], &arena, commands + ASK * asked);
            of[asked++] = i;
        }
    }
    if (asked > 0)
        e = rds_pipeline(b->req->redis, commands, ASK * asked, replies, &b->info);
    *open = asked;
    for (size_t i = 0; i < asked && e == ERR_OK; i++) {
        learn(b, replies[ASK * i], replies[ASK * i + 1], &results[of[i]]);
        *open -= results[of[i]].outcome != OUTCOME_WAITING;
        rds_free(replies[ASK * i]);
        rds_free(replies[ASK * i + 1]);
    }
    arena_free(&arena);
    return e;
}

static void write_result(struct bulk *b, struct js_out *w, size_t i, const struct result *r)
{
    static const char *const texts[] = {"waiting", "exported", "failed"};
    struct buf id = BUF_CAP(2000);
    struct js_doc row = {0};
    const struct js_value *errors = NULL, *rows = NULL;
    struct str catalogue = {NULL, 0};

    trl_row_id(b->picks[i].connection, b->picks[i].order, &id);
    if (r->row.n > 0 && js_parse(r->row, LIM_API_BODY, &row, NULL) == ERR_OK) {
        errors = js_get(row.root, "export_error");
        rows = js_get(row.root, "catalogue");
    }
    jw_begin_object(w);
    jw_kstr(w, "id", buf_str(&id));
    jw_kstr(w, "exported_item", r->name);
    jw_kz(w, "result", texts[r->outcome]);
    jw_key(w, "invoice_number");
    if (r->outcome == OUTCOME_EXPORTED && r->number.n > 0)
        jw_str(w, r->number);
    else
        jw_null(w);
    jw_key(w, "export_error");
    if (r->why) {
        jw_begin_array(w);
        jw_z(w, r->why);
        jw_end_array(w);
    } else if (errors) {
        jw_value(w, errors);
    } else {
        jw_null(w);
    }
    jw_key(w, "action_required");
    if (rows)
        jw_begin_array(w);
    else
        jw_null(w);
    for (size_t k = 0; k < js_len(rows); k++) {
        if (js_string(js_at(rows, k), &catalogue))
            jw_z(w, cat_row_by_id(arena_printf(b->req->arena, "%.*s", STR_FMT(catalogue)))->action);
    }
    if (rows)
        jw_end_array(w);
    jw_end_object(w);
    js_free(&row);
    buf_free(&id);
}

static void write_message(struct js_out *w, struct arena *arena, const int64_t counts[3])
{
    struct buf text = BUF_CAP(200);

    if (counts[OUTCOME_EXPORTED] > 0 || counts[OUTCOME_FAILED] > 0)
        buf_printf(&text, "%" PRId64 " exported, %" PRId64 " failed", counts[OUTCOME_EXPORTED],
                   counts[OUTCOME_FAILED]);
    if (counts[OUTCOME_WAITING] > 0 || text.n == 0)
        buf_printf(&text, "%s%" PRId64 " waiting to be exported", text.n > 0 ? ", " : "",
                   counts[OUTCOME_WAITING]);
    jw_kstr(w, "message", arena_str(arena, buf_str(&text)));
    buf_free(&text);
}

/* Waits until all are done or failed, at most WAIT_S, and answers. Orders beyond those that are
 * shown count as waiting. */
static void report(struct bulk *b, int64_t wait_s, int64_t moved)
{
    size_t n = b->count < RESULTS_MAX ? b->count : RESULTS_MAX, open = 0;
    struct result *results = arena_array(b->req->arena, n, sizeof *results);
    int64_t until_ns = met_now_ns() + wait_s * 1000000000, counts[3] = {0};
    struct js_out w;
    enum err e = look(b, results, n, &open);

    while (e == ERR_OK && open > 0 && met_now_ns() < until_ns && !b->env->draining) {
        struct timespec pause = {.tv_nsec = POLL_NS + POLL_NS_EACH * (int64_t)open};

        (void)nanosleep(&pause, NULL);
        e = look(b, results, n, &open);
    }
    if (e != ERR_OK) {
        api_error(b->res, e, &b->info);
        return;
    }
    for (size_t i = 0; i < n; i++)
        counts[results[i].outcome]++;
    if (moved > (int64_t)n)
        counts[OUTCOME_WAITING] += moved - (int64_t)n;
    jw_init(&w, &b->res->body);
    jw_begin_object(&w);
    jw_kint(&w, "exported", counts[OUTCOME_EXPORTED]);
    jw_kint(&w, "failed", counts[OUTCOME_FAILED]);
    jw_kint(&w, "waiting", counts[OUTCOME_WAITING]);
    write_message(&w, b->req->arena, counts);
    jw_key(&w, "results");
    jw_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        write_result(b, &w, i, &results[i]);
    jw_end_array(&w);
    jw_end_object(&w);
}

/* ---- the calls ---- */

bool api_wait(const struct srv_req *req, int64_t *wait_s, struct srv_res *res)
{
    struct str text = srv_query(req, "wait");

    *wait_s = 0;
    if (!text.p || (str_int64(text, wait_s) && *wait_s >= 0 && *wait_s <= WAIT_MAX_S))
        return true;
    api_refuse(res, req->arena, "wait", "must be a whole number of seconds from 0 to 30");
    return false;
}

void api_export_answer(struct srv_env *env, struct srv_req *req, struct srv_res *res,
                       struct str connection, struct str order, int64_t wait_s)
{
    struct bulk b = {.env = env, .req = req, .res = res};

    pick(&b, connection, order);
    report(&b, wait_s, 1);
}

static void export_again(struct bulk *b, bool one)
{
    int64_t wait_s = 0, moved = 0;
    enum err e = ERR_OK;

    if (!api_wait(b->req, &wait_s, b->res))
        return;
    e = check_connections(b);
    if (e == ERR_OK)
        e = move_all(b, job_resync, &moved);
    if (e == ERR_OK && one && moved == 0)
        e = err_set(&b->info, ERR_NOT_FOUND, "This row is not on the failed list any more.");
    if (e != ERR_OK)
        api_error(b->res, e, &b->info);
    else
        report(b, wait_s, moved);
}

static void dismiss(struct bulk *b, bool one)
{
    int64_t moved = 0;
    enum err e = move_all(b, job_dismiss, &moved);
    struct js_out w;

    if (e == ERR_OK && one && moved == 0)
        e = err_set(&b->info, ERR_NOT_FOUND, "This row is not on the failed list any more.");
    if (e != ERR_OK) {
        api_error(b->res, e, &b->info);
    } else if (one) {
        b->res->status = 204;
    } else {
        jw_init(&w, &b->res->body);
        jw_begin_object(&w);
        jw_kint(&w, "deleted", moved);
        jw_kz(&w, "message",
              arena_printf(b->req->arena, "%" PRId64 " taken off the failed list", moved));
        jw_end_object(&w);
    }
}

void api_failed(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct bulk b = {.env = env, .req = req, .res = res};

    if (strcmp(req->method, "GET") == 0)
        list(req, res);
    else if (read_bulk(&b))
        dismiss(&b, false);
}

void api_failed_export(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct bulk b = {.env = env, .req = req, .res = res};

    if (read_bulk(&b))
        export_again(&b, false);
}

void api_failed_one(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    static const char *const none[] = {NULL};
    struct bulk b = {.env = env, .req = req, .res = res};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};

    if (!api_read(req, true, &doc, res))
        goto out;
    api_name_unknown(doc.root, "", none, req->arena, &errors);
    if (api_refused(&errors, res))
        goto out;
    if (!pick_id(&b, srv_segment(req, 3)))
        srv_problem(res, 404, "Not Found", "There is no failed row with this id.");
    else if (strcmp(req->method, "DELETE") == 0)
        dismiss(&b, true);
    else
        export_again(&b, true);
out:
    js_free(&doc);
}
