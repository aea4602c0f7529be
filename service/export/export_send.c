#include <stdio.h>
#include <time.h>

#include "queue/grants.h"
#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

/* A token that ends sooner is replaced before the call. */
#define TOKEN_MARGIN_MS 90000

/* While another worker refreshes: how often and how long it is waited for. */
#define TOKEN_POLL_MS 100
#define TOKEN_WAIT_MS 10000

/* Credentials that were just typed in are on their way for a moment. */
#define GRANT_WAIT_MS 2000
#define GRANT_HOLD_MS 5000

/* Room in the minute that is sooner than this is waited for; for more the lease is given back. */
#define PERMIT_WAIT_MS 2000
#define NAP_MS 50

/* An outage of the connection: 5 s to 5 min, doubled each time within ten minutes, full jitter. */
#define DOWN_FIRST_MS 5000
#define DOWN_MOST_MS 300000
#define DOWN_MEMORY_MS "600000"

/* What a person has to mend is looked at again after a minute. */
#define MEND_MS 60000

void exp_nap(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

void exp_hold(struct work *w, int64_t ms, const char *fmt, ...)
{
    va_list ap;

    if (ms <= w->hold_ms)
        return;
    w->hold_ms = ms;
    va_start(ap, fmt);
    (void)vsnprintf(w->hold_why, sizeof(w->hold_why), fmt, ap);
    va_end(ap);
}

/* How long an outage holds the connection. The count of its failures is in Redis, since every
 * worker meets the same outage. */
int64_t exp_down_ms(struct work *w)
{
    char *key = arena_printf(&w->arena, RDS_PREFIX "down:%s", w->lease->connection);
    const struct rds_command commands[] = {
        {(struct str[]){STR("INCR"), str_of(key)}, 2},
        {(struct str[]){STR("PEXPIRE"), str_of(key), STR(DOWN_MEMORY_MS)}, 3},
    };
    struct rds_reply *replies[2] = {NULL, NULL};
    struct errinfo info = {0};
    int64_t cap = DOWN_FIRST_MS;
    uint32_t dice = 0;

    if (rds_pipeline(w->redis, commands, 2, replies, &info) == ERR_OK) {
        for (int64_t n = rds_int(replies[0]); n > 1 && cap < DOWN_MOST_MS; n--)
            cap *= 2;
        rds_free(replies[0]);
        rds_free(replies[1]);
    }
    cap = cap < DOWN_MOST_MS ? cap : DOWN_MOST_MS;
    cry_random(&dice, sizeof(dice));
    return DOWN_FIRST_MS + (cap - DOWN_FIRST_MS) * (int64_t)(dice % 1001) / 1000;
}

/* ---- the token ---- */

/* Takes over ACCESS. It is used until half of the margin is left, or half of its own short life. */
static void keep_token(struct work *w, char *access, int64_t version, int64_t valid_ms)
{
    int64_t margin = TOKEN_MARGIN_MS < valid_ms ? TOKEN_MARGIN_MS : valid_ms;

    if (w->access)
        cry_wipe(w->access, strlen(w->access));
    x_free(w->access);
    w->access = access;
    w->access_version = version;
    w->access_until_ms = job_now_ms() + valid_ms - margin / 2;
}

/* Asks Xero for a token with the grant's client and stores it before anybody uses it. */
static enum err refresh(struct work *w, const struct grt_token *t, struct errinfo *info)
{
    struct buf access = BUF_CAP(LIM_API_BODY);
    struct errinfo ignored = {0};
    int64_t expires_s = 0;
    enum err e = xero_client_token(w->e->xero, str_of(t->client_id), buf_str(&t->client_secret),
                                   &access, &expires_s, info);

    if (e == ERR_OK) {
        e = grt_store(w->redis, w->e->master, w->grant, t->version, w->e->worker, buf_str(&access),
                      expires_s, info);
        if (e == ERR_OK)
            keep_token(w, x_strdup(buf_z(&access)), t->version + 1, expires_s * 1000);
    } else
        err_ignore(grt_abandon(w->redis, w->grant, w->e->worker, &ignored),
                   "the right ends by itself after a minute");
    buf_free_secret(&access);
    return e;
}

/* One look at the grant: its token, or the right to make a new one and doing so.
 *LATER: look again after a moment. */
static enum err look_for_token(struct work *w, bool *later, struct errinfo *info)
{
    struct grt_token t = {0}, right = {0};
    bool mine = false;
    enum err e = grt_get(w->redis, w->e->master, w->grant, TOKEN_MARGIN_MS, &t, info);

    *later = false;
    if (e != ERR_OK)
        goto out;
    if (t.access) {
        keep_token(w, t.access, t.version, t.valid_ms);
        t.access = NULL;
        goto out;
    }
    *later = true;
    e = grt_begin(w->redis, w->e->master, w->grant, t.version, w->e->worker, &mine, &right, info);
    if (e == ERR_OK && mine) {
        e = refresh(w, &right, info);
        *later = e == ERR_CONFLICT; /* the next look finds the other token */
        if (*later)
            e = ERR_OK;
    }
out:
    grt_token_free(&right);
    grt_token_free(&t);
    return e;
}

/* A token that is good for this call. False: the connection is held. */
static bool have_token(struct work *w)
{
    int64_t deadline = job_now_ms() + TOKEN_WAIT_MS;
    struct errinfo info = {0};
    bool later = true;
    enum err e = ERR_OK;

    if (w->access && job_now_ms() < w->access_until_ms)
        return true;
    while (later && job_now_ms() < deadline && !*w->stopping) {
        e = look_for_token(w, &later, &info);
        if (e == ERR_NOT_FOUND && job_now_ms() < deadline - TOKEN_WAIT_MS + GRANT_WAIT_MS)
            later = true;
        else if (e != ERR_OK)
            break;
        if (later)
            exp_nap(TOKEN_POLL_MS);
    }
    if (e == ERR_OK && !later)
        return true;
    if (e == ERR_NOT_FOUND) {
        exp_hold(w, GRANT_HOLD_MS, "No credentials for Xero are stored for this connection.");
        log_warn("no_credentials", "No credentials for Xero are stored; the connection waits.",
                 LOG_Z("grant", w->grant));
    } else if (e == ERR_DENIED || e == ERR_CRYPTO) {
        exp_hold(w, MEND_MS, "No token for Xero: %s", info.text);
        log_error("token_refused",
                  "Xero gives no token; the connection is held and tried again in a minute.",
                  LOG_Z("error", info.text));
    } else {
        exp_hold(w, exp_down_ms(w), "No token for Xero in time: %s",
                 info.text[0] ? info.text : "another worker is asking for one.");
    }
    return false;
}

static void drop_token(struct work *w)
{
    struct errinfo info = {0};

    err_ignore(grt_expire(w->redis, w->grant, w->access_version, &info),
               "a token that stays is refused once more");
    w->access_until_ms = 0;
}

/* ---- the permit ---- */

static bool time_left(const struct work *w)
{
    return w->lease->until_ms - job_now_ms() >= w->e->lease_ms / 2;
}

/* Waits MS unless the worker is to stop. */
static bool wait_for_room(struct work *w, int64_t ms)
{
    int64_t until = job_now_ms() + ms;

    while (job_now_ms() < until) {
        if (*w->stopping)
            return false;
        exp_nap(NAP_MS);
    }
    return true;
}

static enum work_next take_permit(struct work *w, const struct job_call *call)
{
    for (;;) {
        enum job_permit permit = JOB_LOST;
        struct errinfo info = {0};
        int64_t wait_ms = 0;
        enum err e = job_permit(w->redis, w->lease, w->e->lease_ms, w->updates, w->update_count,
                                w->answered, w->day_left, call, &permit, &wait_ms, &info);

        if (e != ERR_OK) {
            log_warn("permit_failed", "Redis gave no permit; what has not begun goes back.",
                     LOG_Z("error", info.text));
            w->again_ms = 1000;
            return WORK_HAND_BACK;
        }
        if (permit == JOB_LOST) {
            log_warn("lease_lost", "The lease passed to another worker; this one stops.",
                     LOG_Z("token", w->lease->token));
            return WORK_LET_GO;
        }
        w->update_count = 0;
        w->answered = false;
        w->day_left = -1;
        if (permit == JOB_GO)
            return WORK_GO;
        w->again_ms = 0; /* the queue knows when the connection may call again */
        if (permit == JOB_PAUSED || wait_ms > PERMIT_WAIT_MS ||
            w->lease->until_ms - job_now_ms() < wait_ms + NAP_MS || !wait_for_room(w, wait_ms))
            return WORK_HAND_BACK;
    }
}

/* ---- the call ---- */

static enum work_next limited(struct work *w, const struct xero_answer *a)
{
    int64_t ms = (a->retry_after_s > 0 ? a->retry_after_s : 2) * 1000;

    if (a->day_problem)
        exp_hold(w, ms, "Xero's daily limit of calls is used up; exports resume by themselves.");
    else
        exp_hold(w, ms, "Xero takes no more calls for %lld s.", (long long)(ms / 1000));
    log_warn("xero_limited", "Xero's limit was reached; the connection waits.",
             LOG_INT("wait_ms", ms), LOG_INT("day_left", a->day_left));
    w->again_ms = ms;
    return WORK_HAND_BACK;
}

static enum work_next denied(struct work *w, const struct xero_answer *a)
{
    exp_hold(w, MEND_MS, "Xero refused the connection: %.*s", STR_FMT(str_cut(a->message, 200)));
    log_error("xero_denied",
              "Xero refused the connection; its orders wait. Connect it again, or give it the "
              "scopes that it lacks.",
              LOG_STR("verdict", str_of(xero_verdict_text(a->verdict))),
              LOG_STR("error", a->message));
    return WORK_HAND_BACK;
}

static enum work_next down(struct work *w, const struct xero_answer *a)
{
    int64_t ms = exp_down_ms(w);

    exp_hold(w, ms, "Xero cannot be reached: %.*s", STR_FMT(str_cut(a->message, 200)));
    log_warn("xero_down", "Xero cannot be reached; the connection waits, no order loses a try.",
             LOG_INT("wait_ms", ms), LOG_INT("status", a->status), LOG_STR("error", a->message));
    return WORK_HAND_BACK;
}

/* Sends once, with token and permit. WORK_GO: A has any verdict. */
static enum work_next send_once(struct work *w, const char *method, const char *path,
                                const struct call *call, struct xero_answer *a)
{
    struct job_call stored = {.kind = "look_up", .bytes = STR(""), .key = STR(""), .meta = STR("")};
    struct errinfo info = {0};
    enum work_next next = WORK_GO;
    int tries = 0;
    enum err e;

    if (call)
        stored = (struct job_call){call->kind->name, call->bytes, str_of(call->key), call->meta};
    if (!have_token(w))
        return WORK_HAND_BACK;
    do {
        next = take_permit(w, &stored);
        if (next != WORK_GO)
            return next;
    } while (!time_left(w) && ++tries < 3);
    if (!time_left(w)) {
        log_warn("lease_short",
                 "Redis answers too late for a call to be safe; it is left to others.",
                 LOG_INT("lease_ms", w->e->lease_ms));
        return WORK_LET_GO;
    }
    e = xero_call(w->e->xero, method, path, w->conn.tenant, w->access,
                  call ? call->bytes : (struct str){NULL, 0}, call ? call->key : NULL,
                  (int)(w->e->lease_ms * 3 / 8), a, &info);
    if (e != ERR_OK) {
        log_error("xero_call", "The call could not be made.", LOG_Z("error", info.text));
        w->again_ms = MEND_MS;
        return WORK_HAND_BACK;
    }
    if (a->day_left >= 0)
        w->day_left = a->day_left;
    log_debug("xero_call", "Xero was called.", LOG_Z("method", method), LOG_Z("path", path),
              LOG_INT("status", a->status), LOG_Z("verdict", xero_verdict_text(a->verdict)),
              LOG_Z("correlation", a->correlation));
    return WORK_GO;
}

enum work_next exp_send(struct work *w, const char *method, const char *path,
                        const struct call *call, struct xero_answer *a)
{
    enum work_next next;

    *a = (struct xero_answer){0};
    if (*w->stopping) {
        w->again_ms = 0;
        return WORK_HAND_BACK;
    }
    next = send_once(w, method, path, call, a);
    if (next == WORK_GO && a->verdict == XERO_TOKEN) {
        drop_token(w);
        xero_answer_free(a);
        next = send_once(w, method, path, call, a);
    }
    if (next != WORK_GO)
        return next;
    switch (a->verdict) {
    case XERO_ANSWERED:
    case XERO_REFUSED:
    case XERO_NOT_FOUND:
        return WORK_GO;
    case XERO_LIMITED:
        return limited(w, a);
    case XERO_TOKEN:
    case XERO_CONSENT:
    case XERO_DISCONNECTED:
        return denied(w, a);
    case XERO_DOWN:
        return down(w, a);
    case XERO_UNKNOWN:
        break;
    }
    log_warn("xero_unknown", "It is not known whether Xero carried the call out.",
             LOG_INT("status", a->status), LOG_STR("error", a->message),
             LOG_Z("correlation", a->correlation));
    return WORK_UNKNOWN;
}
