/*
 * faster: makes a process live several times faster, for limits of a minute or a day. Loaded with
 * LD_PRELOAD; FASTER="TIMES REALTIME MONOTONIC" gives the factor and the clocks' nanoseconds at
 * which it begins, so that all processes with the same words agree on the time. Clocks are asked by
 * system calls: allocators want the time before a library can be looked up (for which reason
 * Debian's libfaketime does not start Redis).
 */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define A_DATE (SECOND * SECOND) /* a clock beyond this counts from 1970, not from the boot */

static int64_t times, begun[2]; /* of CLOCK_REALTIME, CLOCK_MONOTONIC */

static void read_words(void)
{
    char *text = times ? NULL : getenv("FASTER");

    if (!text)
        return;
    times = strtoll(text, &text, 10);
    begun[0] = strtoll(text, &text, 10);
    begun[1] = strtoll(text, &text, 10);
}

static int64_t from_spec(const struct timespec *t)
{
    return t->tv_sec * SECOND + t->tv_nsec;
}

static struct timespec to_spec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

static int64_t fast(int64_t ns)
{
    int64_t since = begun[ns < A_DATE];

    return times ? since + (ns - since) * times : ns;
}

static int64_t slow(int64_t ns)
{
    int64_t since = begun[ns < A_DATE];

    return times ? since + (ns - since) / times : ns;
}

static int slow_ms(int ms)
{
    read_words();
    return times && ms > 0 ? (int)((ms + times - 1) / times) : ms;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    long failed = syscall(SYS_clock_gettime, clock, t);

    read_words();
    if (!failed && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID)
        *t = to_spec(fast(from_spec(t)));
    return (int)failed;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    struct timespec t = *wanted;

    read_words();
    if (times)
        t = to_spec(from_spec(wanted) / times);
    return (int)syscall(SYS_nanosleep, &t, left);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    return (int)syscall(SYS_poll, fds, n, slow_ms(ms));
}

int epoll_wait(int epoll, struct epoll_event *events, int n, int ms)
{
    return (int)syscall(SYS_epoll_wait, epoll, events, n, slow_ms(ms));
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec t = to_spec(slow(from_spec(until)));

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return real(cond, mutex, &t);
}
