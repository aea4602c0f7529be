/*
 * options: a store's settings and mappings: JSON <-> structs, defaults, and validation as a whole
 * with every wrong field named. The one table of settings lives in options.c. Pure.
 * (A file of its own because the rules, the documents, the API and the queue all need settings, and
 * none of them should own the others'.)
 */
#pragma once

#include "service/base/json.h"
#include "service/sync/invoice.h"
#include "service/sync/rules.h"

/* One complaint about one field: "settings.auto_sync", "must be one of ...". */
struct opt_error {
    struct str field, message;
};
struct opt_errors {
    struct opt_error *rows;
    size_t count, room;
};

/* Which of Amazon's hosts a seller's orders are read from. */
enum opt_region { OPT_NORTH_AMERICA, OPT_EUROPE, OPT_FAR_EAST };
/* "na", "eu", "fe": as in the setting. */
const char *opt_region_text(enum opt_region r);

/* A store's settings, read. */
struct opt_store {
    struct rul_settings rules;
    struct inv_settings invoice;
    enum opt_region region; /* of Amazon's stores */
};

/* Reads {"settings":{...},"mappings":{...}} (other members are ignored) over the defaults; BASE
 * (may be NULL) is an earlier such document whose members stand where DOC has none (PATCH).
 * ADDED_DAY is the default of start_date. PREFIX_DEFAULT is the default of prefix.
 * A list or a map counts as one field: it is replaced as a whole.
 * All faults, at most 100, are collected in ERRORS (memory from ARENA); ERR_RANGE if there is any.
 * CANONICAL gets the complete document, every field with its value, as it is stored and shown;
 * nothing after an error. Texts of OUT live in ARENA. */
enum err opt_read(const struct js_value *doc, const struct js_value *base, const char *added_day,
                  struct str prefix_default, struct arena *arena, struct opt_store *out,
                  struct opt_errors *errors, struct buf *canonical) MUST_CHECK;
void opt_complain(struct opt_errors *errors, struct arena *arena, struct str field, const char *fmt,
                  ...) PRINTF(4, 5);
