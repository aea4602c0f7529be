/*
 * redis_group: one private redis-server and one connection to it for a group of tests: `start`
 * and `stop` are the group's set-up and tear-down, `r` is the connection. Included by a test
 * binary that needs no more than that.
 */
#pragma once

#include "tests/unit/redis_fixture.h"

static struct redis_fixture server;
static struct rds_pool *pool;
static struct rds *r;

static int start(void **state)
{
    struct errinfo info = {0};

    (void)state;
    redis_start(&server);
    if (rds_pool_new(server.url, 2, &pool, &info) != ERR_OK)
        fail_msg("%s", info.text);
    r = rds_take(pool, 1000);
    return r ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    rds_give(pool, r);
    rds_pool_free(pool);
    redis_stop(&server);
    return 0;
}
