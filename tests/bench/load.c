/*
 * load: sends signed Shopify webhooks over keep-alive connections and measures the answers. Every
 * delivery is an order and a webhook id of its own: the marks of order and customer in the body are
 * replaced by their numbers, and all signatures are made before the clock starts.
 *
 *     load PORT BODY-FILE SECRET SHOP TOPIC FIRST COUNT CONNECTIONS RATE IDLE CYCLE CUSTOMERS
 *
 * FIRST is the first order's number, COUNT how many deliveries there are.
 * RATE 0: closed loop, a connection sends as soon as it has its answer. Else open loop: delivery i
 * is due at i / RATE seconds, and its time counts from there even if no connection was free.
 * IDLE more connections are opened, send nothing, and are opened again when they are closed.
 * CYCLE: order numbers repeat after so many, CUSTOMERS: customers do; 0: never.
 * Prints one line of JSON; times in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* What stands in the body for the numbers of the order and of its customer. */
#define ORDER 7770000000000
#define CUSTOMER 8880000000000
#define MARK_N 13
#define MAX_MARKS 64
#define ANSWER 4096
#define HEAD 512
#define SIGNATURE 45
#define TRIES 3

struct marks {
    size_t at[MAX_MARKS], count;
};

struct conn {
    int fd;
    bool idle;
    int tries;
    int64_t delivery; /* the one under way, -1 none */
    char *out;
    size_t out_n, sent, got;
    char in[ANSWER];
};

/* The whole run. */
static struct {
    struct sockaddr_in address;
    char *body;
    size_t body_n;
    struct marks orders, customers;
    const char *secret, *shop, *topic;
    int64_t first, count, rate, cycle, customer_count, conn_count, idle_count;
    char (*signatures)[SIGNATURE];
    int64_t *took_us; /* of each delivery; 0: no answer */
    struct conn *conns;
    int64_t *free_conns, free_count; /* indices of connections without a delivery */
    int64_t *lost_conns, lost_count; /* of idle ones that were closed */
    int64_t next, answered, ok, queued, broken, retried, begun_us;
    int epoll;
} run;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *need(void *p)
{
    if (!p)
        die("memory");
    return p;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t number(const char *text)
{
    char *end = NULL;
    int64_t n = strtoll(text, &end, 10);

    if (*end || end == text || n < 0)
        die(text);
    return n;
}

/* ---- what is sent ---- */

static void find_marks(int64_t mark, struct marks *out)
{
    char text[MARK_N + 8];

    (void)snprintf(text, sizeof(text), "%" PRId64, mark);
    for (char *p = run.body; (p = strstr(p, text)) && out->count < MAX_MARKS; p += MARK_N)
        out->at[out->count++] = (size_t)(p - run.body);
}

static void read_body(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f)
        die(path);
    run.body = need(malloc(1 << 20));
    run.body_n = fread(run.body, 1, (1 << 20) - 1, f);
    run.body[run.body_n] = '\0';
    (void)fclose(f);
    find_marks(ORDER, &run.orders);
    find_marks(CUSTOMER, &run.customers);
}

static void write_number(const struct marks *marks, int64_t n, char *out)
{
    char text[MARK_N + 8];

    (void)snprintf(text, sizeof(text), "%" PRId64, n);
    for (size_t i = 0; i < marks->count; i++)
        memcpy(out + marks->at[i], text, MARK_N);
}

static void write_body(int64_t delivery, char *out)
{
    int64_t order = run.first + (run.cycle ? delivery % run.cycle : delivery);

    memcpy(out, run.body, run.body_n);
    write_number(&run.orders, ORDER + order, out);
    write_number(&run.customers,
                 CUSTOMER + (run.customer_count ? order % run.customer_count : order), out);
}

static void sign_all(void)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int mac_n = 0;
    char *body = need(malloc(run.body_n));

    run.signatures = need(calloc((size_t)run.count, SIGNATURE));
    run.took_us = need(calloc((size_t)run.count, sizeof(int64_t)));
    for (int64_t i = 0; i < run.count; i++) {
        write_body(i, body);
        HMAC(EVP_sha256(), run.secret, (int)strlen(run.secret), (unsigned char *)body, run.body_n,
             mac, &mac_n);
        EVP_EncodeBlock((unsigned char *)run.signatures[i], mac, (int)mac_n);
    }
    free(body);
}

static void write_request(struct conn *c)
{
    int n = snprintf(
        c->out, HEAD,
        "POST /webhooks/shopify HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n"
        "X-Shopify-Topic: %s\r\nX-Shopify-Shop-Domain: %s\r\n"
        "X-Shopify-Hmac-Sha256: %s\r\nX-Shopify-Webhook-Id: %" PRId64 "-%" PRId64 "\r\n"
        "X-Shopify-Triggered-At: 2026-11-01T10:00:00.000000000Z\r\n\r\n",
        run.body_n, run.topic, run.shop, run.signatures[c->delivery], run.begun_us, c->delivery);

    if (n < 0 || n >= HEAD)
        die("head");
    write_body(c->delivery, c->out + n);
    c->out_n = (size_t)n + run.body_n;
    c->sent = c->got = 0;
}

/* ---- connections ---- */

static void watch(struct conn *c, bool writing)
{
    struct epoll_event e = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

    if (epoll_ctl(run.epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
        die("epoll_ctl");
}

static void open_conn(struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&run.address, sizeof(run.address)) != 0)
        die("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->got = 0;
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("epoll_ctl");
}

static void push(struct conn *c)
{
    ssize_t n = send(c->fd, c->out + c->sent, c->out_n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        c->sent += (size_t)n;
    if (c->sent < c->out_n && (n > 0 || errno == EAGAIN))
        watch(c, true);
    else if (c->sent == c->out_n && n > 0)
        watch(c, false);
}

static void begin(struct conn *c)
{
    c->delivery = run.next++;
    c->tries = 0;
    write_request(c);
    if (run.rate == 0)
        run.took_us[c->delivery] = -now_us();
    else
        run.took_us[c->delivery] = -(run.begun_us + c->delivery * 1000000 / run.rate);
    push(c);
}

static void rest(struct conn *c)
{
    c->delivery = -1;
    run.free_conns[run.free_count++] = c - run.conns;
}

/* The answer is whole when its body has the length that its head names. */
static bool is_whole(struct conn *c)
{
    char *body = NULL, *length = NULL;

    c->in[c->got] = '\0';
    body = strstr(c->in, "\r\n\r\n");
    length = body ? strcasestr(c->in, "\r\nContent-Length:") : NULL;
    if (!length)
        return false;
    return c->got >= (size_t)(body + 4 - c->in) + strtoul(length + 17, NULL, 10);
}

static void end_delivery(struct conn *c, bool whole)
{
    if (whole) {
        run.took_us[c->delivery] += now_us();
        run.ok += strncmp(c->in, "HTTP/1.1 200", 12) == 0;
        run.queued += strstr(c->in, "\"queued\"") != NULL;
    } else {
        run.took_us[c->delivery] = 0;
        run.broken++;
    }
    run.answered++;
    rest(c);
}

static void pull(struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->got, ANSWER - 1 - c->got, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        c->got += (size_t)n;
    if (n > 0 && c->delivery >= 0 && is_whole(c)) {
        bool closes = strcasestr(c->in, "\r\nConnection: close") != NULL;

        end_delivery(c, true);
        if (!closes)
            return;
    } else if (n > 0) {
        return;
    } else if (c->delivery >= 0 && (c->got > 0 || c->tries == TRIES)) {
        end_delivery(c, false);
    }
    (void)close(c->fd);
    if (c->idle) {
        run.lost_conns[run.lost_count++] = c - run.conns;
        return;
    }
    open_conn(c);
    if (c->delivery >= 0) { /* it was closed for being idle just before it was used: once more */
        c->tries++;
        c->sent = 0;
        run.retried++;
        push(c);
    }
}

/* ---- the run ---- */

static void set_up(char **argv)
{
    struct rlimit files = {65536, 65536};
    int64_t all = 0;

    run.address = (struct sockaddr_in){.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)number(argv[1])),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    read_body(argv[2]);
    run.secret = argv[3];
    run.shop = argv[4];
    run.topic = argv[5];
    run.first = number(argv[6]);
    run.count = number(argv[7]);
    run.conn_count = number(argv[8]);
    run.rate = number(argv[9]);
    run.idle_count = number(argv[10]);
    run.cycle = number(argv[11]);
    run.customer_count = number(argv[12]);
    all = run.conn_count + run.idle_count;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    run.epoll = epoll_create1(0);
    run.conns = need(calloc((size_t)all, sizeof(struct conn)));
    run.free_conns = need(calloc((size_t)all, sizeof(int64_t)));
    run.lost_conns = need(calloc((size_t)all, sizeof(int64_t)));
    sign_all();
    for (int64_t i = 0; i < all; i++) {
        struct conn *c = &run.conns[i];

        c->out = need(malloc(HEAD + run.body_n));
        c->delivery = -1;
        c->idle = i >= run.conn_count;
        if (c->idle) {
            run.lost_conns[run.lost_count++] = i;
        } else {
            open_conn(c);
            rest(c);
        }
    }
}

/* Gives free connections what is due, and opens one of the idle ones that were closed: all at once
 * would be a storm of their own. Returns ms until there is more, or -1. */
static int feed(void)
{
    int64_t due = run.count;

    if (run.rate) {
        due = (now_us() - run.begun_us) * run.rate / 1000000 + 1;
        due = due < run.count ? due : run.count;
    }
    while (run.free_count > 0 && run.next < due)
        begin(&run.conns[run.free_conns[--run.free_count]]);
    if (run.lost_count > 0)
        open_conn(&run.conns[run.lost_conns[--run.lost_count]]);
    return run.lost_count > 0 || (run.rate && run.next < run.count) ? 1 : -1;
}

static void work(void)
{
    struct epoll_event events[256];

    run.begun_us = now_us();
    while (run.answered < run.count) {
        int wait = feed(), n = epoll_wait(run.epoll, events, 256, wait);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                push(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                pull(c);
        }
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int64_t end = 0;

    if (argc != 13) {
        (void)fprintf(stderr, "usage: see the head of load.c\n");
        return 2;
    }
    set_up(argv);
    work();
    end = now_us();
    qsort(run.took_us, (size_t)run.count, sizeof(int64_t), by_size);
    (void)printf("{\"count\":%" PRId64 ",\"ok\":%" PRId64 ",\"queued\":%" PRId64
                 ",\"broken\":%" PRId64 ",\"retried\":%" PRId64 ",\"took_us\":%" PRId64
                 ",\"p50_us\":%" PRId64 ",\"p99_us\":%" PRId64 ",\"p999_us\":%" PRId64
                 ",\"max_us\":%" PRId64 "}\n",
                 run.count, run.ok, run.queued, run.broken, run.retried, end - run.begun_us,
                 run.took_us[run.count / 2], run.took_us[run.count * 99 / 100],
                 run.took_us[run.count * 999 / 1000], run.took_us[run.count - 1]);
    return 0;
}
