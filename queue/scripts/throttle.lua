#!lua flags=allow-oom
-- throttle: counts one more wrong token from an address; forgotten when none came for a while.
-- ARGV: 1 address  2 for how long it is remembered (ms)
-- Returns how many there were.
-- Sent twice: counts twice; the next wrong one is answered 429 a little early.
local count = redis.call('INCR', P .. 'throttle:' .. ARGV[1])
redis.call('PEXPIRE', P .. 'throttle:' .. ARGV[1], ARGV[2])
return count
