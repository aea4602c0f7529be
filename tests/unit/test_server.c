#include "handlers/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/json.h"

#define ADMIN "admin-token-admin-token-admin-token"
#define SUPPORT "support-token-support-token-support"

/* ---- the live server: what it serves ---- */

/* Answers with the body, or with the query's "text". */
static void echo(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str text = srv_query(req, "text");

    (void)env;
    res->content_type = "text/plain";
    buf_add_str(&res->body, text.p ? text : req->body);
}

static void who(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    buf_printf(&res->body, "%s %d %.*s", req->who, req->admin, STR_FMT(srv_segment(req, 1)));
}

/* A handler that stays until it is let go. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int inside;
    bool open;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static void stay(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    (void)req;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.moved);
    while (!gate.open)
        pthread_cond_wait(&gate.moved, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
    buf_addz(&res->body, "stayed");
}

static void gate_wait_inside(int n)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < n)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

static const struct srv_route routes[] = {
    {"POST", "/echo", SRV_PUBLIC, 100000, false, echo},
    {"GET", "/echo", SRV_PUBLIC, 0, false, echo},
    {"GET", "/stay", SRV_PUBLIC, 0, false, stay},
    {"GET", "/who/{}", SRV_SUPPORT, 0, false, who},
    {"PUT", "/who/{}", SRV_ADMIN, 0, false, who},
    {NULL, NULL, SRV_PUBLIC, 0, false, NULL},
};

static const struct srv_token tokens[] = {
    {"anna", {ADMIN, sizeof ADMIN - 1}, SRV_ADMIN},
    {"bob", {SUPPORT, sizeof SUPPORT - 1}, SRV_SUPPORT},
};

static struct srv_env env = {.version = "test", .program = "test_server"};

static struct srv *start(int active)
{
    struct srv_listener l = {.name = "test",
                             .listen = "127.0.0.1:0",
                             .threads = 4,
                             .active = active,
                             .keep_alive = true,
                             .routes = routes,
                             .tokens = tokens,
                             .token_count = 2};
    struct errinfo info = {0};
    struct srv *s = NULL;

    if (srv_start(&l, &env, &s, &info) != ERR_OK)
        fail_msg("%s", info.text);
    return s;
}

/* A connection with REQUEST sent; what is read from it within 20 s. */
static int send_to(const struct srv *s, struct str request)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)srv_port(s)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    for (size_t sent = 0; sent < request.n;) {
        ssize_t n = send(fd, request.p + sent, request.n - sent, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    return fd;
}

/* All that comes until the other side closes. */
static void read_all(int fd, struct buf *out)
{
    ssize_t n = 1;

    while (n > 0) {
        char *to = buf_reserve(out, 4096);

        assert_non_null(to);
        n = recv(fd, to, 4096, 0);
        assert_true(n >= 0);
        buf_added(out, (size_t)n);
    }
    (void)close(fd);
}

static struct buf ask(const struct srv *s, const char *request)
{
    struct buf out = BUF_CAP(1 << 20);

    read_all(send_to(s, str_of(request)), &out);
    return out;
}

/* Sends REQUEST and expects STATUS and, unless NULL, PART somewhere in the answer. */
static void expect(const struct srv *s, const char *request, int status, const char *part)
{
    struct buf out = ask(s, request);
    char head[32];

    (void)snprintf(head, sizeof head, "HTTP/1.1 %d ", status);
    if (!str_starts(buf_str(&out), str_of(head)) || (part && !strstr(buf_z(&out), part)))
        fail_msg("%s\n  wanted %d with \"%s\", got\n%s", request, status, part ? part : "",
                 buf_z(&out));
    buf_free(&out);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

/* ---- tests without a socket ---- */

static void a_route_is_found_by_method_and_path(void **state)
{
    static const struct {
        const char *method, *path;
        int row; /* -1 none */
        const char *allow;
    } table[] = {
        {"POST", "/echo", 0, ""},
        {"GET", "/echo", 1, ""},
        {"HEAD", "/echo", 1, ""},
        {"PUT", "/echo", -1, "POST, GET, HEAD"},
        {"GET", "/who/x", 3, ""},
        {"PUT", "/who/x", 4, ""},
        {"DELETE", "/who/x", -1, "GET, HEAD, PUT"},
        {"GET", "/who/", -1, ""},
        {"GET", "/who", -1, ""},
        {"GET", "/who/x/y", -1, ""},
        {"GET", "/ech", -1, ""},
        {"GET", "/echo/", -1, ""},
        {"GET", "echo", -1, ""},
        {"GET", "", -1, ""},
        {"get", "/echo", -1, "POST, GET, HEAD"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf allow = BUF_CAP(100);
        const struct srv_route *r =
            srv_route_find(routes, table[i].method, str_of(table[i].path), &allow);

        assert_int_equal(r ? r - routes : -1, table[i].row);
        assert_string_equal(buf_z(&allow), table[i].allow);
        buf_free(&allow);
    }
}

static void only_the_whole_token_counts(void **state)
{
    (void)state;
    assert_ptr_equal(srv_token_find(tokens, 2, STR(ADMIN)), &tokens[0]);
    assert_ptr_equal(srv_token_find(tokens, 2, STR(SUPPORT)), &tokens[1]);
    assert_null(srv_token_find(tokens, 1, STR(SUPPORT)));
    assert_null(srv_token_find(tokens, 2, STR("")));
    assert_null(srv_token_find(tokens, 2, STR(ADMIN "x")));
    assert_null(srv_token_find(tokens, 2, (struct str){ADMIN, sizeof ADMIN - 2}));
    assert_null(srv_token_find(NULL, 0, STR(ADMIN)));
}

static void escapes_are_undone_or_refused(void **state)
{
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: refused */
    } table[] = {
        {"", false, ""},
        {"abc", false, "abc"},
        {"%41%62", false, "Ab"},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"%2B", true, "+"},
        {"%231042", true, "#1042"},
        {"%C3%A9", false, "\xC3\xA9"},
        {"%e2%82%ac", false, "\xE2\x82\xAC"},
        {"%", false, NULL},
        {"%4", false, NULL},
        {"%4g", false, NULL},
        {"%00", false, NULL},
        {"%0a", false, NULL},
        {"%7f", false, NULL},
        {"%C3", false, NULL},
        {"%ff", false, NULL},
        {"%C0%AF", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf out = BUF_CAP(100);
        bool good = srv_unescape(str_of(table[i].in), table[i].plus, &out);

        assert_int_equal(good, table[i].out != NULL);
        assert_string_equal(buf_z(&out), table[i].out ? table[i].out : "");
        buf_free(&out);
    }
}

static void query_parameters_are_found_by_their_decoded_name(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: absent */
    } table[] = {
        {NULL, "a", NULL},
        {"", "a", NULL},
        {"a=1", "a", "1"},
        {"b=2&a=1", "a", "1"},
        {"a=1&a=2", "a", "1"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a=x=y", "a", "x=y"},
        {"%61=1", "a", "1"},
        {"a=%zz", "a", NULL},
        {"ab=1", "a", NULL},
        {"&&a=1", "a", "1"},
        {"a=q+%26+r", "a", "q & r"},
        {"%zz=1&a=2", "a", "2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct arena arena = {0};
        struct srv_req req = {.query = str_of(table[i].query), .arena = &arena};
        struct str value = srv_query(&req, table[i].name);

        assert_int_equal(value.p != NULL, table[i].value != NULL);
        assert_true(str_eq(value, str_of(table[i].value)));
        arena_free(&arena);
    }
}

static void segments_are_counted_from_0(void **state)
{
    struct srv_req req = {.path = STR("/api/v1//x")};

    (void)state;
    assert_true(str_eq(srv_segment(&req, 0), STR("api")));
    assert_true(str_eq(srv_segment(&req, 1), STR("v1")));
    assert_true(str_eq(srv_segment(&req, 2), STR("")));
    assert_true(str_eq(srv_segment(&req, 3), STR("x")));
    assert_null(srv_segment(&req, 4).p);
    req.path = STR("/");
    assert_true(str_eq(srv_segment(&req, 0), STR("")));
    assert_null(srv_segment(&req, 1).p);
}

static void a_problem_replaces_what_was_answered(void **state)
{
    struct srv_res res = {.body = BUF_CAP(1000)};
    struct js_doc doc = {0};
    struct str detail = {NULL, 0};
    int64_t status = 0;

    (void)state;
    buf_addz(&res.body, "half an answer");
    srv_problem(&res, 409, "Conflict", "It is \"%s\".", "paused");
    assert_int_equal(res.status, 409);
    assert_string_equal(res.content_type, "application/problem+json");
    assert_int_equal(js_parse(buf_str(&res.body), 1000, &doc, NULL), ERR_OK);
    assert_true(js_int64(js_get(doc.root, "status"), &status) && status == 409);
    assert_true(js_string(js_get(doc.root, "detail"), &detail));
    assert_true(str_eq(detail, STR("It is \"paused\".")));
    js_free(&doc);
    buf_free(&res.body);
}

/* ---- tests over a socket ---- */

static void bodies_are_read_by_length_and_in_chunks(void **state)
{
    struct srv *s = start(0);

    (void)state;
    expect(s, "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello", 200,
           "\r\n\r\nhello");
    expect(s,
           "POST /echo HTTP/1.1\r\n" CLOSE
           "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
           200, "\r\n\r\nhello");
    expect(s, "POST /echo HTTP/1.1\r\n" CLOSE "\r\n", 200, "Content-Length: 0");
    expect(s, "GET /echo?text=a%20b HTTP/1.1\r\n" CLOSE "\r\n", 200, "\r\n\r\na b");
    expect(s, "POST /echo HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
           100, "\r\n\r\nhi");
    assert_true(srv_stop(s, 5000));
}

static void a_body_over_its_limit_is_413_however_it_comes(void **state)
{
    struct srv *s = start(0);
    struct buf request = BUF_CAP(1 << 20), out = BUF_CAP(1 << 20);

    (void)state;
    expect(s,
           "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n",
           413, "100000");
    buf_addz(&request,
             "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n186a1\r\n");
    for (int i = 0; i < 100001; i++)
        buf_addc(&request, 'x');
    buf_addz(&request, "\r\n0\r\n\r\n");
    read_all(send_to(s, buf_str(&request)), &out);
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 413 ")));
    buf_free(&request);
    buf_free(&out);
    assert_true(srv_stop(s, 5000));
}

static void what_two_parties_could_read_differently_is_refused(void **state)
{
    static const char *const framings[] = {
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3x\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
    };
    struct srv *s = start(0);

    (void)state;
    for (size_t i = 0; i < sizeof framings / sizeof *framings; i++) {
        char request[300];

        (void)snprintf(request, sizeof request, "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\n",
                       framings[i]);
        expect(s, request, 400, "Connection: close");
    }
    expect(s, "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
           NULL);
    expect(s, "GET /a%00b HTTP/1.1\r\n" CLOSE "\r\n", 400, NULL);
    expect(s, "GET /who%2Fx HTTP/1.1\r\n" CLOSE "\r\n", 400, NULL);
    expect(s, "garbage\r\n\r\n", 400, "problem+json");
    assert_true(srv_stop(s, 5000));
}

static void a_connection_is_used_again_only_when_its_end_is_known(void **state)
{
    static const char two[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
                              "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\ntwo";
    static const char unframed[] = "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n"
                                   "GET /echo?text=smuggled HTTP/1.1\r\n" CLOSE "\r\n";
    struct srv *s = start(0);
    struct buf out = ask(s, two);

    (void)state;
    assert_non_null(strstr(buf_z(&out), "Connection: keep-alive\r\n\r\none"));
    assert_non_null(strstr(buf_z(&out), "Connection: close\r\n\r\ntwo"));
    buf_free(&out);
    out = ask(s, unframed);
    assert_non_null(strstr(buf_z(&out), "Connection: close"));
    assert_null(strstr(buf_z(&out), "smuggled"));
    buf_free(&out);
    env.draining = true;
    expect(s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 200,
           "Connection: close");
    env.draining = false;
    assert_true(srv_stop(s, 5000));
}

static void roles_decide_what_a_token_may(void **state)
{
    struct srv *s = start(0);

    (void)state;
    expect(s, "GET /who/me HTTP/1.1\r\n" CLOSE "\r\n", 401, "WWW-Authenticate: Bearer");
    expect(s, "GET /who/me HTTP/1.1\r\n" CLOSE "Authorization: Bearer nope\r\n\r\n", 401, NULL);
    expect(s, "GET /who/me HTTP/1.1\r\n" CLOSE "Authorization: Basic " SUPPORT "\r\n\r\n", 401,
           NULL);
    expect(s, "GET /who/me HTTP/1.1\r\n" CLOSE "Authorization: Bearer " SUPPORT "\r\n\r\n", 200,
           "bob 0 me");
    expect(s, "GET /who/me HTTP/1.1\r\n" CLOSE "authorization: bearer " ADMIN "\r\n\r\n", 200,
           "anna 1 me");
    expect(s, "PUT /who/me HTTP/1.1\r\n" CLOSE "Authorization: Bearer " SUPPORT "\r\n\r\n", 403,
           "bob");
    expect(s, "PUT /who/me HTTP/1.1\r\n" CLOSE "Authorization: Bearer " ADMIN "\r\n\r\n", 200,
           NULL);
    expect(s, "DELETE /who/me HTTP/1.1\r\n" CLOSE "\r\n", 405, "Allow: GET, HEAD, PUT\r\n");
    expect(s, "GET /nothing HTTP/1.1\r\n" CLOSE "\r\n", 404, "X-Content-Type-Options: nosniff");
    assert_true(srv_stop(s, 5000));
}

static void head_answers_without_the_body(void **state)
{
    struct srv *s = start(0);
    struct buf out = ask(s, "HEAD /echo?text=hello HTTP/1.1\r\n" CLOSE "\r\n");

    (void)state;
    assert_non_null(strstr(buf_z(&out), "Content-Length: 5\r\n"));
    assert_null(strstr(buf_z(&out), "hello"));
    buf_free(&out);
    assert_true(srv_stop(s, 5000));
}

static void too_many_header_lines_are_431(void **state)
{
    struct srv *s = start(0);
    struct buf request = BUF_CAP(10000);

    (void)state;
    buf_addz(&request, "GET /echo HTTP/1.1\r\n");
    for (int i = 0; i < 70; i++)
        buf_printf(&request, "X-%d: y\r\n", i);
    buf_addz(&request, "\r\n");
    expect(s, buf_z(&request), 431, NULL);
    buf_free(&request);
    assert_true(srv_stop(s, 5000));
}

static void who_finds_no_place_in_time_is_asked_to_come_again(void **state)
{
    struct srv *s = start(1);
    struct buf out = BUF_CAP(10000);
    int first = send_to(s, STR("GET /stay HTTP/1.1\r\n" CLOSE "\r\n"));

    (void)state;
    gate_wait_inside(1);
    expect(s, "GET /echo?text=x HTTP/1.1\r\n" CLOSE "\r\n", 503, "Retry-After: 1\r\n");
    gate_set(true);
    read_all(first, &out);
    assert_non_null(strstr(buf_z(&out), "stayed"));
    expect(s, "GET /echo?text=x HTTP/1.1\r\n" CLOSE "\r\n", 200, NULL);
    buf_free(&out);
    gate_set(false);
    assert_true(srv_stop(s, 5000));
}

/* ---- connections that hold a thread, of which there are four ---- */

#define IDLE 60

static int connect_to(const struct srv *s)
{
    return send_to(s, STR(""));
}

/* True once the other side has closed FD; what came before is dropped. */
static bool is_closed(int fd)
{
    char text[512];
    ssize_t n = 1;

    while (n > 0)
        n = recv(fd, text, sizeof text, 0);
    return n == 0 || errno == ECONNRESET;
}

static void connections_that_send_nothing_make_room_for_one_that_does(void **state)
{
    struct srv *s = start(0);
    int idle[IDLE];

    (void)state;
    for (int i = 0; i < IDLE; i++)
        idle[i] = i % 3 ? connect_to(s) : send_to(s, STR("POST /echo HTTP/1.1\r\nContent-Le"));
    expect(s, "GET /echo?text=honest HTTP/1.1\r\n" CLOSE "\r\n", 200, "honest");
    for (int i = 0; i < IDLE; i++) {
        assert_true(is_closed(idle[i]));
        (void)close(idle[i]);
    }
    assert_true(srv_stop(s, 5000));
}

static void silence_ends_a_connection_before_a_slow_header_does(void **state)
{
    struct srv *s = start(0);
    int slow = send_to(s, STR("GET /echo HTTP/1.1\r\nX-Lo")), silent = connect_to(s);
    struct pollfd other = {.fd = slow, .events = POLLIN};

    (void)state;
    assert_true(is_closed(silent));
    assert_int_equal(poll(&other, 1, 0), 0);
    (void)close(silent);
    (void)close(slow);
    assert_true(srv_stop(s, 5000));
}

/* Each byte comes well within any pause that is allowed. */
static void a_header_that_trickles_in_is_cut(void **state)
{
    struct srv *s = start(0);
    int fd = send_to(s, STR("GET /echo HTTP/1.1\r\nX-Long: "));
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    int sent = 0;

    (void)state;
    while (sent < 400 && poll(&answer, 1, 50) == 0 && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
        sent++;
    assert_in_range(sent, 1, 399);
    assert_true(is_closed(fd));
    (void)close(fd);
    assert_true(srv_stop(s, 5000));
}

static void idle_between_two_requests_gives_way_but_a_request_does_not(void **state)
{
    static const char again[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none";
    struct srv *s = start(0);
    struct buf out = BUF_CAP(10000);
    int kept = send_to(s, STR(again)), inside[3];
    char text[512] = "";

    (void)state;
    assert_true(recv(kept, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "Connection: keep-alive"));
    for (int i = 0; i < 3; i++)
        inside[i] = send_to(s, STR("GET /stay HTTP/1.1\r\n" CLOSE "\r\n"));
    gate_wait_inside(3);
    expect(s, "GET /echo?text=x HTTP/1.1\r\n" CLOSE "\r\n", 200, NULL);
    assert_true(is_closed(kept));
    (void)close(kept);
    gate_set(true);
    for (int i = 0; i < 3; i++) {
        buf_reset(&out);
        read_all(inside[i], &out);
        assert_non_null(strstr(buf_z(&out), "stayed"));
    }
    buf_free(&out);
    gate_set(false);
    assert_true(srv_stop(s, 5000));
}

static void a_request_beyond_the_threads_is_not_kept_waiting(void **state)
{
    struct srv *s = start(0);
    struct buf out = BUF_CAP(10000);
    int inside[4], beyond = -1;

    (void)state;
    for (int i = 0; i < 4; i++)
        inside[i] = send_to(s, STR("GET /stay HTTP/1.1\r\n" CLOSE "\r\n"));
    gate_wait_inside(4);
    beyond = send_to(s, STR("GET /echo?text=x HTTP/1.1\r\n" CLOSE "\r\n"));
    assert_true(is_closed(beyond));
    (void)close(beyond);
    gate_set(true);
    for (int i = 0; i < 4; i++)
        read_all(inside[i], &out);
    buf_free(&out);
    gate_set(false);
    assert_true(srv_stop(s, 5000));
}

static void stopping_finishes_what_has_begun_and_refuses_the_rest(void **state)
{
    struct srv *s = start(0);
    struct buf out = BUF_CAP(10000);
    int first = send_to(s, STR("GET /stay HTTP/1.1\r\n" CLOSE "\r\n"));

    (void)state;
    gate_wait_inside(1);
    assert_false(srv_stop(s, 10));
    expect(s, "GET /echo?text=x HTTP/1.1\r\nHost: x\r\n\r\n", 503, "Connection: close");
    gate_set(true);
    read_all(first, &out);
    assert_non_null(strstr(buf_z(&out), "stayed"));
    buf_free(&out);
    gate_set(false);
    assert_true(srv_stop(s, 20000));
}

static void an_address_that_is_taken_is_named(void **state)
{
    struct srv *s = start(0), *other = NULL;
    struct srv_listener l = {.name = "again", .threads = 1, .routes = routes};
    struct errinfo info = {0};
    char listen[40];

    (void)state;
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", srv_port(s));
    l.listen = listen;
    assert_int_equal(srv_start(&l, &env, &other, &info), ERR_CONFIG);
    assert_null(other);
    assert_non_null(strstr(info.text, listen));
    assert_true(srv_stop(s, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_by_method_and_path),
        cmocka_unit_test(only_the_whole_token_counts),
        cmocka_unit_test(escapes_are_undone_or_refused),
        cmocka_unit_test(query_parameters_are_found_by_their_decoded_name),
        cmocka_unit_test(segments_are_counted_from_0),
        cmocka_unit_test(a_problem_replaces_what_was_answered),
        cmocka_unit_test(bodies_are_read_by_length_and_in_chunks),
        cmocka_unit_test(a_body_over_its_limit_is_413_however_it_comes),
        cmocka_unit_test(what_two_parties_could_read_differently_is_refused),
        cmocka_unit_test(a_connection_is_used_again_only_when_its_end_is_known),
        cmocka_unit_test(roles_decide_what_a_token_may),
        cmocka_unit_test(head_answers_without_the_body),
        cmocka_unit_test(too_many_header_lines_are_431),
        cmocka_unit_test(who_finds_no_place_in_time_is_asked_to_come_again),
        cmocka_unit_test(connections_that_send_nothing_make_room_for_one_that_does),
        cmocka_unit_test(silence_ends_a_connection_before_a_slow_header_does),
        cmocka_unit_test(a_header_that_trickles_in_is_cut),
        cmocka_unit_test(idle_between_two_requests_gives_way_but_a_request_does_not),
        cmocka_unit_test(a_request_beyond_the_threads_is_not_kept_waiting),
        cmocka_unit_test(stopping_finishes_what_has_begun_and_refuses_the_rest),
        cmocka_unit_test(an_address_that_is_taken_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
