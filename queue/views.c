#include "queue/views.h"

#include "queue/trail.h"
#include "queue/views_parts.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Percent of the day's calls that are kept for exports by hand, where nobody has said. */
#define DAY_RESERVE 5

/* ---- one round trip ---- */

void view_batch_init(struct view_batch *b, struct rds *r, size_t room)
{
    *b = (struct view_batch){.r = r, .room = room};
    b->commands = arena_array(&b->arena, room, sizeof *b->commands);
    b->replies = arena_array(&b->arena, room, sizeof *b->replies);
}

void view_ask(struct view_batch *b, const char *list, struct str name, const struct str *words,
              size_t n)
{
    struct str *v = arena_array(&b->arena, n, sizeof *v);

    if (b->n == b->room)
        x_die("view_batch", "more commands than were announced");
    memcpy(v, words, n * sizeof *v);
    v[1] = str_of(arena_printf(&b->arena, RDS_PREFIX "%s%.*s", list, STR_FMT(name)));
    b->commands[b->n++] = (struct rds_command){v, n};
}

enum err view_send(struct view_batch *b, struct errinfo *info)
{
    return b->n > 0 ? rds_pipeline(b->r, b->commands, b->n, b->replies, info) : ERR_OK;
}

void view_batch_free(struct view_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        rds_free(b->replies[i]);
    arena_free(&b->arena);
    *b = (struct view_batch){0};
}

/* ---- connections ---- */

/* Whether the day's calls are used up, but for the share that is kept for exports by hand: the same
 * reckoning as in lib.lua. */
static void read_day(struct view_conn *c, const struct rds_reply *conn, int64_t percent)
{
    int64_t left = rds_int(rds_at(conn, 3)), most = rds_int(rds_at(conn, 4));
    int64_t ends = rds_int(rds_at(conn, 5));

    if (rds_type(rds_at(conn, 3)) == RDS_NIL || ends <= c->now_ms)
        return;
    if (left - (most * percent + 99) / 100 <= 0)
        c->day_ends_ms = ends;
    c->day_by_hand = left > 0;
}

enum err view_conns(struct rds *r, const struct str *names, size_t n, struct arena *arena,
                    struct view_conn **out, struct errinfo *info)
{
    const struct str ask[] = {STR("HMGET"), STR(""),         STR("status"),  STR("nb"),
                              STR("why"),   STR("day_left"), STR("day_max"), STR("day_end")};
    const struct str option[] = {STR("HGET"), STR(""), STR("reserve")};
    struct rds_reply *time = NULL;
    struct view_batch b;
    int64_t percent = 0;
    enum err e = rds_call(r, (struct str[]){STR("TIME")}, 1, &time, info);

    *out = arena_array(arena, n, sizeof **out);
    if (e != ERR_OK)
        return e;
    view_batch_init(&b, r, n + 1);
    for (size_t i = 0; i < n; i++)
        view_ask(&b, "conn:", names[i], ask, sizeof ask / sizeof *ask);
    view_ask(&b, "options", STR(""), option, 3);
    e = view_send(&b, info);
    if (e == ERR_OK && !str_int64(rds_text(b.replies[n]), &percent))
        percent = DAY_RESERVE;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct view_conn *c = &(*out)[i];

        c->name = names[i];
        c->status = arena_str(arena, rds_text(rds_at(b.replies[i], 0)));
        c->not_before_ms = rds_int(rds_at(b.replies[i], 1));
        c->why = arena_str(arena, rds_text(rds_at(b.replies[i], 2)));
        c->now_ms = rds_int(rds_at(time, 0)) * 1000 + rds_int(rds_at(time, 1)) / 1000;
        read_day(c, b.replies[i], percent);
    }
    view_batch_free(&b);
    rds_free(time);
    return e;
}

bool view_held(const struct view_conn *c, struct arena *arena, struct view_hold *out)
{
    const struct cat_row *row = NULL;

    *out = (struct view_hold){0};
    if (str_eq(c->status, STR("active")) && c->not_before_ms > c->now_ms && c->why.n > 0) {
        row = cat_match(c->why);
        out->until_ms = c->not_before_ms;
    } else if (str_eq(c->status, STR("active"))) {
        if (c->day_ends_ms == 0)
            return false;
        row = cat_row_by_id("daily-limit");
        out->until_ms = c->day_ends_ms;
        out->not_by_hand = c->day_by_hand;
    } else {
        row = cat_row_by_id(arena_printf(arena, "%.*s", STR_FMT(c->status)));
    }
    out->id = row->id;
    out->sentence = row->cause;
    out->action = row->action;
    if (str_eq(c->status, STR("disconnected"))) {
        out->sentence = "Xero connection has been dropped.";
    } else if (strcmp(row->id, "unknown") == 0) { /* what the worker said is all there is */
        out->sentence = arena_printf(arena, "%.*s", STR_FMT(c->why));
        out->action = "";
    }
    return true;
}

bool view_shop_held(int64_t not_before_ms, struct str why, int64_t now_ms, struct arena *arena,
                    struct view_hold *out)
{
    const struct cat_row *row = cat_match(why);

    *out = (struct view_hold){0};
    if (not_before_ms <= now_ms || why.n == 0)
        return false;
    if (strcmp(row->id, "unknown") == 0)
        row = cat_row_by_id("shop-held");
    *out = (struct view_hold){
        .id = row->id, .sentence = row->cause, .action = row->action, .until_ms = not_before_ms};
    if (strcmp(row->id, "shop-held") == 0) /* what the shop or the worker said */
        out->sentence = arena_printf(arena, "%.*s", STR_FMT(view_without_mail(why, arena)));
    return true;
}

const char *view_hold_text(const struct view_hold *h, struct arena *arena)
{
    return h->action[0] ? arena_printf(arena, "%s %s", h->sentence, h->action) : h->sentence;
}

/* ---- keys and small pieces ---- */

struct str view_store_of(struct str order)
{
    const char *slash = order.n > 0 ? memrchr(order.p, '/', order.n) : NULL;

    return (struct str){order.p, slash ? (size_t)(slash - order.p) : order.n};
}

bool view_of_store(const struct view_filter *f, struct str order)
{
    return f->store.n == 0 || str_eq(view_store_of(order), f->store);
}

void view_connections(const struct view_page *p, const struct str **names, size_t *n)
{
    bool one = p->filter.connection.n > 0;

    *names = one ? &p->filter.connection : p->connections;
    *n = one ? 1 : p->connection_count;
}

void view_time(struct js_out *w, const char *key, int64_t at_ms)
{
    char text[32] = "";
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    jw_kz(w, key, at_ms > 0 ? text : NULL);
}

void view_text(struct js_out *w, const char *key, struct str s)
{
    jw_key(w, key);
    if (s.n > 0)
        jw_str(w, s);
    else
        jw_null(w);
}

void view_row_head(struct js_out *w, struct str connection, struct str order)
{
    struct buf id = BUF_CAP(2048);

    trl_row_id(connection, order, &id);
    jw_kstr(w, "id", buf_str(&id));
    jw_kstr(w, "connection", connection);
    jw_kstr(w, "store", view_store_of(order));
    jw_kstr(w, "order", order);
    buf_free(&id);
}

const char *view_invoice_link(struct str id, struct arena *arena)
{
    if (id.n == 0)
        return NULL;
    return arena_printf(arena, "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=%.*s",
                        STR_FMT(id));
}

const char *view_note_link(struct str id, struct arena *arena)
{
    return arena_printf(
        arena, "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID=%.*s",
        STR_FMT(id));
}

static bool of_mail(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(".-_+%@", c)) || (unsigned char)c >= 0x80;
}

struct str view_without_mail(struct str s, struct arena *arena)
{
    struct buf out = BUF_CAP(2 * s.n + 16);
    struct str clean;

    if (s.n == 0 || !memchr(s.p, '@', s.n))
        return s;
    for (size_t i = 0, n = 0; i < s.n; i += n ? n : 1) {
        for (n = 0; i + n < s.n && of_mail(s.p[i + n]);)
            n++;
        const char *at = memchr(s.p + i, '@', n);
        if (at && at > s.p + i && at + 1 < s.p + i + n)
            buf_addz(&out, "(e-mail)");
        else
            buf_add(&out, s.p + i, n ? n : 1);
    }
    clean = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return clean;
}

/* Letters of Latin-1 are two bytes in UTF-8, 0xC3 and then 0x80-0x9E large, 0xA0-0xBE small; 0x97
 * and 0xB7 are no letters, and sharp s and y with diaeresis have no partner there. */
struct str view_fold(struct str s, bool upper, struct arena *arena)
{
    char *p = arena_alloc(arena, s.n + 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool latin = i > 0 && (unsigned char)p[i - 1] == 0xc3;

        if (c >= 'A' && c <= 'Z')
            p[i] = (char)(c + ('a' - 'A'));
        else if (latin && !upper && c >= 0x80 && c <= 0x9e && c != 0x97)
            p[i] = (char)(c + 0x20);
        else if (latin && upper && c >= 0xa0 && c <= 0xbe && c != 0xb7)
            p[i] = (char)(c - 0x20);
    }
    return (struct str){p, s.n};
}
