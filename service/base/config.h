/*
 * config: the one table of environment variables of both programs: name, type, default, bounds, who
 * needs it, whether it is secret, help. NAME_FILE reads a value from a file. --help, the documents'
 * check and the loader all read that table. Only the mains include this file; a module gets its own
 * small struct of options. Called once at start, before other threads.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum cfg_program { CFG_RECEIVER = 1, CFG_WORKER = 2 };

/* Values as read; texts live in `arena`. What the program does not read is left at zero. */
struct cfg {
    const char *listen, *api_listen, *ops_listen; /* host:port */
    const char *redis_url;
    int64_t redis_min_replicas, redis_unsafe;
    struct str hook_key, hook_key_previous;     /* base64, checked to be 32 bytes */
    struct str master_key, master_key_previous; /* worker only */
    struct str admin_token, support_token;      /* "token" or "name:token,name:token" */
    const char *public_url;
    int64_t threads, active, max_body, drain_s;
    const char *xero_api_url, *xero_identity_url, *xero_login_url, *xero_scopes;
    struct str xero_client_id, xero_client_secret;
    struct str amazon_client_id, amazon_client_secret;
    const char *amazon_api_url, *amazon_lwa_url, *amazon_sqs_url, *shopify_api_url; /* or NULL */
    const char *aws_region;
    struct str aws_key_id, aws_secret, aws_session_token;
    int64_t fetchers, reconcile_s;
    int64_t workers, lease_s, max_attempts, linger_max_s, day_reserve;
    int64_t retention_days, log_days;
    const char *log_level, *log_format;
    struct arena arena;
};

/* Reads ENV (name=value strings ended by NULL). ERR_CONFIG: PROBLEMS then holds one line for every
 * fault (unknown LH_ variable, bad value, missing secret, unreadable file); CFG is empty. Values of
 * the other program are checked for their name only. */
enum err cfg_load(enum cfg_program program, char *const *env, struct cfg *cfg,
                  struct buf *problems) MUST_CHECK;
/* Wipes secrets and frees. NULL-safe. */
void cfg_free(struct cfg *cfg);
/* The whole help text of a program: usage, options, every variable with default and meaning. */
void cfg_help(enum cfg_program program, struct buf *out);
