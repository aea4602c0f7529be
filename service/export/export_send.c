#include <stdio.h>
#include <time.h>

#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

/* Room in the minute that is sooner than this is waited for; for more the lease is given back. */
#define PERMIT_WAIT_MS 2000
#define NAP_MS 50

/* An outage of the connection: 5 s to 5 min, doubled each time within ten minutes, full jitter. */
#define DOWN_FIRST_MS 5000
#define DOWN_MOST_MS 300000
#define DOWN_MEMORY_MS "600000"

/* No limit of Xero's lasts longer than its day, whatever an answer says. */
#define LIMIT_MOST_S 86400

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
        w->fails_anew = rds_int(replies[0]) == 1;
        for (int64_t n = rds_int(replies[0]); n > 1 && cap < DOWN_MOST_MS; n--)
            cap *= 2;
        rds_free(replies[0]);
        rds_free(replies[1]);
    }
    cap = cap < DOWN_MOST_MS ? cap : DOWN_MOST_MS;
    cry_random(&dice, sizeof(dice));
    return DOWN_FIRST_MS + (cap - DOWN_FIRST_MS) * (int64_t)(dice % 1001) / 1000;
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
    int64_t s = a->retry_after_s > 0 ? a->retry_after_s : 2;
    int64_t ms = (s < LIMIT_MOST_S ? s : LIMIT_MOST_S) * 1000;

    if (a->day_problem)
        exp_hold(w, ms, "Xero's daily limit of calls is used up; exports resume by themselves.");
    else
        exp_hold(w, ms, "Xero takes no more calls for %lld s.", (long long)(ms / 1000));
    log_warn("xero_limited", "Xero's limit was reached; the connection waits.",
             LOG_INT("wait_ms", ms), LOG_INT("day_left", a->day_left));
    w->again_ms = ms;
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
    if (!exp_have_token(w))
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
    memcpy(w->correlation, a->correlation, sizeof(w->correlation));
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
        exp_expire_token(w);
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
        return exp_denied(w, a);
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
