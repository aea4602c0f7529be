/*
 * limits: every cap and deadline that is not a setting, each with its reason.
 * Settings (LH_...) live in config. Only constants here; nothing includes anything.
 */
#pragma once

/* JSON nesting that any body may have. Shopify's deepest order is 8, Xero's deepest answer 7. */
#define LIM_JSON_DEPTH 32

/* Values in a JSON document, members and elements, beyond which each needs 8 bytes of text: real
 * orders have twice that. Bounds the memory that a hostile text takes. */
#define LIM_JSON_VALUES 1000000

/* A JSON document's largest text where nothing narrower is said: LH_MAX_BODY's default. */
#define LIM_JSON_BYTES (8u << 20)

/* Webhook bodies held in memory at the same time, over all threads; more are answered 503. */
#define LIM_BODIES_BYTES (256u << 20)

/* A body sent to the REST API: a store with all its mappings is under 64 KiB. */
#define LIM_API_BODY (1u << 20)

/* A connection's backup, there and back: 128 such stores. */
#define LIM_BACKUP (8u << 20)

/* Header values we read; Shopify's longest is a 44-character signature. */
#define LIM_HEADER 512

/* A store's id: a shop domain (DNS: 253) or a seller id (14). */
#define LIM_STORE_ID 255

/* An address that webhooks are sent to: a host's 253 and a path; it is kept with its task and told
 * in the log. Shopify names no limit. */
#define LIM_HOOK_URL 512

/* A connection's name, chosen by the operator: [a-z0-9-], used in Redis keys and URLs. */
#define LIM_CONN_NAME 64

/* An order's key: <platform>/<store>/<order id>. */
#define LIM_ORDER_KEY 320

/* An order's name as the shop writes it ("#1042"), and any other short text shown to people. */
#define LIM_NAME 255

/* Order lines, refunds, transactions and tax lines that are read from one order. Shopify caps an
 * order's lines at 500; ten times that is read, more is refused with a sentence. */
#define LIM_ORDER_LINES 5000

/* Taxes of one line, or of one product's duties: each document that speaks of it sorts them. The
 * United States have half a dozen. */
#define LIM_LINE_TAXES 100

/* Of one thing in one line: counts of it are added up over an order's lines, records and
 * shipments. */
#define LIM_QUANTITY 1000000000

/* All elements together of the arrays that are read from one order, nested ones too: they bound the
 * memory that an order takes. 500 lines with a dozen taxes, discounts and shipments have 6,500. */
#define LIM_ORDER_ELEMENTS 100000

/* Documents in one call to Xero and bytes of its body (facts: 50 advised, 3.5 MB refused). */
#define LIM_XERO_BATCH 50
#define LIM_XERO_BODY (3u << 20)

/* The largest answer read from Xero: 50 invoices of 500 lines. */
#define LIM_XERO_ANSWER (32u << 20)

/* The largest answers read: from Amazon 100 orders with all their data, from Shopify a page of
 * lines with all their taxes, from Amazon's queue 10 messages of at most 1 MiB, escaped once
 * more. */
#define LIM_AMAZON_ANSWER (16u << 20)
#define LIM_SHOPIFY_ANSWER (8u << 20)
#define LIM_SQS_ANSWER (24u << 20)

/* Rows in one page of a list, and without ?limit=. */
#define LIM_PAGE_MAX 1000
#define LIM_PAGE 100

/* Orders in one bulk export or dismissal by ids. */
#define LIM_BULK_IDS 1000

/* Xero's own limits per organisation: 5 calls in flight, 60 a minute. We stay 3 below the minute
 * and count 61 s, because Xero's window is its own clock's. */
#define LIM_XERO_INFLIGHT 5
#define LIM_XERO_MINUTE 57
#define LIM_XERO_MINUTE_MS 61000

/* Xero keeps an idempotency key for 6 minutes; the same bytes go out again only in the first 5. */
#define LIM_IDEMPOTENCY_MS 300000

/* Redis: connect and answer. Together under the 5 s that Shopify gives a delivery; a save of the
 * append-only file can hold an answer for a second. */
#define LIM_REDIS_CONNECT_MS 1000
#define LIM_REDIS_ANSWER_MS 3000

/* Delivery hashes, trail entries kept for one order. */
#define LIM_DELIVERIES 16
#define LIM_TRAIL 200
