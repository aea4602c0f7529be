/*
 * catalogue_parts: what the files of the catalogue share: the table of its error rows, whose data
 * are in catalogue_rows.c. Only catalogue*.c include it. Constant; any thread.
 */
#pragma once

#include "service/sync/catalogue.h"

/* Most specific first, "unknown" last. */
extern const struct cat_row cat_rows[];
extern const size_t cat_row_count;
