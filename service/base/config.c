#include "service/base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "service/base/crypto.h"
#include "service/base/log.h"

/* A value, in the environment or in a file: larger than any list of tokens or scopes. */
#define VALUE_MAX (64u << 10)

#define TOKEN_MIN 32
#define TOKENS_MAX 32

/* Longer names are not compared with the table's. */
#define COMPARED_MAX 48

#define BOTH (CFG_RECEIVER | CFG_WORKER)

/* How a value is read and checked, and which type of field of struct cfg it goes into. */
enum kind {
    INTEGER,   /* int64_t, within bounds */
    TEXT,      /* const char *, anything */
    ADDRESS,   /* const char *, host:port */
    ROOT_URL,  /* const char *, http(s)://host[:port] */
    REDIS_URL, /* const char * */
    LEVEL,     /* const char *, a log level */
    FORMAT,    /* const char *, json or text */
    OPAQUE,    /* struct str, anything */
    KEY,       /* struct str, 32 bytes in base64 */
    TOKENS     /* struct str, token or name:token,... */
};

struct var {
    const char *name;
    size_t offset;
    enum kind kind;
    int programs; /* who reads it */
    int required; /* who does not start without it */
    bool secret;
    int64_t min, max;
    const char *standard;        /* default; NULL none */
    const char *worker_standard; /* the worker's, where it differs */
    const char *help;
};

#define AT(field) offsetof(struct cfg, field)

#define NUMBER(name, field, programs, min, max, standard, help)                                    \
    {                                                                                              \
        (name), AT(field), INTEGER, (programs), 0, false, (min), (max), (standard), NULL, (help)   \
    }
#define PLAIN(name, field, kind, programs, standard, help)                                         \
    {                                                                                              \
        (name), AT(field), (kind), (programs), 0, false, 0, 0, (standard), NULL, (help)            \
    }
#define SECRET(name, field, kind, programs, required, help)                                        \
    {                                                                                              \
        (name), AT(field), (kind), (programs), (required), true, 0, 0, NULL, NULL, (help)          \
    }

static const struct var vars[] = {
    PLAIN("LH_LISTEN", listen, ADDRESS, CFG_RECEIVER, "0.0.0.0:8080", "Where webhooks arrive."),
    PLAIN("LH_API_LISTEN", api_listen, ADDRESS, CFG_RECEIVER, "0.0.0.0:8081",
          "Where the API and the console answer."),
    PLAIN("LH_OPS_LISTEN", ops_listen, ADDRESS, BOTH, "0.0.0.0:9090",
          "Where health, metrics and scale answer."),
    {"LH_REDIS_URL", AT(redis_url), REDIS_URL, BOTH, 0, true, 0, 0, "redis://127.0.0.1:6379", NULL,
     "redis://[user:password@]host[:port] or unix://path."},
    NUMBER("LH_REDIS_MIN_REPLICAS", redis_min_replicas, BOTH, 0, 0, "0",
           "Replicas that must have a change before it is answered. Not supported yet."),
    NUMBER("LH_REDIS_UNSAFE", redis_unsafe, BOTH, 0, 1, "0",
           "1: run although Redis may lose or evict data."),
    SECRET("LH_HOOK_KEY", hook_key, KEY, BOTH, BOTH,
           "Seals webhook secrets and what admins type in; 32 bytes in base64."),
    SECRET("LH_HOOK_KEY_PREVIOUS", hook_key_previous, KEY, BOTH, 0,
           "The key before, while secrets sealed with it remain."),
    SECRET("LH_MASTER_KEY", master_key, KEY, CFG_WORKER, CFG_WORKER,
           "Seals tokens and client secrets; 32 bytes in base64. The receiver must not have it."),
    SECRET("LH_MASTER_KEY_PREVIOUS", master_key_previous, KEY, CFG_WORKER, 0,
           "The key before, while secrets sealed with it remain."),
    SECRET("LH_ADMIN_TOKEN", admin_token, TOKENS, CFG_RECEIVER, CFG_RECEIVER,
           "Token of 32 or more characters for all of the API; several as name:token,name:token."),
    SECRET("LH_SUPPORT_TOKEN", support_token, TOKENS, CFG_RECEIVER, CFG_RECEIVER,
           "Token for the support team's part of the API; several as name:token,name:token."),
    PLAIN("LH_PUBLIC_URL", public_url, ROOT_URL, BOTH, NULL,
          "https://host under which browsers reach the API, for the consent flow's callback."),
    NUMBER("LH_THREADS", threads, CFG_RECEIVER, 2, 16384, "1400",
           "Connections served at the same time."),
    NUMBER("LH_ACTIVE", active, CFG_RECEIVER, 1, 4096, "128",
           "Requests worked on at the same time."),
    NUMBER("LH_MAX_BODY", max_body, CFG_RECEIVER, 1024, 64 << 20, "8388608",
           "Bytes of the largest webhook body."),
    {"LH_DRAIN", AT(drain_s), INTEGER, BOTH, 0, false, 0, 3600, "25", "60",
     "Seconds to finish what has begun when stopping; the pod's grace period must be longer."},
    PLAIN("LH_XERO_CLIENT_ID", xero_client_id, OPAQUE, BOTH, NULL,
          "Xero app of connections without their own."),
    SECRET("LH_XERO_CLIENT_SECRET", xero_client_secret, OPAQUE, CFG_WORKER, 0,
           "That app's secret."),
    PLAIN("LH_XERO_API_URL", xero_api_url, ROOT_URL, CFG_WORKER, "https://api.xero.com",
          "Root of Xero's API; pointed elsewhere for tests."),
    PLAIN("LH_XERO_IDENTITY_URL", xero_identity_url, ROOT_URL, CFG_WORKER,
          "https://identity.xero.com", "Root of Xero's token service."),
    PLAIN("LH_XERO_LOGIN_URL", xero_login_url, ROOT_URL, BOTH, "https://login.xero.com",
          "Root of Xero's consent page."),
    PLAIN("LH_XERO_SCOPES", xero_scopes, TEXT, BOTH,
          "offline_access accounting.invoices accounting.payments accounting.contacts "
          "accounting.settings.read",
          "Scopes asked for at consent."),
    PLAIN("LH_AMAZON_CLIENT_ID", amazon_client_id, OPAQUE, CFG_WORKER, NULL,
          "Login with Amazon: the app that reads the orders of Amazon's sellers."),
    SECRET("LH_AMAZON_CLIENT_SECRET", amazon_client_secret, OPAQUE, CFG_WORKER, 0,
           "That app's secret."),
    PLAIN(
        "LH_AMAZON_API_URL", amazon_api_url, ROOT_URL, CFG_WORKER, NULL,
        "Root of Amazon's API for all sellers; without it Amazon's own, by each seller's region."),
    PLAIN("LH_AMAZON_LWA_URL", amazon_lwa_url, ROOT_URL, CFG_WORKER, "https://api.amazon.com",
          "Root of Login with Amazon; pointed elsewhere for tests."),
    PLAIN("LH_AMAZON_SQS_URL", amazon_sqs_url, TEXT, CFG_WORKER, NULL,
          "Address of the SQS queue that Amazon's notifications are read from."),
    PLAIN("AWS_REGION", aws_region, TEXT, CFG_WORKER, NULL,
          "Region of that queue, where its address does not say it."),
    PLAIN("AWS_ACCESS_KEY_ID", aws_key_id, OPAQUE, CFG_WORKER, NULL, "Key that may read it."),
    SECRET("AWS_SECRET_ACCESS_KEY", aws_secret, OPAQUE, CFG_WORKER, 0, "That key's secret."),
    SECRET("AWS_SESSION_TOKEN", aws_session_token, OPAQUE, CFG_WORKER, 0,
           "Token of a temporary key."),
    PLAIN("LH_SHOPIFY_API_URL", shopify_api_url, ROOT_URL, CFG_WORKER, NULL,
          "Root of the Admin API for all shops; without it https:// and each shop's own domain."),
    NUMBER("LH_WORKERS", workers, CFG_WORKER, 1, 256, "16", "Threads that export."),
    NUMBER("LH_FETCHERS", fetchers, CFG_WORKER, 0, 64, "2",
           "Threads that read orders from shops; 0: none in this process."),
    NUMBER("LH_RECONCILE", reconcile_s, CFG_WORKER, 0, 86400, "900",
           "Seconds after which a store with a token is asked what has changed; 0: never."),
    NUMBER("LH_LEASE", lease_s, CFG_WORKER, 5, 3600, "120",
           "Seconds an export may take before another worker takes it over."),
    NUMBER("LH_MAX_ATTEMPTS", max_attempts, CFG_WORKER, 1, 100, "8",
           "Attempts after which an order is failed."),
    NUMBER("LH_LINGER_MAX", linger_max_s, CFG_WORKER, 0, 86400, "900",
           "Seconds an order may wait so that a batch fills when calls are scarce."),
    NUMBER("LH_DAY_RESERVE", day_reserve, CFG_WORKER, 0, 90, "5",
           "Percent of Xero's calls a day kept for what people ask for."),
    NUMBER("LH_RETENTION_DAYS", retention_days, BOTH, 1, 3650, "30",
           "Days that snapshots and trails of finished orders are kept."),
    NUMBER("LH_LOG_DAYS", log_days, BOTH, 1, 365, "7", "Days the connection log is kept."),
    PLAIN("LH_LOG_LEVEL", log_level, LEVEL, BOTH, "info", "debug, info, warn or error."),
    PLAIN("LH_LOG_FORMAT", log_format, FORMAT, BOTH, "json", "json or text."),
};

#define VARS (sizeof vars / sizeof *vars)

/* What one load works on. */
struct load {
    enum cfg_program program;
    char *const *env;
    struct cfg *cfg;
    struct buf *problems;
};

/* ---- checks: NULL, or what is wrong with VALUE, to stand behind the variable's name ---- */

static bool all_of(struct str s, const char *chars)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || !strchr(chars, s.p[i]))
            return false;
    }
    return true;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_host(struct str host)
{
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        return all_of((struct str){host.p + 1, host.n - 2}, DIGITS "abcdefABCDEF:.");
    return host.n > 0 && all_of(host, DIGITS LETTERS "-._");
}

static bool is_port(struct str port)
{
    int64_t number = 0;

    return port.n > 0 && all_of(port, DIGITS) && str_int64(port, &number) && number <= 65535;
}

/* Cuts at the last ':' that is not inside brackets; PORT.p is NULL when there is none. */
static struct str cut_port(struct str address, struct str *port)
{
    *port = (struct str){NULL, 0};
    for (size_t i = address.n; i > 0 && address.p[i - 1] != ']'; i--) {
        if (address.p[i - 1] == ':') {
            *port = (struct str){address.p + i, address.n - i};
            address.n = i - 1;
            break;
        }
    }
    return address;
}

static const char *check_address(struct str value)
{
    struct str port = {NULL, 0};
    struct str host = cut_port(value, &port);

    return is_host(host) && is_port(port) ? NULL : "must be host:port";
}

static const char *check_root_url(struct str value)
{
    struct str port = {NULL, 0}, host = value;

    if (str_starts(value, STR("https://")))
        host = (struct str){value.p + 8, value.n - 8};
    else if (str_starts(value, STR("http://")))
        host = (struct str){value.p + 7, value.n - 7};
    else
        host.n = 0;
    host = cut_port(host, &port);
    if (!is_host(host) || (port.p && !is_port(port)))
        return "must be http(s)://host[:port], without a path";
    return NULL;
}

static const char *check_redis_url(struct str value)
{
    static const char *const schemes[] = {"redis://", "unix://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct str scheme = str_of(schemes[i]);

        if (str_starts(value, scheme) && value.n > scheme.n)
            return NULL;
    }
    return "must begin with redis:// or unix://";
}

static const char *check_key(struct str value)
{
    struct buf raw = BUF_CAP(64);
    enum err e = cry_base64_decode(value, &raw, NULL);
    bool good = e == ERR_OK && raw.n == 32;

    buf_free_secret(&raw);
    return good ? NULL : "must be 32 bytes in base64 (openssl rand -base64 32)";
}

static const char *check_tokens(struct str value)
{
    struct str names[TOKENS_MAX];
    size_t n = 0;
    bool several = memchr(value.p, ',', value.n) != NULL;

    for (struct str rest = value; rest.p;) {
        struct str token = str_split(&rest, ','), name = {NULL, 0};

        if (memchr(token.p, ':', token.n))
            name = str_split(&token, ':');
        if (name.p && (name.n == 0 || !all_of(name, DIGITS LETTERS "-._")))
            return "has a name that is not made of letters, digits, '-', '.' and '_'";
        if (several && !name.p)
            return "has several tokens; each needs a name, as in name:token,name:token";
        if (token.n < TOKEN_MIN)
            return "has a token of fewer than 32 characters";
        if (!all_of(token, DIGITS LETTERS "-._~+/="))
            return "has a token with characters that an Authorization header cannot carry";
        for (size_t i = 0; i < n; i++) {
            if (str_eq(names[i], name))
                return "has the same name twice";
        }
        if (n == TOKENS_MAX)
            return "has more than 32 tokens";
        names[n++] = name;
    }
    return NULL;
}

static const char *check_text(const struct var *var, struct str value)
{
    enum log_level level = LOG_INFO;

    switch (var->kind) {
    case ADDRESS:
        return check_address(value);
    case ROOT_URL:
        return check_root_url(value);
    case REDIS_URL:
        return check_redis_url(value);
    case KEY:
        return check_key(value);
    case TOKENS:
        return check_tokens(value);
    case LEVEL:
        return log_level_parse(value, &level) ? NULL : "must be debug, info, warn or error";
    case FORMAT:
        return str_eq(value, STR("json")) || str_eq(value, STR("text")) ? NULL
                                                                        : "must be json or text";
    case INTEGER:
    case TEXT:
    case OPAQUE:
        break;
    }
    return NULL;
}

/* ---- reading ---- */

/* Puts VALUE, which lives in the arena, into VAR's field, or says what is wrong with it. */
static void set(struct load *l, const struct var *var, struct str value)
{
    char *field = (char *)l->cfg + var->offset;
    const char *wrong = NULL;
    int64_t number = 0;

    if (memchr(value.p, '\0', value.n)) {
        buf_printf(l->problems, "%s: holds a NUL byte\n", var->name);
        return;
    }
    if (var->kind == INTEGER) {
        if (!str_int64(value, &number) || number < var->min || number > var->max)
            buf_printf(l->problems, "%s: must be a whole number from %" PRId64 " to %" PRId64 "\n",
                       var->name, var->min, var->max);
        memcpy(field, &number, sizeof number);
        return;
    }
    wrong = check_text(var, value);
    if (wrong)
        buf_printf(l->problems, "%s: %s\n", var->name, wrong);
    if (var->kind == OPAQUE || var->kind == KEY || var->kind == TOKENS)
        memcpy(field, &value, sizeof value);
    else
        memcpy(field, &value.p, sizeof value.p);
}

/* The whole file, less the newline at its end, into the arena; false after telling the problem. */
static bool read_file(struct load *l, const char *name, const char *path, struct str *out)
{
    struct buf text = BUF_CAP(VALUE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *to = buf_reserve(&text, VALUE_MAX + 1);
    ssize_t got = fd >= 0 && to ? 1 : -1;
    bool ok = false;

    while (got > 0 && text.n <= VALUE_MAX) {
        got = read(fd, text.p + text.n, VALUE_MAX + 1 - text.n);
        if (got > 0)
            buf_added(&text, (size_t)got);
    }
    if (got < 0) {
        buf_printf(l->problems, "%s_FILE: %s cannot be read: %s\n", name, path, strerror(errno));
    } else if (text.n > VALUE_MAX) {
        buf_printf(l->problems, "%s_FILE: %s has more than %u bytes\n", name, path, VALUE_MAX);
    } else {
        struct str value = buf_str(&text);

        if (value.n > 0 && value.p[value.n - 1] == '\n')
            value.n--;
        if (value.n > 0 && value.p[value.n - 1] == '\r')
            value.n--;
        *out = arena_str(&l->cfg->arena, value);
        ok = true;
    }
    if (fd >= 0)
        (void)close(fd);
    buf_free_secret(&text);
    return ok;
}

/* The value of NAME (with SUFFIX) in ENV; NULL when it is absent or empty. */
static const char *lookup(char *const *env, const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    for (; *env; env++) {
        if (strncmp(*env, name, n) == 0 && strncmp(*env + n, suffix, m) == 0 &&
            (*env)[n + m] == '=')
            return (*env)[n + m + 1] ? *env + n + m + 1 : NULL;
    }
    return NULL;
}

static const char *standard_of(const struct var *var, enum cfg_program program)
{
    return program == CFG_WORKER && var->worker_standard ? var->worker_standard : var->standard;
}

static void load_var(struct load *l, const struct var *var)
{
    const char *direct = lookup(l->env, var->name, "");
    const char *path = lookup(l->env, var->name, "_FILE");
    struct str value = {NULL, 0};

    if (direct && path) {
        buf_printf(l->problems, "%s: %s_FILE is set too; one of them must go\n", var->name,
                   var->name);
        return;
    }
    if (path) {
        if (!read_file(l, var->name, path, &value))
            return;
    } else {
        direct = direct ? direct : standard_of(var, l->program);
        if (direct && strlen(direct) > VALUE_MAX) {
            buf_printf(l->problems, "%s: has more than %u bytes\n", var->name, VALUE_MAX);
            return;
        }
        value = arena_str(&l->cfg->arena, str_of(direct));
    }
    if (value.n > 0)
        set(l, var, value);
    else if (path)
        buf_printf(l->problems, "%s_FILE: %s is empty\n", var->name, path);
    else if (var->required & l->program)
        buf_printf(l->problems, "%s: is required (or %s_FILE)\n", var->name, var->name);
}

/* ---- names that are not in the table ---- */

/* How many letters must be put in, taken out or changed to make B of A; both under COMPARED_MAX. */
static size_t distance(struct str a, struct str b)
{
    size_t row[COMPARED_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b.n];
}

static struct str without_file(struct str name)
{
    struct str suffix = STR("_FILE");

    if (name.n > suffix.n && str_eq((struct str){name.p + name.n - suffix.n, suffix.n}, suffix))
        name.n -= suffix.n;
    return name;
}

static void check_name(struct load *l, struct str name)
{
    struct str plain = without_file(name);
    const char *nearest = NULL;
    size_t least = 4; /* more than three letters off is another word */

    for (size_t i = 0; i < VARS; i++) {
        struct str known = str_of(vars[i].name);
        size_t d = plain.n < COMPARED_MAX ? distance(plain, known) : least;

        if (str_eq(plain, known))
            return;
        if (d < least) {
            least = d;
            nearest = vars[i].name;
        }
    }
    name = str_cut(name, 100);
    buf_printf(l->problems, "%.*s: is no variable of ledgerhook", STR_FMT(name));
    if (nearest)
        buf_printf(l->problems, "; did you mean %s?", nearest);
    buf_addc(l->problems, '\n');
}

enum err cfg_load(enum cfg_program program, char *const *env, struct cfg *cfg, struct buf *problems)
{
    struct load l = {program, env, cfg, problems};
    size_t before = problems->n;

    *cfg = (struct cfg){0};
    for (char *const *e = env; *e; e++) {
        struct str rest = str_of(*e);
        struct str name = str_split(&rest, '=');

        if (str_starts(name, STR("LH_")))
            check_name(&l, name);
    }
    for (size_t i = 0; i < VARS; i++) {
        if (vars[i].programs & (int)program)
            load_var(&l, &vars[i]);
    }
    if (problems->n == before && buf_check(problems) == ERR_OK)
        return ERR_OK;
    cfg_free(cfg);
    return ERR_CONFIG;
}

/* The arena's copy of a secret; what was read from a file or is a part of a URL included. */
static void wipe(struct cfg *cfg, const struct var *var)
{
    const char *field = (const char *)cfg + var->offset;
    struct str value = {NULL, 0};

    if (var->kind == REDIS_URL) {
        memcpy(&value.p, field, sizeof value.p);
        value = str_of(value.p);
    } else {
        memcpy(&value, field, sizeof value);
    }
    if (value.n > 0)
        cry_wipe((void *)(uintptr_t)value.p, value.n);
}

void cfg_free(struct cfg *cfg)
{
    if (!cfg)
        return;
    for (size_t i = 0; i < VARS; i++) {
        if (vars[i].secret)
            wipe(cfg, &vars[i]);
    }
    arena_free(&cfg->arena);
    *cfg = (struct cfg){0};
}

/* ---- help ---- */

void cfg_help(enum cfg_program program, struct buf *out)
{
    bool worker = program == CFG_WORKER;

    buf_printf(out,
               "Usage: ledgerhook-%s [--help | --check | --version | --health]\n\n%s\n\n"
               "  --help     this text\n"
               "  --check    check the configuration and try Redis; exit 0, or name each fault\n"
               "  --version  the version\n"
               "  --health   GET /healthz on LH_OPS_LISTEN; exit 0 if it answers 200, else 1\n\n"
               "Variables (NAME_FILE reads the value from a file; an unknown LH_ name stops the "
               "start):\n\n",
               worker ? "worker" : "receiver",
               worker ? "Turns accepted orders into Xero documents."
                      : "Accepts order webhooks and answers the API and the console.");
    for (size_t i = 0; i < VARS; i++) {
        const struct var *var = &vars[i];
        const char *standard = standard_of(var, program);

        if (!(var->programs & (int)program))
            continue;
        buf_printf(out, "  %s", var->name);
        if (standard)
            buf_printf(out, " (%s)", standard);
        else
            buf_addz(out, var->required & (int)program ? " (required)" : " (none)");
        buf_printf(out, "\n      %s", var->help);
        if (var->kind == INTEGER)
            buf_printf(out, " From %" PRId64 " to %" PRId64 ".", var->min, var->max);
        buf_addc(out, '\n');
    }
    buf_addz(out,
             "\nExit codes: 0 stopped as asked, 2 bad configuration or a Redis that is refused, "
             "3 Redis out of\nreach at start, 1 anything else.\n");
}
