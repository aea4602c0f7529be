/*
 * xero_parts: what the files of the xero module share. Only xero*.c include it.
 */
#pragma once

#include "service/export/xero.h"

#define CONNECT_MS 5000

/* A path with 50 invoice numbers of 255 characters, each percent-encoded. */
#define URL_MAX (64u << 10)

struct xero {
    struct http *http;
    char *api_url, *identity_url, *scopes;
};

/* Text of a member of an object, in any case of its name; "" if there is none. */
struct str xero_text(const struct js_value *v, const char *key);
