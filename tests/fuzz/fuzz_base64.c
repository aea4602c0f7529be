/* Any text: what decodes is encoded again to the same text, less the white space around it; a
 * sealed text from outside opens or is refused. */
#include <stdlib.h>

#include "service/base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cry_keys keys = {.id = {"630dcd29", ""}};
    struct str text = {(const char *)data, size};
    struct buf bytes = BUF_CAP(size + 1), again = BUF_CAP(2 * size + 4), secret = BUF_CAP(size + 1);

    if (cry_base64_decode(text, &bytes, NULL) == ERR_OK) {
        cry_base64_encode(buf_str(&bytes), &again);
        if (!str_eq(buf_str(&again), str_trim(text)))
            abort();
    } else if (bytes.n != 0) {
        abort();
    }
    if (cry_open(&keys, text, STR("context"), &secret, NULL) != ERR_OK && secret.n != 0)
        abort();
    buf_free(&bytes);
    buf_free(&again);
    buf_free(&secret);
    return 0;
}
