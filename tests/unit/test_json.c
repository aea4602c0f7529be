#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/json.h"
#include "service/base/limits.h"

/* Parses a literal that must be good. */
static struct js_doc parse(struct str text)
{
    struct js_doc doc = {0};
    struct errinfo info = {0};

    if (js_parse(text, LIM_JSON_BYTES, &doc, &info) != ERR_OK)
        fail_msg("%s", info.text);
    return doc;
}

#define PARSE(text) parse(STR(text))

/* TEXT read and written again. */
static void assert_written(struct str text, const char *wanted)
{
    struct js_doc doc = parse(text);
    struct buf out = BUF_CAP(4096);
    struct js_out w;

    jw_init(&w, &out);
    jw_value(&w, doc.root);
    assert_int_equal(buf_check(&out), ERR_OK);
    assert_string_equal(buf_z(&out), wanted);
    buf_free(&out);
    js_free(&doc);
}

static const struct str bad[] = {
    STR_INIT(""),
    STR_INIT("  "),
    STR_INIT("NaN"),
    STR_INIT("[Infinity]"),
    STR_INIT("-Infinity"),
    STR_INIT("nul"),
    STR_INIT("nulll"),
    STR_INIT("True"),
    STR_INIT("01"),
    STR_INIT("-"),
    STR_INIT("[-]"),
    STR_INIT("1."),
    STR_INIT(".5"),
    STR_INIT("1e"),
    STR_INIT("1e+"),
    STR_INIT("+1"),
    STR_INIT("--1"),
    STR_INIT("1-2"),
    STR_INIT("0x1"),
    STR_INIT("1 2"),
    STR_INIT("[1,]"),
    STR_INIT("[,1]"),
    STR_INIT("[1 2]"),
    STR_INIT("["),
    STR_INIT("]"),
    STR_INIT("{\"a\":1,}"),
    STR_INIT("{\"a\"}"),
    STR_INIT("{a:1}"),
    STR_INIT("{1:2}"),
    STR_INIT("{'a':1}"),
    STR_INIT("/**/1"),
    STR_INIT("1 //"),
    STR_INIT("\"a\tb\""),
    STR_INIT("\"a"),
    STR_INIT("\"\\x\""),
    STR_INIT("\"\\u12\""),
    STR_INIT("\"\\"),
    STR_INIT("{\"a\":1}x"),
    STR_INIT("{}{}"),
    STR_INIT("1\0"),
    STR_INIT("\"\xff\""),
    STR_INIT("\"\xc0\x80\""),
    STR_INIT("\"\xc3\""),
    STR_INIT("\"\xed\xa0\x80\""),
    STR_INIT("{\"a"),
    STR_INIT("\xef\xbb\xbf{}"),
    STR_INIT("\"a\0b\""),
    STR_INIT("\"\xf4\x90\x80\x80\""),
    STR_INIT("[1,,2]"),
    STR_INIT("[1:2]"),
    STR_INIT("[1}"),
    STR_INIT("{\"a\":1]"),
    STR_INIT("[1]]"),
    STR_INIT("{,\"a\":1}"),
    STR_INIT("{\"a\":}"),
    STR_INIT("{\"a\" 1}"),
    STR_INIT("{\"a\"::1}"),
    STR_INIT("{\"a\":1 \"b\":2}"),
    STR_INIT("{\"a\",1}"),
    STR_INIT("{\"a\":1,,\"b\":2}"),
    STR_INIT("{null:1}"),
    STR_INIT("{\"a\":1}}"),
    STR_INIT("-01"),
    STR_INIT("-.5"),
    STR_INIT("1.e1"),
    STR_INIT("1e1.5"),
    STR_INIT("1eE2"),
    STR_INIT("1 000"),
    STR_INIT("-Inf"),
    STR_INIT("fals"),
    STR_INIT("truetrue"),
    STR_INIT("true\0"),
    STR_INIT("\x0b"
             "1"),
    STR_INIT("\xc2\xa0"
             "1"),
    STR_INIT("[1\x0c]"),
    STR_INIT("\xff\xfe[\0]\0"),
    STR_INIT("\"\\U0041\""),
    STR_INIT("\"\\u00g0\""),
    STR_INIT("\"\\ud800\\\""),
    STR_INIT("\"\\ud800\\u12\""),
    STR_INIT("\"\\a\""),
    STR_INIT("\"\\\n\""),
    STR_INIT("\"\\\xc3\xa9\""),
    STR_INIT("\\u0022a\""),
    STR_INIT("\"\xe0\x80\xaf\""),
    STR_INIT("\"\xf0\x80\x80\xaf\""),
    STR_INIT("\"\xf8\x88\x80\x80\x80\""),
    STR_INIT("\"\xbf\""),
    STR_INIT("{\"\xff\":1}"),
    STR_INIT("\"\xf0\x9f\x98\""),
};

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct js_doc doc = {0};
        struct errinfo info = {0};

        if (js_parse(bad[i], LIM_JSON_BYTES, &doc, &info) != ERR_SYNTAX)
            fail_msg("row %zu was not refused as malformed: %.*s", i, STR_FMT(bad[i]));
        assert_null(doc.root);
        assert_true(info.text[0] != '\0');
    }
}

static void a_text_that_was_cut_off_is_refused(void **state)
{
    const struct str whole = STR(
        "{\"a\\u00e9\":[1,\"b\\ud83d\\ude00\xe2\x82\xac\",true,[],false],\"c\":{\"d\":-1.5e+3}}");
    struct js_doc doc = parse(whole);

    (void)state;
    js_free(&doc);
    for (size_t n = 0; n < whole.n; n++)
        assert_int_equal(js_parse((struct str){whole.p, n}, whole.n, &doc, NULL), ERR_SYNTAX);
}

static void what_is_read_is_written_again_with_its_numbers_as_they_were(void **state)
{
    (void)state;
    assert_written(STR(" { \"b\" : [ 1 , 2.50, -0.0, 1E+2, 1e400, null, true, false ] } "),
                   "{\"b\":[1,2.50,-0.0,1E+2,1e400,null,true,false]}");
    assert_written(STR("[{},[],\"\",{\"\":0}]"), "[{},[],\"\",{\"\":0}]");
    assert_written(STR("\"\\u00e9\\ud83d\\ude00\\/\\\"\\\\\\n\\u0001\""),
                   "\"\xc3\xa9\xf0\x9f\x98\x80/\\\"\\\\\\n\\u0001\"");
    assert_written(STR("\"a\\u0000b\""), "\"a\\u0000b\"");
    assert_written(STR("12"), "12");
    assert_written(STR("-0"), "-0");
    assert_written(STR("[0e1,1E-2,-1.0e+00]\r\n\t "), "[0e1,1E-2,-1.0e+00]");
    assert_written(STR("\"\\uDBFF\\uDFFF\\ud800\\ud800\\udc00\\uffff\""),
                   "\"\xf4\x8f\xbf\xbf\xef\xbf\xbd\xf0\x90\x80\x80\xef\xbf\xbf\"");
    assert_written(STR("{\"\\u0061\":1,\"a\":2,\"A\":3}"), "{\"a\":2,\"A\":3}");
    assert_written(STR("null"), "null");
    assert_written(STR("18446744073709551615"), "18446744073709551615");
    assert_written(STR("{\"a\":1,\"a\":2}"), "{\"a\":2}");
}

static void an_integer_is_exact_or_not_one(void **state)
{
    static const struct {
        struct str text;
        bool fits;
        int64_t value;
    } rows[] = {
        {STR_INIT("0"), true, 0},
        {STR_INIT("9223372036854775807"), true, INT64_MAX},
        {STR_INIT("-9223372036854775808"), true, INT64_MIN},
        {STR_INIT("9223372036854775808"), false, 0},
        {STR_INIT("18446744073709551615"), false, 0},
        {STR_INIT("1.0"), false, 0},
        {STR_INIT("1e2"), false, 0},
        {STR_INIT("\"450789469\""), true, 450789469},
        {STR_INIT("\"9223372036854775808\""), false, 0},
        {STR_INIT("\"12a\""), false, 0},
        {STR_INIT("\"\""), false, 0},
        {STR_INIT("true"), false, 0},
        {STR_INIT("null"), false, 0},
        {STR_INIT("[1]"), false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct js_doc doc = parse(rows[i].text);
        int64_t value = 0;

        if (js_int64(doc.root, &value) != rows[i].fits || value != rows[i].value)
            fail_msg("%.*s is read wrongly", STR_FMT(rows[i].text));
        js_free(&doc);
    }
}

static void an_integer_of_more_than_64_bits_is_refused_rather_than_changed(void **state)
{
    struct js_doc doc = {0};
    struct errinfo info = {0};

    (void)state;
    assert_int_equal(js_parse(STR("[18446744073709551616]"), 100, &doc, &info), ERR_SYNTAX);
    assert_int_equal(js_parse(STR("{\"id\":-9223372036854775809}"), 100, &doc, &info), ERR_SYNTAX);
    assert_non_null(strstr(info.text, "64 bits"));
    doc = PARSE("[123456789012345678901234567890.5, \"123456789012345678901234567890\"]");
    js_free(&doc);
}

static void null_absent_and_empty_are_told_apart(void **state)
{
    struct js_doc doc = PARSE("{\"null\":null,\"empty\":\"\",\"list\":[null]}");

    (void)state;
    assert_int_equal(js_type(js_get(doc.root, "null")), JS_NULL);
    assert_int_equal(js_type(js_get(doc.root, "none")), JS_ABSENT);
    assert_int_equal(js_type(js_get(doc.root, "empty")), JS_TEXT);
    assert_int_equal(js_type(js_at(js_get(doc.root, "list"), 0)), JS_NULL);
    assert_null(js_at(js_get(doc.root, "list"), 1));
    assert_true(js_is_null(js_get(doc.root, "null")));
    assert_true(js_is_null(js_get(doc.root, "none")));
    assert_false(js_is_null(js_get(doc.root, "empty")));
    js_free(&doc);
    doc = PARSE("null");
    assert_non_null(doc.root);
    assert_int_equal(js_type(doc.root), JS_NULL);
    js_free(&doc);
    assert_null(doc.root);
}

static void getters_take_absent_values_and_wrong_types(void **state)
{
    struct js_doc doc = PARSE("{\"a\":{\"b\":{\"c\":7}},\"t\":\"x\",\"yes\":true,\"n\":1.50}");
    struct str text = {NULL, 0};
    int64_t number = 0;
    bool flag = false;

    (void)state;
    assert_true(js_int64(js_path(doc.root, "a.b.c"), &number) && number == 7);
    assert_null(js_path(doc.root, "a.x.c"));
    assert_null(js_path(doc.root, "t.x"));
    assert_null(js_get(js_get(doc.root, "t"), "x"));
    assert_int_equal(js_len(js_get(doc.root, "t")), 0);
    assert_null(js_at(doc.root, 0));
    assert_true(js_true(js_get(doc.root, "yes")));
    assert_false(js_true(js_get(doc.root, "t")));
    assert_false(js_bool(js_get(doc.root, "t"), &flag));
    assert_false(js_string(js_get(doc.root, "n"), &text));
    assert_true(js_text(js_get(doc.root, "n"), &text) && str_eq(text, STR("1.50")));
    assert_true(js_text(js_path(doc.root, "a.b.c"), &text) && str_eq(text, STR("7")));
    assert_false(js_text(doc.root, &text));
    assert_false(js_text(NULL, &text));
    assert_false(js_int64(NULL, &number));
    js_each(js_get(doc.root, "t"), NULL, NULL);
    js_free(&doc);
}

static void a_text_may_hold_a_nul_byte_but_a_key_may_not(void **state)
{
    struct js_doc doc = PARSE("{\"a\":\"x\\u0000y\",\"b\":1}");
    struct str text = {NULL, 0};
    struct errinfo info = {0};

    (void)state;
    assert_true(js_string(js_get(doc.root, "a"), &text));
    assert_true(str_eq(text, STR("x\0y")));
    js_free(&doc);
    assert_int_equal(js_parse(STR("{\"id\":1,\"id\\u0000\":2}"), 100, &doc, &info), ERR_SYNTAX);
}

static bool collect(struct str key, const struct js_value *v, void *arg)
{
    struct buf *keys = arg;

    (void)v;
    buf_add_str(keys, key);
    return keys->n < 3;
}

static void members_are_visited_in_their_order_until_the_visitor_stops(void **state)
{
    struct js_doc doc = PARSE("{\"z\":1,\"a\":2,\"m\":3,\"q\":4}");
    struct buf keys = BUF_CAP(16);

    (void)state;
    js_each(doc.root, collect, &keys);
    assert_string_equal(buf_z(&keys), "zam");
    buf_free(&keys);
    js_free(&doc);
}

static void of_members_with_one_key_the_last_counts_in_the_place_of_the_first(void **state)
{
    struct buf many = BUF_CAP(1 << 20);
    struct js_doc doc = {0};
    struct buf keys = BUF_CAP(16);

    (void)state;
    assert_written(STR("{\"a\":1,\"b\":2,\"a\":[3],\"c\":4,\"a\":\"5\",\"b\":null}"),
                   "{\"a\":\"5\",\"b\":null,\"c\":4}");
    assert_written(STR("{\"\":1,\"\":2}"), "{\"\":2}");
    buf_addz(&many, "{\"z\":0");
    for (int i = 0; i < 5000; i++)
        buf_printf(&many, ",\"k%d\":%d,\"z\":%d", i % 2500, i, i);
    buf_addz(&many, "}");
    doc = parse(buf_str(&many));
    for (int i = 0; i < 2500; i++) {
        char key[16];
        int64_t value = 0;

        (void)snprintf(key, sizeof key, "k%d", i);
        assert_true(js_int64(js_get(doc.root, key), &value) && value == 2500 + i);
    }
    js_each(doc.root, collect, &keys);
    assert_string_equal(buf_z(&keys), "zk0");
    buf_free(&keys);
    buf_free(&many);
    js_free(&doc);
}

/* Texts are looked at eight bytes at once: what ends or breaks one has to be seen at each place. */
static void every_place_of_a_text_is_looked_at(void **state)
{
    static const struct {
        struct str from;
        const char *written; /* NULL: it may not stand in a text */
    } rows[] = {
        {STR_INIT("\\\""), "\\\""},
        {STR_INIT("\\u0022"), "\\\""},
        {STR_INIT("\\u20AC"), "\xe2\x82\xac"},
        {STR_INIT("\xc2\x80"), "\xc2\x80"},
        {STR_INIT("\\ud800"), "\xef\xbf\xbd"},
        {STR_INIT("\\ud800\\u0041"), "\xef\xbf\xbd"
                                     "A"},
        {STR_INIT("\\udc00"), "\xef\xbf\xbd"},
        {STR_INIT("\x7f"), "\\u007f"},
        {STR_INIT("\x1f"), NULL},
        {STR_INIT("\0"), NULL},
        {STR_INIT("\x80"), NULL},
        {STR_INIT("\xe2\x82"), NULL},
        {STR_INIT("\\u12"), NULL},
        {STR_INIT("\\x41"), NULL},
        {STR_INIT("\"x"), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int before = 0; before < 20; before++) {
            struct buf text = BUF_CAP(128), wanted = BUF_CAP(128);
            struct js_doc doc = {0};

            buf_printf(&text, "\"%.*s", before, "abcdefghijklmnopqrstuvwxyz");
            buf_printf(&wanted, "\"%.*s%s~\"", before, "abcdefghijklmnopqrstuvwxyz",
                       rows[i].written ? rows[i].written : "");
            buf_add_str(&text, rows[i].from);
            if (rows[i].written) {
                buf_addz(&text, "~\"");
                assert_written(buf_str(&text), buf_z(&wanted));
            } else {
                buf_addz(&text, "\"");
                assert_int_equal(js_parse(buf_str(&text), 128, &doc, NULL), ERR_SYNTAX);
            }
            /* Cut off anywhere it is no text. */
            for (size_t n = 0; rows[i].written && n < text.n; n++)
                assert_int_equal(js_parse((struct str){text.p, n}, 128, &doc, NULL), ERR_SYNTAX);
            buf_free(&text);
            buf_free(&wanted);
        }
    }
}

static void add_nested(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_addc(out, '[');
    buf_addc(out, '1');
    for (int i = 0; i < depth; i++)
        buf_addc(out, ']');
}

static void size_and_depth_have_their_limits(void **state)
{
    struct buf text = BUF_CAP(1 << 20);
    struct js_doc doc = {0};
    struct errinfo info = {0};

    (void)state;
    add_nested(&text, LIM_JSON_DEPTH);
    assert_int_equal(js_parse(buf_str(&text), text.n, &doc, &info), ERR_OK);
    js_free(&doc);
    assert_int_equal(js_parse(buf_str(&text), text.n - 1, &doc, &info), ERR_TOO_BIG);
    buf_reset(&text);
    add_nested(&text, LIM_JSON_DEPTH + 1);
    assert_int_equal(js_parse(buf_str(&text), text.n, &doc, &info), ERR_TOO_BIG);
    buf_reset(&text);
    add_nested(&text, 100000);
    assert_int_equal(js_parse(buf_str(&text), text.n, &doc, &info), ERR_TOO_BIG);
    assert_null(doc.root);
    buf_free(&text);
}

static void a_text_of_too_many_values_is_refused_before_it_takes_much_memory(void **state)
{
    struct buf text = BUF_CAP(8 << 20);
    struct errinfo info = {0};
    struct js_doc doc = {0};

    (void)state;
    buf_addc(&text, '[');
    for (int i = 1; i < LIM_JSON_VALUES; i++)
        buf_addz(&text, "0,");
    buf_addz(&text, "0]");
    assert_int_equal(js_parse(buf_str(&text), text.n, &doc, &info), ERR_OK);
    assert_int_equal(js_len(doc.root), LIM_JSON_VALUES);
    js_free(&doc);
    text.n--;
    buf_addz(&text, ",0]");
    assert_int_equal(js_parse(buf_str(&text), text.n, &doc, &info), ERR_TOO_BIG);
    assert_non_null(strstr(info.text, "1000000 values"));
    buf_free(&text);
}

static void a_value_too_deep_to_be_written_again_fails_the_text_and_not_the_process(void **state)
{
    struct buf text = BUF_CAP(4096), out = BUF_CAP(4096);
    struct js_doc doc = {0};
    struct js_out w;

    (void)state;
    add_nested(&text, LIM_JSON_DEPTH);
    doc = parse(buf_str(&text));
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_key(&w, "document");
    jw_value(&w, doc.root);
    jw_end_object(&w);
    assert_int_equal(buf_check(&out), ERR_TOO_BIG);
    js_free(&doc);
    buf_free(&text);
    buf_free(&out);
}

static void the_writer_places_commas_and_escapes(void **state)
{
    struct buf out = BUF_CAP(4096);
    struct js_out w;

    (void)state;
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_kstr(&w, "text", STR("\"\\/\b\f\n\r\t\x01\x7f\xc3\xa9"));
    jw_kz(&w, "none", NULL);
    jw_kint(&w, "least", INT64_MIN);
    jw_kbool(&w, "yes", true);
    jw_key(&w, "list");
    jw_begin_array(&w);
    jw_null(&w);
    jw_raw(&w, STR("1.50"));
    jw_begin_object(&w);
    jw_end_object(&w);
    jw_begin_array(&w);
    jw_end_array(&w);
    jw_end_array(&w);
    jw_key_str(&w, STR("k\"\0"));
    jw_str(&w, STR("\xff\xed\xa0\x80 \xc3"));
    jw_end_object(&w);
    assert_string_equal(
        buf_z(&out),
        "{\"text\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\xc3\xa9\",\"none\":null,"
        "\"least\":-9223372036854775808,\"yes\":true,\"list\":[null,1.50,{},[]],"
        "\"k\\\"\\u0000\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\"}");
    buf_free(&out);
}

static void a_text_that_outgrows_its_buffer_is_told_at_the_end(void **state)
{
    struct buf out = BUF_CAP(16);
    struct js_out w;

    (void)state;
    jw_init(&w, &out);
    jw_begin_array(&w);
    jw_str(&w, STR("longer than sixteen bytes"));
    jw_end_array(&w);
    assert_int_equal(buf_check(&out), ERR_TOO_BIG);
    assert_string_equal(buf_z(&out), "[");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(a_text_that_was_cut_off_is_refused),
        cmocka_unit_test(what_is_read_is_written_again_with_its_numbers_as_they_were),
        cmocka_unit_test(an_integer_is_exact_or_not_one),
        cmocka_unit_test(an_integer_of_more_than_64_bits_is_refused_rather_than_changed),
        cmocka_unit_test(null_absent_and_empty_are_told_apart),
        cmocka_unit_test(getters_take_absent_values_and_wrong_types),
        cmocka_unit_test(a_text_may_hold_a_nul_byte_but_a_key_may_not),
        cmocka_unit_test(members_are_visited_in_their_order_until_the_visitor_stops),
        cmocka_unit_test(of_members_with_one_key_the_last_counts_in_the_place_of_the_first),
        cmocka_unit_test(every_place_of_a_text_is_looked_at),
        cmocka_unit_test(size_and_depth_have_their_limits),
        cmocka_unit_test(a_text_of_too_many_values_is_refused_before_it_takes_much_memory),
        cmocka_unit_test(a_value_too_deep_to_be_written_again_fails_the_text_and_not_the_process),
        cmocka_unit_test(the_writer_places_commas_and_escapes),
        cmocka_unit_test(a_text_that_outgrows_its_buffer_is_told_at_the_end),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
