#include "handlers/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "queue/walk.h"
#include "service/base/limits.h"

#define RETRY_S 2

bool api_read(const struct srv_req *req, bool may_be_empty, struct js_doc *doc, struct srv_res *res)
{
    struct str text = req->body.n == 0 && may_be_empty ? STR("{}") : req->body;
    struct errinfo info = {0};

    if (js_parse(text, LIM_BACKUP, doc, &info) != ERR_OK) { /* the route has a narrower cap */
        srv_problem(res, 400, "Bad Request", "The body is not JSON: %s", info.text);
        return false;
    }
    if (js_type(doc->root) == JS_OBJECT)
        return true;
    srv_problem(res, 400, "Bad Request", "The body is not a JSON object.");
    return false;
}

/* What js_each needs to find unknown names. */
struct unknown {
    const char *prefix;
    const char *const *names;
    struct arena *arena;
    struct opt_errors *errors;
};

static bool name_unknown(struct str key, const struct js_value *v, void *arg)
{
    struct unknown *u = arg;
    char *field = NULL;

    (void)v;
    for (const char *const *name = u->names; *name; name++) {
        if (str_eq(key, str_of(*name)))
            return true;
    }
    field = arena_printf(u->arena, "%s%.*s", u->prefix, STR_FMT(str_cut(key, LIM_NAME)));
    opt_complain(u->errors, u->arena, str_of(field), "is not a field here");
    return true;
}

void api_name_unknown(const struct js_value *object, const char *prefix, const char *const *names,
                      struct arena *arena, struct opt_errors *errors)
{
    struct unknown u = {prefix, names, arena, errors};

    js_each(object, name_unknown, &u);
}

bool api_refused(const struct opt_errors *errors, struct srv_res *res)
{
    struct js_out w;

    if (errors->count == 0)
        return false;
    res->status = 422;
    res->content_type = "application/problem+json";
    buf_reset(&res->body);
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kz(&w, "type", "about:blank");
    jw_kz(&w, "title", "Unprocessable Content");
    jw_kint(&w, "status", 422);
    jw_kz(&w, "detail",
          errors->count == 1 ? "One field is wrong; nothing was changed."
                             : "Several fields are wrong; nothing was changed.");
    jw_key(&w, "errors");
    jw_begin_array(&w);
    for (size_t i = 0; i < errors->count; i++) {
        jw_begin_object(&w);
        jw_kstr(&w, "field", errors->rows[i].field);
        jw_kstr(&w, "message", errors->rows[i].message);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    return true;
}

void api_refuse(struct srv_res *res, struct arena *arena, const char *field, const char *message)
{
    struct opt_errors errors = {0};

    opt_complain(&errors, arena, str_of(field), "%s", message);
    if (!api_refused(&errors, res))
        srv_problem(res, 422, "Unprocessable Content", "%s %s", field, message);
}

void api_error(struct srv_res *res, enum err e, const struct errinfo *info)
{
    const char *text = info->text[0] ? info->text : err_text(e);

    switch (e) {
    case ERR_NOT_FOUND:
        srv_problem(res, 404, "Not Found", "%s", text);
        break;
    case ERR_CONFLICT:
    case ERR_EXISTS:
        srv_problem(res, 409, "Conflict", "%s", text);
        break;
    case ERR_RANGE:
    case ERR_MISSING:
    case ERR_TOO_BIG:
        srv_problem(res, 422, "Unprocessable Content", "%s", text);
        break;
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
    case ERR_REDIS:
    case ERR_REDIS_FULL:
    case ERR_DENIED:
        res->retry_after_s = RETRY_S;
        srv_problem(res, 503, "Service Unavailable", "Redis could not take it: %s", text);
        break;
    default:
        srv_problem(res, 500, "Internal Server Error", "%s", text);
        break;
    }
}

bool api_limit(const struct srv_req *req, int64_t *limit, struct srv_res *res)
{
    struct str text = srv_query(req, "limit");

    *limit = LIM_PAGE;
    if (!text.p || (str_int64(text, limit) && *limit >= 1 && *limit <= LIM_PAGE_MAX))
        return true;
    api_refuse(res, req->arena, "limit", "must be a whole number from 1 to 1000");
    return false;
}

bool api_after(const struct srv_req *req, const char *list, struct str *after, struct srv_res *res)
{
    struct str cursor = srv_query(req, "cursor"), rest;
    struct buf text = BUF_CAP(LIM_ORDER_KEY + 100);
    bool ok = true;

    *after = (struct str){NULL, 0};
    if (cursor.n > 0) {
        ok = wlk_opaque_read(cursor, &text);
        rest = buf_str(&text);
        ok = ok && str_eq(str_split(&rest, '\n'), str_of(list)) && rest.n > 0;
        if (ok)
            *after = arena_str(req->arena, rest);
        else
            api_refuse(res, req->arena, "cursor", "is not one that this list gave");
    }
    buf_free(&text);
    return ok;
}

void api_cursor(struct js_out *w, const char *list, struct str last)
{
    struct buf place = BUF_CAP(LIM_ORDER_KEY + 100), text = BUF_CAP(1024);

    jw_key(w, "cursor");
    if (last.p) {
        buf_printf(&place, "%s\n%.*s", list, STR_FMT(last));
        wlk_opaque(buf_str(&place), &text);
        jw_str(w, buf_str(&text));
    } else {
        jw_null(w);
    }
    buf_free(&place);
    buf_free(&text);
}

void api_time(struct js_out *w, const char *key, int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm tm;
    char text[32] = "";

    if (seconds > 0 && gmtime_r(&at, &tm))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    jw_kz(w, key, text[0] ? text : NULL);
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

char *api_text(const struct js_value *object, const char *name, size_t max, struct arena *arena,
               struct opt_errors *errors)
{
    const struct js_value *v = js_get(object, name);
    struct str text = {NULL, 0};

    if (js_is_null(v))
        return NULL;
    if (!js_string(v, &text) || !is_plain(text))
        opt_complain(errors, arena, str_of(name), "must be text without control characters");
    else if (text.n == 0 || text.n > max)
        opt_complain(errors, arena, str_of(name), "must have 1 to %zu bytes", max);
    else
        return arena_printf(arena, "%.*s", STR_FMT(text));
    return NULL;
}
