#include "queue/views_parts.h"

#include "queue/trail.h"
#include "queue/walk.h"
#include "service/base/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* DESIGN. The rows go connection by connection: what is leased, then `ready`, then `later`, each by
 * its score; then store by store what is being read from its shop, what was asked for, and what of
 * it may wait. Orders move all the time, so a place is (connection, part, score, order), never a
 * rank; an order that moves between two pages may be met twice or not at all, as in any live queue.
 *
 * A row is a piece of work. An order that waits for its export and is to be read again besides has
 * two: neither waits for the other, and each may be held for a reason of its own. */
#define WINDOW 512 /* rows read of one queue at once */
#define WINDOW_TEXT "512"
#define WINDOW_WORDS 9
#define AHEAD 32 /* queues whose first windows come in one round trip */

enum part { PART_LEASED, PART_READY, PART_LATER, PART_COUNT };
/* Of a store. */
enum { READ_LEASED = PART_COUNT, READ_ASKED, READ_LATER, READ_END };

struct place {
    bool set;
    struct str connection;
    int part;
    int64_t score;
    struct str order;
};

struct lane {
    struct view_conn conn;
    struct view_hold hold;
    bool held;
    int64_t count[PART_COUNT];
    int64_t oldest_ms;              /* when the order in front began to wait; 0 none */
    struct str *leased;             /* orders */
    bool *dead;                     /* of a lease that has ended: waits for its next worker */
    int64_t alive;                  /* leased and not dead */
    const struct view_reads *reads; /* of its stores */
    size_t read_count;
};

struct row {
    const struct lane *lane;
    const struct view_reads *reads; /* NULL: it is to be exported, not read */
    int part;
    int64_t score;
    struct str order;
    bool dead;
};

struct list {
    struct rds *r;
    const struct view_page *asked;
    struct lane *lanes;
    size_t n;
    struct view_reads *reads;
    size_t read_count;
    struct arena arena;
    struct row *rows; /* of the page */
    size_t row_count;
    int64_t seen, looked;
    struct place from;
    struct row last; /* looked at */
    bool more;
};

/* ---- counts ---- */

/* Of each connection: sizes of both queues, the orders in front, and the leases. */
enum { ASK_READY, ASK_LATER, ASK_FRONT, ASK_FIRST, ASK_BEHIND, ASK_LEASES, ASKED };
#define FRONTS 3

static enum err read_sizes(struct list *l, struct view_batch *b, struct errinfo *info)
{
    const struct str size[] = {STR("ZCARD"), STR("")};
    const struct str front[] = {STR("ZRANGE"), STR(""), STR("0"), STR("0")};
    const struct str first[] = {STR("ZRANGE"),  STR(""),      STR("(0"), STR("+inf"),
                                STR("BYSCORE"), STR("LIMIT"), STR("0"),  STR("1")};
    const struct str leases[] = {STR("ZRANGE"), STR(""), STR("0"), STR("-1"), STR("WITHSCORES")};

    view_batch_init(b, l->r, l->n * ASKED);
    for (size_t i = 0; i < l->n; i++) { /* in the order of ASK_... */
        struct str name = l->lanes[i].conn.name;

        view_ask(b, "ready:", name, size, 2);
        view_ask(b, "later:", name, size, 2);
        view_ask(b, "ready:", name, front, 4); /* by hand, if any is */
        view_ask(b, "ready:", name, first, 8);
        view_ask(b, "later:", name, front, 4);
        view_ask(b, "leases:", name, leases, 5);
    }
    return view_send(b, info);
}

/* The orders of one lane's batches; a batch's other fields have no slash. */
static void take_batches(struct list *l, struct lane *lane, const struct rds_reply *leases,
                         struct rds_reply *const *batches)
{
    size_t room = 0, n = 0;

    for (size_t i = 0; 2 * i < rds_len(leases); i++)
        room += rds_len(batches[i]);
    lane->leased = arena_array(&l->arena, room, sizeof *lane->leased);
    lane->dead = arena_array(&l->arena, room, sizeof *lane->dead);
    for (size_t i = 0; 2 * i < rds_len(leases); i++) {
        bool dead = rds_int(rds_at(leases, 2 * i + 1)) <= lane->conn.now_ms;

        for (size_t k = 0; k < rds_len(batches[i]); k++) {
            struct str field = rds_text(rds_at(batches[i], k));

            if (field.n == 0 || !memchr(field.p, '/', field.n))
                continue;
            lane->leased[n] = arena_str(&l->arena, field);
            lane->dead[n++] = dead;
            lane->alive += !dead;
        }
    }
    lane->count[PART_LEASED] = (int64_t)n;
}

/* Since when the orders in front wait: the earliest. */
static int64_t oldest(struct rds_reply *const *since)
{
    int64_t ms = 0;

    for (size_t i = 0; i < FRONTS; i++)
        if (rds_int(since[i]) > 0 && (ms == 0 || rds_int(since[i]) < ms))
            ms = rds_int(since[i]);
    return ms;
}

/* The batches of all leases, and how long the orders in front of each lane have waited. */
static enum err read_batches(struct list *l, const struct view_batch *sizes, struct errinfo *info)
{
    struct view_batch b;
    size_t leases = 0, at = 0;
    enum err e = ERR_OK;

    for (size_t i = 0; i < l->n; i++)
        leases += rds_len(sizes->replies[ASKED * i + ASK_LEASES]) / 2;
    view_batch_init(&b, l->r, leases + l->n * FRONTS);
    for (size_t i = 0; i < l->n; i++) {
        const struct rds_reply *tokens = sizes->replies[ASKED * i + ASK_LEASES];

        for (size_t k = 0; k < rds_len(tokens); k += 2) {
            struct str name =
                str_of(arena_printf(&l->arena, "%.*s:%.*s", STR_FMT(l->lanes[i].conn.name),
                                    STR_FMT(rds_text(rds_at(tokens, k)))));
            view_ask(&b, "batch:", name, (struct str[]){STR("HKEYS"), STR("")}, 2);
        }
    }
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = ASK_FRONT; k < ASK_FRONT + FRONTS; k++)
            view_ask(&b, "order:", rds_text(rds_at(sizes->replies[ASKED * i + k], 0)),
                     (struct str[]){STR("HGET"), STR(""), STR("wt")}, 3);
    e = view_send(&b, info);
    for (size_t i = 0; i < l->n && e == ERR_OK; i++) {
        const struct rds_reply *tokens = sizes->replies[ASKED * i + ASK_LEASES];

        l->lanes[i].oldest_ms = oldest(b.replies + leases + i * FRONTS);
        take_batches(l, &l->lanes[i], tokens, b.replies + at);
        at += rds_len(tokens) / 2;
    }
    view_batch_free(&b);
    return e;
}

/* What is to be read, of each lane its stores. */
static enum err read_shops(struct list *l, struct errinfo *info)
{
    size_t at = 0;
    enum err e = ERR_OK;

    if (l->n > 0)
        e = view_reads(l->r, l->asked->filter.connection, l->lanes[0].conn.now_ms, &l->arena,
                       &l->reads, &l->read_count, info);
    for (size_t i = 0; i < l->n && e == ERR_OK; i++) {
        struct lane *lane = &l->lanes[i];

        while (at < l->read_count && str_compare(l->reads[at].connection, lane->conn.name) < 0)
            at++;
        lane->reads = l->reads + at;
        while (at < l->read_count && str_eq(l->reads[at].connection, lane->conn.name)) {
            lane->read_count++;
            at++;
        }
    }
    return e;
}

static enum err read_lanes(struct list *l, struct errinfo *info)
{
    const struct str *names = NULL;
    struct view_conn *conns = NULL;
    struct view_batch sizes = {0};
    enum err e = ERR_OK;

    view_connections(l->asked, &names, &l->n);
    l->lanes = arena_array(&l->arena, l->n, sizeof *l->lanes);
    e = view_conns(l->r, names, l->n, &l->arena, &conns, info);
    for (size_t i = 0; i < l->n && e == ERR_OK; i++) {
        l->lanes[i].conn = conns[i];
        l->lanes[i].held = view_held(&conns[i], &l->arena, &l->lanes[i].hold);
    }
    if (e == ERR_OK)
        e = read_sizes(l, &sizes, info);
    for (size_t i = 0; i < l->n && e == ERR_OK; i++) {
        l->lanes[i].count[PART_READY] = rds_int(sizes.replies[ASKED * i + ASK_READY]);
        l->lanes[i].count[PART_LATER] = rds_int(sizes.replies[ASKED * i + ASK_LATER]);
    }
    if (e == ERR_OK)
        e = read_batches(l, &sizes, info);
    if (e == ERR_OK)
        e = read_shops(l, info);
    view_batch_free(&sizes);
    return e;
}

/* ---- cursor: connection, part, score, rows counted so far, order ---- */

static void cursor_write(const struct list *l, struct buf *out)
{
    struct buf text = BUF_CAP(1024);

    buf_printf(&text, "queue\n%.*s\n%d\n%" PRId64 "\n%" PRId64 "\n%.*s",
               STR_FMT(l->last.lane->conn.name), l->last.part, l->last.score, l->seen,
               STR_FMT(l->last.order));
    wlk_opaque(buf_str(&text), out);
    buf_free(&text);
}

static bool cursor_read(struct list *l, struct str cursor)
{
    struct buf text = BUF_CAP(4096);
    bool ok = wlk_opaque_read(cursor, &text);
    struct str rest = buf_str(&text), word = ok ? str_split(&rest, '\n') : STR("");
    int64_t part = 0;

    if (ok && str_eq(word, STR("queue"))) {
        l->from.connection = arena_str(&l->arena, str_split(&rest, '\n'));
        ok = str_int64(str_split(&rest, '\n'), &part) && part >= 0 && part < READ_END;
        ok = str_int64(str_split(&rest, '\n'), &l->from.score) && ok;
        ok = str_int64(str_split(&rest, '\n'), &l->seen) && l->seen >= 0 && ok;
        ok = ok && rest.n > 0;
        l->from.part = (int)part;
        l->from.order = arena_str(&l->arena, rest);
        l->from.set = true;
    } else {
        ok = false;
    }
    buf_free(&text);
    return ok;
}

/* Whether the row lies behind the place, within its own connection and part. */
static bool behind(const struct list *l, int64_t score, struct str order)
{
    if (score != l->from.score)
        return score > l->from.score;
    return str_compare(order, l->from.order) > 0;
}

/* ---- rows ---- */

/* Takes a row that was looked at, unless the page is full or enough was looked at: `more`. */
static void take(struct list *l, const struct row *row)
{
    bool mine =
        row->reads ? !view_is_task(row->order) : view_of_store(&l->asked->filter, row->order);

    l->more = ++l->looked > VIEW_SCAN || (mine && l->row_count == (size_t)l->asked->limit);
    if (l->more)
        return;
    l->last = *row;
    if (mine) {
        l->rows[l->row_count++] = *row;
        l->seen += !row->reads;
    }
}

/* One part of one lane, still to be gone through. */
struct source {
    const struct lane *lane;
    const struct view_reads *reads; /* NULL: the lane's own */
    int part;
    bool here; /* the place lies in it */
};

static bool is_leased(const struct source *s)
{
    return s->part == PART_LEASED || s->part == READ_LEASED;
}

static void take_leased(struct list *l, const struct source *s)
{
    const struct str *leased = s->reads ? s->reads->leased : s->lane->leased;
    size_t i = 0, n = s->reads ? s->reads->leased_count : (size_t)s->lane->count[PART_LEASED];
    bool found = !s->here;

    while (!found && i < n)
        found = str_eq(leased[i++], l->from.order);
    if (!found) /* that order has ended: all of them again */
        i = 0;
    for (; i < n && !l->more; i++) {
        bool dead = s->reads ? s->reads->over : s->lane->dead[i];

        take(l, &(struct row){s->lane, s->reads, s->part, 0, leased[i], dead});
    }
}

/* The command that reads S behind SKIP rows from where it begins. */
static size_t ask_window(const struct list *l, const struct source *s, int64_t skip,
                         struct arena *a, struct str *v)
{
    static const char *const lists[] = {"", "ready", "later", "", "fetch", "fetchlater"};
    struct str name = s->reads ? s->reads->store : s->lane->conn.name;

    v[0] = STR("ZRANGE");
    v[1] = str_of(arena_printf(a, RDS_PREFIX "%s:%.*s", lists[s->part], STR_FMT(name)));
    v[2] = s->here ? str_of(arena_printf(a, "%" PRId64, l->from.score)) : STR("-inf");
    v[3] = STR("+inf");
    v[4] = STR("BYSCORE");
    v[5] = STR("LIMIT");
    v[6] = str_of(arena_printf(a, "%" PRId64, skip));
    v[7] = STR(WINDOW_TEXT);
    v[8] = STR("WITHSCORES");
    return WINDOW_WORDS;
}

/* A member of S's list as the key of an order. */
static struct str key_of(const struct source *s, struct str member, struct arena *arena)
{
    if (!s->reads)
        return arena_str(arena, member);
    return str_of(arena_printf(arena, "%.*s/%.*s", STR_FMT(s->reads->store), STR_FMT(member)));
}

/* Takes the rows of S, whose first window is there already and ends here. */
static enum err take_queue(struct list *l, const struct source *s, struct rds_reply *window,
                           struct errinfo *info)
{
    bool passing = s->here;
    int64_t skip = 0;
    size_t n = WINDOW;
    enum err e = ERR_OK;

    while (n == WINDOW && !l->more && e == ERR_OK) {
        if (!window) {
            struct str v[WINDOW_WORDS];

            e = rds_call(l->r, v, ask_window(l, s, skip, &l->arena, v), &window, info);
        }
        n = rds_len(window) / 2;
        for (size_t i = 0; i < n && !l->more; i++) {
            int64_t score = rds_int(rds_at(window, 2 * i + 1));
            struct str order = key_of(s, rds_text(rds_at(window, 2 * i)), &l->arena);

            passing = passing && !behind(l, score, order);
            if (!passing)
                take(l, &(struct row){s->lane, s->reads, s->part, score, order, false});
        }
        skip += (int64_t)n;
        rds_free(window);
        window = NULL;
    }
    return e;
}

/* Adds the part if it has rows and lies behind the place. WHERE: how its connection, and then its
 * store, compares with the place's. */
static size_t add_source(const struct list *l, const struct source *s, int64_t rows, int where,
                         struct source *out)
{
    if (rows <= 0 || where < 0 || (where == 0 && s->part < l->from.part))
        return 0;
    *out = *s;
    out->here = where == 0 && s->part == l->from.part;
    return 1;
}

static bool shows_store(const struct list *l, const struct view_reads *v)
{
    struct str store = l->asked->filter.store;

    return store.n == 0 || str_eq(store, v->store);
}

static size_t list_reads(const struct list *l, const struct lane *lane, int where,
                         struct source *out)
{
    struct str from = view_store_of(l->from.order);
    size_t n = 0;

    for (size_t i = 0; i < lane->read_count; i++) {
        const struct view_reads *v = &lane->reads[i];
        const int64_t rows[] = {(int64_t)v->leased_count, v->asked, v->later};

        if (!shows_store(l, v))
            continue;
        bool other = where == 0 && l->from.part >= READ_LEASED;
        int w = other ? str_compare(v->store, from) : where;

        for (int k = 0; k < READ_END - READ_LEASED; k++)
            n += add_source(l, &(struct source){lane, v, READ_LEASED + k, false}, rows[k], w,
                            out + n);
    }
    return n;
}

/* What lies behind the place and has rows. */
static size_t list_sources(const struct list *l, struct source *out)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct lane *lane = &l->lanes[i];
        int where = l->from.set ? str_compare(lane->conn.name, l->from.connection) : 1;

        for (int part = 0; part < PART_COUNT; part++)
            n += add_source(l, &(struct source){lane, NULL, part, false}, lane->count[part], where,
                            out + n);
        n += list_reads(l, lane, where, out + n);
    }
    return n;
}

/* The first windows of the sources, in one round trip. */
static enum err read_ahead(struct list *l, const struct source *sources, size_t n,
                           struct rds_reply **windows, struct errinfo *info)
{
    struct str *v = arena_array(&l->arena, n * WINDOW_WORDS, sizeof *v);
    struct rds_command commands[AHEAD];
    struct rds_reply *replies[AHEAD] = {NULL};
    size_t asked = 0, got = 0;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++)
        if (!is_leased(&sources[i])) {
            struct str *words = v + asked * WINDOW_WORDS;
            commands[asked++] =
                (struct rds_command){words, ask_window(l, &sources[i], 0, &l->arena, words)};
        }
    if (asked > 0)
        e = rds_pipeline(l->r, commands, asked, replies, info);
    for (size_t i = 0; i < n; i++)
        windows[i] = e == ERR_OK && !is_leased(&sources[i]) ? replies[got++] : NULL;
    return e;
}

static enum err take_all(struct list *l, struct errinfo *info)
{
    struct source *sources = arena_array(
        &l->arena, l->n * PART_COUNT + l->read_count * (READ_END - READ_LEASED), sizeof *sources);
    size_t n = list_sources(l, sources);
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && !l->more && e == ERR_OK; i += AHEAD) {
        struct rds_reply *windows[AHEAD];
        size_t some = n - i < AHEAD ? n - i : AHEAD;

        e = read_ahead(l, sources + i, some, windows, info);
        for (size_t k = 0; k < some; k++) {
            if (e != ERR_OK || l->more)
                rds_free(windows[k]);
            else if (is_leased(&sources[i + k]))
                take_leased(l, &sources[i + k]);
            else
                e = take_queue(l, &sources[i + k], windows[k], info);
        }
    }
    return e;
}

/* ---- showing ---- */

/* The id of a row of reading is none that a failed row has. */
static void write_read_head(struct js_out *w, const struct row *row, struct arena *arena)
{
    struct buf id = BUF_CAP(2048);
    struct str mark = str_of(arena_printf(arena, "%.*s\nread", STR_FMT(row->order)));

    trl_row_id(row->lane->conn.name, mark, &id);
    jw_kstr(w, "id", buf_str(&id));
    jw_kstr(w, "connection", row->lane->conn.name);
    jw_kstr(w, "store", row->reads->store);
    jw_kstr(w, "order", row->order);
    buf_free(&id);
}

static void write_read(struct js_out *w, const struct row *row, const struct rds_reply *record,
                       struct arena *arena)
{
    const struct view_reads *v = row->reads;
    int64_t now_ms = row->lane->conn.now_ms, next = row->score > now_ms ? row->score : 0;
    struct str name = rds_text(rds_at(record, 0));
    bool busy = row->part == READ_LEASED && !row->dead;
    bool held = v->held && !busy;

    if (held && v->hold.until_ms > next)
        next = v->hold.until_ms;
    if (name.n == 0) /* nothing of it came yet: its id in the shop */
        name = (struct str){row->order.p + v->store.n + 1, row->order.n - v->store.n - 1};
    jw_begin_object(w);
    write_read_head(w, row, arena);
    jw_kz(w, "type", "Sales invoice");
    jw_kstr(w, "exported_item", name);
    jw_kz(w, "state", busy ? "reading" : held ? "held" : "waiting");
    jw_kbool(w, "to_be_read", true);
    jw_kz(w, "held_because", held ? view_hold_text(&v->hold, arena) : NULL);
    view_time(w, "next_try_at", busy ? 0 : next);
    view_time(w, "queued_at", row->score <= now_ms ? row->score : 0);
    jw_end_object(w);
}

static void write_row(struct js_out *w, const struct row *row, const struct rds_reply *record,
                      struct arena *arena)
{
    const struct lane *lane = row->lane;
    bool busy = row->part == PART_LEASED && !row->dead;
    bool front = row->part == PART_READY && row->score == 0; /* by hand */
    bool held = lane->held && !busy && !(front && lane->hold.not_by_hand);
    int64_t next = row->score > lane->conn.now_ms ? row->score : 0;

    if (held && lane->hold.until_ms > next)
        next = lane->hold.until_ms;
    jw_begin_object(w);
    view_row_head(w, lane->conn.name, row->order);
    jw_kz(w, "type", "Sales invoice");
    view_text(w, "exported_item", rds_text(rds_at(record, 0)));
    jw_kz(w, "state", busy ? "exporting" : held ? "held" : "waiting");
    jw_kbool(w, "to_be_read", false);
    jw_kz(w, "held_because", held ? view_hold_text(&lane->hold, arena) : NULL);
    view_time(w, "next_try_at", busy ? 0 : next);
    view_time(w, "queued_at", rds_int(rds_at(record, 1)));
    jw_end_object(w);
}

struct counts {
    int64_t exporting, reading, waiting, held, to_be_read, oldest_ms;
};

static void earlier(int64_t ms, int64_t *oldest_ms)
{
    if (ms > 0 && (*oldest_ms == 0 || ms < *oldest_ms))
        *oldest_ms = ms;
}

static void count_lane(const struct lane *l, struct counts *c)
{
    int64_t rest = l->count[PART_READY] + l->count[PART_LATER] + l->count[PART_LEASED] - l->alive;

    c->exporting += l->alive;
    *(l->held ? &c->held : &c->waiting) += rest;
    earlier(l->oldest_ms, &c->oldest_ms);
    for (size_t i = 0; i < l->read_count; i++) {
        const struct view_reads *v = &l->reads[i];
        int64_t leased = (int64_t)v->leased_count;

        c->reading += v->over ? 0 : leased;
        rest = v->asked + v->later + (v->over ? leased : 0);
        *(v->held ? &c->held : &c->waiting) += rest;
        c->to_be_read += rest;
        earlier(v->oldest_ms, &c->oldest_ms);
    }
}

static void write_counts(struct js_out *w, const struct lane *lanes, size_t n)
{
    struct counts c = {0};

    for (size_t i = 0; i < n; i++)
        count_lane(&lanes[i], &c);
    jw_kint(w, "exporting", c.exporting);
    jw_kint(w, "reading", c.reading);
    jw_kint(w, "waiting", c.waiting);
    jw_kint(w, "held", c.held);
    jw_kint(w, "to_be_read", c.to_be_read);
    view_time(w, "oldest", c.oldest_ms);
}

static void write_lanes(struct js_out *w, const struct list *l, struct arena *arena)
{
    jw_key(w, "connections");
    jw_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        const struct lane *lane = &l->lanes[i];

        if (lane->conn.status.n == 0)
            continue;
        jw_begin_object(w);
        jw_kstr(w, "connection", lane->conn.name);
        jw_kstr(w, "status", lane->conn.status);
        write_counts(w, lane, 1);
        jw_kz(w, "held_because", lane->held ? view_hold_text(&lane->hold, arena) : NULL);
        view_time(w, "held_until", lane->held ? lane->hold.until_ms : 0);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* What is to be read is known store by store; of the lanes' own queues, which mix stores, one
 * store's rows are counted as they are looked at. */
static int64_t count_rows(const struct list *l)
{
    bool all = l->asked->filter.store.n == 0;
    int64_t n = all ? 0 : l->seen;

    for (size_t i = 0; i < l->n; i++) {
        const struct lane *lane = &l->lanes[i];

        for (int part = 0; part < PART_COUNT && all; part++)
            n += lane->count[part];
        for (size_t k = 0; k < lane->read_count; k++) {
            const struct view_reads *v = &lane->reads[k];

            if (shows_store(l, v))
                n += v->asked + v->later + (int64_t)v->leased_count;
        }
    }
    return n;
}

static enum err write_list(struct list *l, struct buf *out, struct errinfo *info)
{
    struct buf cursor = BUF_CAP(2048);
    struct view_batch b;
    struct js_out w;
    enum err e = ERR_OK;

    view_batch_init(&b, l->r, l->row_count);
    for (size_t i = 0; i < l->row_count; i++)
        view_ask(&b, "order:", l->rows[i].order,
                 (struct str[]){STR("HMGET"), STR(""), STR("name"), STR("wt")}, 4);
    e = view_send(&b, info);
    if (e != ERR_OK)
        goto out;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kint(&w, "count", count_rows(l));
    write_counts(&w, l->lanes, l->n);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (size_t i = 0; i < l->row_count; i++)
        if (l->rows[i].reads)
            write_read(&w, &l->rows[i], b.replies[i], &l->arena);
        else
            write_row(&w, &l->rows[i], b.replies[i], &l->arena);
    jw_end_array(&w);
    write_lanes(&w, l, &l->arena);
    if (l->more && l->last.lane)
        cursor_write(l, &cursor);
    view_text(&w, "cursor", buf_str(&cursor));
    jw_end_object(&w);
    e = buf_check(out);
out:
    view_batch_free(&b);
    buf_free(&cursor);
    return e;
}

enum err view_queue(struct rds *r, const struct view_page *asked, struct buf *out,
                    struct errinfo *info)
{
    struct list l = {.r = r, .asked = asked};
    enum err e = ERR_OK;

    if (asked->cursor.n > 0 && !cursor_read(&l, asked->cursor))
        e = err_set(info, ERR_RANGE, "This is not a cursor of this list.");
    l.rows = arena_array(&l.arena, (size_t)asked->limit, sizeof *l.rows);
    if (e == ERR_OK)
        e = read_lanes(&l, info);
    if (e == ERR_OK)
        e = take_all(&l, info);
    if (e == ERR_OK)
        e = write_list(&l, out, info);
    arena_free(&l.arena);
    return e;
}
