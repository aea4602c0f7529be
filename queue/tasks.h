/*
 * tasks: what the receiver asks of a worker, since it has no way out itself: kept in Redis, leased
 * by one worker at a time, completed with a result, gone a day later. Secrets inside a task are
 * sealed under the hook key by whoever adds it.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/crypto.h"
#include <stdbool.h>
#include <stdint.h>

struct tsk_task {
    char id[37];
    char kind[32];      /* "client": credentials typed in for a connection; "shop": what
                           opens a store's shop; "consent": the code that
                           Xero sent back; "reconnect": a new token; "leave": it is over */
    struct str input;   /* JSON */
    int64_t attempt;    /* 1 at the first lease; what tells one lease from the next */
    struct arena arena; /* private */
};

/* Adds one; ID gets its id. */
enum err tsk_add(struct rds *r, const char *kind, struct str input, char id[37],
                 struct errinfo *info) MUST_CHECK;
/* Adds one of KIND that hands SECRET to a worker, sealed under the hook key for OBJECT, since only
 * workers may write grants. MEMBERS: names and values of its input, N of both. A SECRET of {NULL,0}
 * is handed over as "", and needs no KEYS. */
enum err tsk_add_secret(struct rds *r, const struct cry_keys *keys, const char *kind,
                        struct str object, struct str secret, const struct str *members, size_t n,
                        struct errinfo *info) MUST_CHECK;
/* The next task for LEASE_MS. ERR_NOT_FOUND: none. Free with tsk_free. A task whose worker died
 * five times is failed instead of handed out. */
enum err tsk_lease(struct rds *r, int64_t lease_ms, struct tsk_task *out,
                   struct errinfo *info) MUST_CHECK;
/* Ends it with STATUS ("done", "failed") and RESULT (JSON); its input goes. ERR_LOST: the lease
 * ended and somebody else has it, or has ended it. */
enum err tsk_done(struct rds *r, const struct tsk_task *t, const char *status, struct str result,
                  struct errinfo *info) MUST_CHECK;
/* Where task ID stands: "waiting", "running", "done", "failed"; of a failed one ERROR (may be NULL)
 * gets its sentence. ERR_NOT_FOUND: there is none, or it ended more than a day ago. */
enum err tsk_status(struct rds *r, const char *id, char status[16], struct errinfo *error,
                    struct errinfo *info) MUST_CHECK;
void tsk_free(struct tsk_task *t);
