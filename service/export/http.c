#include "service/export/http.h"

#include <curl/curl.h>

#include "service/base/metrics.h"

/* All header lines of one answer; Xero sends about 2 KB. */
#define HEADERS_MAX (64u << 10)

/* One header line of a request; the longest is a bearer token of about 2 KB. */
#define HEADER_LINE_MAX (16u << 10)

struct http {
    CURL *easy;
    int64_t until_ms;
};

/* What the callbacks of one request share. */
struct exchange {
    struct http_answer *answer;
    struct str body; /* what is still to be sent */
    bool too_big;
};

void http_setup(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        x_die("http", "libcurl cannot be initialised; the process ends.");
}

void http_teardown(void)
{
    curl_global_cleanup();
}

enum err http_new(struct http **out)
{
    struct http *h = x_alloc(sizeof(*h));

    *out = NULL;
    h->easy = curl_easy_init();
    if (!h->easy) {
        x_free(h);
        return ERR_NOMEM;
    }
    *out = h;
    return ERR_OK;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    x_free(h);
}

void http_until(struct http *h, int64_t until_ms)
{
    h->until_ms = until_ms;
}

void http_answer_free(struct http_answer *a)
{
    buf_free(&a->body);
    buf_free(&a->headers);
    *a = (struct http_answer){0};
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;

    buf_add(&x->answer->body, bytes, size * n);
    if (buf_check(&x->answer->body) != ERR_OK) {
        x->too_big = true;
        return 0;
    }
    return size * n;
}

/* Keeps the lines of the last answer only: an interim one (100, 103) begins with a line of its
 * own. The parameters are libcurl's.
 * NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct str line = {bytes, size * n};

    if (str_starts(line, STR("HTTP/")))
        buf_reset(&x->answer->headers);
    buf_add_str(&x->answer->headers, line);
    if (buf_check(&x->answer->headers) != ERR_OK) {
        x->too_big = true;
        return 0;
    }
    return line.n;
}

/* The body is read from here and cannot be read twice: libcurl would else repeat a request by
 * itself on a connection that broke off, and whether to do that is the caller's decision. */
static size_t give_body(char *room, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t take = size * n < x->body.n ? size * n : x->body.n;

    if (take > 0)
        memcpy(room, x->body.p, take);
    x->body.p += take;
    x->body.n -= take;
    return take;
}

/* Anything but 0 breaks the request off. The parameters are libcurl's. */
static int look_at_stop(void *arg, curl_off_t all_in, curl_off_t in, curl_off_t all_out,
                        curl_off_t out)
{
    const _Atomic bool *stop = *(const _Atomic bool *const *)arg;

    (void)all_in;
    (void)in;
    (void)all_out;
    (void)out;
    return *stop;
}

static bool clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

static enum err add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *grown = curl_slist_append(*list, line);

    if (!grown)
        return ERR_NOMEM;
    *list = grown;
    return ERR_OK;
}

static enum err header_list(const struct http_request *req, struct curl_slist **list,
                            struct errinfo *info)
{
    struct buf line = BUF_CAP(HEADER_LINE_MAX);
    /* libcurl 7.88 signs a header that is switched off, which nobody can then verify; and the small
     * bodies of signed requests are sent without asking anyway. */
    enum err e = req->aws_scope ? ERR_OK : add_line(list, "Expect:");

    for (size_t i = 0; i < req->header_count && e == ERR_OK; i++) {
        const struct http_header *h = &req->headers[i];

        if (!clean(h->value)) {
            e = err_set(info, ERR_SYNTAX, "The header %s cannot hold control characters.", h->name);
            break;
        }
        buf_reset(&line);
        buf_printf(&line, "%s: ", h->name);
        buf_add_str(&line, h->value);
        e = buf_check(&line);
        if (e != ERR_OK)
            e = err_set(info, e, "The header %s is too long.", h->name);
        else
            e = add_line(list, buf_z(&line));
    }
    buf_free_secret(&line);
    return e;
}

static void set_options(CURL *c, const struct http_request *req, int64_t total_ms,
                        struct exchange *x, struct curl_slist *list, char *error)
{
    curl_easy_reset(c); /* keeps the connections */
    curl_easy_setopt(c, CURLOPT_URL, req->url);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* also none from the environment */
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "ledgerhook/" LH_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)total_ms);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    if (req->stop) {
        curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, look_at_stop);
        curl_easy_setopt(c, CURLOPT_XFERINFODATA, &req->stop);
    }
    if (req->aws_scope) {
        /* The signature covers the body only if libcurl is given it whole. */
        curl_easy_setopt(c, CURLOPT_AWS_SIGV4, req->aws_scope);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->body.p ? req->body.p : "");
    } else if (req->body.p) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(c, CURLOPT_READDATA, x);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body.n);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
}

/* User and password, for HTTP Basic or for the signature. */
static enum err set_secret(CURL *c, const struct http_request *req, struct errinfo *info)
{
    struct buf secret = BUF_CAP(HEADER_LINE_MAX);
    long how = req->aws_scope ? (long)CURLAUTH_AWS_SIGV4 : (long)CURLAUTH_BASIC;
    enum err e = ERR_OK;

    if (!req->basic_user.p || !req->basic_password.p)
        return ERR_OK;
    buf_add_str(&secret, req->basic_user);
    buf_addc(&secret, '\0');
    buf_add_str(&secret, req->basic_password);
    e = buf_check(&secret);
    if (e != ERR_OK || memchr(req->basic_user.p, '\0', req->basic_user.n) ||
        memchr(req->basic_user.p, ':', req->basic_user.n)) {
        e = err_set(info, ERR_SYNTAX,
                    "The client id or secret cannot be sent: too long, or a colon "
                    "in the id.");
        goto out;
    }
    if (curl_easy_setopt(c, CURLOPT_HTTPAUTH, how) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_USERNAME, secret.p) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_PASSWORD, secret.p + req->basic_user.n + 1) != CURLE_OK)
        e = ERR_NOMEM;
out:
    buf_free_secret(&secret);
    return e;
}

/* What became of a request for which there is no whole answer. */
static enum err judge(CURLcode code, const struct exchange *x, const char *error,
                      struct errinfo *info)
{
    const char *why = *error ? error : curl_easy_strerror(code);

    if (code == CURLE_OUT_OF_MEMORY && !x->answer->sent)
        return err_set(info, ERR_NOMEM, "libcurl is out of memory.");
    if (x->too_big)
        return err_set(info, ERR_TOO_BIG, "The answer is larger than %zu bytes.",
                       x->answer->body.cap);
    if (!x->answer->sent)
        return err_set(info, ERR_UNREACHABLE, "No connection: %s.", why);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(info, ERR_TIMEOUT, "No whole answer in time: %s.", why);
    return err_set(info, ERR_IO, "The connection broke off: %s.", why);
}

/* How long the request may take; 0 or less: there is no time left for it. */
static int64_t time_for(const struct http *h, const struct http_request *req)
{
    int64_t left = h->until_ms - met_now_ns() / 1000000;

    return h->until_ms > 0 && left < req->total_ms ? left : req->total_ms;
}

enum err http_send(struct http *h, const struct http_request *req, struct http_answer *answer,
                   struct errinfo *info)
{
    struct exchange x = {.answer = answer, .body = req->body};
    struct curl_slist *list = NULL;
    char error[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OK;
    long status = 0, bytes = 0;
    int64_t total_ms = time_for(h, req);
    enum err e = ERR_OK;

    *answer =
        (struct http_answer){.body = BUF_CAP(req->max_answer), .headers = BUF_CAP(HEADERS_MAX)};
    if (total_ms <= 0)
        return err_set(info, ERR_TIMEOUT, "There is no time left to ask.");
    e = header_list(req, &list, info);
    if (e != ERR_OK)
        goto out;
    set_options(h->easy, req, total_ms, &x, list, error);
    e = set_secret(h->easy, req, info);
    if (e != ERR_OK)
        goto out;

    code = curl_easy_perform(h->easy);
    if (curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK)
        answer->sent = bytes > 0;
    if (code != CURLE_OK) {
        e = judge(code, &x, error, info);
        goto out;
    }
    if (curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        answer->status = (int)status;
    answer->content_type = http_answer_header(answer, "Content-Type");
out:
    /* Nothing of this request stays in the handle: neither its secrets nor pointers into this
     * frame. */
    curl_easy_reset(h->easy);
    curl_slist_free_all(list);
    return e;
}

struct str http_answer_header(const struct http_answer *a, const char *name)
{
    struct str rest = buf_str(&a->headers), wanted = str_of(name);

    while (rest.p) {
        struct str line = str_split(&rest, '\n'), value = line;
        struct str field = str_split(&value, ':');

        if (value.p && str_eq_nocase(field, wanted))
            return str_trim(value);
    }
    return (struct str){NULL, 0};
}
