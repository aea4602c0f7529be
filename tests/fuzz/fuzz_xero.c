/* Any bytes as Xero's answer: two for status and method, headers, an empty line, a body. */
#include "service/export/xero.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"Invoices", "Contacts", "Payments", "CreditNotes"};
    static const int statuses[] = {200, 400, 401, 403, 404, 429, 500, 302};
    struct http_answer http = {
        .sent = true, .body = BUF_CAP(1u << 20), .headers = BUF_CAP(1u << 20)};
    struct xero_answer a;
    const uint8_t *end = NULL;

    if (n < 2)
        return 0;
    http.status = statuses[data[0] % 8];
    end = memmem(data + 2, n - 2, "\n\n", 2);
    if (end) {
        buf_add(&http.headers, data + 2, (size_t)(end - data - 2));
        buf_add(&http.body, end + 2, (size_t)(data + n - end - 2));
    } else {
        buf_add(&http.body, data + 2, n - 2);
    }
    xero_judge(ERR_OK, "", data[1] & 1, &http, &a);
    for (size_t i = 0; i < 4; i++) {
        struct xero_element *e = NULL;
        size_t count = 0;

        if (xero_elements(&a, names[i], &e, &count, NULL) != ERR_OK)
            continue;
        for (size_t k = 0; k < count; k++) {
            if (e[k].ok == (e[k].message_count > 0))
                __builtin_trap(); /* a refusal without a word, or words without a refusal */
        }
    }
    xero_answer_free(&a);
    return 0;
}
