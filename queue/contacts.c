#include "queue/contacts.h"

#include <stdio.h>

#include "service/base/limits.h"

#define KEY_MAX (LIM_CONN_NAME + 32)

enum err ctc_get(struct rds *r, const char *connection, const char *mark, struct ctc_contact *out,
                 struct errinfo *info)
{
    char mapped[KEY_MAX], kept[KEY_MAX];
    struct rds_reply *replies[2] = {NULL, NULL};
    struct str id;
    enum err e;

    *out = (struct ctc_contact){0};
    (void)snprintf(mapped, sizeof mapped, RDS_PREFIX "mapped:%s", connection);
    (void)snprintf(kept, sizeof kept, RDS_PREFIX "contacts:%s", connection);
    e = rds_pipeline(
        r,
        (struct rds_command[]){{(struct str[]){STR("HGET"), str_of(mapped), str_of(mark)}, 3},
                               {(struct str[]){STR("HGET"), str_of(kept), str_of(mark)}, 3}},
        2, replies, info);
    if (e != ERR_OK)
        return e;
    id = rds_text(replies[0]);
    out->mapped = id.n > 0;
    if (!out->mapped)
        id = rds_text(replies[1]);
    (void)snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(id));
    rds_free(replies[0]);
    rds_free(replies[1]);
    return ERR_OK;
}

enum err ctc_map(struct rds *r, const char *connection, const char *mark, const char *customer,
                 const char *id, const char *who, struct errinfo *info)
{
    struct str argv[] = {str_of(connection), str_of(mark), str_of(customer), str_of(id),
                         str_of(who)};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "contact_map", argv, sizeof argv / sizeof *argv, &reply, info);
    struct str said = rds_text(rds_at(reply, 0));

    if (e == ERR_OK && str_eq(said, STR("none")))
        e = err_set(info, ERR_NOT_FOUND, "There is no connection %s.", connection);
    else if (e == ERR_OK && str_eq(said, STR("unmapped")))
        e = err_set(info, ERR_NOT_FOUND, "The customer %s is not mapped to a contact.", customer);
    else if (e == ERR_OK && str_eq(said, STR("uninstalled")))
        e = err_set(info, ERR_CONFLICT,
                    "Xero was uninstalled from the connection %s. Set it up again first.",
                    connection);
    rds_free(reply);
    return e;
}
