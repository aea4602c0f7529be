#include "service/base/process.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/buf.h"

#define HEALTH_S 3

/* Sanitizers need to look into their own process. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

void proc_forbid_dumps(void)
{
#ifndef SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* "[::]:9090" -> "::1", "9090". False if LISTEN has no port. */
static bool split_address(const char *listen, char host[256], const char **port)
{
    const char *colon = strrchr(listen, ':');
    struct str name;

    if (!colon)
        return false;
    name = (struct str){listen, (size_t)(colon - listen)};
    if (name.n > 2 && name.p[0] == '[')
        name = (struct str){name.p + 1, name.n - 2};
    if (str_eq(name, STR("0.0.0.0")) || name.n == 0)
        name = STR("127.0.0.1");
    else if (str_eq(name, STR("::")))
        name = STR("::1");
    (void)snprintf(host, 256, "%.*s", STR_FMT(name));
    *port = colon + 1;
    return true;
}

static bool says_200(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char good[] = "HTTP/1.1 200";
    char head[sizeof(good)] = "";

    return send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
           recv(fd, head, sizeof(good) - 1, MSG_WAITALL) == (ssize_t)sizeof(good) - 1 &&
           strcmp(head, good) == 0;
}

int proc_ask_health(const char *listen)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address = NULL;
    struct timeval patience = {.tv_sec = HEALTH_S};
    const char *port = NULL;
    char host[256];
    bool healthy = false;
    int fd;

    if (!split_address(listen, host, &port) || getaddrinfo(host, port, &hints, &address) != 0)
        return 1;
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        healthy = connect(fd, address->ai_addr, address->ai_addrlen) == 0 && says_200(fd);
        (void)close(fd);
    }
    freeaddrinfo(address);
    return healthy ? 0 : 1;
}
