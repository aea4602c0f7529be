/*
 * shopify_graphql_parts: what asking and writing share. For shopify_graphql*.c alone.
 */
#pragma once

#include "service/sync/shopify_graphql.h"

/* A refund or a shipment: its pages of lines, each an object with the connection in it. */
struct shp_record {
    const struct js_value *first; /* NULL: not yet asked for */
    const struct js_value **pages;
    size_t page_count;
};

struct shp_gather {
    char id[24];
    int page_size, questions, restarts;
    size_t bytes, lines;
    struct js_doc *docs; /* all answers, which the rest borrows from */
    size_t doc_count;
    const struct js_value *shop, *order; /* of the first answer */
    const struct js_value **pages;       /* of lines, the order itself being the first */
    size_t page_count;
    struct shp_record *refunds, *shipments; /* in the order's order */
    size_t refund_count, shipment_count;
    struct arena arena;
};

/* The digits of a "gid://shopify/Order/123", or of a plain id; "" if it is neither. */
struct str shp_gid(const struct js_value *v);
/* Elements of a connection, or of a list. */
const struct js_value *shp_nodes(const struct js_value *v, const char *key);
