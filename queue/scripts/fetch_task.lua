#!lua
-- fetch_task: asks for what is done at one store's shop under a task: the orders of a range of days (a
-- backfill), or a look at the shop itself (a check); and pauses, resumes or cancels that.
-- ARGV: 1 task  2 add | pause | resume | cancel  3 who  and for add: 4 store  5 backfill | check  6 input (JSON)
-- Returns {'ok', status}; {'no_store'}; {'none'}: no such task; {'kind'}: it is of another kind;
-- {'ended', status}.
-- Sent twice: the second finds it done.
local id, what, who = ARGV[1], ARGV[2], ARGV[3]
local key = P .. 'task:' .. id
local t = redis.call('HMGET', key, 'kind', 'status', 'store')
local kind, status, S = t[1] or ARGV[5], t[2], t[3] or ARGV[4]
if what ~= 'add' and not t[1] then return { 'none' } end
local queue = TASK_QUEUES[kind]
if not queue then return { 'kind' } end
local item = '*' .. kind .. ':' .. id

if what == 'add' then
  local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
  if not s[1] or s[2] then return { 'no_store' } end
  if not status then
    redis.call('HSET', key, 'kind', kind, 'status', 'waiting', 'store', S, 'input', ARGV[6])
    redis.call('HSET', P .. 'fetchstate:' .. S, item, ARGV[6])
    redis.call('ZADD', P .. queue .. S, now, item)
    redis.call('SADD', P .. 'fetchtasks:' .. S, item)
    audit(who, kind, 'store ' .. S, '', ARGV[6])
    -- Who checks may have mended what holds the store: that is found out now, unless it is the shop's own
    -- limit, which has no reason here.
    local seller = P .. 'seller:' .. S
    if kind == 'check' and redis.call('HEXISTS', seller, 'why') == 1 then redis.call('HDEL', seller, 'nb') end
    fetch_relane(S)
  end
  return { 'ok', status or 'waiting' }
end
if what == 'pause' and status == 'waiting' or what == 'resume' and status == 'paused'
  or what == 'cancel' and (status == 'waiting' or status == 'paused') then
  local new = what == 'pause' and 'paused' or what == 'resume' and 'waiting' or 'cancelled'
  redis.call('HSET', key, 'status', new)
  if what == 'resume' then
    redis.call('ZADD', P .. queue .. S, 'NX', now, item)
  else
    redis.call('ZREM', P .. queue .. S, item)
  end
  if what == 'cancel' then
    redis.call('HDEL', P .. 'fetchstate:' .. S, item)
    fetch_task_end(S, item, new, '')
  end
  audit(who, what, 'task ' .. id, status, new)
  fetch_relane(S)
  return { 'ok', new }
end
local wanted = what == 'pause' and 'paused' or what == 'resume' and 'waiting' or 'cancelled'
return { status == wanted and 'ok' or 'ended', status }
