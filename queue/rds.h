/*
 * rds: the only file that knows hiredis. Connections to the one Redis primary (TCP, TLS-less, or
 * unix socket), a pool of them, commands and scripts with deadlines, typed replies, and the check
 * at start that Redis keeps what it is given. Knows nothing of orders. A pool may be used by any
 * thread; a connection and its replies by one thread at a time.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* All keys begin so; scripts get it as KEYS[1]. */
#define RDS_PREFIX "lh:{0}:"

struct rds_pool;
struct rds;
struct rds_reply;

enum rds_type { RDS_NIL, RDS_TEXT, RDS_INT, RDS_LIST, RDS_STATUS };

/* URL: redis://[user[:password]@]host[:port][/0] or unix://[user:password@]/path. Nothing is
 * connected yet. At most MAX connections exist; more takers wait. ERR_CONFIG for an unusable URL
 * (the message never shows the password). */
enum err rds_pool_new(const char *url, int max, struct rds_pool **out,
                      struct errinfo *info) MUST_CHECK;
void rds_pool_free(struct rds_pool *pool);
/* A connection, connected or not (the first call connects). Waits at most WAIT_MS for a free one:
 * NULL then. Give each back, whatever happened to it. */
struct rds *rds_take(struct rds_pool *pool, int wait_ms) MUST_CHECK;
void rds_give(struct rds_pool *pool, struct rds *r);

/* One command. ERR_UNREACHABLE: no connection or none within its deadline, it may or may not have
 * been carried out; ERR_REDIS_FULL: out of memory; ERR_REDIS: any other refusal (INFO has the
 * text); ERR_DENIED: the ACL. The reply is the caller's: rds_free. Commands must be harmless when
 * sent twice: a connection found dead is replaced and the command sent once more. */
enum err rds_call(struct rds *r, const struct str *argv, size_t argc, struct rds_reply **reply,
                  struct errinfo *info) MUST_CHECK;
/* Several commands in one round trip; REPLIES[i] belongs to COMMANDS[i]. A command's own refusal
 * makes the whole call fail. All or none of the replies are handed out. */
struct rds_command {
    const struct str *argv;
    size_t argc;
};
enum err rds_pipeline(struct rds *r, const struct rds_command *commands, size_t n,
                      struct rds_reply **replies, struct errinfo *info) MUST_CHECK;

/* A script by name with KEYS[1] = RDS_PREFIX and the given ARGV (EVALSHA, loaded when needed). The
 * same errors as rds_call. */
enum err rds_script(struct rds *r, const char *name, const struct str *argv, size_t argc,
                    struct rds_reply **reply, struct errinfo *info) MUST_CHECK;

/* Blocks up to TIMEOUT_MS for an element of list KEY (BLPOP). True when one came. */
bool rds_wait_list(struct rds *r, const char *key, int timeout_ms) MUST_CHECK;

/* ---- replies: borrowed views until rds_free ---- */
enum rds_type rds_type(const struct rds_reply *v);
struct str rds_text(const struct rds_reply *v); /* {NULL,0} unless text or status */
/* An integer reply, or a text of digits; 0 for anything else. */
int64_t rds_int(const struct rds_reply *v);
size_t rds_len(const struct rds_reply *v);
const struct rds_reply *rds_at(const struct rds_reply *v, size_t i); /* NULL behind the end */
/* The value of field NAME in a flat field-value list (HGETALL); {NULL,0} if absent. */
struct str rds_field(const struct rds_reply *v, const char *name);
void rds_free(struct rds_reply *v);

/* Checks that Redis answers, is 7.0 or newer, is no cluster node and no replica, keeps an
 * append-only file, and evicts nothing. ERR_CONFIG with the line of redis.conf to change; with
 * UNSAFE those about persistence and eviction become WARNINGS (also given when appendfsync is not
 * "always"). ERR_UNREACHABLE also while it loads its data. */
enum err rds_check(struct rds *r, bool unsafe, struct buf *warnings,
                   struct errinfo *info) MUST_CHECK;

/* Collects arguments for a script; numbers are printed into ARENA. */
struct rds_args {
    struct str *v;
    size_t n, room;
    struct arena *arena;
};
void rds_args_init(struct rds_args *a, struct arena *arena);
void rds_arg(struct rds_args *a, struct str s);
void rds_argz(struct rds_args *a, const char *z);
void rds_argi(struct rds_args *a, int64_t i);
