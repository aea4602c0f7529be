/*
 * floor: the least that a safe receiver can do, to compare ours with: civetweb takes the body, its
 * HMAC is compared with the header's, and Redis is given it under the delivery's id. No JSON, no
 * rules, no duplicates, no trail.
 *
 *     floor THREADS REDIS-SOCKET SECRET      prints the port it listens on; ends when stdin does
 */
#include <civetweb.h>
#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BODY (1 << 20)

static const char *redis_path, *secret;
static _Thread_local redisContext *redis;
static _Thread_local char *body;

/* Each thread has a connection and a buffer of its own, as long as the process lives. */
static int ready(void)
{
    if (!body)
        body = malloc(MAX_BODY);
    if (!redis)
        redis = redisConnectUnix(redis_path);
    return body && redis && !redis->err;
}

static int is_signed(const char *signature, size_t n)
{
    unsigned char mac[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned int mac_n = 0;

    if (!signature || !HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)body,
                            n, mac, &mac_n))
        return 0;
    (void)EVP_EncodeBlock(text, mac, (int)mac_n);
    return strcmp((const char *)text, signature) == 0;
}

static int store(const char *id, size_t n)
{
    redisReply *reply = redisCommand(redis, "SET floor:%s %b", id, body, n);
    int ok = reply && reply->type == REDIS_REPLY_STATUS;

    freeReplyObject(reply);
    return ok;
}

static int handle(struct mg_connection *c)
{
    const char *id = mg_get_header(c, "X-Shopify-Webhook-Id");
    long long length = mg_get_request_info(c)->content_length;
    size_t n = 0;
    int status = 503;

    if (length < 0 || length > MAX_BODY || !id)
        return 0;
    if (ready()) {
        while (n < (size_t)length) {
            int got = mg_read(c, body + n, (size_t)length - n);

            if (got <= 0)
                return 1;
            n += (size_t)got;
        }
        status = !is_signed(mg_get_header(c, "X-Shopify-Hmac-Sha256"), n) ? 401
                 : store(id, n)                                           ? 200
                                                                          : 503;
    }
    (void)mg_printf(c,
                    "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n"
                    "Content-Length: 19\r\n\r\n{\"result\":\"queued\"}",
                    status);
    return status;
}

int main(int argc, char **argv)
{
    const struct mg_callbacks callbacks = {.begin_request = handle};
    struct mg_server_port port = {0};
    struct mg_context *server = NULL;
    char end = 0;

    if (argc != 4)
        return 2;
    redis_path = argv[2];
    secret = argv[3];
    const char *options[] = {"listening_ports",
                             "127.0.0.1:0",
                             "num_threads",
                             argv[1],
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "30000",
                             "tcp_nodelay",
                             "1",
                             "listen_backlog",
                             "1024",
                             NULL};

    (void)mg_init_library(0);
    server = mg_start(&callbacks, NULL, options);
    if (!server || mg_get_server_ports(server, 1, &port) < 1)
        return 1;
    (void)printf("%d\n", port.port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        continue;
    mg_stop(server);
    return 0;
}
