/*
 * redis_fixture: a redis-server of the test's own on a unix socket in a directory of its own, so
 * that tests touch nobody else's and run side by side. Ends with the test's process whatever
 * happens to it. For test files only; one thread.
 */
#pragma once

#include "queue/rds.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct redis_fixture {
    pid_t pid;
    char dir[64], socket[80], url[96];
};

/* Waits for 5 ms: for loops that wait for a condition under a deadline. */
static inline void redis_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* One PING over a connection of its own. */
static inline bool redis_answers(const struct redis_fixture *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char answer[8] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", f->socket);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
              write(fd, "PING\r\n", 6) == 6 && read(fd, answer, 7) == 7 &&
              memcmp(answer, "+PONG", 5) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Starts the server and waits until it answers, at most 20 s. */
static inline void redis_run(struct redis_fixture *f)
{
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(f->dir) != 0)
            _exit(1);
        int log = open("redis.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
            _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", f->socket,
               "--appendonly", "no", "--save", "", (char *)NULL);
        _exit(127);
    }
    for (int naps = 0; !redis_answers(f); naps++) {
        int status = 0;
        if (naps > 4000 || waitpid(f->pid, &status, WNOHANG) == f->pid)
            fail_msg("redis-server did not start: see %s/redis.log", f->dir);
        redis_nap();
    }
}

static inline void redis_start(struct redis_fixture *f)
{
    const char *tmp = getenv("TMPDIR");

    /* A socket's path has 108 bytes; a deep TMPDIR does not fit. */
    snprintf(f->dir, sizeof f->dir, "%s/redis.XXXXXX", tmp && strlen(tmp) < 48 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->socket, sizeof f->socket, "%s/r.sock", f->dir);
    snprintf(f->url, sizeof f->url, "unix://%s", f->socket);
    redis_run(f);
}

static inline void redis_stop(struct redis_fixture *f)
{
    char path[96];

    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    f->pid = 0;
    snprintf(path, sizeof path, "%s/redis.log", f->dir);
    unlink(path);
    unlink(f->socket);
    rmdir(f->dir);
}

/* One command of C strings, ended by NULL, that must succeed. The caller frees the reply. */
static inline struct rds_reply *redis_ask(struct rds *r, ...)
{
    struct str argv[32];
    size_t argc = 0;
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};
    va_list ap;

    va_start(ap, r);
    for (const char *z = va_arg(ap, const char *); z; z = va_arg(ap, const char *)) {
        assert_true(argc < sizeof argv / sizeof *argv);
        argv[argc++] = str_of(z);
    }
    va_end(ap);
    if (rds_call(r, argv, argc, &reply, &info) != ERR_OK)
        fail_msg("%.*s: %s", STR_FMT(argv[0]), info.text);
    return reply;
}
#define redis_ask(r, ...) redis_ask(r, __VA_ARGS__, (const char *)NULL)
/* The same where the reply does not matter. */
#define redis_do(r, ...) rds_free(redis_ask(r, __VA_ARGS__))

/* An integer that a command answers. */
static inline int64_t redis_take_int(struct rds_reply *reply)
{
    int64_t n = rds_int(reply);

    rds_free(reply);
    return n;
}
#define redis_int(r, ...) redis_take_int(redis_ask(r, __VA_ARGS__))

/* Asserts that a command answers the text WANT; NULL: nil. */
static inline void redis_take_text(struct rds_reply *reply, const char *want)
{
    struct str got = rds_text(reply);

    if (!want && rds_type(reply) != RDS_NIL)
        fail_msg("answered %.*s, not nil", STR_FMT(got));
    if (want && !str_eq(got, str_of(want)))
        fail_msg("answered %.*s, not %s", STR_FMT(got), want);
    rds_free(reply);
}
#define redis_says(want, r, ...) redis_take_text(redis_ask(r, __VA_ARGS__), want)
