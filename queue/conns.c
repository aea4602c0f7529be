#include "queue/conns.h"

#include <stdio.h>
#include <string.h>

#include "service/base/json.h"

/* How long somebody may take to consent. */
#define STATE_MS 900000
#define STATE_BYTES 32
#define CODE_MAX 4096

static bool says(const struct rds_reply *reply, const char *word)
{
    return str_eq(rds_text(rds_at(reply, 0)), str_of(word));
}

static enum err none(const char *connection, struct errinfo *info)
{
    return err_set(info, ERR_NOT_FOUND, "There is no connection %s.", connection);
}

static enum err uninstalled(const char *connection, struct errinfo *info)
{
    return err_set(info, ERR_CONFLICT,
                   "Xero was uninstalled from the connection %s. Set it up again first.",
                   connection);
}

enum err con_drop(struct rds *r, const char *connection, const char *grant, const char *who,
                  const char *sentence, bool *changed, struct errinfo *info)
{
    struct str argv[] = {str_of(connection), STR("disconnected"), str_of(who), str_of(sentence),
                         str_of(grant)};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "conn_state", argv, sizeof(argv) / sizeof(*argv), &reply, info);

    if (e == ERR_OK && says(reply, "none"))
        e = none(connection, info);
    else if (e == ERR_OK && says(reply, "not"))
        e = uninstalled(connection, info);
    if (changed)
        *changed = e == ERR_OK && rds_int(rds_at(reply, 1)) == 1;
    rds_free(reply);
    return e;
}

enum err con_link(struct rds *r, const struct con_link *l, struct errinfo *info)
{
    struct str argv[] = {str_of(l->connection), str_of(l->consent),           l->tenant,
                         l->tenant_name,        str_of(l->force ? "1" : "0"), str_of(l->who)};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "conn_link", argv, sizeof(argv) / sizeof(*argv), &reply, info);

    if (e == ERR_OK && says(reply, "none"))
        e = none(l->connection, info);
    else if (e == ERR_OK && says(reply, "uninstalled"))
        e = uninstalled(l->connection, info);
    else if (e == ERR_OK && says(reply, "tenant"))
        e = err_set(
            info, ERR_CONFLICT,
            "The connection exports to the Xero organisation %.*s, and this is %.*s (%.*s). "
            "Connect it to the same one, or begin again with ?force=true.",
            STR_FMT(rds_text(rds_at(reply, 1))), STR_FMT(str_cut(l->tenant_name, 100)),
            STR_FMT(str_cut(l->tenant, 64)));
    else if (e == ERR_OK && says(reply, "leased"))
        e = err_set(info, ERR_CONFLICT,
                    "Orders are being exported to the connection's present Xero organisation. Try "
                    "again when they have arrived.");
    rds_free(reply);
    return e;
}

enum err con_hold_client(struct rds *r, const char *grant, int64_t ms, const char *why,
                         struct errinfo *info)
{
    char number[24];
    struct str argv[] = {str_of(grant), {NULL, 0}, str_of(why)};
    struct rds_reply *reply = NULL;
    enum err e;

    (void)snprintf(number, sizeof(number), "%lld", (long long)ms);
    argv[1] = str_of(number);
    e = rds_script(r, "client_hold", argv, 3, &reply, info);
    rds_free(reply);
    return e;
}

/* ---- the consent ---- */

void con_state_new(char state[CON_STATE])
{
    uint8_t bytes[STATE_BYTES];
    struct buf hex = BUF_CAP(CON_STATE);

    cry_random(bytes, sizeof(bytes));
    cry_hex(bytes, sizeof(bytes), &hex);
    (void)snprintf(state, CON_STATE, "%s", buf_z(&hex));
    buf_free(&hex);
}

bool con_state_ok(struct str state)
{
    for (size_t i = 0; i < state.n; i++) {
        if (!memchr("0123456789abcdef", state.p[i], 16))
            return false;
    }
    return state.n == CON_STATE - 1;
}

enum err con_consent_begin(struct rds *r, const char *state, const struct con_consent *c,
                           struct errinfo *info)
{
    struct buf about = BUF_CAP(LIM_API_BODY);
    struct rds_reply *reply = NULL;
    struct js_out w;
    enum err e;

    jw_init(&w, &about);
    jw_begin_object(&w);
    jw_kz(&w, "redirect_uri", c->redirect_uri);
    jw_kz(&w, "who", c->who);
    jw_kbool(&w, "force", c->force);
    jw_end_object(&w);
    e = buf_check(&about);
    if (e == ERR_OK) {
        char ms[24];
        struct str members = {about.p + 1, about.n - 2}; /* without the braces */

        (void)snprintf(ms, sizeof(ms), "%d", STATE_MS);
        e = rds_script(
            r, "consent",
            (struct str[]){STR("begin"), str_of(state), str_of(ms), str_of(c->connection), members},
            5, &reply, info);
    }
    rds_free(reply);
    buf_free(&about);
    return e;
}

enum err con_consent_end(struct rds *r, const struct cry_keys *hook, const char *state,
                         struct str code, char connection[LIM_CONN_NAME + 1], char task[37],
                         struct errinfo *info)
{
    struct buf context = BUF_CAP(128), sealed = BUF_CAP((size_t)CODE_MAX * 2);
    struct rds_reply *reply = NULL;
    enum err e = ERR_OK;

    connection[0] = '\0';
    cry_uuid(task);
    buf_printf(&context, "task/consent/%s", state);
    if (code.n > CODE_MAX)
        e = err_set(info, ERR_TOO_BIG, "The code is longer than Xero's are.");
    else if (code.n > 0 && cry_seal(hook, code, buf_str(&context), &sealed) != ERR_OK)
        e = err_set(info, ERR_CRYPTO, "The code cannot be sealed.");
    if (e == ERR_OK)
        e = rds_script(r, "consent",
                       (struct str[]){STR("end"), str_of(state), str_of(task),
                                      code.n > 0 ? buf_str(&sealed) : STR("")},
                       4, &reply, info);
    if (e == ERR_OK && rds_len(reply) == 0)
        e = err_set(info, ERR_NOT_FOUND, "This consent was not begun here, or too long ago.");
    if (e == ERR_OK)
        (void)snprintf(connection, LIM_CONN_NAME + 1, "%.*s", STR_FMT(rds_text(rds_at(reply, 0))));
    if (e != ERR_OK || rds_int(rds_at(reply, 1)) == 0)
        task[0] = '\0';
    rds_free(reply);
    buf_free(&sealed);
    buf_free(&context);
    return e;
}

enum err con_consent_failed(struct rds *r, const char *connection, const char *sentence,
                            struct errinfo *info)
{
    struct str argv[] = {STR("failed"), str_of(connection), str_of(sentence)};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "consent", argv, 3, &reply, info);

    rds_free(reply);
    return e;
}

/* ---- uninstall ---- */

enum err con_uninstall(struct rds *r, const char *connection, const char *who, bool *leased,
                       struct errinfo *info)
{
    bool more = true;
    enum err e = ERR_OK;

    *leased = false;
    while (e == ERR_OK && more) {
        struct rds_reply *reply = NULL;

        e = rds_script(r, "uninstall", (struct str[]){str_of(connection), str_of(who)}, 2, &reply,
                       info);
        more = e == ERR_OK && says(reply, "more");
        *leased = e == ERR_OK && says(reply, "leased");
        if (e == ERR_OK && says(reply, "none"))
            e = none(connection, info);
        rds_free(reply);
    }
    return e;
}
