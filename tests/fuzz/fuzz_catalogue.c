/*
 * Fuzzes the matching of error texts: any bytes find a row, and how a text is dressed (a bullet in
 * front, a full stop behind, quotes, capitals) never changes which.
 */
#include "service/sync/catalogue.h"

#include <stdlib.h>

#define ROOM 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_message(struct str message)
{
    const struct cat_row *row = cat_match(message);
    struct buf dressed = BUF_CAP(ROOM * 2);

    if (!row || !row->id)
        abort();
    buf_addz(&dressed, "* '");
    for (size_t i = 0; i < message.n; i++) {
        char c = message.p[i];

        buf_addc(&dressed, (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
    }
    buf_addz(&dressed, "'. ");
    if (message.n < ROOM && cat_match(buf_str(&dressed)) != row)
        abort();
    buf_free(&dressed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str joined = {(const char *)data, n}, message;
    size_t left = n + 1;

    while (cat_next(&joined, &message)) {
        if (joined.n >= left || message.n == 0)
            abort();
        left = joined.n;
        check_message(message);
    }
    return 0;
}
