#!lua
-- backfill: asks for the orders of a range of days of one store, and pauses, resumes or cancels that.
-- ARGV: 1 task  2 add | pause | resume | cancel  3 who  and for add: 4 store  5 input (JSON)
-- Returns {'ok', status}; {'no_store'}; {'none'}: no such task; {'kind'}: it is of another kind;
-- {'ended', status}.
-- Sent twice: the second finds it done.
local id, what, who = ARGV[1], ARGV[2], ARGV[3]
local key, item = P .. 'task:' .. id, '*backfill:' .. ARGV[1]
local t = redis.call('HMGET', key, 'kind', 'status', 'store')
local S = t[3] or ARGV[4]

if what == 'add' then
  local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
  if not s[1] or s[2] then return { 'no_store' } end
  if not t[1] then
    redis.call('HSET', key, 'kind', 'backfill', 'status', 'waiting', 'store', S, 'input', ARGV[5])
    redis.call('HSET', P .. 'fetchstate:' .. S, item, ARGV[5])
    redis.call('ZADD', P .. 'fetchlater:' .. S, now, item)
    redis.call('SADD', P .. 'fetchtasks:' .. S, item)
    audit(who, 'backfill', 'store ' .. S, '', ARGV[5])
    fetch_relane(S)
  end
  return { 'ok', t[2] or 'waiting' }
end
if not t[1] then return { 'none' } end
if t[1] ~= 'backfill' then return { 'kind' } end
if what == 'pause' and t[2] == 'waiting' or what == 'resume' and t[2] == 'paused'
  or what == 'cancel' and (t[2] == 'waiting' or t[2] == 'paused') then
  local status = what == 'pause' and 'paused' or what == 'resume' and 'waiting' or 'cancelled'
  redis.call('HSET', key, 'status', status)
  if what == 'resume' then
    redis.call('ZADD', P .. 'fetchlater:' .. S, 'NX', now, item)
  else
    redis.call('ZREM', P .. 'fetchlater:' .. S, item)
  end
  if what == 'cancel' then
    redis.call('HDEL', P .. 'fetchstate:' .. S, item)
    redis.call('SREM', P .. 'fetchtasks:' .. S, item)
    redis.call('HDEL', key, 'input')
    redis.call('EXPIRE', key, 86400)
  end
  audit(who, what, 'task ' .. id, t[2], status)
  fetch_relane(S)
  return { 'ok', status }
end
local wanted = what == 'pause' and 'paused' or what == 'resume' and 'waiting' or 'cancelled'
return { t[2] == wanted and 'ok' or 'ended', t[2] }
