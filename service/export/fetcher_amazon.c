#include <stdio.h>

#include "service/export/fetcher_parts.h"
#include "service/sync/amazon.h"

static struct aapi_seller seller(const struct reading *w)
{
    return (struct aapi_seller){.id = w->store->id,
                                .region = opt_region_text(w->store->options.region),
                                .refresh_token = buf_str(&w->opens.client_secret)};
}

/* Amazon may have been called more than once: the others are taken from the bucket too, if it has
 * so many. */
static enum read_next judge(struct reading *w, const char *kind, enum err e, int calls,
                            struct read_page *page, const struct errinfo *info)
{
    if (e != ERR_OK) {
        (void)snprintf(w->why, sizeof(w->why), "%s", info->text);
        return READ_REFUSED;
    }
    enum read_next next = ftc_judge(w, kind, &page->answer);
    if (calls > 1 && next == READ_GO) {
        next = ftc_permit(w, kind, calls - 1);
        if (next == READ_STOP && !w->lost) /* what was read is good all the same */
            next = READ_GO;
    }
    return next;
}

static enum read_next one(struct reading *w, struct str id, struct read_page *page)
{
    const struct aapi_seller who = seller(w);
    struct errinfo info = {0};
    enum read_next next = ftc_permit(w, FET_ORDER, 1);
    int calls = 0;

    if (next != READ_GO)
        return next;
    enum err e = aapi_order(w->f->amazon, &who, id, &page->answer, &calls, &info);
    next = judge(w, FET_ORDER, e, calls, page, &info);
    if (next == READ_GO) {
        page->orders = arena_alloc(&page->arena, sizeof(*page->orders));
        page->orders[0] = (struct read_order){.root = page->answer.doc.root,
                                              .body = buf_str(&page->answer.http.body)};
        page->count = 1;
    }
    return next;
}

/* Takes record I of a page out of it, as an order is stored. */
static enum err take_out(const struct amz_body *body, size_t i, struct read_page *page,
                         struct errinfo *info)
{
    struct amz_record record = {0};
    struct buf text = BUF_CAP(LIM_JSON_BYTES);
    enum err e = amz_record(body, i, &record, info);

    if (e == ERR_OK && record.kind != AMZ_ORDER)
        e = err_set(info, ERR_TYPE, "Amazon's list holds something that is no order.");
    if (e == ERR_OK) {
        amz_write_order(&record, &text);
        e = buf_check(&text);
    }
    if (e == ERR_OK) {
        struct read_order *order = &page->orders[page->count];

        order->body = arena_str(&page->arena, buf_str(&text));
        e = js_parse(order->body, LIM_JSON_BYTES, &page->docs[page->count], info);
        order->root = page->docs[page->count].root;
    }
    if (e == ERR_OK)
        page->count++;
    amz_record_free(&record);
    buf_free(&text);
    return e;
}

static enum err open_page(struct reading *w, struct read_page *page, struct errinfo *info)
{
    struct amz_body body = {0};
    enum err e = amz_open(buf_str(&page->answer.http.body), &body, info);

    if (e != ERR_OK)
        return e;
    page->orders = arena_array(&page->arena, body.count + 1, sizeof(*page->orders));
    page->docs = arena_array(&page->arena, body.count + 1, sizeof(*page->docs));
    for (size_t i = 0; i < body.count; i++) {
        struct errinfo why = {0};

        if (take_out(&body, i, page, &why) != ERR_OK) /* which does not stop the others */
            ftc_note(w, "error", "order_unreadable",
                     "An order in Amazon's list cannot be read, and is left out: %s", why.text);
    }
    amz_body_free(&body);
    return e;
}

static enum read_next some(struct reading *w, const struct read_range *range,
                           struct read_page *page)
{
    const struct aapi_search which = {str_of(range->after), str_of(range->before), range->page};
    const struct aapi_seller who = seller(w);
    struct errinfo info = {0};
    enum read_next next = ftc_permit(w, FET_SEARCH, 1);
    int calls = 0;

    if (next != READ_GO)
        return next;
    enum err e = aapi_search(w->f->amazon, &who, &which, &page->answer, &page->next, &calls, &info);
    next = judge(w, FET_SEARCH, e, calls, page, &info);
    if (next == READ_GO && js_len(js_get(page->answer.doc.root, "orders")) > 0 &&
        open_page(w, page, &info) != ERR_OK) {
        (void)snprintf(w->why, sizeof(w->why), "Amazon's list of orders cannot be read: %s",
                       info.text);
        next = READ_REFUSED;
    }
    return next;
}

static enum read_next webhooks(struct reading *w, const struct check *c, struct js_out *out)
{
    (void)w;
    (void)c;
    jw_kz(out, "url", NULL);
    jw_kbool(out, "listed", false);
    jw_kz(out, "message",
          "Amazon sends no webhooks: its notifications are set up at Amazon, and come through a "
          "queue of yours.");
    jw_key(out, "topics");
    jw_begin_array(out);
    jw_end_array(out);
    return READ_GO;
}

const struct shop ftc_amazon = {"amazon", 600, one, some, NULL, webhooks};
