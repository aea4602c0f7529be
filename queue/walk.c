#include "queue/walk.h"

#include "service/base/crypto.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Rows that one window reads of one list, and about how many all lists' first windows may read. */
#define WINDOW_MAX 512
#define WINDOW_MIN 16
#define FIRST_READ 20000

/* Words of the command that reads a window. */
#define WORDS 10

struct wlk_lane {
    struct str connection, key;
    struct wlk_place from; /* next window begins behind it */
    char last[48];         /* stream: id of the last entry that was passed over */
    size_t skip;           /* sorted set: rows of the first instant that were passed over */
    struct rds_reply *rows;
    size_t i; /* next in the window */
    bool end;
};

/* ---- opaque texts: base64 in the alphabet of URLs, without padding ---- */

void wlk_opaque(struct str bytes, struct buf *out)
{
    struct buf text = BUF_CAP(4096);

    cry_base64_encode(bytes, &text);
    if (buf_check(&text) != ERR_OK)
        out->failed = true;
    for (size_t i = 0; i < text.n && text.p[i] != '='; i++)
        buf_addc(out, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
    buf_free(&text);
}

bool wlk_opaque_read(struct str id, struct buf *out)
{
    struct buf text = BUF_CAP(4096);
    bool ok = id.n > 0 && id.n < 2048;

    for (size_t i = 0; i < id.n && ok; i++) {
        char c = id.p[i];
        ok = c != '+' && c != '/' && c != '=' && c != ' ' && c != '\t' && c != '\r' && c != '\n';
        buf_addc(&text, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (ok && text.n % 4)
        buf_addc(&text, '=');
    ok = ok && buf_check(&text) == ERR_OK && cry_base64_decode(buf_str(&text), out, NULL) == ERR_OK;
    buf_free(&text);
    return ok;
}

/* ---- cursors ---- */

void wlk_cursor(const char *list, const struct wlk_place *at, int64_t seen, struct buf *out)
{
    struct buf text = BUF_CAP(1024);

    buf_printf(&text, "%s\n%" PRId64 "\n%" PRId64 "\n%s\n%s", list, at->at_ms, seen, at->connection,
               at->member);
    wlk_opaque(buf_str(&text), out);
    buf_free(&text);
}

bool wlk_cursor_read(struct str cursor, const char *list, struct wlk_place *at, int64_t *seen)
{
    struct buf text = BUF_CAP(4096);
    bool ok = wlk_opaque_read(cursor, &text);
    struct str rest = buf_str(&text);

    if (ok) {
        struct str of = str_split(&rest, '\n'), time = str_split(&rest, '\n');
        struct str count = str_split(&rest, '\n'), connection = str_split(&rest, '\n');
        ok = str_eq(of, str_of(list)) && str_int64(time, &at->at_ms) && at->at_ms >= 0 &&
             str_int64(count, seen) && *seen >= 0 && connection.n > 0 &&
             connection.n <= LIM_CONN_NAME && rest.n > 0 && rest.n <= LIM_ORDER_KEY;
        if (ok) {
            snprintf(at->connection, sizeof at->connection, "%.*s", STR_FMT(connection));
            snprintf(at->member, sizeof at->member, "%.*s", STR_FMT(rest));
            at->set = true;
        }
    }
    buf_free(&text);
    return ok;
}

/* ---- order ---- */

/* Ids of a stream in one instant differ in their counter: the longer is the greater. */
static int compare(const struct wlk *w, struct str a, struct str b)
{
    if (w->stream && a.n != b.n)
        return a.n > b.n ? 1 : -1;
    return str_compare(a, b);
}

/* Newest first; of one instant the greater member, then the smaller connection. */
static bool before(const struct wlk *w, const struct wlk_row *a, const struct wlk_row *b)
{
    int c = 0;

    if (a->at_ms != b->at_ms)
        return a->at_ms > b->at_ms;
    c = compare(w, a->member, b->member);
    return c ? c > 0 : str_compare(a->connection, b->connection) < 0;
}

static bool behind(const struct wlk *w, const struct wlk_place *p, const struct wlk_row *row)
{
    struct wlk_row at = {str_of(p->connection), str_of(p->member), p->at_ms, NULL};

    return !p->set || before(w, &at, row);
}

void wlk_place_at(struct wlk_place *p, const struct wlk_row *row)
{
    p->set = true;
    p->at_ms = row->at_ms;
    snprintf(p->member, sizeof p->member, "%.*s", STR_FMT(row->member));
    snprintf(p->connection, sizeof p->connection, "%.*s", STR_FMT(row->connection));
}

/* ---- windows ---- */

static size_t window_rows(const struct wlk *w, const struct wlk_lane *l)
{
    return w->stream ? rds_len(l->rows) : rds_len(l->rows) / 2;
}

static struct wlk_row row_at(const struct wlk *w, const struct wlk_lane *l, size_t i)
{
    struct wlk_row row = {.connection = l->connection};

    if (w->stream) {
        const struct rds_reply *entry = rds_at(l->rows, i);
        row.member = rds_text(rds_at(entry, 0));
        struct str rest = row.member, ms = str_split(&rest, '-');
        if (!str_int64(ms, &row.at_ms))
            row.at_ms = 0;
        row.fields = rds_at(entry, 1);
    } else {
        row.member = rds_text(rds_at(l->rows, 2 * i));
        row.at_ms = rds_int(rds_at(l->rows, 2 * i + 1));
    }
    return row;
}

/* The command that reads the lane's next window: V has room for WORDS. */
static size_t ask(const struct wlk *w, const struct wlk_lane *l, struct arena *a, struct str *v)
{
    const char *from = "+inf", *since = w->since_ms > 0 ? "" : "-inf";

    if (w->since_ms > 0)
        since = arena_printf(a, "%" PRId64, w->since_ms);
    if (l->from.set)
        from = arena_printf(a, "%" PRId64, l->from.at_ms);
    if (w->stream) {
        v[0] = STR("XREVRANGE");
        v[1] = l->key;
        v[2] = str_of(l->last[0] ? arena_printf(a, "(%s", l->last) : l->from.set ? from : "+");
        v[3] = str_of(w->since_ms > 0 ? since : "-");
        v[4] = STR("COUNT");
        v[5] = str_of(arena_printf(a, "%zu", w->window));
        return 6;
    }
    v[0] = STR("ZRANGE");
    v[1] = l->key;
    v[2] = str_of(from);
    v[3] = str_of(since);
    v[4] = STR("BYSCORE");
    v[5] = STR("REV");
    v[6] = STR("LIMIT");
    v[7] = str_of(arena_printf(a, "%zu", l->skip));
    v[8] = str_of(arena_printf(a, "%zu", w->window));
    v[9] = STR("WITHSCORES");
    return WORDS;
}

/* Takes a window over. False: all its rows had been taken before, and there may be more. */
static bool take(const struct wlk *w, struct wlk_lane *l, struct rds_reply *window)
{
    rds_free(l->rows);
    l->rows = window;
    size_t n = window_rows(w, l);
    for (l->i = 0; l->i < n; l->i++) {
        struct wlk_row row = row_at(w, l, l->i);
        if (behind(w, &l->from, &row)) {
            l->skip = 0;
            l->last[0] = '\0';
            return true;
        }
        snprintf(l->last, sizeof l->last, "%.*s", STR_FMT(str_cut(row.member, 47)));
    }
    l->end = n < w->window;
    l->skip += n;
    return l->end;
}

static enum err lane_read(struct wlk *w, struct wlk_lane *l, struct errinfo *info)
{
    enum err e = ERR_OK;
    bool done = false;

    while (e == ERR_OK && !done) {
        struct arena arena = {0};
        struct str v[WORDS];
        struct rds_reply *window = NULL;
        size_t n = ask(w, l, &arena, v);

        e = rds_call(w->r, v, n, &window, info);
        if (e == ERR_OK)
            done = take(w, l, window);
        arena_free(&arena);
    }
    return e;
}

/* The first windows of all lanes in one round trip. */
static enum err read_all(struct wlk *w, struct errinfo *info)
{
    struct arena arena = {0};
    struct str *words = arena_array(&arena, w->n * WORDS, sizeof *words);
    struct rds_command *commands = arena_array(&arena, w->n, sizeof *commands);
    struct rds_reply **replies = arena_array(&arena, w->n, sizeof *replies);
    bool *again = arena_array(&arena, w->n, sizeof *again);
    enum err e = ERR_OK;

    for (size_t i = 0; i < w->n; i++) {
        struct str *v = words + i * WORDS;
        commands[i] = (struct rds_command){v, ask(w, &w->lanes[i], &arena, v)};
    }
    if (w->n > 0)
        e = rds_pipeline(w->r, commands, w->n, replies, info);
    for (size_t i = 0; i < w->n && e == ERR_OK; i++) /* all are taken over before any is read on */
        again[i] = !take(w, &w->lanes[i], replies[i]);
    for (size_t i = 0; i < w->n && e == ERR_OK; i++)
        if (again[i])
            e = lane_read(w, &w->lanes[i], info);
    arena_free(&arena);
    return e;
}

/* ---- walking ---- */

void wlk_init(struct wlk *w, struct rds *r, const char *list, bool stream,
              const struct str *connections, size_t n, const struct wlk_place *from,
              int64_t since_ms)
{
    size_t window = n > 0 ? FIRST_READ / n : WINDOW_MAX;

    *w = (struct wlk){.r = r, .stream = stream, .n = n, .since_ms = since_ms};
    w->window = window > WINDOW_MAX ? WINDOW_MAX : window < WINDOW_MIN ? WINDOW_MIN : window;
    w->lanes = arena_array(&w->arena, n, sizeof *w->lanes);
    for (size_t i = 0; i < n; i++) {
        w->lanes[i].connection = connections[i];
        w->lanes[i].key =
            str_of(arena_printf(&w->arena, RDS_PREFIX "%s:%.*s", list, STR_FMT(connections[i])));
        w->lanes[i].from = *from;
    }
}

void wlk_free(struct wlk *w)
{
    for (size_t i = 0; i < w->n; i++)
        rds_free(w->lanes[i].rows);
    arena_free(&w->arena);
    *w = (struct wlk){0};
}

enum err wlk_next(struct wlk *w, struct arena *arena, struct wlk_row *out, bool *found,
                  struct errinfo *info)
{
    struct wlk_lane *best = NULL;
    enum err e = ERR_OK;

    if (!w->begun)
        e = read_all(w, info);
    w->begun = e == ERR_OK;
    for (size_t i = 0; i < w->n && e == ERR_OK; i++) {
        struct wlk_lane *l = &w->lanes[i];
        if (!l->end && l->i >= window_rows(w, l)) { /* used up */
            l->end = window_rows(w, l) < w->window;
            if (!l->end)
                e = lane_read(w, l, info);
        }
        if (e != ERR_OK || l->end)
            continue;
        struct wlk_row row = row_at(w, l, l->i);
        if (!best || before(w, &row, out)) {
            best = l;
            *out = row;
        }
    }
    *found = e == ERR_OK && best != NULL;
    if (*found) {
        wlk_place_at(&best->from, out);
        best->i++;
        out->member = arena_str(arena, out->member);
    }
    return e;
}
