#!lua flags=allow-oom
-- fetch_release: what held a store's lane is mended (it has another token): its orders are read again.
-- ARGV: 1 store
-- Returns 1.
-- Sent twice: the second finds it free.
local S = ARGV[1]
redis.call('HDEL', P .. 'seller:' .. S, 'nb', 'why', 'down')
fetch_relane(S)
return 1
