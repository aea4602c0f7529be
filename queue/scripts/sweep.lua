#!lua flags=allow-oom
-- sweep: upkeep. Puts back lanes that are missing from the due set (there must be none), trims the
-- connection logs and the lists of exported orders, and sets how long orders at rest are kept.
-- ARGV: 1 ms for which nobody else sweeps  2 retention ms  3 log ms
-- Returns {did 0|1, repairs}.
-- Sent twice: the second finds the lock.
if not redis.call('SET', P .. 'sweep', '1', 'NX', 'PX', ARGV[1]) then return { 0, 0 } end
redis.call('SET', P .. 'retention', ARGV[2])
local repairs = 0
for _, C in ipairs(redis.call('SMEMBERS', P .. 'conns')) do
  local before = redis.call('ZSCORE', P .. 'due', C)
  local at = relane(C)
  if at and not before then
    repairs = repairs + 1
    log_add(C, 'error', '', '', 'queue_repaired', 'The connection had dropped out of the queue and was put back.')
    ring()
  end
  redis.call('XTRIM', P .. 'log:' .. C, 'MINID', '~', string.format('%d', now - tonumber(ARGV[3])), 'LIMIT', 1000)
  local old = redis.call('ZRANGE', P .. 'synced:' .. C, '-inf', now - tonumber(ARGV[2]), 'BYSCORE', 'LIMIT', 0, 1000)
  if #old > 0 then redis.call('ZREM', P .. 'synced:' .. C, unpack(old)) end
end
return { 1, repairs }
