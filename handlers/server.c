#include "handlers/server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "handlers/server_watch.h"
#include "service/base/json.h"
#include "service/base/limits.h"
#include "service/base/log.h"
#include "service/base/metrics.h"

/* DESIGN. civetweb gives each connection a thread and reads the header; the rest is here. What it
 * really does about slow clients (1.15, read and measured):
 * - REQUEST_MS without the first byte, or with an unfinished header: closed, the latter after a
 *   400. A header that trickles in is closed after at most twice that. There is no shorter limit
 *   for the first byte alone.
 * - A body has no limit of its own: mg_read returns only when all that was asked for is there, and
 *   each byte that comes starts the clock anew.
 * - With all threads busy, further connections are accepted into a queue and wait there.
 * - mg_stop drops answers that are being written, so srv_stop lets requests finish before it.
 * server_watch closes what civetweb leaves open. */

/* Milliseconds. Header and a pause inside a body; an idle connection between two requests; a whole
 * body; writing the answer; reading on after a refusal, so that the client sees it. */
#define REQUEST_MS 5000
#define KEEP_ALIVE_MS 5000
#define BODY_MS 10000
#define ANSWER_MS 10000
#define LINGER_MS 2000

/* Waiting for one of the places past the body, and for a connection to Redis. */
#define PLACE_MS 3000
#define REDIS_MS 1000

/* Connections that are accepted while all threads are busy: there the watch can see them. */
#define QUEUE "1024"

/* Bytes of a header line and all header lines together, civetweb's buffer for each thread. */
#define HEADER_BYTES "16384"

/* Wrong tokens that one address may send before it is told to stop, until it has sent none for so
 * many seconds. A right token is always taken: behind a proxy everybody has its address. */
#define WRONG_TOKENS 20
#define WRONG_TOKENS_S 900

/* Read from the socket at a time; counted before it is read. */
#define STEP_BYTES (64u << 10)

/* The largest answer: a page of 1,000 failed orders is about 2 MiB. */
#define ANSWER_BYTES (16u << 20)

#define SECURE "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"

struct srv {
    struct srv_listener l;
    struct srv_env *env;
    struct mg_context *mg;
    struct wat *watch;
    int port;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t place; /* a place past the body became free */
    pthread_cond_t moved; /* mg_stop is done */
    int active, waiting;
    bool stopping, closed;
};

/* Bytes of bodies in memory, of all listeners. */
static _Atomic int64_t bodies;

/* Waits on COND until AT_MS at most; false when it is reached. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t at_ms)
{
    struct timespec at = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};

    return pthread_cond_timedwait(cond, lock, &at) != ETIMEDOUT;
}

/* ---- routes and tokens ---- */

static bool path_matches(struct str pattern, struct str path)
{
    while (pattern.p && path.p) {
        struct str wanted = str_split(&pattern, '/'), given = str_split(&path, '/');

        if (str_eq(wanted, STR("{}")) ? given.n == 0 : !str_eq(wanted, given))
            return false;
    }
    return !pattern.p && !path.p;
}

const struct srv_route *srv_route_find(const struct srv_route *routes, const char *method,
                                       struct str path, struct buf *allow)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

    for (const struct srv_route *r = routes; r->path; r++) {
        if (path_matches(str_of(r->path), path) && (!r->method || strcmp(r->method, wanted) == 0))
            return r;
    }
    for (const struct srv_route *r = routes; r->path; r++) {
        if (path_matches(str_of(r->path), path))
            buf_printf(allow, "%s%s%s", allow->n > 0 ? ", " : "", r->method,
                       strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

const struct srv_token *srv_token_find(const struct srv_token *tokens, size_t n, struct str given)
{
    const struct srv_token *found = NULL;

    for (size_t i = 0; i < n; i++) {
        if (cry_equal(tokens[i].secret, given))
            found = &tokens[i];
    }
    return found;
}

/* ---- places past the body ---- */

/* One of the places past the body; false when there was none for PLACE_MS. */
static bool place_take(struct srv *s)
{
    int64_t until = wat_now_ms() + PLACE_MS;
    bool mine = false;

    pthread_mutex_lock(&s->lock);
    s->waiting++;
    while (s->l.active > 0 && s->active >= s->l.active && wait_until(&s->place, &s->lock, until))
        continue;
    s->waiting--;
    mine = s->l.active == 0 || s->active < s->l.active;
    s->active += mine;
    pthread_mutex_unlock(&s->lock);
    if (mine)
        met_add(MET_ACTIVE, 1, NULL, NULL, NULL);
    return mine;
}

static void place_give(struct srv *s)
{
    met_add(MET_ACTIVE, -1, NULL, NULL, NULL);
    pthread_mutex_lock(&s->lock);
    s->active--;
    if (s->waiting > 0)
        pthread_cond_signal(&s->place);
    pthread_mutex_unlock(&s->lock);
}

/* ---- one request ---- */

struct exchange {
    struct srv *s;
    struct mg_connection *mg;
    const struct mg_request_info *ri;
    struct wat_flight flight;
    struct arena arena;
    struct srv_req req;
    struct srv_res res;
    struct buf body;
    int64_t body_left; /* of the body, as Content-Length says; -1: chunked */
    size_t held;       /* counted in `bodies` */
    bool framed;       /* it said how long its body is */
    bool close;        /* the connection cannot be used again */
    bool unread;       /* the body, or a part of it, is still to come */
};

struct str srv_header(const struct srv_req *req, const char *name)
{
    struct str value = str_of(req->conn ? mg_get_header(req->conn, name) : NULL);

    return value.n <= LIM_HEADER ? str_trim(value) : (struct str){NULL, 0};
}

static bool token_in(struct str list, struct str token)
{
    while (list.p) {
        if (str_eq_nocase(str_trim(str_split(&list, ',')), token))
            return true;
    }
    return false;
}

/* How the body is framed. Two parties that read one request differently are how requests are
 * smuggled past a proxy, so whatever could be read in two ways is refused. */
static bool read_framing(struct exchange *x)
{
    int lengths = 0, encodings = 0;

    for (int i = 0; i < x->ri->num_headers; i++) {
        struct str name = str_of(x->ri->http_headers[i].name);
        struct str value = str_of(x->ri->http_headers[i].value);

        if (str_eq_nocase(name, STR("Content-Length"))) {
            lengths++;
            if (value.n == 0 || value.p[0] == '-' || !str_int64(value, &x->body_left))
                return false;
        } else if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
            encodings++;
            if (!str_eq_nocase(value, STR("chunked")))
                return false;
            x->body_left = -1;
        }
    }
    x->unread = x->body_left != 0;
    x->framed = lengths + encodings == 1;
    return lengths + encodings <= 1;
}

/* Whether the connection may be used again. A request that does not say how long its body is ends
 * its connection, so that nothing behind it can be taken for a request: civetweb stops reading the
 * header at a folded line, so what said it may have been behind that. */
static bool may_keep(const struct exchange *x)
{
    struct str wish = str_of(mg_get_header(x->mg, "Connection"));

    if (!x->s->l.keep_alive || x->s->env->draining || !x->framed)
        return false;
    return wish.p ? token_in(wish, STR("keep-alive")) : strcmp(x->ri->http_version, "1.1") == 0;
}

/* A query that cannot be read is refused, lest a filter be left out and everything shown. */
static bool read_target(struct exchange *x)
{
    struct str raw = str_of(x->ri->local_uri_raw), rest = raw;
    struct str query = str_of(x->ri->query_string);
    struct buf path = BUF_CAP(4096), unused = BUF_CAP(query.n + 1);
    bool good = srv_unescape(raw, false, &path) && srv_unescape(query, true, &unused);

    /* An escaped slash would change which segment is which. */
    for (str_split(&rest, '%'); good && rest.p; str_split(&rest, '%'))
        good = rest.n < 2 || !str_eq_nocase((struct str){rest.p, 2}, STR("2f"));
    if (good)
        x->req.path = arena_str(&x->arena, buf_str(&path));
    x->req.query = query;
    buf_free(&unused);
    buf_free(&path);
    return good;
}

/* Who sends wrong tokens. Of an IPv6 address its network: one party has all of it. */
static struct str stranger(struct exchange *x)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN] = "";

    if (inet_pton(AF_INET6, x->ri->remote_addr, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address))
        return str_of(x->ri->remote_addr);
    memset(address.s6_addr + 8, 0, 8);
    (void)inet_ntop(AF_INET6, &address, text, sizeof text);
    return arena_str(&x->arena, str_of(text));
}

/* Whether too many wrong tokens have come from there, this one included. Without Redis: no. */
static bool is_throttled(struct exchange *x)
{
    struct rds *r = x->s->env->redis ? rds_take(x->s->env->redis, REDIS_MS) : NULL;
    struct str argv[2] = {stranger(x), STR("900000")};
    struct rds_reply *reply = NULL;
    int64_t count = 0;

    _Static_assert(WRONG_TOKENS_S == 900, "argv has it in ms");
    if (!r)
        return false;
    if (rds_script(r, "throttle", argv, 2, &reply, NULL) == ERR_OK)
        count = rds_int(reply);
    rds_free(reply);
    rds_give(x->s->env->redis, r);
    if (count == WRONG_TOKENS + 1)
        log_warn("tokens_refused", "One address sends wrong API tokens again and again.",
                 LOG_STR("address", argv[0]), LOG_INT("count", count));
    return count > WRONG_TOKENS;
}

static void refuse_token(struct exchange *x, struct str given)
{
    if (given.n > 0 && is_throttled(x)) {
        x->res.retry_after_s = WRONG_TOKENS_S;
        srv_problem(&x->res, 429, "Too Many Requests",
                    "Too many wrong tokens came from this address. Only a right one is taken.");
        return;
    }
    x->res.extra = "WWW-Authenticate: Bearer realm=\"ledgerhook\"\r\n";
    srv_problem(&x->res, 401, "Unauthorized",
                "This call needs an API token, sent as \"Authorization: Bearer <token>\"; %s.",
                given.p ? "the one sent is not known here" : "none was sent");
}

static bool permitted(struct exchange *x, const struct srv_route *route)
{
    struct str given = srv_header(&x->req, "Authorization");
    const struct srv_token *token = NULL;

    if (route->role == SRV_PUBLIC)
        return true;
    if (given.n > 7 && str_eq_nocase((struct str){given.p, 7}, STR("Bearer ")))
        token = srv_token_find(x->s->l.tokens, x->s->l.token_count,
                               str_trim((struct str){given.p + 7, given.n - 7}));
    if (!token) {
        refuse_token(x, given);
        return false;
    }
    if (token->role < route->role) {
        srv_problem(&x->res, 403, "Forbidden",
                    "The token \"%s\" is a support token; this call needs an admin token.",
                    token->name);
        return false;
    }
    x->req.who = token->name;
    x->req.admin = token->role == SRV_ADMIN;
    return true;
}

/* What can be refused before the body is read. NULL: refused. */
static const struct srv_route *admit(struct exchange *x)
{
    const struct srv_route *route = NULL;
    struct buf allow = BUF_CAP(200);
    bool framed = read_framing(x);

    if (!framed) {
        x->unread = false; /* nobody knows where it ends */
        srv_problem(&x->res, 400, "Bad Request",
                    "The request must say the length of its body once, by one Content-Length of "
                    "digits or by \"Transfer-Encoding: chunked\".");
    } else if (x->ri->num_headers >= MG_MAX_HEADERS) {
        srv_problem(&x->res, 431, "Request Header Fields Too Large",
                    "The request has %d or more header lines.", MG_MAX_HEADERS);
    } else if (!read_target(x)) {
        srv_problem(&x->res, 400, "Bad Request",
                    "The request's path is longer than 4,096 bytes, or path or query has an escape "
                    "that is not well formed or stands for a slash, or is not UTF-8.");
    } else {
        route = srv_route_find(x->s->l.routes, x->ri->request_method, x->req.path, &allow);
        if (!route && allow.n > 0) {
            x->res.extra = arena_printf(&x->arena, "Allow: %s\r\n", buf_z(&allow));
            srv_problem(&x->res, 405, "Method Not Allowed",
                        "%s is not possible here. Possible: %s.", x->ri->request_method,
                        buf_z(&allow));
        } else if (!route) {
            bool scheme = strstr(x->req.path.p, "/https:") != NULL;

            srv_problem(&x->res, 404, "Not Found", "There is nothing at %.*s.%s",
                        STR_FMT(str_cut(x->req.path, 200)),
                        scheme ? " A name within an address goes without \"https://\"." : "");
        } else if (!permitted(x, route)) {
            route = NULL;
        } else if (x->body_left > 0 && (uint64_t)x->body_left > route->max_body) {
            srv_problem(&x->res, 413, "Content Too Large",
                        "The body has %lld bytes; at most %zu are taken here.",
                        (long long)x->body_left, route->max_body);
            route = NULL;
        }
    }
    buf_free(&allow);
    return route;
}

/* Counts N more bytes of body; false when all bodies together have no room for them. */
static bool hold(struct exchange *x, size_t n)
{
    if (atomic_fetch_add(&bodies, (int64_t)n) + (int64_t)n > (int64_t)LIM_BODIES_BYTES) {
        atomic_fetch_sub(&bodies, (int64_t)n);
        return false;
    }
    met_add(MET_BODY_BYTES, (int64_t)n, NULL, NULL, NULL);
    x->held += n;
    return true;
}

/* Whether requests may bring secrets with them: where tokens are asked for, settings are made. */
static bool is_confidential(const struct exchange *x)
{
    return x->s->l.token_count > 0;
}

static void release(struct exchange *x)
{
    if (is_confidential(x))
        buf_free_secret(&x->body);
    else
        buf_free(&x->body);
    atomic_fetch_sub(&bodies, (int64_t)x->held);
    met_add(MET_BODY_BYTES, -(int64_t)x->held, NULL, NULL, NULL);
    x->held = 0;
}

/* The next piece of the body: its bytes, 0 at the end, -1 after a refusal was written. */
static int read_piece(struct exchange *x, size_t max_body)
{
    size_t step = STEP_BYTES, room = max_body + 1 - x->body.n;
    char *to = NULL;
    int got = 0;

    if (x->body_left >= 0 && step > (size_t)x->body_left)
        step = (size_t)x->body_left;
    if (step > room)
        step = room; /* one byte more than allowed tells that there is more */
    if (step == 0)
        return 0;
    to = hold(x, step) ? buf_reserve(&x->body, step) : NULL;
    if (!to) {
        x->res.retry_after_s = 1;
        srv_problem(&x->res, 503, "Service Unavailable",
                    "Too many bodies are in memory at this moment; send it again.");
        return -1;
    }
    got = mg_read(x->mg, to, step);
    if (got > 0)
        buf_added(&x->body, (size_t)got);
    if (x->body.n > max_body) {
        srv_problem(&x->res, 413, "Content Too Large", "At most %zu bytes are taken here.",
                    max_body);
        return -1;
    }
    if (x->body_left >= 0 && got == (int)step) {
        x->body_left -= got;
        x->unread = x->body_left > 0;
    } else if (x->body_left >= 0 || got < 0) {
        x->unread = false;
        x->close = true;
        if (x->body_left >= 0)
            srv_problem(&x->res, 408, "Request Timeout",
                        "The body stopped before its end, %lld bytes short.",
                        (long long)x->body_left - (got > 0 ? got : 0));
        else
            srv_problem(&x->res, 400, "Bad Request",
                        "The body stopped before its end, or its chunks are not well formed.");
        return -1;
    } else if (got == 0) {
        x->unread = false;
    }
    return got;
}

static bool read_body(struct exchange *x, const struct srv_route *route)
{
    int got = 1;

    if (!x->unread)
        return true;
    if (str_eq_nocase(srv_header(&x->req, "Expect"), STR("100-continue")))
        (void)mg_write(x->mg, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    buf_init(&x->body, route->max_body + 1);
    if (is_confidential(x)) /* all its room at once: growing would leave copies behind */
        (void)buf_reserve(&x->body, route->max_body);
    while (got > 0 && x->unread)
        got = read_piece(x, route->max_body);
    x->req.body = buf_str(&x->body);
    return got >= 0;
}

/* Hands the request to its handler once there is a place, and Redis where it is needed. */
static void run(struct exchange *x, const struct srv_route *route)
{
    struct srv_env *env = x->s->env;

    if (!place_take(x->s)) {
        x->res.retry_after_s = 1;
        srv_problem(&x->res, 503, "Service Unavailable",
                    "All places are taken at this moment; send it again.");
        return;
    }
    x->req.redis = route->redis ? rds_take(env->redis, REDIS_MS) : NULL;
    if (route->redis && !x->req.redis) {
        x->res.retry_after_s = 1;
        srv_problem(&x->res, 503, "Service Unavailable",
                    "No connection to Redis is free at this moment; send it again.");
    } else {
        route->handler(env, &x->req, &x->res);
    }
    if (x->req.redis)
        rds_give(env->redis, x->req.redis);
    place_give(x->s);
    log_ctx_clear();
}

/* ---- answers ---- */

static void write_head(struct buf *out, struct mg_connection *mg, const struct srv_res *res,
                       bool keep)
{
    time_t now = time(NULL);
    struct tm tm;
    char date[40];

    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n" SECURE "Cache-Control: %s\r\n", res->status,
               mg_get_response_code_text(mg, res->status), date,
               res->no_cache ? "no-cache" : "no-store");
    if (res->status != 204 && res->status != 304)
        buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   res->content_type ? res->content_type : "application/json", res->body.n);
    if (res->retry_after_s > 0)
        buf_printf(out, "Retry-After: %d\r\n", res->retry_after_s);
    buf_printf(out, "%sConnection: %s\r\n\r\n", res->extra ? res->extra : "",
               keep ? "keep-alive" : "close");
}

/* Head and body in one write: two small ones could wait for each other's acknowledgement. */
static void answer(struct srv *s, struct mg_connection *mg, struct srv_res *res, bool keep,
                   bool head_only)
{
    struct buf out = BUF_CAP(ANSWER_BYTES + 8192);
    char status[12];

    if (res->status == 0)
        res->status = 200;
    if (buf_check(&res->body) != ERR_OK) {
        res->extra = NULL;
        srv_problem(res, 500, "Internal Server Error",
                    "The answer would be larger than %u bytes; ask for a smaller page.",
                    ANSWER_BYTES);
    }
    write_head(&out, mg, res, keep);
    if (!head_only && res->status != 204 && res->status != 304)
        buf_add_str(&out, buf_str(&res->body));
    (void)mg_write(mg, out.p, out.n);
    buf_free(&out);
    (void)snprintf(status, sizeof status, "%d", res->status);
    met_add(MET_HTTP_REQUESTS, 1, s->l.name, status, NULL);
}

/* A client that is still sending when its connection is closed may never see the answer. */
static void linger(struct exchange *x)
{
    char *piece = x_alloc(STEP_BYTES);

    if (wat_deadline(x->s->watch, &x->flight, LINGER_MS)) {
        while (mg_read(x->mg, piece, STEP_BYTES) == (int)STEP_BYTES)
            continue;
    }
    x_free(piece);
}

/* civetweb's callbacks for a connection that a thread has taken, and that it is about to close. */
static int on_connection(const struct mg_connection *mg, void **data)
{
    const struct srv *s = mg_get_user_data(mg_get_context(mg));

    (void)data;
    wat_connected(s->watch);
    return 0;
}

static void on_close(const struct mg_connection *mg)
{
    const struct srv *s = mg_get_user_data(mg_get_context(mg));

    wat_disconnected(s->watch);
}

/* civetweb's callback for a request whose header has been read. Returns the status. */
static int on_request(struct mg_connection *mg)
{
    const struct mg_request_info *ri = mg_get_request_info(mg);
    struct exchange x = {.s = ri->user_data, .mg = mg, .ri = ri};
    const struct srv_route *route = NULL;
    bool head_only = strcmp(ri->request_method, "HEAD") == 0, stopping = false, keep = false;

    x.req = (struct srv_req){
        .method = head_only ? "GET" : ri->request_method, .who = "", .arena = &x.arena, .conn = mg};
    buf_init(&x.res.body, ANSWER_BYTES);
    wat_begin(x.s->watch, &x.flight, ri->remote_addr, ri->remote_port, BODY_MS);
    pthread_mutex_lock(&x.s->lock);
    stopping = x.s->stopping;
    pthread_mutex_unlock(&x.s->lock);
    if (stopping) {
        x.res.retry_after_s = 1;
        x.close = true;
        (void)read_framing(&x);
        srv_problem(&x.res, 503, "Service Unavailable", "This process is stopping; send it again.");
    } else {
        route = admit(&x);
        if (route && read_body(&x, route) && wat_deadline(x.s->watch, &x.flight, 0))
            run(&x, route);
    }
    release(&x);
    keep = !x.close && !x.unread && may_keep(&x);
    if (!keep)
        mg_disable_connection_keep_alive(mg);
    if (wat_deadline(x.s->watch, &x.flight, ANSWER_MS))
        answer(x.s, mg, &x.res, keep, head_only);
    if (x.unread && srv_header(&x.req, "Expect").n == 0)
        linger(&x);
    wat_end(x.s->watch, &x.flight);
    buf_free(&x.res.body);
    if (is_confidential(&x))
        arena_free_secret(&x.arena);
    else
        arena_free(&x.arena);
    return x.res.status > 0 ? x.res.status : 408;
}

/* civetweb's callback for a request that it could not read. */
static int on_error(struct mg_connection *mg, int status, const char *text)
{
    struct srv_res res = {0};

    buf_init(&res.body, 4096);
    if (status == 413)
        srv_problem(&res, 431, "Request Header Fields Too Large",
                    "The header has more than " HEADER_BYTES " bytes.");
    else if (status == 411)
        srv_problem(&res, 400, "Bad Request", "Content-Length must be a number.");
    else if (status == 400)
        srv_problem(&res, status, "Bad Request",
                    "The request is not well formed, was cut off, or its header is over %s bytes.",
                    HEADER_BYTES);
    else
        srv_problem(&res, status, mg_get_response_code_text(mg, status), "%s.", text);
    answer(mg_get_user_data(mg_get_context(mg)), mg, &res, false, false);
    buf_free(&res.body);
    return 0;
}

static int on_message(const struct mg_connection *mg, const char *text)
{
    static struct log_rate rate;
    int64_t dropped = 0;

    (void)mg;
    if (log_rate_ok(&rate, 1000, &dropped))
        log_warn("http_server", text, LOG_INT("dropped", dropped));
    return 1;
}

/* ---- start and stop ---- */

static void init_sync(struct srv *s)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->place, &attr);
    pthread_cond_init(&s->moved, &attr);
    pthread_condattr_destroy(&attr);
}

static void free_srv(struct srv *s)
{
    pthread_cond_destroy(&s->place);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    wat_free(s->watch);
    mg_exit_library();
    x_free(s);
}

enum err srv_start(const struct srv_listener *l, struct srv_env *env, struct srv **out,
                   struct errinfo *info)
{
    struct srv *s = x_alloc(sizeof *s);
    struct mg_callbacks callbacks = {.init_connection = on_connection,
                                     .connection_close = on_close,
                                     .begin_request = on_request,
                                     .http_error = on_error,
                                     .log_message = on_message}; /* no access log */
    char threads[12], text[200] = "", request_ms[12], keep_ms[12];
    const char *options[] = {"listening_ports",
                             l->listen,
                             "num_threads",
                             threads,
                             "request_timeout_ms",
                             request_ms,
                             "keep_alive_timeout_ms",
                             keep_ms,
                             "enable_keep_alive",
                             l->keep_alive ? "yes" : "no",
                             "max_request_size",
                             HEADER_BYTES,
                             "tcp_nodelay",
                             "1",
                             "connection_queue",
                             QUEUE,
                             "listen_backlog",
                             QUEUE,
                             "decode_url",
                             "no",
                             "enable_directory_listing",
                             "no",
                             NULL};
    struct mg_init_data init = {&callbacks, s, options};
    struct mg_error_data error = {.text = text, .text_buffer_size = sizeof text};
    struct mg_server_port port = {0};

    *out = NULL;
    s->l = *l;
    s->env = env;
    init_sync(s);
    s->watch = wat_new(l->threads, KEEP_ALIVE_MS);
    (void)snprintf(threads, sizeof threads, "%d", l->threads);
    (void)snprintf(request_ms, sizeof request_ms, "%d", REQUEST_MS);
    (void)snprintf(keep_ms, sizeof keep_ms, "%d", KEEP_ALIVE_MS);
    (void)mg_init_library(MG_FEATURES_DEFAULT);
    s->mg = mg_start2(&init, &error);
    if (!s->mg) {
        free_srv(s);
        return err_set(info, ERR_CONFIG, "Cannot listen on %s (%s): %s", l->listen, l->name,
                       text[0] ? text : "the address is in use or not one of this machine.");
    }
    (void)mg_get_server_ports(s->mg, 1, &port);
    s->port = port.port;
    wat_start(s->watch, s->port);
    *out = s;
    return ERR_OK;
}

int srv_port(const struct srv *s)
{
    return s->port;
}

static void *close_mg(void *arg)
{
    struct srv *s = arg;

    mg_stop(s->mg);
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* civetweb's accepting thread looks for its end only every 2 s, or when somebody connects. */
static void knock(const struct srv *s)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM},
                    *address = NULL;
    struct str rest = str_of(s->l.listen), host;
    char name[64], port[12];
    int fd = -1;

    while (rest.n > 0 && rest.p[rest.n - 1] != ':')
        rest.n--;
    host = rest.n > 0 ? (struct str){rest.p, rest.n - 1} : STR("127.0.0.1");
    if (host.n > 2 && host.p[0] == '[')
        host = (struct str){host.p + 1, host.n - 2};
    (void)snprintf(name, sizeof name, "%.*s", STR_FMT(host));
    (void)snprintf(port, sizeof port, "%d", s->port);
    if (getaddrinfo(name, port, &hints, &address) != 0)
        return;
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)connect(fd, address->ai_addr, address->ai_addrlen);
        (void)close(fd);
    }
    freeaddrinfo(address);
}

bool srv_stop(struct srv *s, int deadline_ms)
{
    int64_t until = wat_now_ms() + deadline_ms;
    pthread_t closer;

    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    if (!wat_landed(s->watch, until))
        return false;
    if (pthread_create(&closer, NULL, close_mg, s) != 0)
        x_die("thread", "no thread can be made");
    pthread_mutex_lock(&s->lock);
    while (!s->closed) {
        pthread_mutex_unlock(&s->lock);
        knock(s);
        pthread_mutex_lock(&s->lock);
        if (!s->closed)
            (void)wait_until(&s->moved, &s->lock, wat_now_ms() + 20);
    }
    pthread_mutex_unlock(&s->lock);
    pthread_join(closer, NULL);
    free_srv(s);
    return true;
}
