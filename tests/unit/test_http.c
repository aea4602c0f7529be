/* http against a server of this process: one thread that plays a script of connections. */
#include "service/export/http.h"

#include "service/base/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define GZIP_HELLO                                                                                 \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00" \
    "\x00\x00"

/* One answer: bytes to write after a whole request came; n 0: close without a word; keep: the
 * connection stays open for the next step. */
struct step {
    const char *bytes;
    size_t n;
    bool keep;
    bool silent; /* neither answer nor close until the other side goes */
};

struct server {
    int fd, port;
    const struct step *steps;
    size_t count;
    _Atomic int requests, connections;
    struct buf seen; /* the last request; read after the thread ended */
    pthread_t thread;
};

#define ANSWER(text, stays)                                                                        \
    {                                                                                              \
        text, sizeof(text) - 1, stays, false                                                       \
    }

/* Reads one request: headers, then as many bytes as Content-Length says. False at the end. */
static bool read_request(int fd, struct buf *seen)
{
    size_t wanted = 0;

    buf_reset(seen);
    for (;;) {
        char *room = buf_reserve(seen, 4096);
        ssize_t got = 0;
        const char *end, *length;

        assert_non_null(room);
        got = read(fd, room, 4096);
        if (got <= 0)
            return false;
        buf_added(seen, (size_t)got);
        end = memmem(seen->p, seen->n, "\r\n\r\n", 4);
        if (!end)
            continue;
        length = memmem(seen->p, seen->n, "Content-Length: ", 16);
        wanted = (size_t)(end + 4 - seen->p) + (length ? strtoul(length + 16, NULL, 10) : 0);
        if (seen->n >= wanted)
            return true;
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = -1;

    for (size_t i = 0; i < s->count; i++) {
        const struct step *step = &s->steps[i];
        char c;

        if (fd < 0) {
            fd = accept(s->fd, NULL, NULL);
            if (fd < 0)
                return NULL;
            s->connections++;
        }
        if (read_request(fd, &s->seen))
            s->requests++;
        if (step->n > 0 && write(fd, step->bytes, step->n) != (ssize_t)step->n)
            break;
        while (step->silent && read(fd, &c, 1) > 0)
            ;
        if (!step->keep) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void start(struct server *s, const struct step *steps, size_t count)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);

    *s = (struct server){.steps = steps, .count = count, .seen = BUF_CAP(1u << 20)};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->fd);
    buf_free(&s->seen);
}

static struct http_request request(const char *method, char url[64], const struct server *s)
{
    (void)snprintf(url, 64, "http://127.0.0.1:%d/path?x=1", s->port);
    return (struct http_request){
        .method = method, .url = url, .connect_ms = 2000, .total_ms = 10000, .max_answer = 1000};
}

static void reads_status_headers_and_body(void **state)
{
    static const struct step steps[] = {
        ANSWER("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nretry-AFTER:  26 \r\n"
               "Content-Length: 2\r\n\r\n{}",
               false)};
    const struct http_header headers[] = {{"Authorization", STR("Bearer t")}};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 1);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("PUT", url, &s);
    req.headers = headers;
    req.header_count = 1;
    req.body = STR("{\"a\":1}");
    assert_int_equal(http_send(h, &req, &a, &info), ERR_OK);
    assert_int_equal(a.status, 201);
    assert_true(a.sent);
    assert_true(str_eq(buf_str(&a.body), STR("{}")));
    assert_true(str_eq(a.content_type, STR("application/json")));
    assert_true(str_eq(http_answer_header(&a, "Retry-After"), STR("26")));
    assert_null(http_answer_header(&a, "X-None").p);
    pthread_join(s.thread, NULL);
    assert_non_null(strstr(buf_z(&s.seen), "PUT /path?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(buf_z(&s.seen), "Authorization: Bearer t\r\n"));
    assert_non_null(strstr(buf_z(&s.seen), "Accept-Encoding: gzip\r\n"));
    assert_non_null(strstr(buf_z(&s.seen), "Content-Length: 7\r\n"));
    assert_non_null(strstr(buf_z(&s.seen), "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(buf_z(&s.seen), "Expect"));
    http_answer_free(&a);
    assert_null(a.body.p);
    http_free(h);
    close(s.fd);
    buf_free(&s.seen);
}

static void unpacks_gzip_and_caps_what_comes_out(void **state)
{
    static const struct step steps[] = {
        ANSWER("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" GZIP_HELLO,
               true),
        ANSWER("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" GZIP_HELLO,
               true)};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 2);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("GET", url, &s);
    assert_int_equal(http_send(h, &req, &a, &info), ERR_OK);
    assert_true(str_eq(buf_str(&a.body), STR("hello")));
    http_answer_free(&a);
    req.max_answer = 4;
    assert_int_equal(http_send(h, &req, &a, &info), ERR_TOO_BIG);
    assert_true(a.sent);
    assert_non_null(strstr(info.text, "4 bytes"));
    http_answer_free(&a);
    assert_int_equal(s.connections, 1); /* and the connection was kept */
    http_free(h);
    stop(&s);
}

static void says_that_nothing_was_sent_when_there_is_no_connection(void **state)
{
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, NULL, 0);
    stop(&s); /* nobody listens on that port now */
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("PUT", url, &s);
    req.body = STR("{}");
    assert_int_equal(http_send(h, &req, &a, &info), ERR_UNREACHABLE);
    assert_false(a.sent);
    assert_int_equal(a.status, 0);
    http_answer_free(&a);
    http_free(h);
}

static void tells_a_broken_connection_from_a_late_answer(void **state)
{
    static const struct step steps[] = {{NULL, 0, false, false}, {NULL, 0, false, true}};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 2);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("PUT", url, &s);
    req.body = STR("{}");
    assert_int_equal(http_send(h, &req, &a, &info), ERR_IO);
    assert_true(a.sent);
    http_answer_free(&a);
    req.total_ms = 200;
    assert_int_equal(http_send(h, &req, &a, &info), ERR_TIMEOUT);
    assert_true(a.sent);
    http_answer_free(&a);
    http_free(h);
    stop(&s);
}

/* However long a request may take: what is asked for after the end, or too shortly before it. */
static void is_over_at_the_end_that_the_handle_was_given(void **state)
{
    static const struct step steps[] = {{NULL, 0, false, true}};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 1);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("PUT", url, &s);
    req.body = STR("{}");
    req.total_ms = 600000;
    http_until(h, met_now_ns() / 1000000 - 1);
    assert_int_equal(http_send(h, &req, &a, &info), ERR_TIMEOUT);
    assert_false(a.sent);
    http_answer_free(&a);
    http_until(h, met_now_ns() / 1000000 + 200);
    assert_int_equal(http_send(h, &req, &a, &info), ERR_TIMEOUT);
    assert_true(a.sent);
    http_answer_free(&a);
    http_free(h);
    stop(&s);
}

/* A kept connection that breaks off after the request must not make libcurl send the body again:
 * that would be a call that nobody gave a permit for. */
static void sends_a_body_once_also_on_a_kept_connection(void **state)
{
    static const struct step steps[] = {
        ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        {NULL, 0, false, false},
        ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true)};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 3);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("PUT", url, &s);
    req.body = STR("{\"payment\":1}");
    assert_int_equal(http_send(h, &req, &a, &info), ERR_OK);
    http_answer_free(&a);
    assert_int_equal(http_send(h, &req, &a, &info), ERR_IO);
    assert_true(a.sent);
    http_answer_free(&a);
    assert_int_equal(s.requests, 2);
    http_free(h);
    stop(&s);
}

static void follows_no_redirect_and_no_proxy(void **state)
{
    static const struct step steps[] = {ANSWER(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false)};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    start(&s, steps, 1);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("GET", url, &s);
    assert_int_equal(http_send(h, &req, &a, &info), ERR_OK);
    assert_int_equal(a.status, 302);
    http_answer_free(&a);
    http_free(h);
    stop(&s);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void sends_basic_credentials_and_no_second_header_line(void **state)
{
    static const struct step steps[] = {
        ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false)};
    const struct http_header smuggled[] = {{"X-A", STR("1\r\nX-B: 2")}};
    struct server s;
    struct http *h = NULL;
    struct http_answer a = {0};
    struct errinfo info = {0};
    struct http_request req;
    char url[64];

    (void)state;
    start(&s, steps, 1);
    assert_int_equal(http_new(&h), ERR_OK);
    req = request("POST", url, &s);
    req.body = STR("grant_type=client_credentials");
    req.headers = smuggled;
    req.header_count = 1;
    assert_int_equal(http_send(h, &req, &a, &info), ERR_SYNTAX);
    assert_false(a.sent);
    http_answer_free(&a);
    req.header_count = 0;
    req.basic_user = STR("id");
    req.basic_password = STR("se:cret");
    assert_int_equal(http_send(h, &req, &a, &info), ERR_OK);
    pthread_join(s.thread, NULL);
    assert_non_null(strstr(buf_z(&s.seen), "Authorization: Basic aWQ6c2U6Y3JldA==\r\n"));
    http_answer_free(&a);
    http_free(h);
    close(s.fd);
    buf_free(&s.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_status_headers_and_body),
        cmocka_unit_test(unpacks_gzip_and_caps_what_comes_out),
        cmocka_unit_test(says_that_nothing_was_sent_when_there_is_no_connection),
        cmocka_unit_test(tells_a_broken_connection_from_a_late_answer),
        cmocka_unit_test(is_over_at_the_end_that_the_handle_was_given),
        cmocka_unit_test(sends_a_body_once_also_on_a_kept_connection),
        cmocka_unit_test(follows_no_redirect_and_no_proxy),
        cmocka_unit_test(sends_basic_credentials_and_no_second_header_line),
    };
    int failed = 0;

    http_setup();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_teardown();
    return failed;
}
