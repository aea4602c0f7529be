#include "service/sync/catalogue.h"

#include "service/sync/catalogue_parts.h"

/* Longer messages are compared by their beginning. */
#define MESSAGE_MAX 1000

/* ---- reasons ---- */

struct reason {
    const char *code, *sentence, *action;
};

static const struct reason reasons[] = {
#define REASON(id, code, sentence, action) [id] = {code, sentence, action},
    CAT_REASONS(REASON)
#undef REASON
};

static const struct reason *reason_at(enum cat_reason r)
{
    static const struct reason none = {"", "", ""};

    return (unsigned)r < CAT_REASON_COUNT ? &reasons[r] : &none;
}

const char *cat_reason_code(enum cat_reason r)
{
    return reason_at(r)->code;
}

const char *cat_reason_sentence(enum cat_reason r)
{
    return reason_at(r)->sentence;
}

const char *cat_reason_action(enum cat_reason r)
{
    return reason_at(r)->action;
}

enum cat_reason cat_reason_find(struct str code)
{
    int r = 0;

    while (r < CAT_REASON_COUNT && !str_eq(code, str_of(reasons[r].code)))
        r++;
    return (enum cat_reason)r;
}

/* ---- rows ---- */

const char *cat_fix_text(enum cat_fix f)
{
    static const char *const text[] = {
        [CAT_FIX_XERO] = "xero",
        [CAT_FIX_HERE] = "here",
        [CAT_FIX_SHOP] = "shop",
        [CAT_FIX_WAIT] = "wait",
    };

    return (unsigned)f < sizeof(text) / sizeof(text[0]) ? text[f] : "";
}

const char *cat_retry_text(enum cat_retry r)
{
    static const char *const text[] = {
        [CAT_RETRY_NO] = "no",     [CAT_RETRY_NOW] = "now",   [CAT_RETRY_LATER] = "later",
        [CAT_RETRY_HELD] = "held", [CAT_LOOK_UP] = "look_up",
    };

    return (unsigned)r < sizeof(text) / sizeof(text[0]) ? text[r] : "";
}

const struct cat_row *cat_row_at(size_t i)
{
    return i < cat_row_count ? &cat_rows[i] : NULL;
}

const struct cat_row *cat_row_by_id(const char *id)
{
    for (size_t i = 0; id && i < cat_row_count; i++) {
        if (strcmp(cat_rows[i].id, id) == 0)
            return &cat_rows[i];
    }
    return &cat_rows[cat_row_count - 1];
}

const char *cat_setting(const struct cat_row *row)
{
    return row->setting;
}

/* ---- matching ---- */

/* Bytes of the quote or apostrophe at the start of S, or 0. */
static size_t quote_length(struct str s)
{
    static const char *const quotes[] = {
        "'",
        "\"",
        "`",
        "\xc2\xab",
        "\xc2\xbb", /* guillemets */
        "\xc2\xb4", /* acute accent */
        "\xe2\x80\xb9",
        "\xe2\x80\xba", /* single guillemets */
    };

    if (s.n >= 3 && memcmp(s.p, "\xe2\x80", 2) == 0 && (unsigned char)s.p[2] >= 0x98 &&
        (unsigned char)s.p[2] <= 0x9f) /* U+2018 to U+201F: curly quotes of all kinds */
        return 3;
    for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
        if (str_starts(s, str_of(quotes[i])))
            return strlen(quotes[i]);
    }
    return 0;
}

/* Bytes of the white space at the start of S, or 0. */
static size_t space_length(struct str s)
{
    if (str_starts(s, STR("\xc2\xa0"))) /* no-break space */
        return 2;
    return s.n > 0 && ((unsigned char)s.p[0] <= ' ' || s.p[0] == 0x7f) ? 1 : 0;
}

/* Lower case, no quotes, single spaces, no "* " in front, no full stop behind. */
static struct str normalise(struct str s, char out[MESSAGE_MAX])
{
    size_t n = 0;

    while (s.n > 0 && n < MESSAGE_MAX) {
        size_t quote = quote_length(s), space = space_length(s);
        size_t length = quote + space > 0 ? quote + space : 1;

        if (space > 0 && n == 1 && out[0] == '*')
            n = 0;
        else if (space > 0 && n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
        else if (length == 1 && quote + space == 0)
            out[n++] = (char)(s.p[0] >= 'A' && s.p[0] <= 'Z' ? s.p[0] - 'A' + 'a' : s.p[0]);
        s.p += length;
        s.n -= length;
    }
    while (n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '))
        n--;
    return (struct str){out, n};
}

/* True if TEXT is PATTERN, in which '*' stands for any text. A star takes as little as it can; when
 * what follows does not fit, only the last star has to take more. */
static bool fits(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

const struct cat_row *cat_match(struct str message)
{
    char normal[MESSAGE_MAX];
    struct str text = normalise(message, normal);

    for (size_t i = 0; i < cat_row_count; i++) {
        struct str rest = str_of(cat_rows[i].pattern);

        while (rest.p) {
            if (fits(str_split(&rest, '|'), text))
                return &cat_rows[i];
        }
    }
    return &cat_rows[cat_row_count - 1];
}

bool cat_next(struct str *joined, struct str *message)
{
    while (joined->p && joined->n > 0) {
        size_t n = 0;

        while (n < joined->n && joined->p[n] != '\n' &&
               !(joined->p[n] == ';' && (n + 1 == joined->n || joined->p[n + 1] == ' ')))
            n++;
        *message = str_trim((struct str){joined->p, n});
        joined->p += n < joined->n ? n + 1 : n;
        joined->n -= n < joined->n ? n + 1 : n;
        if (message->n > 0)
            return true;
    }
    return false;
}
