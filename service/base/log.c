#include "service/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "service/base/limits.h"

/* The longest value; what is cut ends in "...". */
#define VALUE_MAX 1000

/* A line of some twenty values that all need six bytes a byte. */
#define LINE_MAX_BYTES (256u << 10)

/* Set by log_setup before other threads start, only read afterwards. */
static enum log_level lowest = LOG_INFO;
static bool as_json = true;
static const char *program_name = "";

enum { CTX_CONNECTION, CTX_STORE, CTX_ORDER, CTX_TRACE, CTX_COUNT };

static const char *const ctx_names[CTX_COUNT] = {"connection", "store", "order", "trace"};
static _Thread_local char ctx[CTX_COUNT][LIM_ORDER_KEY + 1];

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level level, bool json, const char *program)
{
    lowest = level;
    as_json = json;
    program_name = program ? program : "";
}

bool log_level_parse(struct str s, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (str_eq(s, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_ctx_set(const char *connection, const char *store, const char *order, const char *trace)
{
    const char *const texts[CTX_COUNT] = {connection, store, order, trace};

    for (size_t i = 0; i < CTX_COUNT; i++) {
        struct str s = str_cut(str_of(texts[i]), LIM_ORDER_KEY);

        if (s.n > 0)
            memmove(ctx[i], s.p, s.n);
        ctx[i][s.n] = '\0';
    }
}

void log_ctx_clear(void)
{
    log_ctx_set(NULL, NULL, NULL, NULL);
}

/* True when S can stand in a text line without quotes. */
static bool is_bare(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return s.n > 0;
}

static void add_name(struct buf *line, const char *name)
{
    if (as_json) {
        buf_addc(line, ',');
        buf_add_quoted(line, str_of(name));
        buf_addc(line, ':');
    } else {
        buf_printf(line, " %s=", name);
    }
}

static void add_text(struct buf *line, const char *name, struct str value)
{
    char cut[VALUE_MAX];
    struct str shown = value;

    if (value.n > VALUE_MAX) {
        shown = str_cut(value, VALUE_MAX - 3);
        memcpy(cut, shown.p, shown.n);
        memcpy(cut + shown.n, "...", 3);
        shown = (struct str){cut, shown.n + 3};
    }
    add_name(line, name);
    if (!as_json && is_bare(shown))
        buf_add_str(line, shown);
    else
        buf_add_quoted(line, shown);
}

static void add_field(struct buf *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_K_TEXT:
        add_text(line, field->name, field->text);
        break;
    case LOG_K_INT:
        add_name(line, field->name);
        buf_printf(line, "%" PRId64, field->num);
        break;
    case LOG_K_SECRET:
        add_text(line, field->name, STR("***"));
        break;
    }
}

/* The start of every line: time in UTC, level, event. */
static void add_head(struct buf *line, enum log_level level, const char *event)
{
    struct timespec now = {0};
    struct tm utc = {0};
    char ts[32] = "";

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(ts, sizeof ts, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(line, as_json ? "{\"ts\":\"%s.%03dZ\",\"level\":\"%s\"" : "%s.%03dZ %s", ts,
               (int)(now.tv_nsec / 1000000), level_names[level]);
    if (as_json)
        add_text(line, "event", str_of(event));
    else
        buf_printf(line, " %s", event);
    if (program_name[0] != '\0')
        add_text(line, "program", str_of(program_name));
}

void log_write(enum log_level level, const char *event, const char *message,
               const struct log_field *fields, size_t n)
{
    static const char too_big[] = "{\"level\":\"error\",\"event\":\"log_line_too_big\"}\n";
    struct buf line = BUF_CAP(LINE_MAX_BYTES);
    int saved = errno;
    ssize_t written = 0;

    if (level < lowest)
        return;
    add_head(&line, level, event);
    if (message)
        add_text(&line, "message", str_of(message));
    for (size_t i = 0; i < CTX_COUNT; i++) {
        if (ctx[i][0] != '\0')
            add_text(&line, ctx_names[i], str_of(ctx[i]));
    }
    for (size_t i = 0; i < n; i++)
        add_field(&line, &fields[i]);
    buf_addz(&line, as_json ? "}\n" : "\n");
    if (buf_check(&line) == ERR_OK)
        written = write(STDERR_FILENO, line.p, line.n);
    else
        written = write(STDERR_FILENO, too_big, sizeof too_big - 1);
    (void)written; /* a log that cannot be written has nowhere to say so */
    buf_free(&line);
    errno = saved;
}

bool log_rate_ok(struct log_rate *rate, int64_t every_ms, int64_t *dropped)
{
    struct timespec now = {0};
    int64_t now_ms = 0;
    int64_t last_ms = atomic_load(&rate->last_ms);

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1; /* 0 means "never yet" */
    if ((last_ms == 0 || now_ms - last_ms >= every_ms) &&
        atomic_compare_exchange_strong(&rate->last_ms, &last_ms, now_ms)) {
        *dropped = atomic_exchange(&rate->dropped, 0);
        return true;
    }
    atomic_fetch_add(&rate->dropped, 1);
    return false;
}
