#include <stdio.h>
#include <time.h>

#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/fetcher_parts.h"

/* An order takes several questions, all of which have to be answered: between two of them a thread
 * waits for the shop's points, which refill in seconds. Before the first one it does not. */
#define POINTS_MS 30000
#define SLICE_MS 100

static void print_points(int64_t n, char out[24])
{
    if (n >= 0)
        (void)snprintf(out, 24, "%lld", (long long)n);
}

void ftc_note_points(struct reading *w, const struct sapi_points *said)
{
    if (said->maximum < 0 && said->available < 0 && said->a_second < 0)
        return;
    w->said.kind = FET_COST;
    print_points(said->a_second, w->said.rate);
    print_points(said->maximum, w->said.burst);
    print_points(said->available, w->said.left);
}

static bool stopping(const struct reading *w)
{
    return w->f->stopping && *w->f->stopping;
}

static int64_t now_ms(void)
{
    return met_now_ns() / 1000000;
}

/* Waits MS, or half a lease, which the next permit extends. False: the worker is to stop. */
static bool wait_for(const struct reading *w, int64_t ms)
{
    int64_t until = now_ms() + (ms < w->f->lease_ms / 2 ? ms : w->f->lease_ms / 2);

    while (now_ms() < until && !stopping(w))
        (void)nanosleep(&(struct timespec){.tv_nsec = SLICE_MS * 1000000L}, NULL);
    return !stopping(w);
}

bool ftc_shopify_permit(void *arg, int64_t cost, const struct sapi_points *said)
{
    struct ftc *f = arg;
    struct reading *w = f->at;
    int64_t until = now_ms() + POINTS_MS;
    enum read_next next = READ_STOP;

    if (w->calls > 0 && stopping(w)) {
        w->wait_ms = 1; /* the order is read by another worker */
        return false;
    }
    if (w->calls > 0)
        ftc_note_points(w, said);
    for (;;) {
        next = ftc_permit(w, FET_COST, cost);
        if (next == READ_GO || w->lost || w->hold_ms > 0 || w->calls == 0)
            break;
        if (now_ms() + w->wait_ms > until || !wait_for(w, w->wait_ms))
            break;
        w->wait_ms = 0;
    }
    w->calls += next == READ_GO;
    return next == READ_GO;
}

static enum read_next judge(struct reading *w, enum err e, struct read_page *page,
                            const struct errinfo *info)
{
    if (e != ERR_OK) {
        (void)snprintf(w->why, sizeof(w->why), "%s", info->text);
        return READ_REFUSED;
    }
    if (w->lost || w->wait_ms > 0 || w->hold_ms > 0) /* there was no permit */
        return READ_STOP;
    enum read_next next = ftc_judge(w, FET_COST, &page->answer);
    ftc_note_points(w, sapi_points(w->f->shopify));
    return next;
}

struct sapi_shop ftc_shopify_shop(const struct reading *w)
{
    return (struct sapi_shop){w->store->id, w->opens.client_id, buf_str(&w->opens.client_secret)};
}

static enum read_next one(struct reading *w, struct str id, struct read_page *page)
{
    const struct sapi_shop shop = ftc_shopify_shop(w);
    struct buf body = BUF_CAP(LIM_JSON_BYTES);
    struct errinfo info = {0};
    enum err e = sapi_order(w->f->shopify, &shop, id, &body, &page->answer, &info);
    enum read_next next = judge(w, e, page, &info);

    if (next == READ_GO) {
        page->orders = arena_array(&page->arena, 1, sizeof(*page->orders));
        page->docs = arena_array(&page->arena, 1, sizeof(*page->docs));
        page->orders[0].body = arena_str(&page->arena, buf_str(&body));
        page->count = 1;
        if (js_parse(page->orders[0].body, LIM_JSON_BYTES, &page->docs[0], &info) == ERR_OK) {
            page->orders[0].root = page->docs[0].root;
        } else {
            (void)snprintf(w->why, sizeof(w->why), "What the shop gave cannot be read: %s",
                           info.text);
            next = READ_REFUSED;
        }
    }
    buf_free(&body);
    return next;
}

static enum read_next some(struct reading *w, const struct read_range *range,
                           struct read_page *page)
{
    const struct sapi_shop shop = ftc_shopify_shop(w);
    struct sapi_page *list = arena_alloc(&page->arena, sizeof(*list));
    struct errinfo info = {0};
    enum err e = sapi_orders(w->f->shopify, &shop, str_of(range->after), str_of(range->before),
                             range->page, list, &page->answer, &info);
    enum read_next next = judge(w, e, page, &info);

    if (next != READ_GO)
        return next;
    page->orders = arena_array(&page->arena, list->count + 1, sizeof(*page->orders));
    for (size_t i = 0; i < list->count; i++) {
        page->orders[i].id = list->orders[i].id;
        memcpy(page->orders[i].stamp, list->orders[i].stamp, sizeof(page->orders[i].stamp));
        (void)snprintf(page->orders[i].created_day, sizeof(page->orders[i].created_day), "%s",
                       list->orders[i].created_day);
    }
    page->count = list->count;
    page->next = list->next;
    return READ_GO;
}

const struct shop ftc_shopify = {"shopify", INT64_C(60) * 86400, one,
                                 some,      ftc_webhooks_look,   ftc_webhooks_check};
