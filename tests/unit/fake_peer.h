/*
 * fake_peer: a server of the test's own process for the clients' tests. One thread answers the
 * requests of one kept connection after another, by a function or by a list of answers, and keeps
 * what was asked. For test files only.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/buf.h"

#define PEER_REQUESTS 24

struct peer {
    int fd, port;
    char root[64]; /* http://127.0.0.1:<port> */
    /* The whole answer to the N-th request (from 0), into OUT. */
    void (*answer)(void *arg, size_t n, struct str request, struct buf *out);
    void *arg;
    const char *const *answers; /* for peer_listed */
    size_t answer_count;
    struct buf requests[PEER_REQUESTS]; /* read after peer_stop, or after the answer was seen */
    _Atomic size_t count;
    pthread_t thread;
};

/* A whole request: its head, then as many bytes as it says. False at the connection's end. */
static inline bool peer_read(int fd, struct buf *seen)
{
    for (;;) {
        char *room = buf_reserve(seen, 4096);
        ssize_t got = room ? read(fd, room, 4096) : -1;
        const char *end, *length;

        if (got <= 0)
            return false;
        buf_added(seen, (size_t)got);
        end = memmem(seen->p, seen->n, "\r\n\r\n", 4);
        if (!end)
            continue;
        length = memmem(seen->p, seen->n, "Content-Length: ", 16);
        if (seen->n >= (size_t)(end + 4 - seen->p) + (length ? strtoul(length + 16, NULL, 10) : 0))
            return true;
    }
}

static inline void *peer_serve(void *arg)
{
    struct peer *p = arg;

    for (;;) {
        int fd = accept(p->fd, NULL, NULL);

        if (fd < 0)
            return NULL;
        while (p->count < PEER_REQUESTS && peer_read(fd, &p->requests[p->count])) {
            struct buf out = BUF_CAP(16u << 20);
            size_t n = p->count++;
            ssize_t sent = 0;

            p->answer(p->arg, n, buf_str(&p->requests[n]), &out);
            while (sent < (ssize_t)out.n) {
                ssize_t some = write(fd, out.p + sent, out.n - (size_t)sent);

                if (some <= 0)
                    break;
                sent += some;
            }
            buf_free(&out);
        }
        close(fd);
    }
}

/* Answers N of the list: "<status> <headers, each ended by \n>|<body>". */
static inline void peer_listed(void *arg, size_t n, struct str request, struct buf *out)
{
    const struct peer *p = arg;
    struct str rest = str_of(n < p->answer_count ? p->answers[n] : "500 |{}");
    struct str head = str_split(&rest, '|'), lines = head, status = str_split(&lines, ' ');

    (void)request;
    buf_printf(out, "HTTP/1.1 %.*s Said\r\nContent-Length: %zu\r\n", STR_FMT(status), rest.n);
    while (lines.p && lines.n > 0) {
        struct str line = str_split(&lines, '\n');

        buf_printf(out, "%.*s\r\n", STR_FMT(line));
    }
    buf_printf(out, "\r\n%.*s", STR_FMT(rest));
}

static inline void peer_start(struct peer *p,
                              void (*answer)(void *, size_t, struct str, struct buf *), void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);

    *p = (struct peer){.answer = answer, .arg = arg};
    for (size_t i = 0; i < PEER_REQUESTS; i++)
        buf_init(&p->requests[i], 4u << 20);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(p->fd, 8) != 0 ||
        getsockname(p->fd, (struct sockaddr *)&a, &n) != 0)
        abort();
    p->port = ntohs(a.sin_port);
    (void)snprintf(p->root, sizeof(p->root), "http://127.0.0.1:%d", p->port);
    if (pthread_create(&p->thread, NULL, peer_serve, p) != 0)
        abort();
}

static inline void peer_start_listed(struct peer *p, const char *const *answers, size_t n)
{
    peer_start(p, peer_listed, p);
    p->answers = answers;
    p->answer_count = n;
}

/* The client's connections must be closed before. */
static inline void peer_stop(struct peer *p)
{
    shutdown(p->fd, SHUT_RDWR);
    if (pthread_join(p->thread, NULL) != 0)
        abort();
    close(p->fd);
    for (size_t i = 0; i < PEER_REQUESTS; i++)
        buf_free(&p->requests[i]);
}

/* True if request N was made and has TEXT in it. */
static inline bool peer_was_asked(const struct peer *p, size_t n, const char *text)
{
    return n < p->count && memmem(p->requests[n].p, p->requests[n].n, text, strlen(text)) != NULL;
}
