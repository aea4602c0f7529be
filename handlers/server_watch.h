/*
 * server_watch: ends what holds a thread of one listener without using it: requests past their
 * deadline, connections that send no request, and those that wait behind them. Owns the list of
 * requests in flight and one thread. Knows sockets by their two ends and what the kernel says of
 * them; it knows no HTTP. Any thread may call.
 */
#pragma once

#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* One request from its header to its last byte; lives on the stack of its thread. */
struct wat_flight {
    struct wat_flight *prev, *next;
    int64_t deadline_ms; /* of wat_now_ms; 0 none */
    bool cut;            /* its socket has been shut */
    const char *peer;    /* the client's address as getnameinfo writes it */
    int peer_port;
};

struct wat;

/* Milliseconds of the monotonic clock. */
int64_t wat_now_ms(void);

/* For a listener with THREADS threads whose idle connections are its own for KEEP_ALIVE_MS. */
struct wat *wat_new(int threads, int keep_alive_ms);
/* Begins to watch the connections to PORT of this machine. */
void wat_start(struct wat *w, int port);
/* Ends the thread, if it was started, and frees; nothing may be in flight. NULL is allowed. */
void wat_free(struct wat *w);

/* A thread has taken a connection; has done with it, and is about to close it. */
void wat_connected(struct wat *w);
void wat_disconnected(struct wat *w);

/* PEER is borrowed until the flight ends. The socket stays open until then. */
void wat_begin(struct wat *w, struct wat_flight *f, const char *peer, int peer_port,
               int64_t within_ms);
/* Another deadline, from now; WITHIN_MS 0: none. False if the socket has been shut. */
bool wat_deadline(struct wat *w, struct wat_flight *f, int64_t within_ms) MUST_CHECK;
void wat_end(struct wat *w, struct wat_flight *f);
/* Waits until nothing is in flight, at most until UNTIL_MS. False: something is. */
bool wat_landed(struct wat *w, int64_t until_ms) MUST_CHECK;
