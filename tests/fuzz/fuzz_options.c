/*
 * Fuzzes the reading of a store's settings: two documents separated by a newline, the second being
 * the one that the first changes. What is accepted must read back as itself.
 */
#include "service/sync/options.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool read_document(const struct js_value *doc, const struct js_value *base,
                          struct arena *arena, struct buf *canonical)
{
    struct opt_store store;
    struct opt_errors errors = {NULL, 0, 0};
    enum err e = opt_read(doc, base, "2026-09-01", STR("shop-"), arena, &store, &errors, canonical);

    if ((e == ERR_OK) != (errors.count == 0))
        abort();
    return e == ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str rest = {(const char *)data, n}, text = str_split(&rest, '\n');
    struct js_doc doc = {0}, base = {0}, stored = {0};
    struct arena arena = {0};
    struct buf first = BUF_CAP(1 << 22), second = BUF_CAP(1 << 22);

    if (js_parse(text, 1 << 20, &doc, NULL) != ERR_OK)
        goto out;
    if (rest.n > 0 && js_parse(rest, 1 << 20, &base, NULL) != ERR_OK)
        goto out;
    if (!read_document(doc.root, base.root, &arena, &first))
        goto out;
    if (js_parse(buf_str(&first), 1 << 22, &stored, NULL) != ERR_OK ||
        !read_document(stored.root, NULL, &arena, &second) ||
        !str_eq(buf_str(&first), buf_str(&second)))
        abort();
out:
    js_free(&doc);
    js_free(&base);
    js_free(&stored);
    buf_free(&first);
    buf_free(&second);
    arena_free(&arena);
    return 0;
}
