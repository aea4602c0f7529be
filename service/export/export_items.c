/*
 * DESIGN: an item code is a convenience in reports, so it never keeps a sale out of the books: it
 * is sent only for an item that is sold and whose stock Xero does not track (a tracked one would be
 * refused when its stock runs out, and would book its cost a second time). Which codes are such
 * items is asked in batches, and kept for an hour, the others as well.
 */
#include <stdlib.h>

#include "service/base/log.h"
#include "service/export/export_work.h"

/* Xero's front end answers 404 to a longer query. */
#define QUERY_MOST 2048
#define QUERY_HEAD "Items?where="

/* Questions for one lease; what they leave open goes without a code. */
#define ASK_MOST 10

#define KEEP_MS "3600000"

/* A code of this lease's lines. */
struct item {
    struct str code;
    bool known, usable;
};

struct item_list {
    struct item *v; /* sorted by code, each once */
    size_t n;
};

static int by_code(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return str_compare(x->code, y->code);
}

static struct item *find(const struct item_list *list, struct str code)
{
    struct item key = {.code = code};

    return bsearch(&key, list->v, list->n, sizeof(key), by_code);
}

/* Whether CODE can be an item's and can stand in a filter. */
static bool can_ask(struct str code)
{
    for (size_t i = 0; i < code.n; i++) {
        if ((unsigned char)code.p[i] < ' ' || code.p[i] == '"' || code.p[i] == '\\')
            return false;
    }
    return code.n > 0 && code.n <= 30;
}

/* ---- the lines concerned ---- */

static bool is_written(const struct work_order *x, const struct inv_document *doc)
{
    return !x->ended && (doc->action == INV_CREATE || doc->action == INV_UPDATE);
}

/* How many lines with a code X's documents that are to be written have; the codes go to OUT. */
static size_t codes_of(const struct work_order *x, struct item *out)
{
    size_t n = 0;

    for (size_t d = 0; d < x->wanted.doc_count; d++) {
        const struct inv_document *doc = &x->wanted.docs[d];

        for (size_t i = 0; i < doc->line_count && is_written(x, doc); i++) {
            if (doc->lines[i].item_code.n == 0)
                continue;
            if (out)
                out[n] = (struct item){.code = doc->lines[i].item_code};
            n++;
        }
    }
    return n;
}

static struct item_list collect(struct work *w)
{
    struct item_list list = {0};
    size_t room = 1, n = 0;

    for (size_t i = 0; i < w->count; i++)
        room += codes_of(&w->orders[i], NULL);
    list.v = arena_array(&w->arena, room, sizeof(*list.v));
    for (size_t i = 0; i < w->count; i++)
        n += codes_of(&w->orders[i], list.v + n);
    qsort(list.v, n, sizeof(*list.v), by_code);
    for (size_t i = 0; i < n; i++) {
        if (list.n == 0 || !str_eq(list.v[list.n - 1].code, list.v[i].code))
            list.v[list.n++] = list.v[i];
    }
    return list;
}

/* Takes the codes off X's lines that LIST does not have as usable; all of them without LIST. The
 * builder's arrays stay as they are. */
static void clear_codes(struct work *w, struct work_order *x, const struct item_list *list)
{
    size_t n = x->wanted.doc_count;
    struct inv_document *docs = arena_array(&w->arena, n + 1, sizeof(*docs));

    if (codes_of(x, NULL) == 0)
        return;
    memcpy(docs, x->wanted.docs, n * sizeof(*docs));
    for (size_t d = 0; d < n; d++) {
        struct inv_line *lines = arena_array(&w->arena, docs[d].line_count + 1, sizeof(*lines));

        if (docs[d].line_count == 0 || !is_written(x, &docs[d]))
            continue;
        memcpy(lines, docs[d].lines, docs[d].line_count * sizeof(*lines));
        for (size_t i = 0; i < docs[d].line_count; i++) {
            const struct item *item = list ? find(list, lines[i].item_code) : NULL;

            if (!item || !item->usable)
                lines[i].item_code = STR("");
        }
        docs[d].lines = lines;
    }
    x->wanted.docs = docs;
}

/* ---- what is remembered for an hour ---- */

static struct str items_key(struct work *w)
{
    return str_of(arena_printf(&w->arena, RDS_PREFIX "items:%s", w->lease->connection));
}

static void recall(struct work *w, const struct item_list *list)
{
    struct str *argv = arena_array(&w->arena, list->n + 2, sizeof(*argv));
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};

    argv[0] = STR("HMGET");
    argv[1] = items_key(w);
    for (size_t i = 0; i < list->n; i++)
        argv[2 + i] = list->v[i].code;
    if (rds_call(w->redis, argv, list->n + 2, &reply, &info) != ERR_OK)
        return;
    for (size_t i = 0; i < list->n; i++) {
        struct str said = rds_text(rds_at(reply, i));

        list->v[i].known = said.n > 0 || !can_ask(list->v[i].code);
        list->v[i].usable = str_eq(said, STR("1"));
    }
    rds_free(reply);
}

/* The whole goes an hour after its first entry, so none is older. */
static void remember(struct work *w, const struct item *items, size_t n)
{
    struct str *argv = arena_array(&w->arena, 2 * n + 2, sizeof(*argv));
    struct str expire[] = {STR("PEXPIRE"), items_key(w), STR(KEEP_MS), STR("NX")};
    struct rds_reply *replies[2] = {NULL, NULL};
    struct errinfo info = {0};
    size_t argc = 2;

    argv[0] = STR("HSET");
    argv[1] = expire[1];
    for (size_t i = 0; i < n; i++) {
        if (!can_ask(items[i].code))
            continue;
        argv[argc++] = items[i].code;
        argv[argc++] = items[i].usable ? STR("1") : STR("0");
    }
    if (argc == 2)
        return;
    err_ignore(rds_pipeline(w->redis, (struct rds_command[]){{argv, argc}, {expire, 4}}, 2, replies,
                            &info),
               "they are asked for again next time");
    rds_free(replies[0]);
    rds_free(replies[1]);
}

bool exp_renew_items(struct work *w, struct work_order *x)
{
    size_t n = codes_of(x, NULL);
    struct item *items = arena_array(&w->arena, n + 1, sizeof(*items));

    if (n == 0)
        return false;
    codes_of(x, items);
    remember(w, items, n);
    x->no_codes = true;
    x->another_try = true;
    return true;
}

/* ---- asking ---- */

/* One question for the first of N items that nobody knows. Returns how many of the N it covers. */
static size_t compose(struct buf *path, const struct item *items, size_t n, size_t *asked)
{
    struct buf one = BUF_CAP(QUERY_MOST);
    size_t end = 0;

    *asked = 0;
    buf_reset(path);
    buf_addz(path, QUERY_HEAD);
    for (; end < n && *asked < LIM_XERO_BATCH; end++) {
        if (items[end].known)
            continue;
        buf_reset(&one);
        buf_addz(&one, *asked > 0 ? "+OR+Code==%22" : "Code==%22");
        buf_add_percent(&one, items[end].code);
        buf_addz(&one, "%22");
        if (*asked > 0 && path->n + one.n > QUERY_MOST)
            break;
        buf_add_str(path, buf_str(&one));
        ++*asked;
    }
    buf_free(&one);
    return end;
}

static bool is_usable(const struct js_value *item)
{
    bool tracked = true, sold = true;

    if (!js_bool(js_get(item, "IsSold"), &sold))
        sold = true;
    return js_bool(js_get(item, "IsTrackedAsInventory"), &tracked) && !tracked && sold;
}

/* What Xero shows of items is usable or not; what it does not show is no item. */
static enum work_next ask(struct work *w, struct item_list *list, size_t from, size_t n,
                          const char *path)
{
    struct xero_answer a;
    enum work_next next = exp_send(w, "GET", path, NULL, &a);
    const struct js_value *found = js_get(a.doc.root, "Items");

    if (next == WORK_GO && a.verdict != XERO_ANSWERED)
        log_warn("items_unknown", "Xero refuses to look for items; lines go without their codes.",
                 LOG_STR("error", a.message));
    for (size_t i = 0; i < js_len(found) && next == WORK_GO; i++) {
        const struct js_value *v = js_at(found, i);
        struct str code;
        struct item *item = js_text(js_get(v, "Code"), &code) ? find(list, code) : NULL;

        if (item)
            item->usable = is_usable(v);
    }
    if (next == WORK_GO && a.verdict == XERO_ANSWERED)
        remember(w, list->v + from, n);
    xero_answer_free(&a);
    return next;
}

enum work_next exp_resolve_items(struct work *w)
{
    struct item_list list = collect(w);
    struct buf path = BUF_CAP(QUERY_MOST + sizeof(QUERY_HEAD));
    enum work_next next = WORK_GO;
    size_t i = 0;

    if (list.n > 0)
        recall(w, &list);
    for (int questions = 0; questions < ASK_MOST && i < list.n && next == WORK_GO; questions++) {
        size_t asked = 0, n = compose(&path, list.v + i, list.n - i, &asked);

        if (asked > 0)
            next = ask(w, &list, i, n, buf_z(&path));
        i += n;
    }
    for (size_t k = 0; k < w->count && next == WORK_GO; k++)
        clear_codes(w, &w->orders[k], w->orders[k].no_codes ? NULL : &list);
    buf_free(&path);
    return next;
}
