#include "service/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const sentences[] = {
#define ERR_SENTENCE(name, sentence) sentence,
    ERR_LIST(ERR_SENTENCE)
#undef ERR_SENTENCE
};

_Static_assert(sizeof sentences / sizeof *sentences == ERR_COUNT, "one sentence for each code");

const char *err_text(enum err code)
{
    if ((unsigned)code >= ERR_COUNT)
        return "unknown error";
    return sentences[code];
}

/* Puts TEXT into INFO. WANTED is the length it should have had: when it was cut, "..." replaces its
 * end, at the start of a UTF-8 character. */
static void store(struct errinfo *info, const char *text, int wanted)
{
    size_t room = sizeof info->text;
    size_t n = strlen(text);

    memcpy(info->text, text, n + 1);
    if (wanted >= 0 && (size_t)wanted < room)
        return;
    n = n > room - 4 ? room - 4 : n;
    while (n > 0 && ((unsigned char)info->text[n] & 0xc0) == 0x80)
        n--;
    memcpy(info->text + n, "...", 4);
}

enum err err_vset(struct errinfo *info, enum err code, const char *fmt, va_list ap)
{
    char text[sizeof info->text] = ""; /* apart from INFO: an argument may be INFO's own text */
    int saved = errno;

    if (info) {
        int wanted = vsnprintf(text, sizeof text, fmt, ap);

        store(info, text, wanted);
    }
    errno = saved;
    return code;
}

enum err err_set(struct errinfo *info, enum err code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(info, code, fmt, ap);
    va_end(ap);
    return code;
}

enum err err_prefix(struct errinfo *info, enum err code, const char *fmt, ...)
{
    struct errinfo context = {0};
    va_list ap;

    if (!info)
        return code;
    va_start(ap, fmt);
    err_vset(&context, code, fmt, ap);
    va_end(ap);
    return err_set(info, code, "%s: %s", context.text, info->text);
}
