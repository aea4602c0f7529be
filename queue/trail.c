#include "queue/trail.h"

#include "queue/walk.h"
#include "service/base/json.h"
#include "service/sync/catalogue.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LIST "failed"
#define BATCH 256       /* rows looked at with one round trip for their texts */
#define PAGE_SCAN 20000 /* rows one page under a filter may look at */
#define ROW_MAX 65536   /* a row's JSON; a long one is a few KiB */

struct row {
    struct str connection, order;
    int64_t at_ms;
    struct rds_reply *body; /* its JSON, if it was fetched */
};

void trl_row_id(struct str connection, struct str order_key, struct buf *out)
{
    struct buf both = BUF_CAP(LIM_CONN_NAME + LIM_ORDER_KEY + 8);

    buf_add_str(&both, connection);
    buf_addc(&both, '\n');
    buf_add_str(&both, order_key);
    if (buf_check(&both) == ERR_OK)
        wlk_opaque(buf_str(&both), out);
    else
        out->failed = true;
    buf_free(&both);
}

bool trl_row_id_read(struct str id, struct buf *store, struct str *connection,
                     struct str *order_key)
{
    buf_reset(store);
    if (!wlk_opaque_read(id, store))
        return false;
    struct str rest = buf_str(store);
    *connection = str_split(&rest, '\n');
    *order_key = rest;
    return connection->n > 0 && connection->n <= LIM_CONN_NAME && rest.n > 0 &&
           rest.n <= LIM_ORDER_KEY && !memchr(rest.p, '\n', rest.n);
}

/* The next row of the walk; *FOUND false at the end. */
static enum err next_row(struct wlk *w, struct arena *arena, struct row *out, bool *found,
                         struct errinfo *info)
{
    struct wlk_row row = {0};
    enum err e = wlk_next(w, arena, &row, found, info);

    *out = (struct row){row.connection, row.member, row.at_ms, NULL};
    return e;
}

static void place_at(struct wlk_place *p, const struct row *row)
{
    wlk_place_at(p, &(struct wlk_row){row->connection, row->order, row->at_ms, NULL});
}

static void rows_free(struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rds_free(rows[i].body);
        rows[i].body = NULL;
    }
}

/* ---- matching ---- */

static bool deep(const struct trl_filter *f)
{
    return f->q.n > 0 || f->error.n > 0;
}

/* "shopify/x" of "shopify/x/1". */
static struct str store_of(struct str order)
{
    const char *slash = memrchr(order.p, '/', order.n);

    return (struct str){order.p, slash ? (size_t)(slash - order.p) : order.n};
}

static bool of_store(const struct trl_filter *f, struct str order)
{
    return f->store.n == 0 || str_eq(store_of(order), f->store);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(struct str text, struct str q)
{
    for (size_t i = 0; i + q.n <= text.n; i++) {
        size_t k = 0;
        while (k < q.n && lower(text.p[i + k]) == lower(q.p[k]))
            k++;
        if (k == q.n)
            return true;
    }
    return false;
}

static bool any_contains(const struct js_value *texts, struct str q)
{
    struct str s;

    for (size_t i = 0; i < js_len(texts); i++)
        if (js_string(js_at(texts, i), &s) && contains(s, q))
            return true;
    return false;
}

static bool any_is(const struct js_value *texts, struct str id)
{
    struct str s;

    for (size_t i = 0; i < js_len(texts); i++)
        if (js_string(js_at(texts, i), &s) && str_eq(s, id))
            return true;
    return false;
}

static bool row_matches(const struct trl_filter *f, const struct row *row)
{
    struct js_doc doc = {0};
    struct str item = {0};

    if (!of_store(f, row->order))
        return false;
    if (!deep(f))
        return true;
    if (js_parse(rds_text(row->body), ROW_MAX, &doc, NULL) != ERR_OK)
        return false;
    bool match = f->error.n == 0 || any_is(js_get(doc.root, "catalogue"), f->error);
    if (match && f->q.n > 0)
        match = contains(row->order, f->q) ||
                any_contains(js_get(doc.root, "export_error"), f->q) ||
                (js_string(js_get(doc.root, "exported_item"), &item) && contains(item, f->q));
    js_free(&doc);
    return match;
}

/* Fetches the JSON of those of ROWS that are the store's. One that left the list meanwhile gets
 * nil. */
static enum err rows_fetch(struct rds *r, const struct trl_filter *f, struct row *rows, size_t n,
                           struct arena *arena, struct errinfo *info)
{
    struct str *argv = arena_array(arena, n * 3, sizeof *argv);
    struct rds_command *commands = arena_array(arena, n, sizeof *commands);
    struct rds_reply **replies = arena_array(arena, n, sizeof *replies);
    struct row **of = arena_array(arena, n, sizeof *of);
    size_t wanted = 0;

    for (size_t i = 0; i < n; i++) {
        if (!of_store(f, rows[i].order))
            continue;
        struct str *a = &argv[wanted * 3];
        a[0] = STR("HGET");
        a[1] = str_of(arena_printf(arena, RDS_PREFIX "failrow:%.*s", STR_FMT(rows[i].connection)));
        a[2] = rows[i].order;
        commands[wanted] = (struct rds_command){a, 3};
        of[wanted++] = &rows[i];
    }
    if (wanted == 0)
        return ERR_OK;
    enum err e = rds_pipeline(r, commands, wanted, replies, info);
    for (size_t i = 0; i < wanted && e == ERR_OK; i++)
        of[i]->body = replies[i];
    return e;
}

/* ---- showing ---- */

static void write_time(struct js_out *w, const char *key, int64_t at_ms)
{
    char text[32] = "";
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    jw_kz(w, key, at_ms > 0 ? text : NULL);
}

static const struct cat_row *catalogue_row(const struct js_value *ids, size_t i)
{
    char id[64];
    struct str s = {0};

    if (!js_string(js_at(ids, i), &s))
        s = STR("unknown");
    snprintf(id, sizeof id, "%.*s", STR_FMT(s));
    return cat_row_by_id(id);
}

/* What to do about each cause, said once. */
static void write_actions(struct js_out *w, const struct js_value *ids)
{
    jw_key(w, "action_required");
    jw_begin_array(w);
    for (size_t i = 0; i < js_len(ids); i++) {
        const struct cat_row *row = catalogue_row(ids, i);
        bool said = false;
        for (size_t j = 0; j < i && !said; j++)
            said = catalogue_row(ids, j) == row;
        if (!said)
            jw_z(w, row->action);
    }
    jw_end_array(w);
}

static void write_member(struct js_out *w, const char *key, const struct js_value *doc,
                         const char *otherwise)
{
    const struct js_value *v = js_get(doc, key);

    jw_key(w, key);
    if (js_is_null(v))
        jw_raw(w, str_of(otherwise));
    else
        jw_value(w, v);
}

static void write_row(struct js_out *w, const struct row *row)
{
    struct js_doc doc = {0};
    struct buf id = BUF_CAP(2048);
    struct str link = {0};
    int64_t first = 0, last = row->at_ms;

    /* A row that cannot be read is shown with what its key says. */
    err_ignore(js_parse(rds_text(row->body), ROW_MAX, &doc, NULL), "the rest is shown empty");
    const struct js_value *ids = js_get(doc.root, "catalogue");
    trl_row_id(row->connection, row->order, &id);
    jw_begin_object(w);
    jw_kstr(w, "id", buf_str(&id));
    jw_kstr(w, "connection", row->connection);
    jw_kstr(w, "store", store_of(row->order));
    jw_kstr(w, "order", row->order);
    jw_key(w, "order_link");
    if (js_string(js_get(doc.root, "order_link"), &link) && link.n > 0)
        jw_str(w, link);
    else
        jw_null(w);
    write_member(w, "failed_export", doc.root, "null");
    write_member(w, "exported_item", doc.root, "null");
    write_member(w, "export_error", doc.root, "[]");
    write_actions(w, ids);
    write_member(w, "catalogue", doc.root, "[]");
    write_member(w, "correlation_id", doc.root, "null");
    jw_kz(w, "fix_in", cat_fix_text(catalogue_row(ids, 0)->fix_in));
    write_member(w, "attempts", doc.root, "0");
    if (!js_int64(js_get(doc.root, "first_failed_at"), &first))
        first = last;
    write_time(w, "first_failed_at", first);
    write_time(w, "last_failed_at", last);
    jw_end_object(w);
    js_free(&doc);
    buf_free(&id);
}

/* ---- the failed list, page by page ---- */

struct page {
    struct js_out w;
    int64_t limit, rows, seen; /* on the page; matching in all, earlier pages included */
    struct wlk_place last;     /* last row on the page, or looked at while it was not full */
    bool more, end; /* a matching row behind the page; nothing behind what was looked at */
};

static void page_add(struct page *p, const struct row *row)
{
    p->seen++;
    if (p->rows == p->limit) {
        p->more = true;
        return;
    }
    p->rows++;
    write_row(&p->w, row);
}

/* Looks at the next BATCH rows; without COUNTING at no more than it takes to see a row behind the
 * page. */
static enum err page_step(struct page *p, struct wlk *w, const struct trl_filter *f, bool counting,
                          struct errinfo *info)
{
    struct arena arena = {0};
    struct row *rows = arena_array(&arena, BATCH, sizeof *rows);
    int64_t need = p->limit - p->rows + 1;
    size_t n = 0, max = counting || need > BATCH ? BATCH : (size_t)need;
    bool found = true;
    enum err e = ERR_OK;

    while (n < max && found && e == ERR_OK) {
        e = next_row(w, &arena, &rows[n], &found, info);
        n += e == ERR_OK && found;
    }
    p->end = !found;
    if (e == ERR_OK && (deep(f) || p->rows < p->limit))
        e = rows_fetch(w->r, f, rows, n, &arena, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        bool gone = rows[i].body && rds_type(rows[i].body) == RDS_NIL;
        if (!gone && row_matches(f, &rows[i]))
            page_add(p, &rows[i]);
        if (!p->more)
            place_at(&p->last, &rows[i]);
    }
    rows_free(rows, n);
    arena_free(&arena);
    return e;
}

/* Rows on all the lists, and which of the lists have any. */
static enum err lists_with_rows(struct rds *r, const struct str *connections, size_t n,
                                struct str *kept, size_t *kept_count, int64_t *total,
                                struct arena *arena, struct errinfo *info)
{
    struct str *argv = arena_array(arena, n * 2, sizeof *argv);
    struct rds_command *commands = arena_array(arena, n, sizeof *commands);
    struct rds_reply **replies = arena_array(arena, n, sizeof *replies);

    *kept_count = 0;
    *total = 0;
    if (n == 0)
        return ERR_OK;
    for (size_t i = 0; i < n; i++) {
        argv[2 * i] = STR("ZCARD");
        argv[2 * i + 1] =
            str_of(arena_printf(arena, RDS_PREFIX "failed:%.*s", STR_FMT(connections[i])));
        commands[i] = (struct rds_command){&argv[2 * i], 2};
    }
    enum err e = rds_pipeline(r, commands, n, replies, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        *total += rds_int(replies[i]);
        if (rds_int(replies[i]) > 0)
            kept[(*kept_count)++] = connections[i];
        rds_free(replies[i]);
    }
    return e;
}

enum err trl_failed_page(struct rds *r, const struct trl_filter *f, const struct str *connections,
                         size_t connection_count, struct str cursor, int64_t limit, struct buf *out,
                         struct errinfo *info)
{
    struct arena arena = {0};
    struct wlk_place from = {0};
    struct wlk walk = {0};
    struct buf rows = BUF_CAP(out->cap), next = BUF_CAP(2048);
    struct page page = {.limit = limit < 1 ? 1 : limit};
    struct js_out w;
    bool counting = f->store.n > 0 || deep(f);
    int64_t total = 0, before_page = 0;
    enum err e = ERR_OK;

    if (cursor.n > 0 && !wlk_cursor_read(cursor, LIST, &from, &page.seen))
        return err_set(info, ERR_RANGE, "This is not a cursor of this list.");
    before_page = page.seen;
    if (f->connection.n > 0) {
        connections = &f->connection;
        connection_count = 1;
    }
    struct str *lists = arena_array(&arena, connection_count, sizeof *lists);
    size_t list_count = 0;
    e = lists_with_rows(r, connections, connection_count, lists, &list_count, &total, &arena, info);
    if (e != ERR_OK)
        goto out;

    wlk_init(&walk, r, LIST, false, lists, list_count, &from, 0);
    jw_init(&page.w, &rows);
    jw_begin_array(&page.w);
    for (int64_t looked = 0;
         looked < PAGE_SCAN && !page.end && !(page.more && !counting) && e == ERR_OK;
         looked += BATCH)
        e = page_step(&page, &walk, f, counting, info);
    jw_end_array(&page.w);
    if (e != ERR_OK)
        goto out;

    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kint(&w, "count", counting ? page.seen : total);
    jw_key(&w, "rows");
    jw_raw(&w, buf_str(&rows));
    jw_key(&w, "cursor");
    if (page.more || !page.end) {
        wlk_cursor(LIST, &page.last, before_page + page.rows, &next);
        jw_str(&w, buf_str(&next));
    } else {
        jw_null(&w);
    }
    jw_end_object(&w);
    e = buf_check(&rows) != ERR_OK ? ERR_TOO_BIG : buf_check(out);
out:
    wlk_free(&walk);
    buf_free(&next);
    buf_free(&rows);
    arena_free(&arena);
    return e;
}

/* ---- the failed list, key by key ---- */

enum err trl_failed_next(struct rds *r, struct str connection, const struct trl_filter *f,
                         struct trl_walk *at, size_t n, struct arena *arena, struct str *keys,
                         size_t *count, struct errinfo *info)
{
    struct wlk_place from = {.set = at->begun, .at_ms = at->at_ms};
    struct wlk walk = {0};
    struct arena scratch = {0};
    struct row *rows = arena_array(&scratch, BATCH, sizeof *rows);
    bool found = true;
    enum err e = ERR_OK;

    *count = 0;
    memcpy(from.member, at->order, sizeof from.member);
    snprintf(from.connection, sizeof from.connection, "%.*s", STR_FMT(connection));
    wlk_init(&walk, r, LIST, false, &connection, 1, &from, 0);
    while (*count < n && found && e == ERR_OK) {
        struct arena texts = {0};
        size_t room = n - *count, got = 0;
        while (got < (room < BATCH ? room : BATCH) && found && e == ERR_OK) {
            e = next_row(&walk, &texts, &rows[got], &found, info);
            got += e == ERR_OK && found;
        }
        if (e == ERR_OK && deep(f))
            e = rows_fetch(r, f, rows, got, &texts, info);
        for (size_t i = 0; i < got && e == ERR_OK; i++)
            if (row_matches(f, &rows[i]))
                keys[(*count)++] = arena_str(arena, rows[i].order);
        if (got > 0)
            place_at(&from, &rows[got - 1]);
        rows_free(rows, got);
        arena_free(&texts);
    }
    if (e == ERR_OK && from.set) {
        at->begun = true;
        at->at_ms = from.at_ms;
        memcpy(at->order, from.member, sizeof at->order);
    }
    wlk_free(&walk);
    arena_free(&scratch);
    return e;
}

enum err trl_note(struct rds *r, const char *connection, const char *level, const char *store_key,
                  const char *event, struct str message, struct errinfo *info)
{
    struct str argv[] = {str_of(connection), str_of(level), str_of(store_key), str_of(event),
                         message};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "note", argv, 5, &reply, info);

    rds_free(reply);
    return e;
}
