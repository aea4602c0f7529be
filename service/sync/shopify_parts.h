/*
 * shopify_parts: what the files of shopify share: shopify_topics says what a message is and which
 * order it is about, shopify reads the order. For them alone. Pure: any thread.
 */
#pragma once

#include "service/sync/shopify.h"

/* An id: a positive integer. Its digits are the text that names it everywhere; borrowed from V. */
bool shp_read_id(const struct js_value *v, struct str *id) MUST_CHECK;
