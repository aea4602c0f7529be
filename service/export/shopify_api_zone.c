#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/export/shopify_api.h"

/* The largest has 4 KB. */
#define ZONE_MAX (64u << 10)

#define HEAD 44
#define NAME_MAX_ZONE 64

/* ---- the file ---- */

struct counts {
    size_t utc, standard, leap, time, type, chars;
};

static int64_t number(const unsigned char *p, size_t bytes)
{
    uint64_t n = p[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return (int64_t)n;
}

static bool read_head(struct str bytes, struct counts *c)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t *const fields[] = {&c->utc, &c->standard, &c->leap, &c->time, &c->type, &c->chars};

    if (bytes.n < HEAD || memcmp(p, "TZif", 4) != 0)
        return false;
    for (size_t i = 0; i < 6; i++) {
        int64_t n = number(p + 20 + 4 * i, 4);

        if (n < 0 || n > ZONE_MAX)
            return false;
        *fields[i] = (size_t)n;
    }
    return true;
}

/* Bytes behind a head, with times of SIZE bytes. */
static size_t block(const struct counts *c, size_t size)
{
    return c->time * (size + 1) + c->type * 6 + c->chars + c->leap * (size + 4) + c->standard +
           c->utc;
}

enum err sapi_zone_read(struct str bytes, struct sapi_zone *out)
{
    struct counts c;
    const unsigned char *p = NULL, *types = NULL;

    *out = (struct sapi_zone){0};
    /* The first block has short times; the second, of newer files, the same in full. */
    if (!read_head(bytes, &c) || bytes.p[4] < '2' || block(&c, 4) > bytes.n - HEAD)
        return ERR_SYNTAX;
    bytes.p += HEAD + block(&c, 4);
    bytes.n -= HEAD + block(&c, 4);
    if (!read_head(bytes, &c) || block(&c, 8) > bytes.n - HEAD || c.type == 0)
        return ERR_SYNTAX;
    p = (const unsigned char *)bytes.p + HEAD;
    types = p + c.time * 9;
    out->at = x_alloc((c.time + 1) * sizeof(*out->at));
    out->offset = x_alloc((c.time + 1) * sizeof(*out->offset));
    out->first = (int32_t)number(types, 4);
    for (size_t i = 0; i < c.time; i++) {
        size_t type = p[c.time * 8 + i];

        if (type >= c.type) {
            sapi_zone_free(out);
            return ERR_SYNTAX;
        }
        out->at[i] = number(p + 8 * i, 8);
        out->offset[i] = (int32_t)number(types + 6 * type, 4);
    }
    out->count = c.time;
    return ERR_OK;
}

void sapi_zone_free(struct sapi_zone *z)
{
    x_free(z->at);
    x_free(z->offset);
    *z = (struct sapi_zone){0};
}

int32_t sapi_zone_offset(const struct sapi_zone *z, int64_t t, int32_t otherwise)
{
    size_t low = 0, high = z->count; /* the first change after T */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (z->at[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    if (z->count > 0 && low == z->count)
        return otherwise;
    return low == 0 ? z->first : z->offset[low - 1];
}

/* ---- where it lies ---- */

/* "Europe/London", "Etc/GMT+1": words with '/' between them, none of them "..". */
static bool is_zone(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '+' || (c == '/' && i > 0)))
            return false;
    }
    return name.n > 0 && name.n <= NAME_MAX_ZONE;
}

enum err sapi_zone_load(const char *folder, struct str name, struct sapi_zone *out)
{
    struct buf path = BUF_CAP(1024), bytes = BUF_CAP(ZONE_MAX);
    char *room = NULL;
    ssize_t got = 1;
    enum err e = ERR_OK;
    int fd = -1;

    *out = (struct sapi_zone){0};
    if (!is_zone(name))
        return ERR_SYNTAX;
    buf_printf(&path, "%s/%.*s", folder, STR_FMT(name));
    fd = buf_check(&path) == ERR_OK ? open(buf_z(&path), O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        e = ERR_NOT_FOUND;
    while (e == ERR_OK && got != 0) {
        room = buf_reserve(&bytes, 4096);
        got = room ? read(fd, room, 4096) : -1;
        if (got > 0)
            buf_added(&bytes, (size_t)got);
        else if (got < 0 && errno != EINTR)
            e = ERR_NOT_FOUND;
    }
    if (fd >= 0)
        (void)close(fd);
    if (e == ERR_OK)
        e = sapi_zone_read(buf_str(&bytes), out);
    buf_free(&path);
    buf_free(&bytes);
    return e;
}
