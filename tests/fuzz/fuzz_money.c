/* Any text: an amount or a rate that is read prints to a text that reads to the same one; rounding
 * and tax of it stay exact or say that they cannot. */
#include <stdlib.h>

#include "service/base/money.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_amount(struct str text)
{
    struct money m = {0}, back = {0}, tax = {0}, net = {0};
    struct rate r = {19000000};

    if (mon_parse(text, "EUR", &m, NULL) != ERR_OK)
        return;
    if (mon_parse(str_of(mon_text(m).z), "EUR", &back, NULL) != ERR_OK || back.units != m.units)
        abort();
    for (int decimals = 0; decimals <= 4; decimals++) {
        if (mon_round(m, decimals, &back) != ERR_OK || mon_tax_on(m, r, decimals, &tax) != ERR_OK ||
            mon_tax_in(m, r, decimals, &tax) != ERR_OK || mon_sub(m, tax, &net) != ERR_OK)
            abort();
        if (llabs(back.units - m.units) > 5000)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct rate r = {0}, back = {0};
    char code[4];

    check_amount(text);
    if (mon_rate_parse(text, &r, NULL) == ERR_OK &&
        (mon_rate_parse(str_of(mon_rate_text(r).z), &back, NULL) != ERR_OK ||
         back.units != r.units))
        abort();
    if (mon_currency(text, code, NULL) == ERR_OK && mon_decimals(code) > 4)
        abort();
    return 0;
}
