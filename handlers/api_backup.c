#include "handlers/api.h"

#include "service/base/limits.h"

#define FORMAT 1

/* ---- the file ---- */

/* The store of KEY ("shopify/x") if it is live and on CONNECTION; NULL in *OUT otherwise. */
static enum err store_of(struct srv_req *req, struct str key, const char *connection,
                         struct set_store **out, struct errinfo *info)
{
    struct str rest = key, platform = str_split(&rest, '/');
    const char *p = arena_printf(req->arena, "%.*s", STR_FMT(platform));
    const char *id = arena_printf(req->arena, "%.*s", STR_FMT(rest));
    enum err e = set_store_look(req->redis, p, id, out, info);

    if (e == ERR_OK && ((*out)->deleted || strcmp((*out)->connection, connection) != 0)) {
        set_store_put(*out);
        *out = NULL;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void write_store(struct js_out *w, const struct set_store *s)
{
    struct js_doc doc = {0};

    err_ignore(js_parse(s->document, LIM_API_BODY, &doc, NULL), "it was read when it was stored");
    jw_begin_object(w);
    jw_kz(w, "platform", s->platform);
    jw_kz(w, "id", s->id);
    jw_key(w, "settings");
    jw_value(w, js_get(doc.root, "settings"));
    jw_key(w, "mappings");
    jw_value(w, js_get(doc.root, "mappings"));
    jw_end_object(w);
    js_free(&doc);
}

static enum err write_file(struct srv_req *req, const struct set_conn *c, struct buf *out,
                           struct errinfo *info)
{
    struct str *keys = NULL;
    struct js_out w;
    size_t n = 0;
    enum err e = set_store_list(req->redis, req->arena, &keys, &n, info);

    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kint(&w, "format", FORMAT);
    jw_kz(&w, "connection", c->name);
    jw_kz(&w, "tenant", c->tenant[0] ? c->tenant : NULL);
    jw_kz(&w, "tenant_name", c->tenant_name[0] ? c->tenant_name : NULL);
    jw_key(&w, "stores");
    jw_begin_array(&w);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct set_store *s = NULL;

        e = store_of(req, keys[i], c->name, &s, info);
        if (e == ERR_OK && s && !s->damaged)
            write_store(&w, s);
        set_store_put(s);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    if (e == ERR_OK && (buf_check(out) != ERR_OK || out->n > LIM_BACKUP))
        e = err_set(info, ERR_TOO_BIG,
                    "The connection's stores are together larger than a backup may be: %u bytes.",
                    LIM_BACKUP);
    return e;
}

/* ---- and back ---- */

/* One store of the file, checked. */
struct restored {
    struct set_store *before;
    struct buf document;
    struct set_store_write write;
};

/* One file on its way back. */
struct restore {
    struct srv_env *env;
    struct srv_req *req;
    struct set_conn conn;
    struct js_doc doc;
    struct restored *stores;
    size_t n;
    struct opt_errors errors;
    struct errinfo info;
};

/* Complaints of one store's settings, with its place in the file in front. */
static void complain_all(struct restore *r, size_t i, const struct opt_errors *of_store)
{
    for (size_t k = 0; k < of_store->count; k++)
        opt_complain(&r->errors, r->req->arena,
                     str_of(arena_printf(r->req->arena, "stores[%zu].%.*s", i,
                                         STR_FMT(of_store->rows[k].field))),
                     "%.*s", STR_FMT(of_store->rows[k].message));
}

static enum err check_store(struct restore *r, size_t i, const struct js_value *v)
{
    static const char *const fields[] = {"platform", "id", "settings", "mappings", NULL};
    struct restored *s = &r->stores[i];
    struct arena *arena = r->req->arena;
    struct opt_errors errors = {0};
    struct opt_store options = {0};
    struct str platform = STR(""), id = STR("");
    enum err e = ERR_OK;

    buf_init(&s->document, LIM_API_BODY);
    api_name_unknown(v, arena_printf(arena, "stores[%zu].", i), fields, arena, &r->errors);
    if (!js_string(js_get(v, "platform"), &platform) || !js_string(js_get(v, "id"), &id)) {
        opt_complain(&r->errors, arena, str_of(arena_printf(arena, "stores[%zu]", i)),
                     "must name its platform and id");
        return ERR_OK;
    }
    e = store_of(r->req, str_of(arena_printf(arena, "%.*s/%.*s", STR_FMT(platform), STR_FMT(id))),
                 r->conn.name, &s->before, &r->info);
    if (e != ERR_OK)
        return e;
    if (!s->before) {
        opt_complain(&r->errors, arena, str_of(arena_printf(arena, "stores[%zu]", i)),
                     "is no store of this connection: set it up with its secrets first");
        return ERR_OK;
    }
    if (opt_read(v, NULL, s->before->added_day, STR(""), arena, &options, &errors, &s->document) !=
        ERR_OK)
        complain_all(r, i, &errors);
    if (s->document.n == 0 && errors.count == 0)
        opt_complain(&r->errors, arena, str_of(arena_printf(arena, "stores[%zu]", i)),
                     "is larger than 1 MiB");
    s->write = (struct set_store_write){.platform = s->before->platform,
                                        .id = s->before->id,
                                        .connection = r->conn.name,
                                        .expect_version = s->before->version,
                                        .added_day = s->before->added_day,
                                        .who = r->req->who};
    s->write.document = buf_str(&s->document);
    s->write.prefix = options.invoice.prefix;
    return ERR_OK;
}

static enum err check_file(struct restore *r)
{
    static const char *const fields[] = {"format",      "connection", "tenant",
                                         "tenant_name", "stores",     NULL};
    const struct js_value *stores = js_get(r->doc.root, "stores");
    struct str tenant = STR("");
    int64_t format = 0;
    enum err e = ERR_OK;

    api_name_unknown(r->doc.root, "", fields, r->req->arena, &r->errors);
    if (!js_int64(js_get(r->doc.root, "format"), &format) || format != FORMAT)
        opt_complain(&r->errors, r->req->arena, STR("format"), "must be %d", FORMAT);
    if (js_type(stores) != JS_ARRAY)
        opt_complain(&r->errors, r->req->arena, STR("stores"), "must be a list");
    if (js_string(js_get(r->doc.root, "tenant"), &tenant) && r->conn.tenant[0] &&
        !str_eq_nocase(tenant, str_of(r->conn.tenant)) &&
        !str_eq(srv_query(r->req, "force"), STR("true")))
        return err_set(&r->info, ERR_CONFLICT,
                       "The file's mappings are of the Xero organisation %.*s, the connection's is "
                       "%s. If they fit all the same, say so with ?force=true.",
                       STR_FMT(str_cut(tenant, 64)), r->conn.tenant);
    r->stores = arena_array(r->req->arena, js_len(stores) + 1, sizeof(*r->stores));
    for (; r->n < js_len(stores) && e == ERR_OK; r->n++)
        e = check_store(r, r->n, js_at(stores, r->n));
    return e;
}

/* Each store whole or not at all; what was restored before an error stays, and the file may be sent
 * again. */
static enum err save_all(struct restore *r)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < r->n && e == ERR_OK; i++) {
        struct set_store *now = NULL;

        e = set_store_save(r->req->redis, r->env->hook_keys, &r->stores[i].write, NULL, &r->info);
        if (e != ERR_OK)
            break;
        err_ignore(set_store_read(r->env->stores, r->req->redis, r->stores[i].write.platform,
                                  r->stores[i].write.id, &now, NULL),
                   "whoever needs the store reads it again");
        set_store_put(now);
    }
    return e;
}

static void restore(struct restore *r, struct srv_res *res)
{
    struct js_out w;
    enum err e = ERR_OK;

    if (!api_read(r->req, false, &r->doc, res))
        return;
    if (r->conn.status == SET_UNINSTALLED)
        e = err_set(&r->info, ERR_CONFLICT,
                    "Xero was uninstalled from the connection %s. PUT the connection with its "
                    "credentials first: they are not in the file.",
                    r->conn.name);
    if (e == ERR_OK)
        e = check_file(r);
    if (e == ERR_OK && api_refused(&r->errors, res))
        return;
    if (e == ERR_OK)
        e = save_all(r);
    if (e != ERR_OK) {
        api_error(res, e, &r->info);
        return;
    }
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kint(&w, "restored", (int64_t)r->n);
    jw_end_object(&w);
}

void api_backup(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct restore r = {.env = env, .req = req};
    const char *name = arena_printf(req->arena, "%.*s", STR_FMT(srv_segment(req, 3)));
    enum err e = set_conn_get(req->redis, name, &r.conn, &r.info);

    if (e == ERR_OK && strcmp(req->method, "PUT") == 0) {
        restore(&r, res);
    } else if (e == ERR_OK) {
        e = write_file(req, &r.conn, &res->body, &r.info);
        if (e == ERR_OK)
            res->extra = arena_printf(
                req->arena, "Content-Disposition: attachment; filename=\"ledgerhook-%s.json\"\r\n",
                r.conn.name);
    }
    if (e != ERR_OK)
        api_error(res, e, &r.info);
    for (size_t i = 0; i < r.n; i++) {
        set_store_put(r.stores[i].before);
        buf_free(&r.stores[i].document);
    }
    js_free(&r.doc);
}
