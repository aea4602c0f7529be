/*
 * http: the only file that knows libcurl. One request with deadlines, caps and checked TLS;
 * redirects off; connections are kept and reused. Only hosts that the configuration names are ever
 * given to it. A handle belongs to one thread; http_setup is called once by main.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct http;

struct http_header {
    const char *name;
    struct str value;
};

struct http_request {
    const char *method;
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    struct str body;                       /* {NULL,0} none */
    struct str basic_user, basic_password; /* both set: HTTP Basic */
    /* "aws:amz:<region>:<service>": signed by AWS Signature 4 instead, with basic_user as the key's
     * id and basic_password as its secret. NULL: not signed */
    const char *aws_scope;
    int connect_ms, total_ms;
    size_t max_answer;
    /* Looked at about once a second: true breaks the request off (ERR_IO). NULL: never */
    const _Atomic bool *stop;
};

struct http_answer {
    int status; /* 0: no answer */
    bool sent;  /* the request's bytes may have reached the other side */
    struct buf body;
    struct str content_type; /* in `headers` */
    struct buf headers;      /* raw lines, for http_answer_header */
};

/* Once a process, before other threads start, and at its end. */
void http_setup(void);
void http_teardown(void);
/* A handle with its connections; ERR_NOMEM. http_free accepts NULL. */
enum err http_new(struct http **out) MUST_CHECK;
void http_free(struct http *h);
/* What is sent from now on is over by UNTIL_MS (monotonic), however long a request may take by
 * itself; 0: no such end. */
void http_until(struct http *h, int64_t until_ms);
/* ERR_OK: an answer came, whatever its status. ERR_UNREACHABLE: no connection, nothing was sent;
 * ERR_TIMEOUT: no whole answer in time, or no time left to ask; ERR_IO: broken off; ERR_TOO_BIG: an
 * answer over its cap.
 * After an error `sent` tells whether the outcome is unknown. ANSWER is always to be freed. */
enum err http_send(struct http *h, const struct http_request *req, struct http_answer *answer,
                   struct errinfo *info) MUST_CHECK;
/* Value of an answer header, any case; {NULL,0} if absent. */
struct str http_answer_header(const struct http_answer *a, const char *name);
void http_answer_free(struct http_answer *a);
