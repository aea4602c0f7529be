#include "service/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUF_FIRST 64
#define ARENA_BLOCK 4096
#define ARENA_ALIGN 16

/* ---- views ---- */

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int str_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_split(struct str *rest, char sep)
{
    struct str head = *rest;
    const char *at = head.n > 0 ? memchr(head.p, sep, head.n) : NULL;

    if (!at) {
        *rest = (struct str){NULL, 0};
        return head;
    }
    head.n = (size_t)(at - head.p);
    rest->p = at + 1;
    rest->n -= head.n + 1;
    return head;
}

bool str_int64(struct str s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t value = 0;

    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';

        if (digit < 0 || digit > 9)
            return false;
        /* Built towards its sign, so that the smallest number is read too. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

size_t str_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned low = 0x80, high = 0xbf; /* what the second byte may be */
    size_t n = 0;

    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
    }
    if (n == 0 || s.n < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

struct str str_cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    s.n = max;
    while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
        s.n--;
    return s;
}

/* ---- growing bytes ---- */

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_free(struct buf *b)
{
    if (!b)
        return;
    free(b->p);
    buf_init(b, b->cap);
}

void buf_free_secret(struct buf *b)
{
    if (b && b->p)
        explicit_bzero(b->p, b->room);
    buf_free(b);
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

/* Room for N more bytes and a NUL. */
static bool grow(struct buf *b, size_t n)
{
    size_t room = b->room;
    char *p = NULL;

    if (b->failed)
        return false;
    if (n > b->cap || b->n > b->cap - n || b->cap == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    if (b->n + n < room)
        return true;
    if (room < BUF_FIRST)
        room = BUF_FIRST;
    while (room <= b->n + n && room <= SIZE_MAX / 2)
        room *= 2;
    if (room > b->cap + 1 || room <= b->n + n)
        room = b->cap + 1;
    p = realloc(b->p, room);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->room = room;
    b->p[b->n] = '\0';
    return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
    return grow(b, n) ? b->p + b->n : NULL;
}

void buf_added(struct buf *b, size_t n)
{
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    char *to = buf_reserve(b, n);

    if (!to)
        return;
    if (n > 0)
        memcpy(to, bytes, n);
    buf_added(b, n);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_addz(struct buf *b, const char *z)
{
    buf_add_str(b, str_of(z));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n = 0;
    char *to = NULL;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    to = buf_reserve(b, (size_t)n);
    if (!to)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buf_added(b, (size_t)n);
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

/* The character at the start of S, which is not plain. Returns how many bytes it took. */
static size_t add_escaped(struct buf *b, struct str s)
{
    static const char names[] = "btn\0fr"; /* \b is 8, \r is 13, there is none for 11 */
    unsigned char c = (unsigned char)s.p[0];
    size_t n = str_utf8(s);

    if (n == 0) {
        buf_addz(b, "\xef\xbf\xbd");
        return 1;
    }
    if (c == '"' || c == '\\')
        buf_add(b, (const char[]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_add(b, (const char[]){'\\', names[c - 8]}, 2);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(b, "\\u%04x", c);
    else
        buf_add(b, s.p, n);
    return n;
}

void buf_add_quoted(struct buf *b, struct str s)
{
    size_t before = b->n;

    buf_addc(b, '"');
    while (s.n > 0 && !b->failed) {
        size_t n = 0;

        while (n < s.n && is_plain(s.p[n]))
            n++;
        buf_add(b, s.p, n);
        if (n < s.n)
            n += add_escaped(b, (struct str){s.p + n, s.n - n});
        s.p += n;
        s.n -= n;
    }
    buf_addc(b, '"');
    if (b->failed && b->p) {
        b->n = before;
        b->p[b->n] = '\0';
    }
}

void buf_add_percent(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~')
            buf_addc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

enum err buf_check(const struct buf *b)
{
    return b->failed ? ERR_TOO_BIG : ERR_OK;
}

/* ---- arena ---- */

struct arena_block {
    struct arena_block *next;
    size_t used, room;
    _Alignas(ARENA_ALIGN) char bytes[];
};

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *block = a->head;
    size_t need = 0, room = ARENA_BLOCK - sizeof *block;
    void *p = NULL;

    if (n > SIZE_MAX / 2)
        x_die("out_of_memory", "An allocation is larger than the address space.");
    need = (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (!block || block->room - block->used < need) {
        room = need > room ? need : room;
        block = x_alloc(sizeof *block + room);
        block->room = room;
        a->total += sizeof *block + room;
        /* A block for one large thing goes behind the head, which still has room for small ones. */
        if (a->head && need == room) {
            block->next = a->head->next;
            a->head->next = block;
        } else {
            block->next = a->head;
            a->head = block;
        }
    }
    p = block->bytes + block->used;
    block->used += need;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes = 0;

    if (__builtin_mul_overflow(n, size, &bytes))
        x_die("out_of_memory", "An array is larger than the address space.");
    return arena_alloc(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    int n = 0;
    char *p = NULL;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        x_die("internal", "A format cannot be printed.");
    p = arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct arena_block *block = a->head;

        a->head = block->next;
        x_free(block);
    }
    a->total = 0;
}

void arena_free_secret(struct arena *a)
{
    for (struct arena_block *block = a ? a->head : NULL; block; block = block->next)
        explicit_bzero(block->bytes, block->used);
    arena_free(a);
}

/* ---- the allocation that may not fail ---- */

void x_die(const char *event, const char *message)
{
    char line[256];
    int n = snprintf(line, sizeof line,
                     "{\"level\":\"error\",\"event\":\"%s\",\"message\":\"%s\"}\n", event, message);
    ssize_t written = write(STDERR_FILENO, line, n > 0 ? strnlen(line, sizeof line) : 0);

    (void)written; /* there is nobody left to tell */
    abort();
}

void *x_alloc(size_t n)
{
    void *p = calloc(1, n > 0 ? n : 1);

    if (!p)
        x_die("out_of_memory", "No memory is left; the process ends.");
    return p;
}

char *x_strdup(const char *z)
{
    size_t n = strlen(z) + 1;

    return memcpy(x_alloc(n), z, n);
}

void x_free(void *p)
{
    free(p);
}
