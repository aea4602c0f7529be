/*
 * sqs: the seller's queue at AWS that Amazon puts its notifications into: receive and delete, by
 * the JSON protocol, signed by AWS Signature 4. Knows nothing of what is in a message. A message
 * that is not deleted comes again after its visibility ends, which is what makes a death harmless;
 * the caller deletes only what is safe elsewhere. One struct a thread.
 * Facts: Amazon SQS API reference and developer guide.
 */
#pragma once

#include "service/export/shop_call.h"

/* Messages in one call, there and back; AWS allows no more. */
#define SQS_MESSAGES 10

struct sqs_options {
    const char
        *queue_url;     /* https://sqs.<region>.amazonaws.com/<account>/<name>, or another host */
    const char *region; /* for a host that does not say it; NULL or "" else */
    struct str key_id, secret;
    struct str session_token; /* of temporary keys; "" none */
    const _Atomic bool *stop; /* borrowed: true breaks off a receive that waits. NULL: never */
};

struct sqs;
/* One thread's client of one queue; O is copied. ERR_CONFIG: the address is no queue's, its region
 * is not known, or a key is missing; ERR_NOMEM. sqs_free wipes and accepts NULL. */
enum err sqs_new(const struct sqs_options *o, struct sqs **out, struct errinfo *info) MUST_CHECK;
void sqs_free(struct sqs *q);

/* Texts live in the answer that they came with. */
struct sqs_message {
    struct str id;      /* AWS' id, the same each time the message comes */
    struct str receipt; /* what it is deleted by, of this time */
    struct str body;
    int64_t received; /* how often it came so far, this time included; 0 not said */
};

/* Waits up to WAIT_S (0 to 20) for messages, which nobody else gets for VISIBILITY_S. ANSWERED: N
 * of them, perhaps none. DENIED: the keys, the signature or the queue's policy. Errors: faults of
 * this program. OUT is always to be freed, after the messages were used. */
enum err sqs_receive(struct sqs *q, int wait_s, int visibility_s, struct shc_answer *out,
                     struct sqs_message messages[SQS_MESSAGES], size_t *n,
                     struct errinfo *info) MUST_CHECK;
/* Deletes N (at most SQS_MESSAGES) messages by their receipts. ANSWERED: LEFT says how many of them
 * AWS did not delete; they come again, which the caller's dedupe makes harmless. */
enum err sqs_delete(struct sqs *q, const struct str *receipts, size_t n, struct shc_answer *out,
                    size_t *left, struct errinfo *info) MUST_CHECK;
