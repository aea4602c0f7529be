/* First byte: what is looked for; the rest is a path and, behind the first '?', a query. Whatever
 * they hold, decoding ends, and what it gives is UTF-8 without control characters. */
#include "handlers/server.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void none(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    (void)req;
    (void)res;
}

static const struct srv_route routes[] = {
    {"GET", "/api/v1/stores/{}/{}", SRV_PUBLIC, 0, false, none},
    {"PUT", "/api/v1/stores/{}/{}", SRV_PUBLIC, 0, false, none},
    {"GET", "/{}", SRV_PUBLIC, 0, false, none},
    {"GET", "/", SRV_PUBLIC, 0, false, none},
    {NULL, NULL, SRV_PUBLIC, 0, false, NULL},
};

static void check_clean(struct str s)
{
    while (s.n > 0) {
        size_t n = str_utf8(s);

        if (n == 0 || (unsigned char)s.p[0] < 0x20 || s.p[0] == 0x7f)
            abort();
        s = (struct str){s.p + n, s.n - n};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "PATCH"};
    static const char *const names[] = {"q", "wait", "connection", "limit"};
    struct arena arena = {0};
    struct buf path = BUF_CAP(1 << 20), allow = BUF_CAP(1000);
    struct srv_req req = {.arena = &arena};
    struct str raw = {NULL, 0};
    unsigned pick = 0;

    if (size < 1)
        return 0;
    pick = data[0] % 4u;
    req.query = (struct str){(const char *)data + 1, size - 1};
    raw = str_split(&req.query, '?');
    if (srv_unescape(raw, false, &path)) {
        const struct srv_route *route = NULL;

        req.path = buf_str(&path);
        check_clean(req.path);
        route = srv_route_find(routes, methods[pick], req.path, &allow);
        for (int i = 0; i < 10; i++)
            check_clean(srv_segment(&req, i));
        if (route && (allow.n > 0 || req.path.n == 0))
            abort();
    } else if (path.n > 0) {
        abort();
    }
    check_clean(srv_query(&req, names[pick]));
    buf_free(&path);
    buf_free(&allow);
    arena_free(&arena);
    return 0;
}
