#include "service/sync/shopify_webhooks.h"

#include <stdio.h>

#include "service/base/limits.h"

const struct shp_hook shp_hooks[SHP_HOOKS] = {
    {SHP_ORDERS_CREATE, true},    {SHP_ORDERS_PAID, true},
    {SHP_ORDERS_UPDATED, true},   {SHP_ORDERS_PARTIALLY_FULFILLED, true},
    {SHP_ORDERS_FULFILLED, true}, {SHP_ORDERS_CANCELLED, true},
    {SHP_REFUNDS_CREATE, true},   {SHP_TRANSACTIONS_CREATE, true},
    {SHP_ORDERS_DELETE, false},   {SHP_ORDERS_EDITED, false},
    {SHP_APP_UNINSTALLED, false},
};

static const struct str scheme = STR_INIT("https://");
static const struct str path = STR_INIT(SHP_HOOK_PATH);

void shp_topic_name(enum shp_topic topic, char out[64])
{
    (void)snprintf(out, 64, "%s", shp_topic_text(topic));
    for (char *c = out; *c; c++) {
        if (*c == '/')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
}

/* ---- addresses ---- */

/* What stands between the scheme and the path. */
static struct str authority(struct str url)
{
    struct str rest = {url.p + scheme.n, url.n - scheme.n};
    size_t n = 0;

    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    return (struct str){rest.p, n};
}

static bool is_https(struct str url)
{
    return url.n >= scheme.n && str_eq_nocase((struct str){url.p, scheme.n}, scheme);
}

/* "host" or "host:port". */
static bool is_host(struct str text)
{
    struct str port = text, host = str_split(&port, ':');
    char lower[LIM_STORE_ID + 1];
    int64_t number = 1;

    if (port.p && !(port.n <= 5 && str_int64(port, &number) && number > 0 && number < 65536))
        return false;
    return shp_shop(host, lower) && lower[host.n - 1] != '-' && lower[host.n - 1] != '.';
}

static bool is_path(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c <= ' ' || c > '~' || strchr("\"<>\\^`{|}?#", c))
            return false;
    }
    return text.n >= path.n && str_eq((struct str){text.p + text.n - path.n, path.n}, path);
}

const char *shp_hook_fault(struct str url)
{
    struct str host, rest;

    if (url.n > LIM_HOOK_URL)
        return "must have at most 512 characters";
    if (!is_https(url))
        return "must begin with https://, since Shopify sends webhooks to nothing else";
    host = authority(url);
    rest = (struct str){host.p + host.n, url.n - scheme.n - host.n};
    if (!is_host(host))
        return "must name a host behind https://, as in https://hooks.example.com" SHP_HOOK_PATH;
    return is_path(rest) ? NULL
                         : "must end as the receiver's path, " SHP_HOOK_PATH
                           ", without a query behind it";
}

/* The same address: scheme and host in any case. */
static bool same(struct str a, struct str b)
{
    size_t n = is_https(a) && is_https(b) ? scheme.n + authority(b).n : 0;

    if (a.n != b.n || !str_eq_nocase((struct str){a.p, n}, (struct str){b.p, n}))
        return false;
    return str_eq((struct str){a.p + n, a.n - n}, (struct str){b.p + n, b.n - n});
}

void shp_hook_shown(struct str uri, struct buf *out)
{
    struct str text = str_cut(uri, LIM_HOOK_URL);
    size_t n = 0;

    while (n < text.n && text.p[n] != '?' && text.p[n] != '#')
        n++;
    text.n = n;
    const char *slashes = text.n > 0 ? memmem(text.p, text.n, "://", 3) : NULL;

    if (slashes) {
        size_t head = (size_t)(slashes - text.p) + 3, host = head;

        for (size_t i = head; i < text.n && text.p[i] != '/'; i++) {
            if (text.p[i] == '@')
                host = i + 1;
        }
        buf_add(out, text.p, head);
        text = (struct str){text.p + host, text.n - host};
    }
    buf_add_str(out, text);
}

/* ---- what the list says ---- */

enum shp_hook_state shp_hook_state(const struct shp_subscription *list, size_t n,
                                   enum shp_topic topic, struct str url)
{
    enum shp_hook_state state = SHP_HOOK_MISSING;
    char name[64];

    shp_topic_name(topic, name);
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(list[i].topic, str_of(name)))
            continue;
        if (url.n > 0 ? same(list[i].uri, url) : !shp_hook_fault(list[i].uri))
            return SHP_HOOK_HERE;
        state = SHP_HOOK_ELSEWHERE;
    }
    return state;
}

size_t shp_hooks_missing(const struct shp_subscription *list, size_t n, struct str url,
                         struct buf *out)
{
    size_t missing = 0;

    for (size_t i = 0; i < SHP_HOOKS; i++) {
        if (shp_hooks[i].required &&
            shp_hook_state(list, n, shp_hooks[i].topic, url) != SHP_HOOK_HERE)
            buf_printf(out, "%s%s", missing++ > 0 ? ", " : "", shp_topic_text(shp_hooks[i].topic));
    }
    return missing;
}
