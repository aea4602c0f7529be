#include "handlers/server_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "service/base/buf.h"
#include "service/base/metrics.h"

/* DESIGN. The HTTP library gives each connection a thread from its first moment, closes slow ones
 * late, and tells nobody its sockets' numbers. So every now and then all sockets of the process are
 * looked through for those of our port, and the kernel is asked how long each has been silent. A
 * socket that is shut makes the thread that reads from it return at once.
 *
 * A connection in flight has the deadline of its request. Any other one waits for a request's first
 * byte, or for the rest of its header, or for a thread. While all threads are taken these get much
 * less time, so that connections which send nothing make room for those which do, whether they hold
 * a thread or wait for one; a request that waits for a thread is not kept waiting long either: its
 * sender tries again.
 *
 * Where a kernel does not tell these times they read as 0, and only the library's limits hold. */

/* Milliseconds: until a new connection's first byte, and until the end of its first header. */
#define FIRST_BYTE_MS 2000
#define HEADER_MS 5000

/* The same while all threads are taken. */
#define FIRST_BYTE_PRESSED_MS 250
#define HEADER_PRESSED_MS 1000

/* Until a request that waits for a thread is given up. Longer than the others, so that it gets the
 * place of one of them. */
#define QUEUED_MS 3000

/* How often it looks. */
#define LOOK_MS 500
#define LOOK_PRESSED_MS 100

struct wat {
    int threads, keep_alive_ms, port;
    pthread_t thread;

    pthread_mutex_t lock;  /* all below */
    pthread_cond_t moved;  /* pressed, or the thread shall end */
    pthread_cond_t landed; /* nothing is in flight any more */
    struct wat_flight *flights;
    int in_flight, connections;
    bool started, ended;
};

int64_t wat_now_ms(void)
{
    return met_now_ns() / 1000000;
}

/* Waits on COND; false when AT_MS is reached. */
static bool wait_until(struct wat *w, pthread_cond_t *cond, int64_t at_ms)
{
    struct timespec at = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};

    return pthread_cond_timedwait(cond, &w->lock, &at) != ETIMEDOUT;
}

static bool pressed(const struct wat *w)
{
    return w->connections >= w->threads;
}

/* ---- sockets ---- */

static int port_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)a)->sin_port);
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
    return -1;
}

/* Whether FD is a connection to our port, and from where. */
static bool is_ours(const struct wat *w, int fd, struct sockaddr_storage *peer, socklen_t *peer_n)
{
    struct sockaddr_storage own = {0};
    socklen_t own_n = sizeof own;

    *peer_n = sizeof *peer;
    return getsockname(fd, (struct sockaddr *)&own, &own_n) == 0 && port_of(&own) == w->port &&
           getpeername(fd, (struct sockaddr *)peer, peer_n) == 0;
}

static struct wat_flight *flight_of(const struct wat *w, const struct sockaddr_storage *peer,
                                    socklen_t peer_n)
{
    int port = port_of(peer);
    char host[64];

    for (struct wat_flight *f = w->flights; f; f = f->next) {
        if (f->peer_port == port &&
            getnameinfo((const struct sockaddr *)peer, peer_n, host, sizeof host, NULL, 0,
                        NI_NUMERICHOST) == 0 &&
            strcmp(host, f->peer) == 0)
            return f;
    }
    return NULL;
}

/* Whether a connection that is not in flight has had its time. The kernel counts from the last
 * answer, before the first one from the beginning. */
static bool overstays(const struct wat *w, int fd)
{
    bool hurry = pressed(w);
    struct tcp_info t = {0};
    socklen_t n = sizeof t;
    int64_t waited = 0, silent = 0;
    int unread = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &n) != 0 || ioctl(fd, FIONREAD, &unread) != 0)
        return false;
    waited = t.tcpi_last_data_sent;
    silent = t.tcpi_last_data_recv;
    if (t.tcpi_data_segs_out == 0) {
        if (t.tcpi_bytes_received == 0)
            return waited > (hurry ? FIRST_BYTE_PRESSED_MS : FIRST_BYTE_MS);
        if (unread > 0) /* no thread reads it */
            return waited > QUEUED_MS;
        return waited > (hurry ? HEADER_PRESSED_MS : HEADER_MS);
    }
    if (silent >= waited) /* between two requests */
        return hurry && waited > FIRST_BYTE_PRESSED_MS;
    return waited > w->keep_alive_ms + HEADER_MS || (hurry && silent > HEADER_PRESSED_MS);
}

/* The thread that has FD may close it at any moment, and its number may then be another's: what is
 * looked at again and shut is a duplicate, which stays what it is. */
static void shut_unless_used(const struct wat *w, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_n = 0;
    int own = overstays(w, fd) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (own < 0)
        return;
    if (is_ours(w, own, &peer, &peer_n) && !flight_of(w, &peer, peer_n) && overstays(w, own))
        (void)shutdown(own, SHUT_RDWR);
    (void)close(own);
}

/* To end a flight its thread needs the lock, which is held here, so it cannot close its socket
 * meanwhile. */
static void look_at(const struct wat *w, int fd, int64_t now)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_n = 0;
    struct wat_flight *f = NULL;

    if (!is_ours(w, fd, &peer, &peer_n))
        return;
    f = flight_of(w, &peer, peer_n);
    if (!f) {
        shut_unless_used(w, fd);
    } else if (f->deadline_ms > 0 && f->deadline_ms < now) {
        f->cut = true;
        (void)shutdown(fd, SHUT_RDWR);
    }
}

static void look_at_all(const struct wat *w, int64_t now)
{
    DIR *dir = opendir("/proc/self/fd");

    /* cppcheck-suppress readdirCalled ; safe in glibc: the directory is this thread's own */
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        int64_t fd = 0;

        if (str_int64(str_of(e->d_name), &fd))
            look_at(w, (int)fd, now);
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- the thread ---- */

static bool late(const struct wat *w, int64_t now)
{
    for (const struct wat_flight *f = w->flights; f; f = f->next) {
        if (f->deadline_ms > 0 && f->deadline_ms < now && !f->cut)
            return true;
    }
    return false;
}

static void *watch(void *arg)
{
    struct wat *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->ended) {
        int64_t now = wat_now_ms(), next = now + LOOK_MS;

        if (w->connections > w->in_flight || pressed(w) || late(w, now))
            look_at_all(w, now);
        while (!w->ended && wait_until(w, &w->moved, pressed(w) ? now + LOOK_PRESSED_MS : next))
            continue;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct wat *wat_new(int threads, int keep_alive_ms)
{
    struct wat *w = x_alloc(sizeof *w);
    pthread_condattr_t attr;

    w->threads = threads;
    w->keep_alive_ms = keep_alive_ms;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, &attr);
    pthread_cond_init(&w->landed, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

void wat_start(struct wat *w, int port)
{
    w->port = port;
    if (pthread_create(&w->thread, NULL, watch, w) != 0)
        x_die("thread", "no thread can be made");
    w->started = true;
}

void wat_free(struct wat *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->moved);
    pthread_cond_destroy(&w->landed);
    pthread_mutex_destroy(&w->lock);
    x_free(w);
}

/* ---- what the threads say ---- */

void wat_connected(struct wat *w)
{
    pthread_mutex_lock(&w->lock);
    w->connections++;
    if (w->connections == w->threads)
        pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

void wat_disconnected(struct wat *w)
{
    pthread_mutex_lock(&w->lock);
    w->connections--;
    pthread_mutex_unlock(&w->lock);
}

void wat_begin(struct wat *w, struct wat_flight *f, const char *peer, int peer_port,
               int64_t within_ms)
{
    *f = (struct wat_flight){.peer = peer, .peer_port = peer_port};
    pthread_mutex_lock(&w->lock);
    f->deadline_ms = wat_now_ms() + within_ms;
    f->next = w->flights;
    if (f->next)
        f->next->prev = f;
    w->flights = f;
    w->in_flight++;
    pthread_mutex_unlock(&w->lock);
}

bool wat_deadline(struct wat *w, struct wat_flight *f, int64_t within_ms)
{
    bool open = false;

    pthread_mutex_lock(&w->lock);
    f->deadline_ms = within_ms > 0 ? wat_now_ms() + within_ms : 0;
    open = !f->cut;
    pthread_mutex_unlock(&w->lock);
    return open;
}

void wat_end(struct wat *w, struct wat_flight *f)
{
    pthread_mutex_lock(&w->lock);
    if (f->next)
        f->next->prev = f->prev;
    if (f->prev)
        f->prev->next = f->next;
    else
        w->flights = f->next;
    w->in_flight--;
    if (w->in_flight == 0)
        pthread_cond_broadcast(&w->landed);
    pthread_mutex_unlock(&w->lock);
}

bool wat_landed(struct wat *w, int64_t until_ms)
{
    bool all = false;

    pthread_mutex_lock(&w->lock);
    while (w->in_flight > 0 && wait_until(w, &w->landed, until_ms))
        continue;
    all = w->in_flight == 0;
    pthread_mutex_unlock(&w->lock);
    return all;
}
