#!lua flags=allow-oom
-- sweep: upkeep. Puts back lanes that are missing from the due set (there must be none), trims the
-- connection logs and the lists of exported orders, goes on with the erasing of uninstalled connections,
-- and sets how long orders at rest are kept.
-- ARGV: 1 ms for which nobody else sweeps  2 retention ms  3 log ms  4 percent of a day's calls kept for
--   exports by hand  5 ms that a batch lingers at most
-- Returns {did 0|1, repairs}.
-- Sent twice: the second finds the lock.
if not redis.call('SET', P .. 'sweep', '1', 'NX', 'PX', ARGV[1]) then return { 0, 0 } end
redis.call('HSET', P .. 'options', 'retention', ARGV[2], 'reserve', ARGV[4], 'linger_max', ARGV[5])

-- Above 90 % of maxmemory the door is closed (503), while the backlog drains.
local memory = redis.call('INFO', 'memory')
local used, max = tonumber(memory:match('used_memory:(%d+)')), tonumber(memory:match('maxmemory:(%d+)'))
if max > 0 and used > 0.9 * max then
  redis.call('SET', P .. 'full', '1', 'PX', 60000)
else
  redis.call('DEL', P .. 'full')
end

local repairs = 0
for _, C in ipairs(redis.call('SMEMBERS', P .. 'conns')) do
  local before = redis.call('ZSCORE', P .. 'due', C)
  local at = relane(C)
  if at and not before then
    repairs = repairs + 1
    log_add(C, 'error', '', '', 'queue_repaired', 'The connection had dropped out of the queue and was put back.')
    ring()
  end
  erase(C)
  redis.call('XTRIM', P .. 'log:' .. C, 'MINID', '~', string.format('%d', now - tonumber(ARGV[3])), 'LIMIT', 1000)
  local old = redis.call('ZRANGE', P .. 'synced:' .. C, '-inf', now - tonumber(ARGV[2]), 'BYSCORE', 'LIMIT', 0, 1000)
  if #old > 0 then redis.call('ZREM', P .. 'synced:' .. C, unpack(old)) end
end
return { 1, repairs }
