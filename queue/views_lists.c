#include "queue/views_parts.h"

#include "queue/trail.h"
#include "queue/walk.h"
#include "service/base/limits.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOC_MAX LIM_API_BODY
#define LOG_DAYS_MS (7 * 86400000LL)
#define GROUPS_MAX 256

/* ---- pages of walked lists ---- */

/* A page in the making. */
struct page {
    const struct view_page *asked;
    const char *list;
    struct js_out w;
    struct buf rows;
    int64_t seen, shown; /* matching rows, earlier pages included; on this page */
    struct wlk_place last;
    bool more; /* there is something behind it */
};

static enum err page_begin(struct page *p, const struct view_page *asked, const char *list,
                           struct wlk_place *from, size_t cap, struct errinfo *info)
{
    *p = (struct page){.asked = asked, .list = list};
    buf_init(&p->rows, cap);
    if (asked->cursor.n > 0 && !wlk_cursor_read(asked->cursor, list, from, &p->seen))
        return err_set(info, ERR_RANGE, "This is not a cursor of this list.");
    jw_init(&p->w, &p->rows);
    jw_begin_array(&p->w);
    return ERR_OK;
}

/* COUNT below 0: as many as were seen up to here. */
static enum err page_end(struct page *p, int64_t count, struct buf *out)
{
    struct buf cursor = BUF_CAP(2048);
    struct js_out w;

    jw_end_array(&p->w);
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kint(&w, "count", count < 0 ? p->seen : count);
    jw_key(&w, "rows");
    jw_raw(&w, buf_str(&p->rows));
    if (p->more)
        wlk_cursor(p->list, &p->last, p->seen, &cursor);
    view_text(&w, "cursor", buf_str(&cursor));
    jw_end_object(&w);
    buf_free(&cursor);
    return buf_check(&p->rows) != ERR_OK ? ERR_TOO_BIG : buf_check(out);
}

/* How many entries the lists have: by COMMAND, ZCARD or XLEN. */
static enum err count_all(struct rds *r, const char *command, const char *list,
                          const struct str *names, size_t n, int64_t *total, struct errinfo *info)
{
    struct view_batch b;
    enum err e = ERR_OK;

    *total = 0;
    view_batch_init(&b, r, n);
    for (size_t i = 0; i < n; i++)
        view_ask(&b, list, names[i], (struct str[]){str_of(command), STR("")}, 2);
    e = view_send(&b, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        *total += rds_int(b.replies[i]);
    view_batch_free(&b);
    return e;
}

/* ---- synced ---- */

static void write_synced(struct page *p, const struct wlk_row *row, const struct rds_reply *record,
                         struct arena *arena)
{
    static const char *const members[] = {"number", "id", "total", "currency"};
    static const char *const names[] = {"invoice_number", "invoice_id", "total", "currency"};
    struct js_doc doc = {0};
    struct str values[4] = {{NULL, 0}};

    err_ignore(js_parse(rds_text(rds_at(record, 1)), DOC_MAX, &doc, NULL), "shown without it");
    jw_begin_object(&p->w);
    view_row_head(&p->w, row->connection, row->member);
    view_text(&p->w, "exported_item", rds_text(rds_at(record, 0)));
    for (int i = 0; i < 4; i++) {
        if (!js_text(js_get(doc.root, members[i]), &values[i]))
            values[i] = (struct str){NULL, 0};
        view_text(&p->w, names[i], values[i]);
    }
    jw_kz(&p->w, "invoice_link", view_invoice_link(values[1], arena));
    view_time(&p->w, "exported_at", row->at_ms);
    jw_end_object(&p->w);
    js_free(&doc);
}

/* The page's rows, then what their records say, in one round trip. */
static enum err fill_synced(struct page *p, struct wlk *walk, struct arena *arena,
                            struct errinfo *info)
{
    size_t n = 0, limit = (size_t)p->asked->limit;
    struct wlk_row *rows = arena_array(arena, limit, sizeof *rows), row;
    struct view_batch b;
    bool found = true;
    enum err e = ERR_OK;

    for (int64_t looked = 0; found && !p->more && e == ERR_OK; looked++) {
        e = wlk_next(walk, arena, &row, &found, info);
        if (e != ERR_OK || !found)
            break;
        bool mine = view_of_store(&p->asked->filter, row.member);
        p->more = looked >= VIEW_SCAN || (mine && n == limit);
        if (p->more)
            break;
        wlk_place_at(&p->last, &row);
        if (mine)
            rows[n++] = row;
    }
    p->seen += (int64_t)n;
    view_batch_init(&b, walk->r, n);
    for (size_t i = 0; i < n; i++)
        view_ask(&b, "order:", rows[i].member,
                 (struct str[]){STR("HMGET"), STR(""), STR("name"), STR("doc:invoice")}, 4);
    if (e == ERR_OK)
        e = view_send(&b, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        write_synced(p, &rows[i], b.replies[i], arena);
    view_batch_free(&b);
    return e;
}

enum err view_synced(struct rds *r, const struct view_page *asked, struct buf *out,
                     struct errinfo *info)
{
    struct wlk_place from = {0};
    struct arena arena = {0};
    struct wlk walk = {0};
    const struct str *names = NULL;
    int64_t total = -1;
    size_t n = 0;
    struct page p;
    enum err e = page_begin(&p, asked, "synced", &from, out->cap, info);

    view_connections(asked, &names, &n);
    if (e == ERR_OK && asked->filter.store.n == 0)
        e = count_all(r, "ZCARD", "synced:", names, n, &total, info);
    if (e == ERR_OK) {
        wlk_init(&walk, r, "synced", false, names, n, &from, 0);
        e = fill_synced(&p, &walk, &arena, info);
    }
    if (e == ERR_OK)
        e = page_end(&p, total, out);
    wlk_free(&walk);
    buf_free(&p.rows);
    arena_free(&arena);
    return e;
}

/* ---- the connection log ---- */

struct log_filter {
    struct str store, level, q; /* q folded */
};

static bool has(struct str text, struct str q, struct arena *arena)
{
    return q.n == 0 || memmem(view_fold(text, false, arena).p, text.n, q.p, q.n) != NULL;
}

static bool log_matches(const struct log_filter *f, const struct rds_reply *fields)
{
    static const char *const searched[] = {"message", "event", "order", "store"};
    struct arena arena = {0};
    bool found = f->q.n == 0;

    if (f->level.n > 0 && !str_eq(rds_field(fields, "level"), f->level))
        return false;
    if (f->store.n > 0 && !str_eq(rds_field(fields, "store"), f->store))
        return false;
    for (size_t i = 0; i < 4 && !found; i++)
        found = has(view_without_mail(rds_field(fields, searched[i]), &arena), f->q, &arena);
    arena_free(&arena);
    return found;
}

static void write_entry(struct js_out *w, const struct wlk_row *row)
{
    static const char *const shown[] = {"store", "order", "event", "message"};
    struct buf id = BUF_CAP(2048);
    struct arena arena = {0};
    struct wlk_place at = {0};

    wlk_place_at(&at, row);
    wlk_cursor("log", &at, 0, &id);
    jw_begin_object(w);
    jw_kstr(w, "id", buf_str(&id));
    view_time(w, "time", row->at_ms);
    jw_kstr(w, "level", rds_field(row->fields, "level"));
    jw_kstr(w, "connection", row->connection);
    for (size_t i = 0; i < 4; i++)
        view_text(w, shown[i], view_without_mail(rds_field(row->fields, shown[i]), &arena));
    jw_end_object(w);
    arena_free(&arena);
    buf_free(&id);
}

static enum err fill_log(struct page *p, struct wlk *walk, const struct log_filter *f,
                         struct errinfo *info)
{
    bool found = true;
    enum err e = ERR_OK;

    for (int64_t looked = 0; found && !p->more && e == ERR_OK; looked++) {
        struct arena arena = {0};
        struct wlk_row row = {0};

        e = wlk_next(walk, &arena, &row, &found, info);
        if (e == ERR_OK && found) {
            bool mine = log_matches(f, row.fields);

            p->more = looked >= VIEW_SCAN || (mine && p->shown == p->asked->limit);
            if (!p->more)
                wlk_place_at(&p->last, &row);
            if (!p->more && mine) {
                write_entry(&p->w, &row);
                p->shown++;
                p->seen++;
            }
        }
        arena_free(&arena);
    }
    return e;
}

enum err view_log(struct rds *r, const struct view_page *asked, struct str level, struct str q,
                  struct buf *out, struct errinfo *info)
{
    struct arena arena = {0};
    struct log_filter f = {asked->filter.store, level, view_fold(q, false, &arena)};
    bool all = f.store.n == 0 && level.n == 0 && q.n == 0;
    struct timespec now;
    struct wlk_place from = {0};
    struct wlk walk = {0};
    const struct str *names = NULL;
    int64_t total = -1;
    size_t n = 0;
    struct page p;
    enum err e = page_begin(&p, asked, "log", &from, out->cap, info);

    (void)clock_gettime(CLOCK_REALTIME, &now);
    view_connections(asked, &names, &n);
    if (e == ERR_OK && all)
        e = count_all(r, "XLEN", "log:", names, n, &total, info);
    if (e == ERR_OK) {
        wlk_init(&walk, r, "log", true, names, n, &from, (int64_t)now.tv_sec * 1000 - LOG_DAYS_MS);
        e = fill_log(&p, &walk, &f, info);
    }
    if (e == ERR_OK)
        e = page_end(&p, total, out);
    wlk_free(&walk);
    buf_free(&p.rows);
    arena_free(&arena);
    return e;
}

/* ---- failures by cause ---- */

struct group {
    const struct cat_row *row;
    int64_t count;
};

/* Adds COUNT failures of the cause ID. */
static void add_group(struct group *groups, size_t *n, struct str id, int64_t count,
                      struct arena *arena)
{
    const struct cat_row *row = cat_row_by_id(arena_printf(arena, "%.*s", STR_FMT(id)));
    size_t i = 0;

    while (i < *n && groups[i].row != row)
        i++;
    if (i == *n && *n < GROUPS_MAX)
        groups[(*n)++] = (struct group){row, 0};
    if (i < *n)
        groups[i].count += count;
}

static enum err groups_of_all(struct rds *r, const struct str *names, size_t n,
                              struct group *groups, size_t *count, struct arena *arena,
                              struct errinfo *info)
{
    struct view_batch b;
    enum err e = ERR_OK;

    view_batch_init(&b, r, n);
    for (size_t i = 0; i < n; i++)
        view_ask(&b, "failgroups:", names[i], (struct str[]){STR("HGETALL"), STR("")}, 2);
    e = view_send(&b, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        for (size_t k = 0; k + 1 < rds_len(b.replies[i]); k += 2)
            add_group(groups, count, rds_text(rds_at(b.replies[i], k)),
                      rds_int(rds_at(b.replies[i], k + 1)), arena);
    view_batch_free(&b);
    return e;
}

/* Of one store: row by row, up to VIEW_SCAN of them a connection. */
static enum err groups_of_store(struct rds *r, const struct view_page *p, struct str connection,
                                struct group *groups, size_t *count, struct errinfo *info)
{
    const struct trl_filter f = {connection, p->filter.store, {NULL, 0}, {NULL, 0}};
    struct trl_walk at = {0};
    enum err e = ERR_OK;
    size_t n = 1;

    for (int64_t looked = 0; looked < VIEW_SCAN && n > 0 && e == ERR_OK; looked += (int64_t)n) {
        struct arena arena = {0};
        struct str *keys = arena_array(&arena, LIM_PAGE_MAX, sizeof *keys);
        struct view_batch b;

        e = trl_failed_next(r, connection, &f, &at, LIM_PAGE_MAX, &arena, keys, &n, info);
        view_batch_init(&b, r, n);
        for (size_t i = 0; i < n; i++)
            view_ask(&b, "order:", keys[i], (struct str[]){STR("HGET"), STR(""), STR("fg")}, 3);
        if (e == ERR_OK)
            e = view_send(&b, info);
        for (size_t i = 0; i < n && e == ERR_OK; i++)
            if (rds_text(b.replies[i]).n > 0) /* else it has just left the list */
                add_group(groups, count, rds_text(b.replies[i]), 1, &arena);
        view_batch_free(&b);
        arena_free(&arena);
    }
    return e;
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->row->id, y->row->id);
}

enum err view_groups(struct rds *r, const struct view_page *asked, struct buf *out,
                     struct errinfo *info)
{
    struct arena arena = {0};
    struct group *groups = arena_array(&arena, GROUPS_MAX, sizeof *groups);
    const struct str *names = NULL;
    size_t n = 0, count = 0;
    struct js_out w;
    enum err e = ERR_OK;

    view_connections(asked, &names, &n);
    if (asked->filter.store.n == 0)
        e = groups_of_all(r, names, n, groups, &count, &arena, info);
    for (size_t i = 0; i < n && asked->filter.store.n > 0 && e == ERR_OK; i++)
        e = groups_of_store(r, asked, names[i], groups, &count, info);
    if (count > 1)
        qsort(groups, count, sizeof *groups, by_count);
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kint(&w, "count", (int64_t)count);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        jw_begin_object(&w);
        jw_kz(&w, "catalogue", groups[i].row->id);
        jw_kint(&w, "count", groups[i].count);
        jw_kz(&w, "cause", groups[i].row->cause);
        jw_kz(&w, "action_required", groups[i].row->action);
        jw_kz(&w, "fix_in", cat_fix_text(groups[i].row->fix_in));
        jw_kz(&w, "setting", cat_setting(groups[i].row));
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_kz(&w, "cursor", NULL);
    jw_end_object(&w);
    arena_free(&arena);
    return e == ERR_OK ? buf_check(out) : e;
}

/* ---- tasks ---- */

/* Its input stays out: it may hold a sealed secret. */
enum err view_task(struct rds *r, struct str id, struct buf *out, struct errinfo *info)
{
    struct view_batch b;
    struct js_doc result = {0};
    struct js_out w;
    enum err e = ERR_OK;

    view_batch_init(&b, r, 1);
    view_ask(&b, "task:", id, (struct str[]){STR("HGETALL"), STR("")}, 2);
    e = view_send(&b, info);
    if (e == ERR_OK && rds_len(b.replies[0]) == 0)
        e = err_set(info, ERR_NOT_FOUND, "There is no such task, or it ended more than a day ago.");
    if (e == ERR_OK) {
        struct str text = rds_field(b.replies[0], "result");
        struct str far = rds_field(b.replies[0], "progress");

        err_ignore(js_parse(text, out->cap, &result, NULL), "there is none yet");
        jw_init(&w, out);
        jw_begin_object(&w);
        jw_kstr(&w, "id", id);
        jw_kstr(&w, "kind", rds_field(b.replies[0], "kind"));
        jw_kstr(&w, "status", rds_field(b.replies[0], "status"));
        jw_key(&w, "result");
        if (result.root)
            jw_value(&w, result.root);
        else
            jw_null(&w);
        if (far.n > 0) {
            jw_key(&w, "progress");
            jw_raw(&w, far); /* as fetch_done was given it */
        }
        jw_end_object(&w);
        e = buf_check(out);
    }
    js_free(&result);
    view_batch_free(&b);
    return e;
}
