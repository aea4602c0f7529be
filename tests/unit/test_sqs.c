/* sqs against a peer of this process that checks each signature as AWS does. */
#include "service/export/sqs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/base/crypto.h"
#include "tests/unit/fake_peer.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* ---- AWS Signature 4, from the request's bytes alone ---- */

/* Value of a header of a request, as it was sent; "" if there is none. */
static struct str header(struct str head, struct str name)
{
    while (head.p) {
        struct str line = str_split(&head, '\n'), value = line, field = str_split(&value, ':');

        if (value.p && str_eq_nocase(field, name))
            return str_trim(value);
    }
    return STR("");
}

/* What follows KEY in TEXT, up to one of the characters of ENDS. */
static struct str after(struct str text, const char *key, const char *ends)
{
    const char *at = memmem(text.p, text.n, key, strlen(key));
    struct str s = {at ? at + strlen(key) : "", 0};

    while (at && s.p + s.n < text.p + text.n && !strchr(ends, s.p[s.n]))
        s.n++;
    return s;
}

static struct str hmac(struct str key, struct str message, uint8_t out[CRY_HASH])
{
    cry_hmac_sha256(key, message, out);
    return (struct str){(const char *)out, CRY_HASH};
}

static void add_hash(struct str text, struct buf *out)
{
    uint8_t hash[CRY_HASH];

    cry_sha256(text, hash);
    cry_hex(hash, sizeof(hash), out);
}

/* True if every header that is said to be signed was sent, and the signature is SECRET's. */
static bool is_signed(struct str request, const char *key_id)
{
    const char *gap = memmem(request.p, request.n, "\r\n\r\n", 4);
    struct str head = {request.p, (size_t)(gap - request.p)};
    struct str body = {gap + 4, request.n - head.n - 4};
    struct str said = header(head, STR("Authorization"));
    struct str credential = after(said, "Credential=", ","), rest = credential, parts[5];
    struct str names = after(said, "SignedHeaders=", ","), list = names;
    struct buf canonical = BUF_CAP(1u << 20), text = BUF_CAP(1u << 16), hex = BUF_CAP(100);
    uint8_t a[CRY_HASH], b[CRY_HASH];
    struct str key;
    bool good = true;

    for (int i = 0; i < 5; i++)
        parts[i] = str_split(&rest, '/');
    good = str_eq(parts[0], str_of(key_id)) && str_eq(parts[4], STR("aws4_request"));
    buf_addz(&canonical, "POST\n/\n\n");
    while (list.p) {
        struct str name = str_split(&list, ';'), value = header(head, name);

        good = good && value.n > 0;
        buf_printf(&canonical, "%.*s:%.*s\n", STR_FMT(name), STR_FMT(value));
    }
    buf_printf(&canonical, "\n%.*s\n", STR_FMT(names));
    add_hash(body, &canonical);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%.*s\n%.*s/%.*s/%.*s/aws4_request\n",
               STR_FMT(header(head, STR("x-amz-date"))), STR_FMT(parts[1]), STR_FMT(parts[2]),
               STR_FMT(parts[3]));
    add_hash(buf_str(&canonical), &text);
    key = hmac(STR("AWS4" SECRET), parts[1], a);
    key = hmac(key, parts[2], b);
    key = hmac(key, parts[3], a);
    key = hmac(key, parts[4], b);
    (void)hmac(key, buf_str(&text), a);
    cry_hex(a, sizeof(a), &hex);
    good = good && str_eq(buf_str(&hex), after(said, "Signature=", "\r\n, "));
    buf_free(&canonical);
    buf_free(&text);
    buf_free(&hex);
    return good;
}

/* ---- talks ---- */

struct talk {
    struct peer peer;
    struct sqs *sqs;
    struct shc_answer answer;
    struct sqs_message messages[SQS_MESSAGES];
    size_t n;
    struct errinfo info;
};

static void begin(struct talk *t, const char *const *answers, size_t n, const char *session)
{
    char url[128];
    struct sqs_options o = {.queue_url = url,
                            .region = "eu-west-1",
                            .key_id = STR("AKIDEXAMPLE"),
                            .secret = STR(SECRET),
                            .session_token = str_of(session)};

    memset(t, 0, sizeof(*t));
    peer_start_listed(&t->peer, answers, n);
    (void)snprintf(url, sizeof(url), "%s/437568002678/orders-1", t->peer.root);
    assert_int_equal(sqs_new(&o, &t->sqs, &t->info), ERR_OK);
}

static void end(struct talk *t)
{
    shc_answer_free(&t->answer);
    sqs_free(t->sqs);
    peer_stop(&t->peer);
}

static void receive(struct talk *t)
{
    shc_answer_free(&t->answer);
    assert_int_equal(sqs_receive(t->sqs, 20, 120, &t->answer, t->messages, &t->n, &t->info),
                     ERR_OK);
}

static void messages_are_received_by_a_signed_call(void **state)
{
    static const char *const answers[] = {
        "200 x-amzn-RequestId: r-1\n|{\"Messages\":[{\"MessageId\":\"m-1\",\"ReceiptHandle\":"
        "\"AQEB+/==\",\"MD5OfBody\":\"x\",\"Body\":\"{\\\"a\\\":1}\",\"Attributes\":{"
        "\"ApproximateReceiveCount\":\"2\"}},{\"MessageId\":\"m-2\",\"ReceiptHandle\":\"R2\","
        "\"Body\":\"\"},{\"MessageId\":\"no receipt\"}]}",
        "200 |{}"};
    struct talk t;

    (void)state;
    begin(&t, answers, 2, "");
    receive(&t);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_string_equal(t.answer.request_id, "r-1");
    assert_int_equal(t.n, 2);
    assert_true(str_eq(t.messages[0].id, STR("m-1")));
    assert_true(str_eq(t.messages[0].receipt, STR("AQEB+/==")));
    assert_true(str_eq(t.messages[0].body, STR("{\"a\":1}")));
    assert_int_equal(t.messages[0].received, 2);
    assert_int_equal(t.messages[1].received, 0);
    receive(&t); /* none came */
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.n, 0);
    for (size_t i = 0; i < 2; i++)
        assert_true(is_signed(buf_str(&t.peer.requests[i]), "AKIDEXAMPLE"));
    assert_true(peer_was_asked(&t.peer, 0, "/eu-west-1/sqs/aws4_request"));
    assert_true(peer_was_asked(&t.peer, 0, "POST / HTTP/1.1\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "X-Amz-Target: AmazonSQS.ReceiveMessage\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "Content-Type: application/x-amz-json-1.0\r\n"));
    assert_true(peer_was_asked(&t.peer, 0,
                               "/437568002678/orders-1\",\"MaxNumberOfMessages\":10,"
                               "\"WaitTimeSeconds\":20,\"VisibilityTimeout\":120,"));
    assert_false(peer_was_asked(&t.peer, 0, SECRET));
    end(&t);
}

static void temporary_keys_send_and_sign_their_token(void **state)
{
    static const char *const answers[] = {"200 |{}"};
    struct talk t;

    (void)state;
    begin(&t, answers, 1, "FQoDYXdzEPr//tok+en==");
    receive(&t);
    assert_true(is_signed(buf_str(&t.peer.requests[0]), "AKIDEXAMPLE"));
    assert_true(peer_was_asked(&t.peer, 0, "X-Amz-Security-Token: FQoDYXdzEPr//tok+en==\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, ";x-amz-security-token;"));
    end(&t);
}

static void what_was_not_deleted_is_counted(void **state)
{
    static const char *const answers[] = {
        "200 |{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,"
        "\"Code\":\"ReceiptHandleIsInvalid\"}]}",
        "200 |{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"1\"}],\"Failed\":[]}"};
    const struct str receipts[] = {STR("R1"), STR("R\"2")};
    struct talk t;
    size_t left;

    (void)state;
    begin(&t, answers, 2, "");
    assert_int_equal(sqs_delete(t.sqs, receipts, 2, &t.answer, &left, &t.info), ERR_OK);
    assert_int_equal(left, 1);
    assert_true(is_signed(buf_str(&t.peer.requests[0]), "AKIDEXAMPLE"));
    assert_true(peer_was_asked(&t.peer, 0, "X-Amz-Target: AmazonSQS.DeleteMessageBatch\r\n"));
    assert_true(peer_was_asked(&t.peer, 0,
                               "\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"R1\"},"
                               "{\"Id\":\"1\",\"ReceiptHandle\":\"R\\\"2\"}]}"));
    shc_answer_free(&t.answer);
    assert_int_equal(sqs_delete(t.sqs, receipts, 2, &t.answer, &left, &t.info), ERR_OK);
    assert_int_equal(left, 0);
    shc_answer_free(&t.answer);
    assert_int_equal(sqs_delete(t.sqs, receipts, 11, &t.answer, &left, &t.info), ERR_INTERNAL);
    end(&t);
}

static void every_answer_has_its_verdict(void **state)
{
#define SAID(status, type)                                                                         \
    status " |{\"__type\":\"com.amazonaws.sqs#" type "\",\"message\":\"why\"}"
    static const struct {
        const char *answer;
        enum shc_verdict verdict;
        enum shc_denied denied;
    } rows[] = {
        {SAID("400", "QueueDoesNotExist"), SHC_NOT_FOUND, SHC_ALLOWED},
        {SAID("403", "AccessDeniedException"), SHC_DENIED, SHC_NO_ACCESS},
        {SAID("400", "UnrecognizedClientException"), SHC_DENIED, SHC_NO_CLIENT},
        {SAID("403", "InvalidSignatureException"), SHC_DENIED, SHC_NO_CLIENT},
        {SAID("400", "ExpiredTokenException"), SHC_DENIED, SHC_NO_CLIENT},
        {SAID("400", "RequestThrottled"), SHC_LIMITED, SHC_ALLOWED},
        {SAID("403", "OverLimit"), SHC_LIMITED, SHC_ALLOWED},
        {SAID("400", "InvalidParameterValueException"), SHC_REFUSED, SHC_ALLOWED},
        {"403 |<html>", SHC_DENIED, SHC_NO_ACCESS},
        {"500 |{}", SHC_DOWN, SHC_ALLOWED},
        {"200 |[]", SHC_DOWN, SHC_ALLOWED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct talk t;

        begin(&t, &rows[i].answer, 1, "");
        receive(&t);
        print_message("%s\n", rows[i].answer);
        assert_int_equal(t.answer.verdict, rows[i].verdict);
        assert_int_equal(t.answer.denied, rows[i].denied);
        assert_true(t.answer.message.n > 0);
        assert_int_equal(t.n, 0);
        end(&t);
    }
}

static void a_queues_address_says_its_region_and_nothing_odd(void **state)
{
    static const struct {
        const char *url, *region, *scope; /* NULL: refused */
    } rows[] = {
        {"https://sqs.eu-west-1.amazonaws.com/437568002678/q", "", "eu-west-1"},
        {"https://sqs.us-gov-west-1.amazonaws.com/1/q.fifo", "eu-west-1", "us-gov-west-1"},
        {"https://sqs.cn-north-1.amazonaws.com.cn/1/q", NULL, "cn-north-1"},
        {"https://us-east-2.queue.amazonaws.com/1/q", "", "us-east-2"},
        {"https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/q", "", "us-east-1"},
        {"http://127.0.0.1:9324/000000000000/q", "eu-west-1", "eu-west-1"},
        {"http://127.0.0.1:9324/000000000000/q", "", NULL},
        {"https://sqs.eu-west-1.amazonaws.com/", "", NULL},
        {"https://sqs.eu-west-1.amazonaws.com/1", "", NULL},
        {"https://sqs.eu-west-1.amazonaws.com/1/", "", NULL},
        {"https://sqs.eu-west-1.amazonaws.com/1/q/more", "", NULL},
        {"https://sqs.eu-west-1.amazonaws.com/1/q?x=1", "", NULL},
        {"https://user@sqs.eu-west-1.amazonaws.com/1/q", "", NULL},
        {"https:sqs.eu-west-1.amazonaws.com/1/q", "", NULL},
        {"ftp://sqs.eu-west-1.amazonaws.com/1/q", "", NULL},
        {"sqs", "eu-west-1", NULL},
        {"", "eu-west-1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sqs_options o = {.queue_url = rows[i].url,
                                .region = rows[i].region,
                                .key_id = STR("a"),
                                .secret = STR("b")};
        struct errinfo info = {0};
        struct sqs *q = NULL;

        print_message("%s\n", rows[i].url);
        assert_int_equal(sqs_new(&o, &q, &info), rows[i].scope ? ERR_OK : ERR_CONFIG);
        assert_int_equal(q != NULL, rows[i].scope != NULL);
        sqs_free(q);
        o.secret = STR("");
        assert_int_equal(sqs_new(&o, &q, &info), ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_received_by_a_signed_call),
        cmocka_unit_test(temporary_keys_send_and_sign_their_token),
        cmocka_unit_test(what_was_not_deleted_is_counted),
        cmocka_unit_test(every_answer_has_its_verdict),
        cmocka_unit_test(a_queues_address_says_its_region_and_nothing_odd),
    };
    int failed;

    http_setup();
    failed = cmocka_run_group_tests_name("sqs", tests, NULL, NULL);
    http_teardown();
    return failed;
}
