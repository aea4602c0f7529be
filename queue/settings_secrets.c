#include "queue/settings.h"

#include <string.h>

static const char *const texts[SET_SECRET_COUNT] = {
    "webhook",           "webhook_previous", "webhook_admin", "api_token",        "api_client_id",
    "api_client_secret", "api_key_header",   "api_key",       "api_key_previous", "refresh_token"};

const char *set_secret_text(enum set_secret s)
{
    return (size_t)s < SET_SECRET_COUNT ? texts[s] : "";
}

bool set_secret_of(enum set_secret s, const char *platform)
{
    bool amazon = s == SET_API_KEY_HEADER || s == SET_API_KEY || s == SET_API_KEY_PREVIOUS ||
                  s == SET_REFRESH_TOKEN;

    return amazon == (strcmp(platform, "amazon") == 0);
}

bool set_secret_is_workers(enum set_secret s)
{
    return s == SET_API_TOKEN || s == SET_API_CLIENT_ID || s == SET_API_CLIENT_SECRET ||
           s == SET_REFRESH_TOKEN;
}

bool set_store_reads(const struct set_store *s)
{
    return s->secret_at[SET_API_TOKEN] > 0 || s->secret_at[SET_API_CLIENT_SECRET] > 0 ||
           s->secret_at[SET_REFRESH_TOKEN] > 0;
}
