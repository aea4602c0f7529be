#include "handlers/handlers.h"

#include <stdarg.h>
#include <stdio.h>

#include "service/base/json.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into TO, which has room for TEXT.n bytes; -1 if TEXT is not well formed. */
static ssize_t unescape(struct str text, bool plus, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '%') {
            int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

            if (low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return -1;
        to[n++] = c;
    }
    return (ssize_t)n;
}

static bool is_utf8(struct str s)
{
    while (s.n > 0) {
        size_t n = str_utf8(s);

        if (n == 0)
            return false;
        s = (struct str){s.p + n, s.n - n};
    }
    return true;
}

bool srv_unescape(struct str text, bool plus, struct buf *out)
{
    char *to = buf_reserve(out, text.n + 1);
    ssize_t n = to ? unescape(text, plus, to) : -1;

    if (n < 0 || !is_utf8((struct str){to, (size_t)n})) {
        if (to)
            to[0] = '\0';
        return false;
    }
    buf_added(out, (size_t)n);
    return true;
}

struct str srv_query(const struct srv_req *req, const char *name)
{
    struct str rest = req->query, value = {NULL, 0};
    struct buf text = BUF_CAP(req->query.n + 1);

    while (rest.p) {
        struct str pair = str_split(&rest, '&');
        struct str key = str_split(&pair, '=');

        buf_reset(&text);
        if (!srv_unescape(key, true, &text) || !str_eq(buf_str(&text), str_of(name)))
            continue;
        buf_reset(&text);
        if (srv_unescape(pair, true, &text))
            value = arena_str(req->arena, buf_str(&text));
        break;
    }
    buf_free(&text);
    return value;
}

struct str srv_segment(const struct srv_req *req, int i)
{
    struct str rest = req->path, segment = {NULL, 0};

    for (i++; rest.p && i >= 0; i--) /* one more: nothing stands before the first slash */
        segment = str_split(&rest, '/');
    return i < 0 ? segment : (struct str){NULL, 0};
}

void srv_problem(struct srv_res *res, int status, const char *title, const char *fmt, ...)
{
    struct js_out w;
    va_list ap;
    char text[1000];

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    res->status = status;
    res->content_type = "application/problem+json";
    buf_reset(&res->body);
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kz(&w, "type", "about:blank");
    jw_kz(&w, "title", title);
    jw_kint(&w, "status", status);
    jw_kz(&w, "detail", text);
    jw_end_object(&w);
}
