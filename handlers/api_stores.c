#include "handlers/api.h"

#include <stdio.h>
#include <time.h>

#include "service/base/limits.h"
#include "service/sync/amazon.h"
#include "service/sync/shopify.h"

/* A webhook secret, or a key: Shopify's have 32 to 64 characters. */
#define SECRET_MIN 8
#define SECRET_MAX 256

/* What opens a shop: Amazon's refresh tokens have up to 2,048 characters. */
#define TOKEN_MAX 2048

/* An app's id: Shopify's have 32. */
#define CLIENT_ID_MAX 127

#define SECRET_ODD                                                                                 \
    "begins or ends with a blank, or holds a control character such as a line feed: copy it again"

/* A header's name. */
#define NAME_MAX_LENGTH 64

static const char *const fields[] = {"connection", "settings", "mappings", "secrets", NULL};

static const struct platform {
    const char *name;
    bool (*id)(struct str text, char *out);
    const char *id_rule;
    const char *no_secret; /* said of a store without one that a delivery is known by */
} platforms[] = {
    {"shopify", shp_shop,
     "must be the shop's domain as Shopify names it, x.myshopify.com, without https://",
     "must hold the shop's webhook secret (secrets.webhook)"},
    {"amazon", amz_seller, "must be the seller's id, 5 to 32 capital letters and digits",
     "must hold the key that whoever forwards the notifications sends (secrets.api_key), or what "
     "orders are read with (secrets.refresh_token)"},
};

static const struct platform *find_platform(struct str name)
{
    for (size_t i = 0; i < sizeof platforms / sizeof platforms[0]; i++) {
        if (str_eq(name, str_of(platforms[i].name)))
            return &platforms[i];
    }
    return NULL;
}

/* ---- what is shown ---- */

static void write_store(struct js_out *w, const struct set_store *s)
{
    struct js_doc doc = {0};

    jw_begin_object(w);
    jw_kz(w, "platform", s->platform);
    jw_kz(w, "id", s->id);
    jw_kz(w, "connection", s->connection);
    jw_kint(w, "version", s->version);
    jw_kz(w, "added_day", s->added_day);
    if (!s->damaged)
        err_ignore(js_parse(s->document, LIM_API_BODY, &doc, NULL), "shown as null, like damaged");
    jw_key(w, "settings");
    jw_value(w, js_get(doc.root, "settings"));
    jw_key(w, "mappings");
    jw_value(w, js_get(doc.root, "mappings"));
    js_free(&doc);
    jw_key(w, "secrets");
    jw_begin_object(w);
    for (int i = 0; i < SET_SECRET_COUNT; i++) {
        if (!set_secret_of((enum set_secret)i, s->platform))
            continue;
        jw_key(w, set_secret_text((enum set_secret)i));
        jw_begin_object(w);
        jw_kbool(w, "set", s->secret_at[i] > 0);
        if (s->secret_at[i] > 0)
            api_time(w, "since", s->secret_at[i]);
        jw_end_object(w);
    }
    jw_end_object(w);
    jw_end_object(w);
}

static void show(struct srv_res *res, const struct set_store *s)
{
    struct js_out w;

    jw_init(&w, &res->body);
    write_store(&w, s);
}

/* Reads the store of KEY ("shopify/x") as it is now. */
static enum err read_key(struct srv_req *req, struct str key, struct set_store **out,
                         struct errinfo *info)
{
    struct str rest = key, platform = str_split(&rest, '/');
    const char *p = arena_printf(req->arena, "%.*s", STR_FMT(platform));
    const char *id = arena_printf(req->arena, "%.*s", STR_FMT(rest));

    return set_store_look(req->redis, p, id, out, info);
}

/* The cursor is the key of the page's last store. Stores beside the page are read only where it
 * takes that to know whose they are. */
void api_stores(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str connection = srv_query(req, "connection"), after = {NULL, 0};
    struct str *keys = NULL, last = {NULL, 0};
    struct errinfo info = {0};
    size_t n = 0;
    int64_t limit = 0, count = 0, shown = 0;
    struct js_out w;
    enum err e = ERR_OK;

    (void)env;
    if (!api_limit(req, &limit, res) || !api_after(req, "stores", &after, res))
        return;
    e = set_store_list(req->redis, req->arena, &keys, &n, &info);
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        bool passed = after.n > 0 && str_compare(keys[i], after) <= 0;
        struct set_store *s = NULL;

        if (!connection.p && (passed || shown > limit)) {
            count++;
            continue;
        }
        e = read_key(req, keys[i], &s, &info);
        if (e == ERR_NOT_FOUND) {
            e = ERR_OK; /* deleted since it was listed */
        } else if (e == ERR_OK && !s->deleted &&
                   (!connection.p || str_eq(connection, str_of(s->connection)))) {
            count++;
            if (!passed && shown++ < limit) {
                write_store(&w, s);
                last = keys[i];
            }
        }
        set_store_put(s);
    }
    jw_end_array(&w);
    jw_kint(&w, "count", count);
    api_cursor(&w, "stores", shown > limit ? last : (struct str){NULL, 0});
    jw_end_object(&w);
    if (e != ERR_OK)
        api_error(res, e, &info);
}

/* ---- what is changed ---- */

/* One PUT or PATCH on its way. */
struct change {
    struct srv_env *env;
    struct srv_req *req;
    struct srv_res *res;
    const struct platform *platform;
    char id[LIM_STORE_ID + 1];
    bool patch;
    struct set_store *before; /* NULL: there is none */
    struct js_doc doc, base;
    struct opt_errors errors;
    struct opt_store options;
    struct buf canonical;
    struct set_store_write write;
    char today[11];
};

static void complain(struct change *c, const char *field, const char *message)
{
    opt_complain(&c->errors, c->req->arena, str_of(field), "%s", message);
}

static void read_connection(struct change *c)
{
    const struct js_value *v = js_get(c->doc.root, "connection");
    struct str name = {NULL, 0};
    struct set_conn conn;
    struct errinfo info = {0};

    if (js_is_null(v) && c->patch && c->before)
        c->write.connection = c->before->connection;
    else if (js_is_null(v))
        complain(c, "connection", "is required: the name of a connection");
    else if (!js_string(v, &name) || !set_conn_name_ok(name))
        complain(c, "connection", "must be a connection's name: 1 to 64 of a-z, 0-9 and -");
    else
        c->write.connection = arena_printf(c->req->arena, "%.*s", STR_FMT(name));
    if (c->write.connection &&
        set_conn_get(c->req->redis, c->write.connection, &conn, &info) == ERR_NOT_FOUND)
        complain(c, "connection", "there is no connection of this name; set it up first");
}

/* What comes along when a secret is copied from a page; signatures would never fit, and nobody
 * could see why. */
static bool is_odd(struct str secret)
{
    bool odd = str_trim(secret).n != secret.n;

    for (size_t i = 0; i < secret.n && !odd; i++)
        odd = (unsigned char)secret.p[i] < 0x20 || secret.p[i] == 0x7f;
    return odd;
}

static bool is_header_name(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return text.n > 0 && text.n <= NAME_MAX_LENGTH;
}

/* What is wrong with V as secret I; NULL: nothing. */
static const char *fault_of(enum set_secret i, const struct js_value *v)
{
    struct str secret = {NULL, 0};
    bool text = js_string(v, &secret);

    if (i == SET_API_KEY_HEADER)
        return text && is_header_name(secret)
                   ? NULL
                   : "must be a header's name: 1 to 64 letters, digits, - and _";
    if (i == SET_API_CLIENT_ID) {
        if (!text || secret.n < SECRET_MIN || secret.n > CLIENT_ID_MAX)
            return "must be text of 8 to 127 characters, or null to remove it";
    } else if (set_secret_is_workers(i)) {
        if (!text || secret.n < SECRET_MIN || secret.n > TOKEN_MAX)
            return "must be text of 8 to 2048 characters, or null to remove it";
    } else if (!text || secret.n < SECRET_MIN || secret.n > SECRET_MAX) {
        return "must be text of 8 to 256 characters, or null to remove it";
    }
    return is_odd(secret) ? SECRET_ODD : NULL;
}

/* What a delivery is known by. */
static bool is_proof(enum set_secret i)
{
    return i != SET_API_KEY_HEADER && (!set_secret_is_workers(i) || i == SET_REFRESH_TOKEN);
}

/* A Shopify app's pair opens the shop as a token does: what is entered takes the other's place. */
static void read_pair(struct change *c, const struct js_value *secrets)
{
    static const enum set_secret all[] = {SET_API_TOKEN, SET_API_CLIENT_ID, SET_API_CLIENT_SECRET};
    const struct js_value *v[3];
    bool given[3];

    for (int i = 0; i < 3; i++) {
        v[i] = js_get(secrets, set_secret_text(all[i]));
        given[i] = !js_is_null(v[i]);
    }
    if (given[1] != given[2] || c->write.clear[all[1]] != c->write.clear[all[2]]) {
        bool lacks_id = given[1] != given[2] ? given[2] : c->write.clear[all[2]];

        complain(
            c, lacks_id ? "secrets.api_client_id" : "secrets.api_client_secret",
            "is missing: an app's id and its secret are entered, or removed, both in one call");
    } else if (given[0] && given[1]) {
        complain(c, "secrets.api_token",
                 "cannot be entered with api_client_id and api_client_secret: leave it out for an "
                 "app of the Dev Dashboard, or leave out those for an app with a token of its own");
    }
    for (int i = 0; i < 3; i++) {
        if (given[i == 0 ? 1 : 0] && c->before && c->before->secret_at[all[i]] > 0)
            c->write.clear[all[i]] = true;
    }
}

static void read_secrets(struct change *c)
{
    const char *names[SET_SECRET_COUNT + 1] = {NULL};
    const struct js_value *secrets = js_get(c->doc.root, "secrets");
    size_t complaints = c->errors.count, n = 0;
    bool any = false;

    if (!js_is_null(secrets) && js_type(secrets) != JS_OBJECT)
        complain(c, "secrets", "must be an object");
    for (enum set_secret i = 0; i < SET_SECRET_COUNT; i++) {
        const char *name = set_secret_text(i);
        const struct js_value *v = js_get(secrets, name);
        const char *fault = js_is_null(v) ? NULL : fault_of(i, v);
        bool had = c->before && c->before->secret_at[i] > 0;

        if (!set_secret_of(i, c->platform->name))
            continue;
        names[n++] = name;
        c->write.clear[i] = js_type(v) == JS_NULL;
        if (fault)
            complain(c, arena_printf(c->req->arena, "secrets.%s", name), fault);
        else if (js_string(v, &c->write.secret[i]))
            had = true;
        any = any || (is_proof(i) && had && !c->write.clear[i]);
    }
    if (set_secret_of(SET_API_TOKEN, c->platform->name))
        read_pair(c, secrets);
    api_name_unknown(secrets, "secrets.", names, c->req->arena, &c->errors);
    if (!any && c->errors.count == complaints)
        complain(c, "secrets", c->platform->no_secret);
}

static void read_options(struct change *c)
{
    struct str rest = str_of(c->id);
    struct str handle = str_split(&rest, '.');
    struct str prefix = str_of(arena_printf(c->req->arena, "%.*s-", STR_FMT(handle)));
    struct errinfo info = {0};
    const char *added = c->before ? c->before->added_day : c->today;
    size_t found = c->errors.count;

    if (c->patch && c->before &&
        js_parse(c->before->document, LIM_API_BODY, &c->base, &info) != ERR_OK)
        complain(c, "settings", "cannot be changed singly: what is stored cannot be read");
    buf_init(&c->canonical, LIM_API_BODY);
    if (opt_read(c->doc.root, c->base.root, added, str_cut(prefix, 40), c->req->arena, &c->options,
                 &c->errors, &c->canonical) == ERR_TOO_BIG &&
        c->errors.count == found)
        complain(c, "settings", "are larger than 1 MiB together");
}

/* Lets the cache know at once what it would know within a second. */
static void teach(struct srv_env *env, struct srv_req *req, const char *platform, const char *id)
{
    struct set_store *s = NULL;
    struct errinfo info = {0};

    err_ignore(set_store_read(env->stores, req->redis, platform, id, &s, &info),
               "whoever needs the store reads it again");
    set_store_put(s);
}

static void save(struct change *c)
{
    struct set_store *after = NULL;
    struct errinfo info = {0};
    enum err e = ERR_OK;

    c->write.platform = c->platform->name;
    c->write.id = c->id;
    c->write.expect_version = c->before ? c->before->version : 0;
    c->write.prefix = c->options.invoice.prefix;
    c->write.document = buf_str(&c->canonical);
    c->write.added_day = c->today;
    c->write.who = c->req->who;
    e = set_store_save(c->req->redis, c->env->hook_keys, &c->write, NULL, &info);
    if (e == ERR_OK) {
        teach(c->env, c->req, c->platform->name, c->id);
        e = set_store_look(c->req->redis, c->platform->name, c->id, &after, &info);
    }
    if (e == ERR_OK) {
        c->res->status = c->before ? 200 : 201;
        show(c->res, after);
    } else if (e == ERR_EXISTS) {
        api_refuse(c->res, c->req->arena, "settings.prefix", info.text);
    } else {
        api_error(c->res, e, &info);
    }
    set_store_put(after);
}

static void change(struct change *c)
{
    time_t now = time(NULL);
    struct tm tm;

    (void)strftime(c->today, sizeof c->today, "%Y-%m-%d", gmtime_r(&now, &tm));
    if (!api_read(c->req, false, &c->doc, c->res))
        return;
    api_name_unknown(c->doc.root, "", fields, c->req->arena, &c->errors);
    read_connection(c);
    read_secrets(c);
    read_options(c);
    if (!api_refused(&c->errors, c->res))
        save(c);
}

static void remove_store(struct srv_env *env, struct srv_req *req, struct srv_res *res,
                         const char *platform, const char *id)
{
    struct errinfo info = {0};
    enum err e = set_store_delete(req->redis, platform, id, req->who, &info);

    if (e != ERR_OK) {
        api_error(res, e, &info);
        return;
    }
    res->status = 204;
    teach(env, req, platform, id);
}

/* Webhooks name a shop by its domain below myshopify.com, whichever others it has. A store under
 * another name would never be sent anything. */
static bool is_reachable(const struct change *c)
{
    static const struct str suffix = STR_INIT(".myshopify.com");
    struct str id = str_of(c->id);

    return strcmp(c->platform->name, "shopify") != 0 ||
           (id.n > suffix.n && str_eq((struct str){id.p + id.n - suffix.n, suffix.n}, suffix));
}

/* False after answering: the path names no store that could be. */
static bool find_id(struct change *c, bool put)
{
    c->platform = find_platform(srv_segment(c->req, 3));
    if (c->platform && c->platform->id(srv_segment(c->req, 4), c->id))
        return true;
    if (!put)
        srv_problem(c->res, 404, "Not Found", "There is no such store.");
    else if (c->platform)
        api_refuse(c->res, c->req->arena, "id", c->platform->id_rule);
    else
        api_refuse(c->res, c->req->arena, "platform", "must be \"shopify\" or \"amazon\"");
    return false;
}

void api_store(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct change c = {.env = env, .req = req, .res = res};
    struct errinfo info = {0};
    bool get = strcmp(req->method, "GET") == 0, put = strcmp(req->method, "PUT") == 0;
    enum err e = ERR_OK;

    if (!find_id(&c, put))
        return;
    e = set_store_look(req->redis, c.platform->name, c.id, &c.before, &info);
    if (e == ERR_OK && c.before->deleted) {
        set_store_put(c.before);
        c.before = NULL;
        e = err_set(&info, ERR_NOT_FOUND, "The store %s/%s was deleted.", c.platform->name, c.id);
    }
    c.patch = strcmp(req->method, "PATCH") == 0;
    if (strcmp(req->method, "DELETE") == 0 && (e == ERR_OK || e == ERR_NOT_FOUND))
        remove_store(env, req, res, c.platform->name, c.id);
    else if (e != ERR_OK && !(put && e == ERR_NOT_FOUND))
        api_error(res, e, &info);
    else if (get)
        show(res, c.before);
    else if (!c.before && !is_reachable(&c))
        api_refuse(res, req->arena, "id", c.platform->id_rule);
    else
        change(&c);
    set_store_put(c.before);
    js_free_secret(&c.doc);
    js_free(&c.base);
    buf_free(&c.canonical);
}
